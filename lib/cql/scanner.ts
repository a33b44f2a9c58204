/** What kind of statement a text is. `unknown` is treated as unsafe by callers. */
export type StatementKind =
  | 'select'
  | 'insert'
  | 'update'
  | 'delete'
  | 'batch'
  /** Schema, roles and permissions, and their listing (`LIST`, `DESCRIBE`): nothing that is replicated by us. */
  | 'ddl'
  | 'truncate'
  | 'use'
  | 'unknown';

/** A construct that does not converge by itself on two clusters. */
export type TextHazard =
  /** A function whose value differs from call to call, or of which that cannot be excluded. */
  'nondeterministic' | 'lwt' | 'ddl' | 'truncate' | 'use' | 'unknown' | 'multipleStatements';

/** A call of one of the server's own nondeterministic functions: all that is needed to bind a value instead. */
export interface NondeterministicCall {
  /** `now`, `uuid`, `currenttimestamp`, … */
  readonly name: string;
  /** Offset just after the closing parenthesis. */
  readonly end: number;
  /** How many markers stand before it in the text. */
  readonly markersBefore: number;
  /** Inside `[…]` or `{…}`, where the server accepts no markers but a constant. */
  readonly inCollectionLiteral: boolean;
}

export interface HazardFound {
  readonly hazard: TextHazard;
  /** Offset in the text. */
  readonly at: number;
  /**
   * What was found: a function (`now()`, `ks.f()`), the column as the server knows it, or a keyword.
   * Never a literal.
   */
  readonly what: string;
  /** Absent for functions that only might be nondeterministic: they cannot be replaced by a value. */
  readonly call?: NondeterministicCall;
}

export interface TableName {
  readonly keyspace: string | undefined;
  readonly table: string;
}

/** A number in the text, a positional marker by its index among all markers, or a named one by its name. */
export type BoundTtl = { readonly literal: number } | { readonly marker: number | string };

/** What a statement does to a column that it names. */
export type ColumnChange =
  /** `c = …`, or a column of an INSERT. */
  | 'value'
  /** `c = c + …`, `c = … + c`, `c -= …`. */
  | 'increment'
  /** `c[…] = …`. */
  | 'element'
  /** `c.f = …`, and `DELETE c.f`. */
  | 'field'
  /** `DELETE c`, and `c = null`, which is the same. */
  | 'delete'
  /** `DELETE c[…]`. */
  | 'deleteElement';

export interface AssignedColumn {
  /** As the server resolves it. */
  readonly name: string;
  readonly change: ColumnChange;
  /** Which of all markers is the value, or what is added; undefined if that is anything but one marker. */
  readonly value: number | undefined;
  /** Which of all markers is the key or index, if it is `?`: the server names it after what the column is. */
  readonly key: number | undefined;
}

/** What one INSERT, UPDATE or DELETE writes. */
export interface TableWrite {
  readonly table: TableName;
  readonly kind: 'insert' | 'update' | 'delete';
  /**
   * `all`: JSON that is not in the text (or cannot be read), so that it may be any of them. `none`: a DELETE of
   * rows. Columns that JSON in the text leaves out are not listed: they become null, or stay.
   */
  readonly columns: 'all' | 'none' | readonly AssignedColumn[];
}

/**
 * What the text of a statement tells by itself. It is not enough to judge it: whether `a = a + ?` is a set or
 * a list, and whether a column written by `INSERT` (or hidden in `INSERT … JSON`) is a list or a counter,
 * only the table's metadata tells.
 */
