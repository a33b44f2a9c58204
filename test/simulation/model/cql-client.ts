import type { AsyncLocalStorage } from 'node:async_hooks';
import type { ClusterId } from '../../../lib/core/index.js';
import {
  type CqlClient,
  type CqlClientResult,
  parametersSignature,
  type PreparedBatchItem,
  type PreparedRequests,
  type PreparedText,
} from '../../../lib/cql/index.js';
import type { FullDriver } from '../../../lib/testing/driver.js';
import type { Setup } from '../history.js';
import type { Ledger, ReadRecord, SeenRow, WriteRecord } from '../ledger.js';
import type { Mutation } from './cluster.js';
import { bytesOf } from './cluster.js';
import { checkRead, checkWrite, type RequestOptions } from './cql-checks.js';
import { columnOf, type KnownTexts } from './cql-statements.js';
import { RESPONSE_CODE, responseError } from './driver-errors.js';
import { refuse, type RequestObserver } from './operations.js';
import type { ModelConnection } from './session.js';

/** What a request is made for. */
export type Purpose =
  | { readonly kind: 'write'; readonly record: WriteRecord }
  | {
      readonly kind: 'replay';
      readonly record: WriteRecord;
      readonly timeoutMs: number;
      readonly startedMs: number;
      wasSent: boolean;
    }
  | {
      readonly kind: 'read';
      readonly record: ReadRecord;
      /** Of the pages that each side has answered with since it was asked for the first one. */
      readonly rows: Partial<Record<ClusterId, readonly unknown[]>>;
    };

/** What the clients of a process share. */
export interface ClientWorld {
  readonly driver: FullDriver;
  readonly setup: Setup;
  readonly ledger: Ledger;
  readonly texts: KnownTexts;
  /** For what the code that runs makes its requests. */
  readonly purposes: AsyncLocalStorage<Purpose>;
  readonly observer: RequestObserver;
  note(what: string): void;
}

const PING = 'SELECT schema_version FROM system.local';
const COLUMNS = ['k', 'a', 'b', 'c'] as const;
const RESULT_COLUMNS = [...COLUMNS, 'writetime(a)', 'writetime(b)', 'writetime(c)'].map(columnOf);
const LOCAL_ONE = 0x0a;

/**
 * The driver's client as Helix uses it, with a model cluster at its other end. It knows which statements there are and
 * for what each request is made, and reports everything about a request that cannot be.
 */
export class ModelCqlClient implements CqlClient, PreparedRequests {
  readonly keyspace: string;
  readonly hosts = { values: () => [{ isUp: () => this.connection.isThere }] };
  readonly metadata = {};
  readonly controlConnection = {
    _refresh: (): Promise<void> => Promise.resolve(),
    _registerToConnectionEvents: (): Promise<void> => Promise.resolve(),
  };
  readonly #prepared = new Map<string, PreparedText>();
  readonly #preparing = new Map<string, Promise<PreparedText>>();
  #schemaRequests = 0;
  #hasConnected = false;

  constructor(
    private readonly world: ClientWorld,
    private readonly connection: ModelConnection,
    readonly options: object,
  ) {
    this.keyspace = (options as { keyspace: string }).keyspace;
  }

  async connect(): Promise<void> {
    await this.connection.make();
    this.#hasConnected = true;
  }

  shutdown(): Promise<void> {
    this.connection.close();
    return Promise.resolve();
  }

  /** Whether who prepares one of these now waits for the answer to something that was sent before. */
  isPreparing(texts: readonly string[]): boolean {
    return this.#schemaRequests > 0 || texts.some((text) => this.#preparing.has(text));
  }

