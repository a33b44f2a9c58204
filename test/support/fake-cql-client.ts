import cassandra from 'cassandra-driver';
import type { CqlClient, CqlClientResult, CqlClientRow } from '../../lib/cql/index.js';
import type { Column, ColumnType } from '../../lib/cql/driver/driver-internals.js';

const { dataTypes, responseErrorCodes } = cassandra.types;

const COUNTER: number = dataTypes.counter;
const LIST: number = dataTypes.list;
const MAP: number = dataTypes.map;
const SET: number = dataTypes.set;

/** Scalar types by name, as the driver describes them. */
export function type(name: keyof typeof dataTypes): ColumnType {
  return { code: dataTypes[name], info: null };
}

/** The types of a prepared statement do not say whether a list is frozen; those of a table do. */
type TableColumnType = ColumnType & { readonly isFrozen?: boolean };

export const listOf = (of: ColumnType, isFrozen = false): TableColumnType => ({
  code: dataTypes.list,
  info: of,
  isFrozen,
});

/** A type as `system_schema.columns` spells it, as far as it matters. */
function schemaType({ code, isFrozen }: TableColumnType): string {
  if (code === COUNTER) return 'counter';
  if (code === LIST) return isFrozen ? 'frozen<list<text>>' : 'list<text>';
  if (code === MAP) return 'map<text, text>';
  if (code === SET) return 'set<text>';
  return 'text';
}

export function columns(types: Readonly<Record<string, ColumnType>>): Column[] {
  return Object.entries(types).map(([name, each]) => ({ name, type: each }));
}

export interface Executed {
  readonly query: string;
  readonly params: unknown;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ExecutedBatch {
  readonly queries: readonly { readonly query: string; readonly params?: unknown }[];
  readonly options: Readonly<Record<string, unknown>>;
}

export type Answer =
  | Error
  | 'never'
  | {
      readonly rows?: CqlClientRow[];
      readonly pageState?: string;
      readonly columns?: Column[];
      readonly warnings?: string[];
    };
/** Rejects when it cannot be prepared; `never` does not answer. */
type Prepare = Column[] | Error | 'never';

/** A row as the driver gives it: columns as properties, and `values()`. */
export function row(fields: Readonly<Record<string, unknown>>): CqlClientRow {
  return Object.assign(Object.create({ values: () => Object.values(fields) }) as CqlClientRow, fields);
}

/**
 * The driver's `Client` without a network: what it can prepare, which tables it knows and what it answers is
 * set by the test, and it notes what reached it. The driver's own prepare step and encoder work on it.
 */
export class FakeCqlClient implements CqlClient {
  keyspace = 'shop';
  readonly options = { contactPoints: ['10.0.0.1'], protocolOptions: { port: 9_042 }, encoding: {} };
  connects = 0;
  shutdowns = 0;
  /** Texts that were asked for, whether prepared before or not. */
  readonly preparedTexts: string[] = [];
  readonly executed: Executed[] = [];
  readonly batches: ExecutedBatch[] = [];
  /** Pings and the like are kept apart. */
  readonly unprepared: Executed[] = [];
  /** Columns of the parameters by text. A text that is missing is answered by an Invalid. */
  readonly statements = new Map<string, Prepare>();
  /** Columns of tables by name; a table that is missing is unknown. */
  readonly tables = new Map<string, Column[] | Error | 'never'>();
  /** What the next executions answer, in this order; then they all succeed without rows. */
  readonly answers: Answer[] = [];
  /** Answers every execution from now on, instead of `answers`. */
  serve: ((executed: Executed) => Answer) | undefined;
  connectError: Error | 'never' | undefined;
  /** Nothing reaches the cluster. */
  isDown = false;
  pingError: Error | 'never' | undefined;
  /** Ids that it answers with UNPREPARED from now on: of what was prepared until then. */
  #forgotten = 0;
  readonly #preparing: (() => void)[] = [];