export interface StatementFacts {
  /** `unknown` if the text as a whole was not understood or holds several statements. */
  readonly kind: StatementKind;
  /**
   * As the server resolves it: unquoted names in lower case, quoted ones as they are. Undefined if the text
   * does not name it, and for `ddl`. For a batch text: of its first statement.
   */
  readonly keyspace: string | undefined;
  readonly table: string | undefined;
  /** One per statement, in the order of the text. */
  readonly tables: readonly TableName[];
  /** One per INSERT, UPDATE and DELETE, in the order of the text; as far as it was understood. */
  readonly writes: readonly TableWrite[];
  /**
   * In the order of the text. An unqualified function with a native function's name counts as the native one,
   * although a user function of the current keyspace may overload it for other argument types.
   */
  readonly hazards: readonly HazardFound[];
  /** The first `USING TTL`. A batch text may have one per statement: see `ttls`. */
  readonly ttl: BoundTtl | undefined;
  /** Every `USING TTL` in the order of the text, with the offsets of its value. */
  readonly ttls: readonly { readonly ttl: BoundTtl; readonly at: number; readonly end: number }[];
  /** `USING TIMESTAMP` in the text wins over the protocol's timestamp. For a batch text: the first one. */
  readonly timestamp: 'literal' | 'marker' | undefined;
  /**
   * How many markers the text has, positional and named, each occurrence counted: as many as the server's
   * bind columns. Not exact for a `SELECT` of a map literal (`{'a': b}`: a column or a marker), zero for DDL.
   */
  readonly markers: number;
  /** Distinct names in order of first appearance, unquoted ones in lower case. */
  readonly namedMarkers: readonly string[];
  /**
   * False only if the text excludes it: an `INSERT`, or an `UPDATE` or `DELETE` whose `WHERE` has no `IN` and no
   * `token()`. (A range in a write never concerns the partition key: the server refuses it there.)
   */
  readonly multiPartitionPossible: boolean;
  /**
   * The text for logs and error messages: literals other than booleans and null replaced by `?`, comments
   * removed, white space folded; at most 300 characters, then `…`, which also stands for a part that could not
   * be read. Names are kept, so a value put in double quotes by mistake shows.
   */
  readonly masked: string;
}

export type TokenKind = 'name' | 'quoted' | 'literal' | 'symbol' | 'end' | 'unreadable';

export interface Token {
  readonly kind: TokenKind;
  readonly at: number;
  readonly end: number;
  /** A name as the server resolves it, or the symbol; empty for literals. */
  readonly word: string;
}

/** A term: which marker it is, null, or anything else. */
type Term = number | 'null' | 'other';

const END: Token = { kind: 'end', at: 0, end: 0, word: '' };
const MASKED_LENGTH = 300;
/** What could forge a line in a log, within a quoted name. */
const BREAKS = /[\s\p{Cc}]+/gu;

const words = (list: string): ReadonlySet<string> => new Set(list.split(/\s+/));

const NONDETERMINISTIC_FUNCTIONS = words(
  'now uuid currenttimestamp currentdate currenttime currenttimeuuid current_timestamp current_date current_time current_timeuuid',
);
/** Functions of the server that give the same for the same arguments. Anything else counts as unsafe. */
const PURE_FUNCTIONS = new Set([
  ...words('token ttl writetime maxwritetime cast expr floor count min max sum avg abs exp log log10 round'),
  ...words(
    'todate totimestamp tounixtimestamp to_date to_timestamp to_unix_timestamp dateof unixtimestampof',
  ),
  ...words('mintimeuuid maxtimeuuid min_timeuuid max_timeuuid fromjson tojson from_json to_json length'),
  ...words(
    'map_keys map_values collection_count collection_min collection_max collection_sum collection_avg',
  ),
  ...words('similarity_cosine similarity_euclidean similarity_dot_product octet_length'),
  ...words('mask_default mask_null mask_replace mask_inner mask_outer'),
]);
const BLOB_TYPES = words(
  'ascii bigint blob boolean counter date decimal double duration float inet int smallint text time timestamp timeuuid tinyint uuid varchar varint',
);
for (const type of BLOB_TYPES) {
  for (const name of [`${type}asblob`, `blobas${type}`, `${type}_as_blob`, `blob_as_${type}`]) {
    PURE_FUNCTIONS.add(name);
  }
}
/** Words that stand before a parenthesis without calling anything; the server allows no function of that name. */
const NOT_FUNCTIONS = words('in and not or key by of is distinct json');
/** Operators that are also legal function names: operators only after a column. */
const OPERATOR_OR_FUNCTION = words('contains like between');
/** Reserved words that begin a clause or a statement: never the name of a column, table or function. */
const CLAUSE_WORDS = words(
  'select from where if using set into insert update delete begin apply batch truncate use create alter drop grant revoke describe',
);
const DDL_WORDS = words('create alter drop grant revoke list describe desc');
const CONSTANTS = words('true false null');
const CLOSING: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

