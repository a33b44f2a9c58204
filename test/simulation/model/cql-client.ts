import type { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import type { ClusterId } from '../../../lib/core/index.js';
import type { CqlClient, CqlClientResult } from '../../../lib/cql/index.js';
import type { Column, ColumnType } from '../../../lib/cql/driver/index.js';
import type { FullDriver } from '../../../lib/testing/driver.js';
import type { Setup } from '../history.js';
import type { Ledger, ReadRecord, SeenRow, WriteRecord } from '../ledger.js';
import type { Mutation } from './cluster.js';
import { bytesOf, type ModelCluster } from './cluster.js';
import { checkRead, checkWrite, type RequestOptions } from './cql-checks.js';
import { type KnownTexts, READ_COLUMNS, unmarked } from './cql-statements.js';
import { type Arrived, judgeArrived } from './cql-types.js';
import { isUnpreparedAnswer, RESPONSE_CODE, responseError, unknownId } from './driver-errors.js';
import { refuse, type RequestObserver } from './operations.js';
import { columnOf, schemaChangeOf, tableOf } from './schema.js';
import type { ConnectionListener, ModelConnection, RequestKind } from './session.js';

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
  readonly clusters: Readonly<Record<ClusterId, ModelCluster>>;
  readonly texts: KnownTexts;
  /** For what the code that runs makes its requests. */
  readonly purposes: AsyncLocalStorage<Purpose>;
  readonly observer: RequestObserver;
  note(what: string): void;
}

const PING = 'SELECT schema_version FROM system.local';
/** What the driver has looked up to see whether it keeps to what it is told; nobody has prepared it. */
const CHECK = 'SELECT key FROM system.local /* helix check */';
const TEXT: ColumnType = { code: 0x0d, info: null };
const textColumn = (name: string): Column => ({ name, type: TEXT });
const RESULT_COLUMNS = ['k', ...READ_COLUMNS, ...READ_COLUMNS.map((column) => `writetime(${column})`)].map(
  textColumn,
);
const LOCAL_ONE = 0x0a;
/** `_refreshHosts` of its control connection, with the answers. */
const MESSAGES_BEFORE_EVENTS = 4;
/** As the driver compares events of one keyspace with another's. */
const EVENT = 'nodeSchemaChange';

/** What the driver keeps of a text: nothing until it is prepared. */
interface Info {
  readonly query: string;
  queryId?: Buffer;
  meta?: { readonly columns: readonly Column[] };
}

interface Query {
  readonly query: string;
  readonly params?: unknown;
}

/**
 * The driver's client as Helix uses it, with a model cluster at its other end. It knows which statements there are and
 * for what each request is made, and reports everything about a request that cannot be.
 */
