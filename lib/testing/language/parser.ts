import type {
  Assignment,
  Ast,
  ColumnDefinition,
  CreateTable,
  Delete,
  Insert,
  Marker,
  Modification,
  Relation,
  Select,
  Selector,
  TableRef,
  Term,
  TypeRef,
  Update,
  Using,
} from './ast.js';
import { Cursor } from './cursor.js';
import { CqlRefusal, outside, REFUSAL } from './refusal.js';
import { frozen, isNative, listOrSet, mapOf, native, tupleOf, vectorOf } from './types.js';

/** Reads one statement. Throws a {@link CqlRefusal} for a text it does not understand. */
export function parseStatement(text: string): Ast {
  const [statement, ...more] = parseStatements(text);
  if (!statement) throw new CqlRefusal('The statement is empty', REFUSAL.syntax);
  if (more.length > 0) throw new CqlRefusal('More than one statement in a text', REFUSAL.syntax);
  return statement;
}

/** Reads statements up to the end, as a file has them. */
export function parseStatements(text: string): Ast[] {
  const parser = new Parser(text);
  return parser.statements();
}

/** With the symbols they are written with, the longer ones first. */
const OPERATORS = [
  ['>=', '>', '='],
  ['<=', '<', '='],
  ['>', '>'],
  ['<', '<'],
  ['=', '='],
] as const;
const DEFAULT_GC_GRACE_SECONDS = 864_000;

class Parser {
  readonly #on: Cursor;

  constructor(text: string) {
    this.#on = new Cursor(text);
  }