const WORD = 1;
const LETTER = 2;
const DIGIT = 4;
const SYMBOL = 8;
const CLASS = new Uint8Array(128);
for (let code = 0; code < 128; code += 1) {
  const char = String.fromCharCode(code);
  if (/[a-z]/i.test(char)) CLASS[code] = WORD | LETTER;
  else if (/[0-9]/.test(char)) CLASS[code] = WORD | DIGIT;
  else if (char === '_') CLASS[code] = WORD;
  else if ('()[]{},.:;?=<>!+-*/%'.includes(char)) CLASS[code] = SYMBOL;
}
const classAt = (text: string, at: number): number => CLASS[text.charCodeAt(at)] ?? 0;

// The server would read `1IF` as two tokens. Rather than follow it there, a number glued to a word is unreadable.
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?!\w)/iy;
const NUMBER =
  /(?:0x[0-9a-f]*|(?:\d+(?:y|mo|w|d|h|ms|m|s|us|µs|ns))+|\d+(?:\.(?!\.)\d*)?(?:e[+-]?\d+)?)(?![\wµ])/iy;
const ISO_DURATION =
  /P(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|\d+W|(?=T?\d)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)(?!\w)/y;

function endOfMatch(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** The next offset that is neither white space nor comment, or -1 within an unterminated comment. */
function skipBlank(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d) {
      at += 1;
      continue;
    }
    if (code !== 0x2d && code !== 0x2f) return at;
    if (text.charCodeAt(at + 1) === code) {
      while (at < text.length && text.charCodeAt(at) !== 0x0a && text.charCodeAt(at) !== 0x0d) at += 1;
    } else if (code === 0x2f && text[at + 1] === '*') {
      const close = text.indexOf('*/', at + 2);
      if (close < 0) return -1;
      at = close + 2;
    } else {
      return at;
    }
  }
}

/** The offset after the closing quote (doubled quotes belong to the content), or -1. */
function endOfQuoted(text: string, at: number, quote: string): number {
  let close = text.indexOf(quote, at + 1);
  while (close >= 0 && text[close + 1] === quote) close = text.indexOf(quote, close + 2);
  return close < 0 ? -1 : close + 1;
}

/** The last token is `end`, or `unreadable` at the first place where reading had to stop. */
export function tokenise(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const add = (kind: TokenKind, end: number, word: string): void => {
    tokens.push({ kind, at, end, word });
    at = end;
  };
  for (;;) {
    const next = skipBlank(text, at);
    if (next < 0) break;
    at = next;
    if (at >= text.length) {
      add('end', at, '');
      return tokens;
    }
    const char = text.charAt(at);
    const charClass = classAt(text, at);
    if (charClass & LETTER) {
      let end = at + 1;
      while (classAt(text, end) & WORD) end += 1;
      const word = text.slice(at, end).toLowerCase();
      const literalEnd = endOfLiteral(text, at);
      if (literalEnd > 0) add('literal', literalEnd, '');
      else if (word === 'nan' || word === 'infinity') add('literal', end, '');
      else add('name', end, word);
    } else if (charClass & SYMBOL) {
      add('symbol', at + 1, char);
    } else if (char === '"') {
      const end = endOfQuoted(text, at, '"');
      if (end < 0) break;
      add('quoted', end, text.slice(at + 1, end - 1).replaceAll('""', '"'));
    } else {
      const end = endOfLiteral(text, at);
      if (end < 0) break;
      add('literal', end, '');
    }
  }
  add('unreadable', text.length, '');
  return tokens;
}