export class ModelCqlClient extends EventEmitter implements CqlClient, ConnectionListener {
  readonly keyspace: string;
  readonly #host = {
    address: 'model:9042',
    isUp: () => true,
    borrowConnection: () => ({
      keyspace: this.keyspace,
      prepareOnceAsync: (text: string) => this.#prepare(text),
    }),
  };
  readonly hosts = { length: 1, values: () => [{ isUp: () => this.connection.isThere }] };
  readonly profileManager = {
    getDefaultLoadBalancing: () => ({
      newQueryPlan: (_keyspace: unknown, _options: unknown, answer: (error: null, plan: object) => void) =>
        answer(null, [this.#host].values()),
    }),
    getDistance: () => 0,
  };
  /** As the driver looks up what it executes by, and what it prepares again by itself. */
  readonly metadata = {
    getPreparedInfo: (_keyspace: string | undefined, query: string): Info => {
      let info = this.#infos.get(query);
      if (!info) this.#infos.set(query, (info = { query }));
      return info;
    },
  };
  readonly controlConnection = {
    connection: undefined as EventEmitter | undefined,
    _refresh: (): Promise<void> => Promise.resolve(),
    _registerToConnectionEvents: (): Promise<void> => this.#register(),
  };
  readonly #infos = new Map<string, Info>();
  readonly #byId = new Map<string, Info>();
  readonly #preparing = new Map<string, Promise<object>>();
  #schemaRequests = 0;
  #hasConnected = false;
  /** Whether the server tells this connection of schema changes. */
  #isRegistered = false;
  /** Of the schema, by version, what could have been heard. */
  #heard = 0;
  /** What the columns are was asked for last, and not answered. */
  #isUndescribed = false;
  /** What the last ping was answered with. */
  #pinged: string | undefined;

  constructor(
    private readonly world: ClientWorld,
    private readonly connection: ModelConnection,
    readonly options: object,
  ) {
    super();
    this.keyspace = (options as { keyspace: string }).keyspace;
    connection.listener = this;
    connection.fitSinceMs = Infinity;
  }

  /** By version, what could have been heard of the schema. */
  get heard(): number {
    return this.#heard;
  }

  async connect(): Promise<void> {
    await this.connection.make();
    this.#hasConnected = true;
    await this.#listen();
  }

  onLost(isOfHost: boolean): void {
    const { connection } = this.controlConnection;
    this.controlConnection.connection = undefined;
    this.#isRegistered = false;
    connection?.emit('socketClose');
    if (isOfHost) this.emit('hostDown');
    this.hear();
  }

  onBack(isOfHost: boolean): void {
    if (!this.#hasConnected) return;
    if (this.controlConnection.connection) this.onLost(isOfHost);
    if (isOfHost) this.emit('hostUp');
    if (isOfHost) this.hear();
    void this.#listen();
  }

  onSchemaChange(): void {
    if (!this.#isRegistered) return;
    this.controlConnection.connection?.emit(EVENT, { keyspace: this.keyspace });
    this.hear();
  }

  /** Something has said that the schema may be another one: what is asked from now on is what it is. */
  hear(): void {
    this.#heard = this.connection.server.schema.version;
  }

  /** A new control connection: the driver asks who is there, and then subscribes to events. */
  async #listen(): Promise<void> {
    const connection = new EventEmitter();
    this.controlConnection.connection = connection;
    for (let message = 0; message < MESSAGES_BEFORE_EVENTS; message++) {
      await this.connection.takesTime(this.connection.server.delayMs());
    }
    if (this.controlConnection.connection !== connection) return;
    await this.controlConnection._registerToConnectionEvents();
    if (this.controlConnection.connection === connection) this.hear();
  }

  /** What changes while this is on its way, nobody tells. */
  async #register(): Promise<void> {
    const { connection } = this.controlConnection;
    await this.connection.takesTime(this.connection.server.delayMs());
    if (this.controlConnection.connection === connection) this.#isRegistered = true;
    await this.connection.takesTime(this.connection.server.delayMs());
  }

  shutdown(): Promise<void> {
    this.connection.close();
    return Promise.resolve();
  }

  /** Whether who prepares one of these now waits for the answer to something that was sent before. */
  isPreparing(texts: readonly string[]): boolean {
    const preparing = [...this.#preparing.keys()].map(unmarked);
    return this.#schemaRequests > 0 || texts.some((text) => preparing.includes(text));
  }

  execute(query: string, params?: unknown, options: object = {}): Promise<CqlClientResult> {
    this.#checkConnected();
    if (query === PING) return this.#ping(options);
    if (query.includes('system_schema.columns')) return this.#describe(params, options);
    if (schemaChangeOf(query)) return this.#changeSchema(query, options);
    if (query === CHECK) return this.#check();
    const purpose = this.world.purposes.getStore();
    if (purpose?.kind === 'read') return this.#read(purpose, query, params, options);
    return this.#write(purpose, undefined, [{ query, params }], options);
  }

  batch(queries: { query: string; params?: unknown }[], options: object = {}): Promise<CqlClientResult> {
    this.#checkConnected();
    const { logged, counter } = options as { logged?: unknown; counter?: unknown };
    if (counter !== false) this.#violate('sends a batch of counters');
    return this.#write(this.world.purposes.getStore(), logged ? 'logged' : 'unlogged', queries, options);
  }

  /** Nobody has prepared it, so it fails, if all is well. */
  #check(): Promise<CqlClientResult> {
    const { connection } = this;
    const nothing = (): CqlClientResult => this.#result([], [], LOCAL_ONE);
    return this.#executePrepared('prepare', [this.#infoOf(CHECK)], this.#ownTimeoutMs, nothing).finally(
      () => {
        connection.fitSinceMs = connection.server.scheduler.nowMs;
      },
    );
  }

  /** As the driver asks a host, each time anew. */
  #prepare(text: string): Promise<{ id: Buffer; meta: { columns: readonly Column[] } }> {
    this.#checkConnected();
    if (this.#preparing.has(text)) this.#violate(`is asked to prepare a text twice at once: ${text}`);
    const preparing = this.#prepareOnce(text).finally(() => this.#preparing.delete(text));
    this.#preparing.set(text, preparing);
    return preparing;
  }

  async #prepareOnce(marked: string): Promise<{ id: Buffer; meta: { columns: readonly Column[] } }> {
    const { server } = this.connection;
    const { id } = server;
    this.world.note(`prepares on ${id}: ${marked}`);
    const text = unmarked(marked);
    const known = this.world.texts.of(text);
    if (!known) this.#violate(`prepares a text that nobody has: ${text}`);
    const step = known && text.endsWith(`/* ${known.step.id} */`) ? known.step : undefined;
    const prepared = await this.connection.request('prepare', this.#ownTimeoutMs, () => {
      if (!known || (known.step.do === 'read' && known.step.isBad)) {
        throw responseError(RESPONSE_CODE.syntaxError);
      }
      const isRefused = step?.do === 'write' && !step.refusedAt && step.refusedBy?.includes(id);
      if (isRefused) throw responseError(RESPONSE_CODE.invalid);
      const columns = known.names.map((name) => columnOf(name, server.schema.types));
      return { id: server.schema.prepare(this.keyspace, marked), meta: { columns } };
    });
    const prepareMs = step?.do === 'write' ? step.prepareMs : undefined;
    // The first of the two times.
    const isSlow = prepareMs !== undefined && marked.endsWith('/* helix */');
    if (isSlow && (step?.preparesLate ?? id) === id) {
      await this.connection.takesTime(prepareMs);
      this.connection.onAnswer('prepare', false);
    }
    return prepared;
  }

  #infoOf(query: string): Info {
    return this.metadata.getPreparedInfo(this.keyspace, query);
  }

  /**
   * As the driver executes: by what is looked up in its metadata, which it prepares if there is no id. When the server
   * does not have an id, the driver prepares its text again and sends the same bytes once more, if it knows the id.
   */
  async #executePrepared<T>(
    kind: RequestKind,
    infos: readonly Info[],
    timeoutMs: number,
    perform: () => T,
    isOfMany = false,
    onServed?: (version: number) => void,
  ): Promise<T> {
    for (const info of infos) if (!info.queryId) await this.#prepareByDriver(info);
    const { schema } = this.connection.server;
    let missing: Buffer | undefined;
    try {
      return await this.connection.request(
        kind,
        timeoutMs,
        () => {
          onServed?.(schema.version);
          missing = infos.find(({ queryId }) => !queryId || !schema.hasPrepared(queryId))?.queryId;
          if (missing) throw responseError(RESPONSE_CODE.unprepared);
          return perform();
        },
        isOfMany,
      );
    } catch (error) {
      if (!missing || !isUnpreparedAnswer(error)) throw error;
      const known = this.#byId.get(missing.toString('hex'));
      if (!known) throw unknownId(missing);
      await this.#prepareByDriver(known);
      return this.#executePrepared(kind, infos, timeoutMs, perform, isOfMany, onServed);
    }
  }

  async #prepareByDriver(info: Info): Promise<void> {
    this.#violate(`prepares by itself, and sends what was encoded before: ${info.query}`);
    const { id, meta } = await this.#prepareOnce(info.query);
    info.queryId = id;
    info.meta = meta;
    this.#byId.set(id.toString('hex'), info);
  }

  async #changeSchema(text: string, options: RequestOptions): Promise<CqlClientResult> {
    const change = schemaChangeOf(text);
    if (options.prepare !== false || options.isIdempotent !== false)
      this.#violate('may repeat a schema change');
    return this.connection.request('prepare', options.readTimeout ?? 0, () => {
      if (change && !this.connection.server.changeSchema(change)) throw responseError(RESPONSE_CODE.invalid);
      return this.#result([], undefined, options.consistency);
    });
  }

  async #describe(params: unknown, options: RequestOptions): Promise<CqlClientResult> {
    const [keyspace, table] = params as readonly unknown[];
    if (keyspace !== this.keyspace || table !== 'model_rows' || options.prepare !== false) {
      this.#violate(`asks for the columns of ${String(keyspace)}.${String(table)}`);
    }
    if (options.consistency !== LOCAL_ONE) this.#violate('asks for columns at another consistency');
    this.#schemaRequests++;
    this.#isUndescribed = true;
    try {
      const answer = await this.connection.request('prepare', this.#ownTimeoutMs, () => {
        const columns = ['column_name', 'kind', 'type'].map(textColumn);
        const rows = tableOf(this.connection.server.schema.types).map(([name, type]) => ({
          column_name: name,
          kind: name === 'k' ? 'partition_key' : 'regular',
          type,
        }));
        return this.#result(columns, rows, LOCAL_ONE);
      });
      this.#isUndescribed = false;
      return answer;
    } finally {
      this.#schemaRequests--;
    }
  }

  async #ping(options: RequestOptions): Promise<CqlClientResult> {
    const { prepare, isIdempotent, readTimeout = 0, consistency } = options;
    if (prepare !== false || isIdempotent !== false || readTimeout <= 0 || consistency !== LOCAL_ONE) {
      this.#violate(`pings with other options: ${JSON.stringify(options)}`);
    }
    const { scheduler, schema } = this.connection.server;
    const result = await this.connection.request('ping', readTimeout, () => {
      const row = { schema_version: String(schema.version) };
      return this.#result([textColumn('schema_version')], [row], LOCAL_ONE);
    });
    const { schema_version: version } = result.rows?.[0] as unknown as { schema_version: string };
    // It is known once what comes of the answer has run to its end.
    if (version !== this.#pinged) scheduler.after(0, 'world', () => this.hear());
    this.#pinged = version;
    return result;
  }

  #write(
    purpose: Purpose | undefined,
    kind: 'logged' | 'unlogged' | undefined,
    marked: readonly Query[],
    options: RequestOptions,
  ): Promise<CqlClientResult> {
    const { connection, world } = this;
    const queries = marked.map(({ query, params }) => ({ query: unmarked(query), params }));
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
    const infos = marked.map(({ query }) => this.#infoOf(query));
    if (purpose.kind === 'write') world.observer.onWriteSent(record, id);
    else this.#checkReplay(purpose);
    const sender = {
      heard: this.#heard,
      isReplay: purpose.kind === 'replay',
      isUndescribed: this.#isUndescribed,
    };
    const timeoutMs = world.setup.driverPatience * (options.readTimeout ?? 0);
    const perform = (): CqlClientResult => {
      refuse(record, connection);
      const { wrong, isInvalid } = judgeArrived(record, world.clusters, id, arrived, sender);
      if (wrong) world.ledger.violate('types', `${step.id}, ${purpose.kind} on ${id}: ${wrong}`);
      if (isInvalid) {
        record[id].refusesTypes = true;
        throw responseError(RESPONSE_CODE.invalid);
      }
      this.#carryOut(record, options.timestamp ?? 0);
      return this.#result([], undefined, options.consistency);
    };
    const arrived = marked.map(({ query, params }): Arrived => ({
      text: query,
      params: params as unknown[],
    }));
    let version = 0;
    const onServed = (served: number): void => void (version = served);
    const isOfMany = step.batch !== undefined;
    const answer = this.#executePrepared('write', infos, timeoutMs, perform, isOfMany, onServed);
    return answer.catch((error: unknown) => {
      if (isUnpreparedAnswer(error)) {
        const isPreparing = this.isPreparing(queries.map(({ query }) => query));
        if (purpose.kind === 'replay') purpose.wasSent = false;
        else world.observer.onUnprepared(record, id, { version, isPreparing });
      }
      throw error;
    });
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
    for (const wrong of checkRead(world, id, step, unmarked(query), params, options))
      this.#violate(`${step.id}: ${wrong}`);
    const timeoutMs = world.setup.driverPatience * (options.readTimeout ?? 0);
    const answer = this.#executePrepared('read', [this.#infoOf(query)], timeoutMs, () => {
      if (step.isBad) throw responseError(RESPONSE_CODE.syntaxError);
      return this.#page(step.key, options);
    });
    const result = await answer.catch((error: unknown) => {
      if (isUnpreparedAnswer(error)) purpose.record.unprepared++;
      throw error;
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
  for (const column of READ_COLUMNS) {
    const cell = row.get(column);
    const value = cell && (column === 'c' ? Buffer.from(bytesOf(cell.value)) : cell.value);
    values[column] = value ?? null;
    values[`writetime(${column})`] = cell?.writeTimeUs ?? null;
  }
  return values;
}