  readonly metadata: { getPreparedInfo(keyspace: string, query: string): { readonly queryId?: Buffer } } = {
    getPreparedInfo: () => ({}),
  };
  readonly controlConnection: object | undefined = {
    _registerToConnectionEvents: () => Promise.resolve(),
  };
  readonly #host = {
    address: '10.0.0.1:9042',
    isUp: () => true,
    borrowConnection: () => ({
      keyspace: this.keyspace,
      prepareOnceAsync: (text: string) => this.#prepare(text),
    }),
  };
  readonly profileManager = {
    getDefaultLoadBalancing: () => ({
      newQueryPlan: (_keyspace: unknown, _options: unknown, answer: (error: null, plan: object) => void) =>
        answer(null, [this.#host].values()),
    }),
    getDistance: () => cassandra.types.distance.local,
  };

  connect(): Promise<void> {
    this.connects++;
    return this.#settle(this.isDown ? unreachable() : this.connectError, undefined);
  }

  execute(query: string, params?: unknown, options: object = {}): Promise<CqlClientResult> {
    if (query.includes('FROM system_schema.columns')) return this.#columnsOf((params as string[])[1]);
    const executed: Executed = { query: unmarked(query), params, options: { ...options } };
    if (executed.options['prepare']) {
      const failure = this.#lookUp(query);
      if (failure) return Promise.reject(failure);
    } else {
      this.unprepared.push(executed);
      return this.#settle(this.isDown ? unreachable() : this.pingError, { rows: [], pageState: null });
    }
    this.executed.push(executed);
    return this.#answer(this.serve?.(executed));
  }

  batch(queries: { query: string; params?: unknown }[], options: object = {}): Promise<CqlClientResult> {
    const failure = queries.map(({ query }) => this.#lookUp(query)).find((each) => each);
    if (failure) return Promise.reject(failure);
    this.batches.push({
      queries: queries.map((each) => ({ ...each, query: unmarked(each.query) })),
      options: { ...options },
    });
    return this.#answer();
  }

  shutdown(): Promise<void> {
    this.shutdowns++;
    return Promise.resolve();
  }

  /** Ends every prepare that hangs, by what the statement is known as now. */
  answerPrepares(): void {
    for (const answer of this.#preparing.splice(0)) answer();
  }

  /** Has no statement any more of those that were prepared until now. */
  forgetPrepared(): void {
    this.#forgotten = this.#prepared;
  }

  #prepared = 0;

  async #prepare(marked: string): Promise<object> {
    const text = unmarked(marked);
    // Each is prepared twice, the first time to learn its types.
    if (marked.endsWith('/* helix */')) this.preparedTexts.push(text);
    if (this.isDown) throw unreachable();
    if (this.statements.get(text) === 'never') {
      await new Promise<void>((resolve) => this.#preparing.push(resolve));
    }
    // What is read needs no parameters of a certain type.
    const prepare = this.statements.get(text) ?? (text.startsWith('SELECT') ? [] : invalid());
    if (prepare instanceof Error) throw prepare;
    const id = Buffer.alloc(16);
    id.writeUInt32BE(++this.#prepared);
    return { id, meta: { columns: prepare, partitionKeys: [0] } };
  }

  /** What it looks up to execute a statement by, as the driver does. */
  #lookUp(query: string): Error | undefined {
    const { queryId } = this.metadata.getPreparedInfo(this.keyspace, query);
    const number = queryId?.readUInt32BE() ?? 0;
    const isKnown = number > this.#forgotten && number <= this.#prepared;
    return isKnown ? undefined : unprepared();
  }

  #columnsOf(table: string | undefined): Promise<CqlClientResult> {
    const known = this.tables.get(table ?? '') ?? [];
    if (known === 'never' || known instanceof Error) return this.#settle(known, EMPTY);
    const rows = known.map((column, i) =>
      row({
        column_name: column.name,
        kind: i === 0 ? 'partition_key' : 'regular',
        type: schemaType(column.type),
      }),
    );
    return Promise.resolve({ rows, pageState: null });
  }

  #answer(served?: Answer): Promise<CqlClientResult> {
    if (this.isDown) return Promise.reject(unreachable());
    const answer = served ?? this.answers.shift() ?? { rows: [] };
    if (answer === 'never' || answer instanceof Error) return this.#settle(answer, EMPTY);
    const { rows, pageState = null, columns: described = null, warnings = null } = answer;
    return Promise.resolve({ rows, pageState, columns: described, info: { warnings } });
  }

  #settle<T>(failure: Error | 'never' | undefined, value: T): Promise<T> {
    if (failure === 'never') return new Promise(() => undefined);
    return failure ? Promise.reject(failure) : Promise.resolve(value);
  }
}

const EMPTY: CqlClientResult = { rows: [], pageState: null };

/** Helix marks the texts that it prepares. */
function unmarked(query: string): string {
  return query.replace(/ \/\* helix[^*]*\*\/$/, '');
}

/** What the server says of an id that it does not have. */
export function unprepared(): Error {
  return new cassandra.errors.ResponseError(
    responseErrorCodes.unprepared,
    'Prepared query with ID 00 not found',
  );
}

/** What the server says of a statement whose table it does not have. */
export function invalid(message = 'unconfigured table'): Error {
  return new cassandra.errors.ResponseError(responseErrorCodes.invalid, message);
}

/** Certainly not applied. */
export function unreachable(): Error {
  return new cassandra.errors.NoHostAvailableError({});
}

/** May have been applied. */
export function timedOut(): Error {
  return new cassandra.errors.OperationTimedOutError('The host 10.0.0.1:9042 did not reply');
}