/** The offset after a string, number, blob, UUID or duration, or -1. A sign is a symbol of its own. */
function endOfLiteral(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === 0x27) return endOfQuoted(text, at, "'");
  if (code === 0x24 && text.charCodeAt(at + 1) === 0x24) {
    const close = text.indexOf('$$', at + 2);
    return close < 0 ? -1 : close + 2;
  }
  if (text.charCodeAt(at + 8) === 0x2d) {
    const end = endOfMatch(UUID, text, at);
    if (end > 0) return end;
  }
  if (classAt(text, at) & DIGIT) return endOfMatch(NUMBER, text, at);
  return code === 0x50 ? endOfMatch(ISO_DURATION, text, at) : -1;
}

/** Reads one text. Every method that reads returns whether it understood what it read. */
class Recogniser {
  private readonly tokens: readonly Token[];
  /** `end` or `unreadable`: reading never goes past it. */
  private readonly last: Token;
  private position = 0;
  private readonly hazards: HazardFound[] = [];
  private readonly tables: TableName[] = [];
  private readonly writes: TableWrite[] = [];
  private readonly ttls: { readonly ttl: BoundTtl; readonly at: number; readonly end: number }[] = [];
  private namedMarkers: Set<string> | undefined;
  private timestamp: StatementFacts['timestamp'];
  private keyspace: string | undefined;
  private markers = 0;
  private multiPartition = false;
  /** Of the terms read last: whether they name a column outside brackets, and an `IN` or `token()`. */
  private sawColumn = false;
  private sawIn = false;
  /** How many list, set, map or UDT literals are open. */
  private literalDepth = 0;

  constructor(private readonly text: string) {
    this.tokens = tokenise(text);
    this.last = this.tokens[this.tokens.length - 1] ?? END;
  }

  facts(): StatementFacts {
    let kind = this.statement();
    const several = kind !== 'unknown' && this.isSymbol(';');
    while (kind !== 'unknown' && this.acceptSymbol(';'));
    if (kind === 'unknown' || this.token.kind !== 'end') {
      kind = 'unknown';
      const { kind: tokenKind, word } = this.token;
      const what = tokenKind === 'name' || tokenKind === 'symbol' ? word : tokenKind;
      this.report(several ? 'multipleStatements' : 'unknown', this.token, several ? ';' : what);
    }
    const single = kind === 'insert' || kind === 'update' || kind === 'delete';
    return {
      kind,
      keyspace: this.keyspace ?? this.tables[0]?.keyspace,
      table: this.tables[0]?.table,
      tables: this.tables,
      writes: this.writes,
      hazards: this.hazards.sort((a, b) => a.at - b.at),
      ttl: this.ttls[0]?.ttl,
      ttls: this.ttls,
      timestamp: this.timestamp,
      markers: this.markers,
      namedMarkers: [...(this.namedMarkers ?? [])],
      multiPartitionPossible: !single || this.multiPartition,
      masked: mask(this.text, this.tokens),
    };
  }

  private statement(): StatementKind {
    const first = this.token;
    if (first.kind !== 'name') return 'unknown';
    if (first.word === 'select') return this.select() ? 'select' : 'unknown';
    if (first.word === 'begin') return this.batch() ? 'batch' : 'unknown';
    if (first.word === 'truncate') return this.truncate() ? 'truncate' : 'unknown';
    if (first.word === 'use') return this.use() ? 'use' : 'unknown';
    if (!DDL_WORDS.has(first.word)) return this.modification();
    this.report('ddl', first, first.word.toUpperCase());
    while (!this.isSymbol(';') && !this.atEnd()) this.position += 1;
    return 'ddl';
  }

  private modification(): 'insert' | 'update' | 'delete' | 'unknown' {
    if (this.accept('insert')) return this.insert() ? 'insert' : 'unknown';
    if (this.accept('update')) return this.update() ? 'update' : 'unknown';
    if (this.accept('delete')) return this.delete() ? 'delete' : 'unknown';
    return 'unknown';
  }

  private select(): boolean {
    this.position += 1;
    if (!this.terms() || !this.accept('from') || !this.tableName()) return false;
    const more = this.accept('where') || !(this.isSymbol(';') || this.isWord('using') || this.atEnd());
    return (!more || this.terms()) && this.using();
  }

