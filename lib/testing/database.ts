import type { Clock } from '../core/index.js';
import type { FullDriver } from './driver.js';
import {
  apply,
  type BoundValue,
  type Change,
  type Codec,
  compile,
  type Compiled,
  CqlRefusal,
  parseStatements,
  type ReadResult,
  Schema,
  type Table,
  UNSET,
  type WireColumn,
} from './language/index.js';

/** Parameters as a caller gives them: values or bytes, by position or by name. */
export type Params = readonly unknown[] | Readonly<Record<string, unknown>> | null | undefined;

export interface Statement {
  readonly cql: string;
  readonly params: Params;
}

export interface ExecuteSettings {
  /** µs since the epoch. Default: the server's time. */
  readonly timestampUs?: number | undefined;
  readonly pageSize?: number | undefined;
  readonly pageState?: Uint8Array | undefined;
}

/** `undefined` for a write. */
export type Answer = ReadResult | undefined;

const DEFAULT_PAGE_SIZE = 5_000;
const SYSTEM_TABLES = `
  CREATE TABLE system.local (
    key text PRIMARY KEY, cluster_name text, data_center text, release_version text, schema_version uuid);
  CREATE TABLE system_schema.tables (
    keyspace_name text, table_name text, default_time_to_live int, gc_grace_seconds int,
    PRIMARY KEY (keyspace_name, table_name));
  CREATE TABLE system_schema.columns (
    keyspace_name text, table_name text, column_name text, clustering_order text, kind text, position int,
    type text, PRIMARY KEY (keyspace_name, table_name, column_name));
`;
const FALLBACK_KEYSPACE = 'test';

/** What one in-memory server does with the statements that reach it. Nothing fails here but what it refuses. */
export class Database {
  readonly schema: Schema;
  #lastServerUs = 0;