  statements(): Ast[] {
    const statements: Ast[] = [];
    for (;;) {
      while (this.#on.accept(';'));
      if (this.#on.isAtEnd()) return statements;
      statements.push(this.#statement());
      if (this.#on.peek() === 'if') throw outside('conditions (IF …)');
      if (this.#on.peek() !== ';' && !this.#on.isAtEnd()) throw this.#on.error('expected the end');
    }
  }

  #statement(): Ast {
    const on = this.#on;
    switch (on.peek()) {
      case 'select':
        return this.#select();
      case 'begin':
        return this.#batch();
      case 'create':
        return this.#create();
      case 'truncate':
        on.expect('truncate');
        if (!on.accept('table')) on.accept('columnfamily');
        return { kind: 'truncate', table: this.#table() };
      case 'use':
        on.expect('use');
        return { kind: 'use', keyspace: on.name() };
      case 'drop': {
        on.expect('drop');
        if (!on.accept('table')) throw outside(`DROP ${String(on.peek()).toUpperCase()}`);
        const ifExists = on.accept('if', 'exists');
        return { kind: 'drop', ifExists, table: this.#table() };
      }
      default:
        return this.#modification();
    }
  }

  #modification(): Modification {
    const on = this.#on;
    if (on.accept('insert')) return this.#insert();
    if (on.accept('update')) return this.#update();
    if (on.accept('delete')) return this.#delete();
    if (on.isName()) throw outside(`a statement that begins with ${on.name().toUpperCase()}`);
    throw on.error('expected a statement');
  }

  #insert(): Insert {
    const on = this.#on;
    on.expect('into');
    const table = this.#table();
    if (on.peek() === 'json') throw outside('INSERT JSON');
    on.expect('(');
    const columns = on.list(')', () => on.name());
    on.expect('values', '(');
    const values = on.list(')', () => this.#term());
    if (columns.length !== values.length) {
      throw new CqlRefusal(`Unmatched column names/values: ${columns.length} and ${values.length}`);
    }
    if (on.peek() === 'if') throw outside('conditions (IF …)');
    return { kind: 'insert', table, columns, values, using: this.#using() };
  }

  #update(): Update {
    const on = this.#on;
    const table = this.#table();
    const using = this.#using();
    on.expect('set');
    const assignments: Assignment[] = [];
    do assignments.push(this.#assignment());
    while (on.accept(','));
    return { kind: 'update', table, using, assignments, where: this.#where(true) };
  }

  #assignment(): Assignment {
    const on = this.#on;
    const column = on.name();
    if (on.accept('.')) {
      const field = on.name();
      on.expect('=');
      return { kind: 'field', column, field, value: this.#term() };
    }
    if (on.accept('[')) {
      const key = this.#term();
      on.expect(']', '=');
      return { kind: 'put', column, key, value: this.#term() };
    }
    if (on.accept('+', '=')) return { kind: 'add', column, value: this.#term() };
    if (on.accept('-', '=')) return { kind: 'remove', column, value: this.#term() };
    on.expect('=');
    const operator = on.isName() ? on.peek(1) : undefined;
    if (operator !== '+' && operator !== '-') {
      const value = this.#term();
      if (on.peek() === '+') throw outside(`${column} = … + ${column}`);
      return { kind: 'set', column, value };
    }
    if (on.name() !== column) throw outside('the value of one column in another');
    on.expect(operator);
    return { kind: operator === '+' ? 'add' : 'remove', column, value: this.#term() };
  }

  #delete(): Delete {
    const on = this.#on;
    const targets = on.list('from', () => this.#target());
    const table = this.#table();
    const using = this.#using();
    return { kind: 'delete', targets, table, using, where: this.#where(true) };
  }

  #target(): Delete['targets'][number] {
    const column = this.#on.name();
    if (this.#on.accept('.')) return { column, field: this.#on.name() };
    if (!this.#on.accept('[')) return { column };
    const key = this.#term();
    this.#on.expect(']');
    return { column, key };
  }

  #batch(): Ast {
    const on = this.#on;
    on.expect('begin');
    if (on.accept('counter')) throw outside('counter batches');
    on.accept('unlogged');
    on.expect('batch');
    const using = this.#using();
    const statements: Modification[] = [];
    while (!on.accept('apply', 'batch')) {
      statements.push(this.#modification());
      on.accept(';');
    }
    return { kind: 'batch', using, statements };
  }

  #select(): Select {
    const on = this.#on;
    on.expect('select');
    if (on.peek() === 'json' && on.peek(1) !== ',') throw outside('SELECT JSON');
    const isDistinct = on.accept('distinct');
    const selectors = on.accept('*') ? undefined : this.#selectors();
    on.expect('from');
    const table = this.#table();
    const where = this.#where(false);
    if (on.peek() === 'group') throw outside('GROUP BY');
    const orderBy: { column: string; isDescending: boolean }[] = [];
    if (on.accept('order', 'by')) {
      do {
        const column = on.name();
        if (on.peek() === 'ann') throw outside('ORDER BY … ANN OF');
        const isDescending = on.accept('desc');
        if (!isDescending) on.accept('asc');
        orderBy.push({ column, isDescending });
      } while (on.accept(','));
    }
    if (on.peek() === 'per') throw outside('PER PARTITION LIMIT');
    const limit = on.accept('limit') ? this.#term() : undefined;
    const allowFiltering = on.accept('allow', 'filtering');
    return { kind: 'select', isDistinct, selectors, table, where, orderBy, limit, allowFiltering };
  }

  #selectors(): Selector[] {
    const selectors: Selector[] = [];
    do selectors.push(this.#selector());
    while (this.#on.accept(','));
    return selectors;
  }

  #selector(): Selector {
    const on = this.#on;
    const name = on.name();
    if (on.accept('(')) {
      if (name === 'count') {
        const column = on.accept('*') || on.acceptLiteral() === '1' ? undefined : on.name();
        on.expect(')');
        return { kind: 'count', column, as: this.#alias() };
      }
      if (name !== 'writetime' && name !== 'ttl') throw outside(`the function ${name}()`);
      const column = on.name();
      on.expect(')');
      return { kind: name, column, as: this.#alias() };
    }
    if (on.peek() === '[' || on.peek() === '.') throw outside('a part of a column in a SELECT');
    return { kind: 'column', column: name, as: this.#alias() };
  }

  #alias(): string | undefined {
    return this.#on.accept('as') ? this.#on.name() : undefined;
  }

  #where(isRequired: boolean): Relation[] {
    const on = this.#on;
    const relations: Relation[] = [];
    if (!on.accept('where')) {
      if (isRequired) throw on.error('expected WHERE');
      return relations;
    }
    do relations.push(this.#relation());
    while (on.accept('and'));
    return relations;
  }

  #relation(): Relation {
    const on = this.#on;
    if (on.peek() === '(') throw outside('relations of several columns');
    const column = on.name();
    if (on.peek() === '(') throw outside(`the function ${column}() in WHERE`);
    if (on.peek() === '[') throw outside('a part of a column in WHERE');
    if (on.accept('in')) {
      if (!on.accept('(')) return { column, operator: 'IN', value: this.#term() };
      return {
        column,
        operator: 'IN',
        value: { kind: 'tuple', items: on.list(')', () => this.#term()) },
      };
    }
    for (const [operator, ...symbols] of OPERATORS) {
      if (on.accept(...symbols)) return { column, operator, value: this.#term() };
    }
    throw outside(`the operator ${String(on.peek()).toUpperCase()} in WHERE`);
  }

  #using(): Using {
    const on = this.#on;
    let using: Using = {};
    if (!on.accept('using')) return using;
    do {
      const attribute = on.name();
      if (attribute !== 'ttl' && attribute !== 'timestamp') {
        throw outside(`USING ${attribute.toUpperCase()}`);
      }
      using = { ...using, [attribute]: this.#term() };
    } while (on.accept('and'));
    return using;
  }

  #term(): Term {
    const on = this.#on;
    const marker = this.#marker();
    if (marker) return marker;
    const sign = on.accept('-') ? '-' : '';
    const literal = on.acceptLiteral();
    if (literal !== undefined) return { kind: 'literal', text: sign + literal };
    if (sign) throw on.error('expected a number');
    if (on.accept('null')) return { kind: 'null' };
    if (on.accept('true')) return { kind: 'literal', text: 'true' };
    if (on.accept('false')) return { kind: 'literal', text: 'false' };
    if (on.accept('[')) return { kind: 'list', items: on.list(']', () => this.#term()) };
    if (on.accept('{')) return this.#braces();
    if (on.accept('(')) return { kind: 'tuple', items: on.list(')', () => this.#term()) };
    if (on.isName()) throw outside(`the function or name ${on.name()} for a value`);
    throw on.error('expected a value');
  }

  /** `?`, `:name`, or one of them after a type in parentheses. */
  #marker(): Marker | undefined {
    const on = this.#on;
    const word = on.peek(1);
    let hint: Marker['hint'];
    if (on.peek() === '(' && word !== undefined && isNative(word) && on.peek(2) === ')') {
      on.expect('(', word, ')');
      hint = native(word);
    }
    if (on.accept('?')) return { kind: 'marker', name: undefined, hint };
    if (on.peek() === ':' && on.isName(1)) {
      on.expect(':');
      return { kind: 'marker', name: on.name(), hint };
    }
    if (hint) throw outside('a type before anything but a marker');
    return undefined;
  }

  #braces(): Term {
    const on = this.#on;
    if (on.accept('}')) return { kind: 'set', items: [] };
    if (on.isName() && on.peek(1) === ':') {
      const fields = on.list('}', () => {
        const field = on.name();
        on.expect(':');
        return [field, this.#term()] as const;
      });
      return { kind: 'udt', fields };
    }
    const first = this.#term();
    if (!on.accept(':')) {
      const items = on.accept(',') ? on.list('}', () => this.#term()) : [];
      if (items.length === 0) on.expect('}');
      return { kind: 'set', items: [first, ...items] };
    }
    const entries: (readonly [Term, Term])[] = [[first, this.#term()]];
    while (on.accept(',')) {
      const key = this.#term();
      on.expect(':');
      entries.push([key, this.#term()]);
    }
    on.expect('}');
    return { kind: 'map', entries };
  }

  #table(): TableRef {
    const first = this.#on.name();
    if (!this.#on.accept('.')) return { keyspace: undefined, table: first };
    return { keyspace: first, table: this.#on.name() };
  }

  #create(): Ast {
    const on = this.#on;
    on.expect('create');
    const isCustom = on.accept('custom');
    if (on.accept('index')) return this.#createIndex();
    if (isCustom) throw on.error('expected INDEX');
    if (on.accept('keyspace')) {
      on.accept('if', 'not', 'exists');
      const keyspace = on.name();
      on.skipStatement();
      return { kind: 'createKeyspace', keyspace };
    }
    if (on.accept('type')) {
      const ifNotExists = on.accept('if', 'not', 'exists');
      const type = this.#table();
      on.expect('(');
      const fields = on.list(')', () => [on.name(), this.#type()] as const);
      return { kind: 'createType', type, ifNotExists, fields };
    }
    if (on.accept('table') || on.accept('columnfamily')) return this.#createTable();
    throw outside(`CREATE ${String(on.peek()).toUpperCase()}`);
  }

  #createIndex(): Ast {
    const on = this.#on;
    on.accept('if', 'not', 'exists');
    if (on.peek() !== 'on') on.name();
    on.expect('on');
    const table = this.#table();
    on.expect('(');
    const column = on.name();
    if (on.peek() === '(') throw outside('an index on a part of a column');
    on.expect(')');
    on.skipStatement();
    return { kind: 'createIndex', table, column };
  }

  #createTable(): CreateTable {
    const on = this.#on;
    const ifNotExists = on.accept('if', 'not', 'exists');
    const table = this.#table();
    const columns: ColumnDefinition[] = [];
    let partitionKey: string[] = [];
    let clusteringKey: string[] = [];
    on.expect('(');
    on.list(')', () => {
      if (on.accept('primary', 'key')) {
        on.expect('(');
        partitionKey = on.accept('(') ? on.list(')', () => on.name()) : [on.name()];
        clusteringKey = on.accept(',') ? on.list(')', () => on.name()) : [];
        if (clusteringKey.length === 0) on.expect(')');
        return;
      }
      const name = on.name();
      const type = this.#type();
      columns.push({ name, type, isStatic: on.accept('static') });
      if (on.accept('primary', 'key')) partitionKey = [name];
    });
    return {
      kind: 'createTable',
      table,
      ifNotExists,
      columns,
      partitionKey,
      clusteringKey,
      ...this.#tableOptions(),
    };
  }

  #tableOptions(): Pick<CreateTable, 'descending' | 'defaultTtl' | 'gcGraceSeconds'> {
    const on = this.#on;
    const descending = new Set<string>();
    const numbers = { default_time_to_live: 0, gc_grace_seconds: DEFAULT_GC_GRACE_SECONDS };
    if (on.accept('with')) {
      do {
        if (on.accept('clustering', 'order', 'by', '(')) {
          on.list(')', () => {
            const column = on.name();
            if (on.accept('desc')) descending.add(column);
            else on.accept('asc');
          });
          continue;
        }
        if (on.accept('compact', 'storage')) throw outside('COMPACT STORAGE');
        const option = on.name();
        on.expect('=');
        const value = this.#term();
        if (
          (option === 'default_time_to_live' || option === 'gc_grace_seconds') &&
          value.kind === 'literal'
        ) {
          numbers[option] = Number(value.text);
        }
      } while (on.accept('and'));
    }
    return {
      descending,
      defaultTtl: numbers.default_time_to_live,
      gcGraceSeconds: numbers.gc_grace_seconds,
    };
  }

  #type(): TypeRef {
    const on = this.#on;
    const name = on.name();
    if (!on.accept('<')) return isNative(name) ? () => native(name) : (udt) => udt(name);
    const first = this.#type();
    if (name === 'vector') {
      on.expect(',');
      const dimensions = Number(on.literal());
      on.expect('>');
      return (udt) => vectorOf(first(udt), dimensions);
    }
    const more: TypeRef[] = [];
    while (on.accept(',')) more.push(this.#type());
    on.expect('>');
    const [second] = more;
    switch (name) {
      case 'frozen':
        return (udt) => frozen(first(udt));
      case 'list':
      case 'set':
        return (udt) => listOrSet(name, first(udt));
      case 'map':
        if (!second) throw on.error('expected the type of the values of a map');
        return (udt) => mapOf(first(udt), second(udt));
      case 'tuple':
        return (udt) => tupleOf([first, ...more].map((type) => type(udt)));
      default:
        throw new CqlRefusal(`Unknown type ${name}<…>`);
    }
  }
}