  private insert(): boolean {
    if (!this.accept('into') || !this.tableName()) return false;
    const columns = this.accept('json') ? this.json() : this.columnsAndValues();
    if (columns === undefined) return false;
    this.wrote('insert', columns);
    const condition = this.token;
    if (this.accept('if')) {
      if (!this.accept('not') || !this.accept('exists')) return false;
      this.report('lwt', condition, 'IF NOT EXISTS');
    }
    return this.using();
  }

  /** What follows `JSON`. */
  private json(): TableWrite['columns'] | undefined {
    const { kind, at, end } = this.token;
    let columns: TableWrite['columns'] | undefined = 'all';
    if (kind === 'literal' && "'$".includes(this.text.charAt(at))) {
      this.position += 1;
      columns = columnsOfJson(this.text.slice(at, end));
    } else if (this.marker() === undefined) {
      return undefined;
    }
    const isUnderstood = !this.accept('default') || this.accept('null') || this.accept('unset');
    return isUnderstood ? columns : undefined;
  }

  /** `(a, b) VALUES (…, …)`. */
  private columnsAndValues(): readonly AssignedColumn[] | undefined {
    const names: string[] = [];
    if (!this.acceptSymbol('(')) return undefined;
    do {
      const name = this.name();
      if (name === undefined) return undefined;
      names.push(name);
    } while (this.acceptSymbol(','));
    if (!this.acceptSymbol(')') || !this.accept('values') || !this.acceptSymbol('(')) return undefined;
    const values: Term[] = [];
    do {
      const value = this.term('item');
      if (value === undefined) return undefined;
      values.push(value);
    } while (this.acceptSymbol(','));
    if (!this.acceptSymbol(')')) return undefined;
    return names.map((name, i) => assigned(name, 'value', values[i] ?? 'other'));
  }

  private update(): boolean {
    if (!this.tableName() || !this.using() || !this.accept('set')) return false;
    const columns = this.assignments();
    if (columns === undefined) return false;
    this.wrote('update', columns);
    return this.rows();
  }

  private delete(): boolean {
    const columns = this.deletions();
    if (columns === undefined || !this.accept('from') || !this.tableName()) return false;
    this.wrote('delete', columns);
    return this.using() && this.rows();
  }

  private wrote(kind: TableWrite['kind'], columns: TableWrite['columns']): void {
    const table = this.tables.at(-1);
    if (table) this.writes.push({ table, kind, columns });
  }

  private batch(): boolean {
    this.position += 1;
    if (!this.accept('unlogged')) this.accept('counter');
    if (!this.accept('batch') || !this.using()) return false;
    while (!this.accept('apply')) {
      if (this.modification() === 'unknown') return false;
      this.acceptSymbol(';');
    }
    return this.accept('batch');
  }

  private truncate(): boolean {
    this.report('truncate', this.token, 'TRUNCATE');
    this.position += 1;
    if (!this.accept('table')) this.accept('columnfamily');
    return this.tableName() && this.using();
  }

  private use(): boolean {
    this.report('use', this.token, 'USE');
    this.position += 1;
    this.keyspace = this.name();
    return this.keyspace !== undefined;
  }

  /** What an UPDATE sets. */
  private assignments(): readonly AssignedColumn[] | undefined {
    const columns: AssignedColumn[] = [];
    do {
      const target = this.target();
      if (!target) return undefined;
      const isShorthand = this.acceptSymbol('+') || this.acceptSymbol('-');
      if (!this.acceptSymbol('=')) return undefined;
      const value = this.term(',');
      if (value === undefined) return undefined;
      // A term cannot name a column but in `X = X + …`, `X = X 3` and `X = … + X`.
      const isIncrement = isShorthand || this.sawColumn;
      const { name, change, key } = target;
      columns.push(assigned(name, isIncrement && change === 'value' ? 'increment' : change, value, key));
    } while (this.acceptSymbol(','));
    return columns;
  }

  /** What a DELETE names before FROM, if anything. */
  private deletions(): readonly AssignedColumn[] | 'none' | undefined {
    if (this.isWord('from')) return 'none';
    const columns: AssignedColumn[] = [];
    do {
      const target = this.target();
      if (!target) return undefined;
      const { name, change, key } = target;
      if (change === 'field') columns.push(target);
      else columns.push(assigned(name, change === 'element' ? 'deleteElement' : 'delete', 'other', key));
    } while (this.acceptSymbol(','));
    return columns;
  }