  /** Each time anew, whatever is known. */
  prepare(text: string): Promise<PreparedText> {
    this.#checkConnected();
    if (this.#preparing.has(text)) this.#violate(`is asked to prepare a text twice at once: ${text}`);
    const preparing = this.#prepareOnce(text).finally(() => this.#preparing.delete(text));
    this.#preparing.set(text, preparing);
    return preparing;
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {
    // Nothing is kept.
  }

  execute(
    statement: string | PreparedText,
    params?: unknown,
    options: object = {},
  ): Promise<CqlClientResult> {
    this.#checkConnected();
    const query = typeof statement === 'string' ? statement : statement.query;
    if (query === PING) return this.#ping(options);
    if (query.includes('system_schema.columns')) return this.#describe(params, options);
    const purpose = this.world.purposes.getStore();
    if (purpose?.kind === 'read') return this.#read(purpose, query, params, options);
    return this.#write(purpose, undefined, [{ query, params }], options);
  }

  batch(
    items: readonly (PreparedBatchItem | { query: string; params?: unknown })[],
    options: object = {},
  ): Promise<CqlClientResult> {
    this.#checkConnected();
    const queries = items.map((item) => ({
      query: 'statement' in item ? item.statement.query : item.query,
      params: item.params,
    }));
    const { logged, counter } = options as { logged?: unknown; counter?: unknown };
    if (counter !== false) this.#violate('sends a batch of counters');
    return this.#write(this.world.purposes.getStore(), logged ? 'logged' : 'unlogged', queries, options);
  }

  async #prepareOnce(text: string): Promise<PreparedText> {
    const { id } = this.connection.server;
    this.world.note(`prepares on ${id}: ${text}`);
    const known = this.world.texts.of(text);
    if (!known) this.#violate(`prepares a text that nobody has: ${text}`);
    const step = known && text.endsWith(`/* ${known.step.id} */`) ? known.step : undefined;
    await this.connection.request('prepare', this.#ownTimeoutMs, () => {
      if (!known || (known.step.do === 'read' && known.step.isBad)) {
        throw responseError(RESPONSE_CODE.syntaxError);
      }
      const isRefused = step?.do === 'write' && !step.refusedAt && step.refusedBy?.includes(id);
      if (isRefused) throw responseError(RESPONSE_CODE.invalid);
    });
    const prepareMs = step?.do === 'write' ? step.prepareMs : undefined;
    if (prepareMs !== undefined && (step?.preparesLate ?? id) === id)
      await this.connection.takesTime(prepareMs);
    const columns = known?.columns ?? [];
    const signature = parametersSignature(columns);
    const prepared = { query: text, queryId: Buffer.from(text), meta: { columns }, signature };
    this.#prepared.set(text, prepared);
    return prepared;
  }