  constructor(
    private readonly driver: FullDriver,
    private readonly codec: Codec,
    private readonly clock: Clock,
    definitions: readonly string[],
  ) {
    const parsed = definitions.flatMap((each) => parseStatements(each));
    this.schema = new Schema(FALLBACK_KEYSPACE);
    for (const ast of parseStatements(SYSTEM_TABLES)) this.#define(ast);
    this.#insertSystemRow('local', {
      key: 'local',
      cluster_name: 'in memory',
      data_center: 'dc1',
      release_version: '5.0',
    });
    const [first] = parsed.flatMap((ast) => (ast.kind === 'createTable' ? (ast.table.keyspace ?? []) : []));
    if (first !== undefined) this.schema.keyspace = first;
    for (const ast of parsed) this.#define(ast);
  }

  get nowS(): number {
    return Math.floor(this.clock.nowMs() / 1_000);
  }

  /** Tables of the application. */
  get tables(): Table[] {
    return this.schema.tables.filter(({ keyspace }) => !isSystem(keyspace));
  }

  /** A table by its name as a statement would spell it. */
  table(name: string): Table {
    const [ast] = parseStatements(`SELECT * FROM ${name}`);
    if (ast?.kind !== 'select') throw new CqlRefusal(`${name} is not the name of a table`);
    return this.schema.table(ast.table);
  }

  compile(cql: string): Compiled {
    return compile(cql, this.schema, this.codec);
  }

  execute({ cql, params }: Statement, settings: ExecuteSettings): Answer {
    const compiled = this.compile(cql);
    switch (compiled.kind) {
      case 'write':
        apply(this.#changes(compiled, params, settings));
        return undefined;
      case 'schema':
        this.#define(compiled.ast);
        return undefined;
      case 'read':
        return compiled.read({
          params: this.bind(compiled.columns, params),
          nowS: this.nowS,
          pageSize: settings.pageSize ?? DEFAULT_PAGE_SIZE,
          pageState: settings.pageState,
        });
    }
  }

  /** All of them or none. */
  executeBatch(statements: readonly Statement[], settings: ExecuteSettings): void {
    const timestampUs = settings.timestampUs ?? this.#serverUs();
    const changes = statements.flatMap(({ cql, params }) => {
      const compiled = this.compile(cql);
      if (compiled.kind !== 'write') {
        throw new CqlRefusal(
          'Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.',
        );
      }
      return this.#changes(compiled, params, { timestampUs });
    });
    apply(changes);
  }

  bind(columns: readonly WireColumn[], params: Params): BoundValue[] {
    const values = isPositional(params) ? params : this.#byName(columns, params ?? {});
    if (values.length !== columns.length) {
      throw new CqlRefusal(
        `Invalid amount of bind variables: expected ${columns.length}, received ${values.length}`,
      );
    }
    return columns.map(({ type }, i) => {
      const value = values[i];
      if (value === undefined || value === this.driver.types.unset) return UNSET;
      if (value === null) return null;
      return this.codec.encode(value, type) as Uint8Array | null;
    });
  }

  decode(bytes: Uint8Array | null, { type }: WireColumn): unknown {
    return bytes === null ? null : this.codec.decode(bytes, type);
  }

  clear(): void {
    for (const { data } of this.tables) data.clear();
  }

  #changes(
    compiled: Extract<Compiled, { kind: 'write' }>,
    params: Params,
    settings: ExecuteSettings,
  ): Change[] {
    return compiled.changes({
      params: this.bind(compiled.columns, params),
      timestampUs: settings.timestampUs ?? this.#serverUs(),
      nowS: this.nowS,
    });
  }

  #byName(columns: readonly WireColumn[], params: Readonly<Record<string, unknown>>): unknown[] {
    const byLowerCase = new Map(Object.entries(params).map(([name, value]) => [name.toLowerCase(), value]));
    return columns.map(({ name }) => {
      if (Object.hasOwn(params, name)) return params[name];
      if (byLowerCase.has(name.toLowerCase())) return byLowerCase.get(name.toLowerCase());
      throw new this.driver.errors.ArgumentError(`Parameter "${name}" not provided`);
    });
  }

  #define(ast: ReturnType<typeof parseStatements>[number]): void {
    switch (ast.kind) {
      case 'createKeyspace':
        return;
      case 'use':
        this.schema.keyspace = ast.keyspace;
        return;
      case 'createType': {
        const udt = (table: string) => this.schema.type({ keyspace: ast.type.keyspace, table });
        const fields = new Map(ast.fields.map(([name, type]) => [name, type(udt)]));
        this.schema.createType(ast.type, fields, ast.ifNotExists);
        return;
      }
      case 'createTable': {
        const table = this.schema.createTable(ast);
        if (table) this.#describe(table);
        return;
      }
      case 'createIndex':
        this.schema.table(ast.table).indexed.add(ast.column);
        return;
      case 'drop': {
        const table = this.schema.dropTable(ast.table, ast.ifExists);
        if (table) this.#forget(table);
        return;
      }
      case 'truncate':
        this.schema.table(ast.table).data.clear();
        return;
      default:
        throw new CqlRefusal(`Not a part of a schema: a statement of the kind ${ast.kind}`);
    }
  }

  /** The system tables are tables like any other. */
  #describe({ keyspace, name, columns, isReversed, defaultTtl, gcGraceSeconds }: Table): void {
    if (isSystem(keyspace)) return;
    const key = { keyspace_name: keyspace, table_name: name };
    this.#insertSystemRow('tables', {
      ...key,
      default_time_to_live: defaultTtl,
      gc_grace_seconds: gcGraceSeconds,
    });
    for (const { name: column, type, kind, position } of columns.values()) {
      const order = isReversed[position] ? 'desc' : 'asc';
      this.#insertSystemRow('columns', {
        ...key,
        column_name: column,
        kind,
        position,
        type: type.spelled,
        clustering_order: kind === 'clustering' ? order : 'none',
      });
    }
  }

  #forget({ keyspace, name }: Table): void {
    for (const table of ['tables', 'columns']) {
      const cql = `DELETE FROM system_schema.${table} WHERE keyspace_name = ? AND table_name = ?`;
      this.execute({ cql, params: [keyspace, name] }, {});
    }
  }

  #insertSystemRow(table: 'local' | 'tables' | 'columns', row: Readonly<Record<string, unknown>>): void {
    const keyspace = table === 'local' ? 'system' : 'system_schema';
    const names = Object.keys(row);
    const cql = `INSERT INTO ${keyspace}.${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
    this.execute({ cql, params: Object.values(row) }, {});
  }

  /** Real time in µs, never the same twice. */
  #serverUs(): number {
    return (this.#lastServerUs = Math.max(this.#lastServerUs + 1, Math.floor(this.clock.nowMs() * 1_000)));
  }
}

function isPositional(params: Params): params is readonly unknown[] {
  return Array.isArray(params);
}

function isSystem(keyspace: string): boolean {
  return keyspace === 'system' || keyspace === 'system_schema';
}