  /** `column`, `column[…]` or `column.field`. */
  private target(): AssignedColumn | undefined {
    const name = this.name();
    if (name === undefined) return undefined;
    if (this.acceptSymbol('.')) return this.name() === undefined ? undefined : assigned(name, 'field');
    if (!this.isSymbol('[')) return assigned(name, 'value');
    const start = this.position;
    const key = this.markers;
    if (!this.group()) return undefined;
    const isMarker = this.position === start + 3 && this.isSymbolAt(start + 1, '?');
    return assigned(name, 'element', 'other', isMarker ? key : undefined);
  }

  /** One term; or what is added to a column or taken from it. */
  private term(until: ',' | 'item'): Term | undefined {
    const start = this.position;
    const marker = this.markers;
    if (!this.terms(until)) return undefined;
    const { kind, word } = this.previous;
    if (this.position === start + 1 && kind === 'name' && word === 'null') return 'null';
    if (this.markers !== marker + 1) return 'other';
    // `X + …` and `… + X` are two tokens longer.
    const length = this.position - start - (this.sawColumn ? 2 : 0);
    const isNamed = this.isSymbolAt(start, ':') || this.isSymbolAt(this.position - 2, ':');
    return length === (isNamed ? 2 : 1) ? marker : 'other';
  }

  /** `WHERE … [IF …]` of an UPDATE or DELETE. */
  private rows(): boolean {
    if (!this.accept('where') || !this.terms()) return false;
    if (this.sawIn) this.multiPartition = true;
    const condition = this.token;
    if (!this.accept('if')) return true;
    const negated = this.isWord('not') ? 'IF NOT EXISTS' : 'IF';
    this.report('lwt', condition, this.isWord('exists') ? 'IF EXISTS' : negated);
    return this.terms();
  }

  private using(): boolean {
    if (!this.accept('using')) return true;
    const seen: string[] = [];
    do {
      const attribute = this.token.kind === 'name' ? this.token.word : '';
      // Some servers refuse `TTL 1 AND TTL 2`, some take the last.
      if (seen.includes(attribute)) return false;
      seen.push(attribute);
      this.position += 1;
      const { at } = this.token;
      const value = this.attributeValue();
      if (value === undefined) return false;
      const isNumber = !('literal' in value) || Number.isInteger(value.literal);
      if (attribute === 'ttl' && isNumber) {
        this.ttls.push({ ttl: value, at, end: this.previous.end });
      } else if (attribute === 'timestamp' && isNumber) {
        this.timestamp ??= 'literal' in value ? 'literal' : 'marker';
      } else if (attribute !== 'timeout') {
        return false;
      }
    } while (this.accept('and'));
    return true;
  }

  private attributeValue(): BoundTtl | undefined {
    if (this.isSymbol('?') || this.isSymbol(':')) {
      const marker = this.marker();
      return marker === undefined ? undefined : { marker };
    }
    const sign = this.acceptSymbol('-') ? '-' : '';
    const { kind, at, end } = this.token;
    if (kind !== 'literal') return undefined;
    this.position += 1;
    return { literal: Number(sign + this.text.slice(at, end)) };
  }

  /** One balanced `(…)`, `[…]` or `{…}`. */
  private group(): boolean {
    return (this.isSymbol('(') || this.isSymbol('[') || this.isSymbol('{')) && this.terms('group');
  }