  async #describe(params: unknown, options: RequestOptions): Promise<CqlClientResult> {
    const [keyspace, table] = params as readonly unknown[];
    if (keyspace !== this.keyspace || table !== 'model_rows' || options.prepare !== false) {
      this.#violate(`asks for the columns of ${String(keyspace)}.${String(table)}`);
    }
    if (options.consistency !== LOCAL_ONE) this.#violate('asks for columns at another consistency');
    this.#schemaRequests++;
    try {
      return await this.connection.request('prepare', this.#ownTimeoutMs, () => {
        const columns = ['column_name', 'kind', 'type'].map(columnOf);
        const rows = COLUMNS.map((name) => ({
          column_name: name,
          kind: name === 'k' ? 'partition_key' : 'regular',
          type: name === 'c' ? 'blob' : 'text',
        }));
        return this.#result(columns, rows, LOCAL_ONE);
      });
    } finally {
      this.#schemaRequests--;
    }
  }

  #ping(options: RequestOptions): Promise<CqlClientResult> {
    const { prepare, isIdempotent, readTimeout = 0, consistency } = options;
    if (prepare !== false || isIdempotent !== false || readTimeout <= 0 || consistency !== LOCAL_ONE) {
      this.#violate(`pings with other options: ${JSON.stringify(options)}`);
    }
    return this.connection.request('ping', readTimeout, () => this.#result([], [], LOCAL_ONE));
  }

  #write(
    purpose: Purpose | undefined,
    kind: 'logged' | 'unlogged' | undefined,
    queries: readonly { query: string; params?: unknown }[],
    options: RequestOptions,
  ): Promise<CqlClientResult> {
    const { connection, world } = this;
    const { id } = connection.server;
    if (!purpose || purpose.kind === 'read') {
      this.#violate(`executes what nobody has asked for: ${queries.map(({ query }) => query).join('; ')}`);
      return Promise.reject(responseError(RESPONSE_CODE.invalid));
    }
    const { record } = purpose;
    const { step } = record;
    for (const wrong of checkWrite(world, id, purpose, kind, queries, options)) {
      this.#violate(`${step.id}, ${purpose.kind}: ${wrong}`);
    }
    for (const { query } of queries) {
      if (!this.#prepared.has(query)) this.#violate(`${step.id} is executed though never prepared: ${query}`);
    }
    if (purpose.kind === 'write') world.observer.onWriteSent(record, id);
    else this.#checkReplay(purpose);
    const timeoutMs = world.setup.driverPatience * (options.readTimeout ?? 0);
    const perform = (): CqlClientResult => {
      refuse(record, connection);
      this.#carryOut(record, options.timestamp ?? 0);
      return this.#result([], undefined, options.consistency);
    };
    return connection.request('write', timeoutMs, perform, step.batch !== undefined);
  }

  #carryOut(record: WriteRecord, timestampUs: number): void {
    const { id, key, change, batch } = record.step;
    const { server } = this.connection;
    const mutation = { key, change, value: id, timestampUs };
    if (!batch) {
      server.carryOut(mutation, record);
      return;
    }
    const also = batch.also.map((each): Mutation => ({ ...each, value: id, timestampUs }));
    server.carryOutBatch([mutation, ...also], record);
  }

  async #read(
    purpose: Extract<Purpose, { kind: 'read' }>,
    query: string,
    params: unknown,
    options: RequestOptions,
  ): Promise<CqlClientResult> {
    const { connection, world } = this;
    const { id } = connection.server;
    const { step } = purpose.record;
    if (!this.#prepared.has(query)) this.#violate(`${step.id} is executed though never prepared: ${query}`);
    for (const wrong of checkRead(world, id, step, query, params, options))
      this.#violate(`${step.id}: ${wrong}`);
    const timeoutMs = world.setup.driverPatience * (options.readTimeout ?? 0);
    const result = await connection.request('read', timeoutMs, () => {
      if (step.isBad) throw responseError(RESPONSE_CODE.syntaxError);
      return this.#page(step.key, options);
    });
    const isFirst = options.pageState === undefined;
    purpose.rows[id] = [...((isFirst ? undefined : purpose.rows[id]) ?? []), ...(result.rows ?? [])];
    return result;
  }

  /** The row, or with a page size as many rows of the table, from where the page state says. */
  #page(key: string, { fetchSize, pageState, consistency }: RequestOptions): CqlClientResult {
    const { server } = this.connection;
    const { id } = server;
    if (fetchSize === undefined) {
      const row = server.read(key);
      return this.#result(RESULT_COLUMNS, row.size > 0 ? [rowOf(key, row)] : [], consistency);
    }
    const [origin = id, after = ''] =
      pageState === undefined ? [] : Buffer.from(pageState, 'hex').toString().split(' ');
    if (origin !== id) this.#violate(`is asked to go on after a page of ${origin}`);
    const keys = server.keys().filter((each) => each > after);
    const page = keys.slice(0, fetchSize);
    const last = keys.length > fetchSize ? page.at(-1) : undefined;
    const rows = page.map((each) => rowOf(each, server.read(each)));
    return this.#result(RESULT_COLUMNS, rows, consistency, last && `${id} ${last}`);
  }

  #result(
    columns: readonly { readonly name: string }[],
    rows: readonly Readonly<Record<string, unknown>>[] | undefined,
    consistency: number | undefined,
    pageState?: string,
  ): CqlClientResult {
    const { ResultSet, Row } = this.world.driver.types;
    const made = rows?.map((row) => Object.assign(new Row(columns), row));
    const meta = { columns, ...(pageState !== undefined && { pageState: Buffer.from(pageState) }) };
    const response = made ? { rows: made, meta } : {};
    return new ResultSet(response, 'model', {}, 0, consistency, true) as CqlClientResult;
  }

  /** What the driver waits for where it is told nothing. */
  get #ownTimeoutMs(): number {
    const { driverPatience, writeTimeoutMs } = this.world.setup;
    return driverPatience * writeTimeoutMs;
  }

  /** What replay has given back by then may be under way once more. */
  #checkReplay(purpose: Extract<Purpose, { kind: 'replay' }>): void {
    const { record, startedMs, timeoutMs } = purpose;
    purpose.wasSent = true;
    const isLate = this.connection.server.scheduler.nowMs > startedMs + timeoutMs;
    if (isLate) this.#violate(`${record.step.id}, replay: is sent after its time`);
  }

  /** The driver would connect by itself, and hide that it cannot. */
  #checkConnected(): void {
    if (!this.#hasConnected) this.#violate('is used before it has connected');
  }

  #violate(what: string): void {
    this.world.ledger.violate('request', `The driver of ${this.connection.server.id}: ${what}`);
  }
}

function rowOf(key: string, row: SeenRow): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = { k: key };
  for (const column of ['a', 'b', 'c']) {
    const cell = row.get(column);
    const value = cell && (column === 'c' ? Buffer.from(bytesOf(cell.value)) : cell.value);
    values[column] = value ?? null;
    values[`writetime(${column})`] = cell?.writeTimeUs ?? null;
  }
  return values;
}