  /**
   * Reads expressions, relations or selectors, whose grammar it need not know: it finds the calls, markers and
   * columns, and that brackets match. Stops before a word that begins a clause, `;` or the end; with `,` also
   * before a comma outside brackets; with `item` also before the bracket that closes what it stands in; with
   * `group` after the bracket that closes the first one.
   */
  private terms(until?: ',' | 'item' | 'group'): boolean {
    const start = this.position;
    const open: string[] = [];
    this.literalDepth = 0;
    this.sawColumn = false;
    this.sawIn = false;
    for (;;) {
      const { kind, word } = this.token;
      if (kind === 'end' || kind === 'unreadable') break;
      if (kind === 'name' || kind === 'quoted') {
        if (kind === 'name' && CLAUSE_WORDS.has(word) && !this.isSetType()) break;
        this.nameInTerms(open.length === 0);
      } else if (kind === 'literal') {
        this.position += 1;
      } else if (word === '(' || word === '[' || word === '{') {
        // `m[…]` is an index, where markers are allowed; elsewhere it is a list.
        const isIndex = word === '[' && (this.previous.kind === 'name' || this.previous.kind === 'quoted');
        open.push(isIndex ? 'index' : word);
        if (!isIndex && word !== '(') this.literalDepth += 1;
        this.position += 1;
      } else if (open.length === 0 && word === ')' && until === 'item') {
        break;
      } else if (word === ')' || word === ']' || word === '}') {
        const opened = open.pop();
        if (opened !== CLOSING[word] && !(opened === 'index' && word === ']')) return false;
        if (opened === '[' || opened === '{') this.literalDepth -= 1;
        this.position += 1;
        if (until === 'group' && open.length === 0) return true;
      } else if (word === ':' || word === '?') {
        if (this.marker() === undefined) {
          if (open.at(-1) !== '{') return false;
          this.position += 1;
        }
      } else if (
        open.length === 0 &&
        (word === ';' || (word === ',' && (until === ',' || until === 'item')))
      ) {
        break;
      } else if (word === ';') {
        return false;
      } else {
        this.position += 1;
      }
    }
    return open.length === 0 && until !== 'group' && this.position > start;
  }

  private isSetType(): boolean {
    return this.token.word === 'set' && this.tokens[this.position + 1]?.word === '<';
  }

  /** A column, a word of the language, or the (qualified) name of a function that is called. */
  private nameInTerms(isOutside: boolean): void {
    const first = this.token;
    const before = this.previous;
    this.position += 1;
    let name = first;
    if (this.isSymbol('.')) {
      const second = this.tokens[this.position + 1];
      if (second?.kind === 'name' || second?.kind === 'quoted') {
        name = second;
        this.position += 2;
      }
    }
    const isWord = first === name && first.kind === 'name';
    if (isWord && (first.word === 'in' || first.word === 'token')) this.sawIn = true;
    if (!this.isSymbol('(')) {
      if (isOutside && !(isWord && CONSTANTS.has(first.word))) this.sawColumn = true;
      return;
    }
    if (isWord && NOT_FUNCTIONS.has(first.word)) return;
    if (isWord && OPERATOR_OR_FUNCTION.has(first.word) && endsColumn(before)) return;
    this.called(first, name);
  }

  private called(first: Token, name: Token): void {
    const isNative = first === name || first.word === 'system';
    if (isNative && PURE_FUNCTIONS.has(name.word)) return;
    const close = this.tokens[this.position + 1];
    const isBare = close?.kind === 'symbol' && close.word === ')';
    if (isNative && NONDETERMINISTIC_FUNCTIONS.has(name.word) && isBare) {
      const call = {
        name: name.word,
        end: close.end,
        markersBefore: this.markers,
        inCollectionLiteral: this.literalDepth > 0,
      };
      this.hazards.push({ hazard: 'nondeterministic', at: first.at, what: `${name.word}()`, call });
    } else {
      const qualifier = first === name ? '' : `${first.word}.`;
      this.report('nondeterministic', first, `${qualifier}${name.word}()`);
    }
  }

  /** `?` or `:name`. Undefined, and nothing read, if the colon separates a key and a value. */
  private marker(): number | string | undefined {
    if (this.acceptSymbol('?')) {
      this.markers += 1;
      return this.markers - 1;
    }
    const name = this.tokens[this.position + 1];
    const after = this.tokens[this.position + 2];
    const named = name?.kind === 'quoted' || (name?.kind === 'name' && !CONSTANTS.has(name.word));
    // No term is a bare name, but a call is: `{'k': now()}`, `{'k': ks.f()}`.
    const isCall = after?.kind === 'symbol' && (after.word === '(' || after.word === '.');
    if (!this.isSymbol(':') || !named || isCall) return undefined;
    this.position += 2;
    this.markers += 1;
    (this.namedMarkers ??= new Set()).add(name.word);
    return name.word;
  }

  private tableName(): boolean {
    const named = this.token;
    const first = this.name();
    const second = first !== undefined && this.acceptSymbol('.') ? this.name() : first;
    if (first === undefined || second === undefined) return false;
    this.tables.push({ keyspace: this.previous === named ? undefined : first, table: second });
    return true;
  }

  private name(): string | undefined {
    const { kind, word } = this.token;
    if (kind !== 'quoted' && (kind !== 'name' || CLAUSE_WORDS.has(word))) return undefined;
    this.position += 1;
    return word;
  }

  private get token(): Token {
    return this.tokens[this.position] ?? this.last;
  }

  private get previous(): Token {
    return this.tokens[this.position - 1] ?? this.last;
  }

  private atEnd(): boolean {
    return this.token === this.last;
  }

  private isWord(word: string): boolean {
    return this.token.kind === 'name' && this.token.word === word;
  }

  private isSymbol(symbol: string): boolean {
    return this.token.kind === 'symbol' && this.token.word === symbol;
  }

  private isSymbolAt(position: number, symbol: string): boolean {
    const token = this.tokens[position];
    return token?.kind === 'symbol' && token.word === symbol;
  }

  private accept(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.position += 1;
    return true;
  }

  private acceptSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.position += 1;
    return true;
  }

  private report(hazard: TextHazard, token: Token, what: string): void {
    this.hazards.push({ hazard, at: token.at, what });
  }
}

function endsColumn({ kind, word }: Token): boolean {
  if (kind === 'symbol') return word === ']';
  return (
    kind === 'quoted' ||
    !(OPERATOR_OR_FUNCTION.has(word) || NOT_FUNCTIONS.has(word) || CLAUSE_WORDS.has(word))
  );
}

function assigned(name: string, change: ColumnChange, term: Term = 'other', key?: number): AssignedColumn {
  const isNull = change === 'value' && term === 'null';
  const value = typeof term === 'number' ? term : undefined;
  return { name, change: isNull ? 'delete' : change, value, key };
}

/** The columns that a string literal of JSON gives a value, and those it makes null. */
function columnsOfJson(literal: string): TableWrite['columns'] {
  const isDollars = literal.startsWith('$');
  const content = isDollars ? literal.slice(2, -2) : literal.slice(1, -1).replaceAll("''", "'");
  let fields: unknown;
  try {
    fields = JSON.parse(content);
  } catch {
    // The server's parser takes a little more than this one.
    return 'all';
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return 'all';
  return Object.entries(fields).map(([key, value]: [string, unknown]) => {
    const isQuoted = key.length > 1 && key.startsWith('"') && key.endsWith('"');
    const isNull = value === null || (Array.isArray(value) && value.length === 0);
    return assigned(isQuoted ? key.slice(1, -1) : key.toLowerCase(), 'value', isNull ? 'null' : 'other');
  });
}

function mask(text: string, tokens: readonly Token[]): string {
  let masked = '';
  let previous: Token | undefined;
  for (const token of tokens) {
    if (token.kind === 'end') return masked;
    // `'O'Brien'`: after an unescaped quote, the rest of a literal looks like names.
    const spilled = previous?.kind === 'literal' && previous.end === token.at && token.kind !== 'symbol';
    if (spilled || token.kind === 'unreadable') break;
    if (previous && previous.end < token.at) masked += ' ';
    if (token.kind === 'literal') masked += '?';
    else if (token.kind === 'symbol') masked += token.word;
    else if (token.kind === 'name') masked += text.slice(token.at, token.end);
    else masked += text.slice(token.at, token.end).replace(BREAKS, ' ');
    if (masked.length > MASKED_LENGTH) break;
    previous = token;
  }
  return `${masked.slice(0, MASKED_LENGTH)}…`;
}

/** A pure function of the text: never throws, takes linear time, and what it does not understand is `unknown`. */
export function scanStatement(text: string): StatementFacts {
  return new Recogniser(text).facts();
}
