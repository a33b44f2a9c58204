import {
  type BlockedReason,
  type Clock,
  type ClusterId,
  type ClusterIdentity,
  ClusterSession,
  HelixConfigError,
  resolvesWithin,
  type SignOfLife,
} from '../../core/index.js';
import type { CqlClient, CqlClientOptions, CqlClientResult } from '../cql-client.js';
import { type Consistency, consistencyCode, LOCAL_ONE, LOCAL_QUORUM } from '../consistency.js';
import { signOfLifeIn } from './classify.js';
import { ClientGuard } from './client-guard.js';
import { blockedReason, connectReason } from './connect-failure.js';
import {
  type Column,
  type DriverClient,
  type DriverHost,
  type Encoder,
  IGNORED,
  type Token,
} from './driver-internals.js';
import type { Driver } from './load-driver.js';
import type { PreparedBatchItem, PreparedRequests, PreparedText } from './prepared-requests.js';
import { findTokenClasses, type TokenClasses } from './routing-token.js';
import { type SchemaView, SchemaViews, type TableDescription } from './schema-view.js';
import { watchSchema } from './schema-watch.js';

/** Options of one cluster: the driver's, and the defaults of statements sent to it. */
export interface CqlClusterOptions extends CqlClientOptions {
  /** Default `LOCAL_QUORUM` (the driver's own is `LOCAL_ONE`). */
  consistency?: Consistency;
  /** Default: the driver's. */
  serialConsistency?: Consistency;
}

export interface StatementOptions {
  /** The protocol's code. Default: the cluster's. */
  readonly consistency: number | undefined;
  readonly serialConsistency: number | undefined;
  readonly timestampUs: number;
  readonly timeoutMs: number;
  /** Default: the driver makes it of the parameters. */
  readonly routingKey?: Token | undefined;
}

const DRIVER_RECONNECTION_MS = 1_000;
/** For each of the two questions which nodes a cluster is made of. */
const IDENTIFY_MS = 5_000;

/** A UUID or an address of the driver's own classes. */
interface Printable {
  toString(): string;
}

interface LocalRow {
  readonly cluster_name: string;
  readonly host_id: Printable | null;
  /** Older servers do not say. */
  readonly broadcast_address: Printable | null;
}

interface PeerRow {
  readonly host_id: Printable | null;
  readonly peer: Printable;
}

/**
 * Helix keeps the time of a request itself; the driver's own limit, which it needs to notice dead connections, is
 * longer: it would fire first when the process stood still, and throw away answers that lie in the sockets.
 */
const DRIVER_TIMEOUT_FACTOR = 2;

/**
 * A cluster that hung answers at once what still waits for it when it goes on: a ping that is late is as good. Where
 * nothing has come for so long, it may be the connections that are dead, and not the cluster: they are made anew.
 */
const PATIENCE_MS = 10_000;
/** What a ping asks for. */
const SCHEMA_VERSION = 'SELECT schema_version FROM system.local';

/**
 * Twice what Helix has under way to a cluster at most by default, so that a ping finds room on a connection that hangs;
 * the driver's own limit is 2,048.
 */
const MAX_REQUESTS_PER_CONNECTION = 4_096;

/** A value that leaves its column as it is: what `undefined` becomes on the wire. */
export type Unset = object;

/**
 * One cluster through `cassandra-driver`: the only place where Helix touches a client.
 *
 * Statements go out once: the driver's own retries are off, because a retry hides an earlier attempt of
 * unknown outcome behind a harmless last error.
 */
export class CqlSession extends ClusterSession {
  readonly consistency: number;
  readonly serialConsistency: number | undefined;
  readonly unset: Unset;
  protected override readonly address: string;
  protected override readonly isOwnClient: boolean;
  readonly #client: DriverClient;
  readonly #driver: Driver;
  readonly #requests: PreparedRequests;
  readonly #retryPolicy: object;
  readonly #views = new SchemaViews();
  readonly #endWatch: (() => void) | undefined;
  readonly #guard: ClientGuard;
  /** Of clients that only try whether the cluster can be connected; none for a client of the user's own. */
  readonly #makeTrial: (() => DriverClient) | undefined;
  /** The client that tries just now. */
  #trial: ClientGuard | undefined;
  #hasFailed = false;
  #hasWarned = false;
  /** Of the host that answered the last ping. */
  #schemaVersion: string | undefined;
  #encoder: Encoder | undefined;
  /** `null`: looked for, and there are none. */
  #tokenClasses: TokenClasses | null | undefined;

  constructor(
    driver: Driver,
    cluster: ClusterId,
    name: string,
    options: CqlClusterOptions | CqlClient,
    clock: Clock,
    /** Told, once connected, what this version of the driver cannot be kept from. Default: nobody. */
    private readonly warn: (message: string) => void = () => undefined,
  ) {
    super(cluster, name, clock);
    this.#driver = driver;
    this.isOwnClient = !isClient(options);
    const { client, makeTrial, ...settings }: ClientAndSettings = isClient(options)
      ? { client: options as DriverClient }
      : createClient(driver, cluster, options);
    this.#client = client;
    this.#makeTrial = makeTrial;
    this.#guard = ClientGuard.of(client, clock);
    this.#guard.onReconnected.add(this.#onReconnected);
    const where = `cql.${cluster}.consistency`;
    this.consistency = consistencyCode(settings.consistency ?? LOCAL_QUORUM, where);
    this.serialConsistency =
      settings.serialConsistency === undefined
        ? undefined
        : consistencyCode(settings.serialConsistency, `cql.${cluster}.serialConsistency`);
    this.unset = driver.types.unset;
    this.#requests = driver.requestsOf(client, clock, () => this.renewSchema());
    this.#endWatch = watchSchema(client, (change) => this.#views.expire(change));
    client.on?.('hostUp', this.#onHostUp);
    this.#retryPolicy = neverRetry(driver);
    this.address = contactPoints(isClient(options) ? client.options : options);
  }

  get client(): CqlClient {
    return this.#client;
  }

  get keyspace(): string | undefined {
    return this.#client.keyspace || undefined;
  }

  override get isConnected(): boolean {
    const { hosts } = this.#client;
    return this.hasConnected && (!hosts || hosts.values().some((host) => host.isUp()));
  }

  /** What its driver makes tokens of, if it is known to take a Murmur3 token for a routing key. */
  get tokenClasses(): TokenClasses | undefined {
    if (!this.hasConnected) return undefined;
    if (this.#tokenClasses === undefined) {
      this.#tokenClasses = findTokenClasses(this.#client, this.#driver.policies.loadBalancing) ?? null;
    }
    return this.#tokenClasses ?? undefined;
  }

  /** What is known of a table from now on, until it may have changed; without one, of all tables of the keyspace. */
  schemaView(keyspace: string | undefined, table?: string): SchemaView {
    return this.#views.of(keyspace, table);
  }

  /** How many changes of what a view is of have been heard of. */
  changesOf(view: SchemaView): number {
    return this.#views.changesOf(view);
  }

  /** Any schema may have changed: every statement is prepared and judged afresh before its next use. */
  renewSchema(): void {
    this.#views.expire({});
  }

  /** Prepares as a step of its own: if it fails, nothing has been executed. */
  async prepare(text: string): Promise<PreparedText> {
    try {
      const prepared = await this.#requests.prepare(text);
      this.answered();
      return prepared;
    } catch (error) {
      if (signOfLifeIn(error) === 'answered') this.answered();
      throw error;
    }
  }

  /** A parameter's bytes, the same as the driver would send. `null` and unset pass through. */
  encode(value: unknown, column: Column): unknown {
    if (value === null) return null;
    if (value === undefined || value === this.unset) return this.unset;
    this.#encoder ??= new this.#driver.Encoder(4, this.#client.options);
    const encoded = this.#encoder.encode(value, column.type);
    // A blob comes back as the caller's own buffer, which the caller may use again while the write waits.
    return encoded === value ? Buffer.from(value as Buffer) : encoded;
  }

  /**
   * A table as the cluster itself describes it: the driver's metadata is as old as the last schema event that reached
   * it, and no event does while its control connection is away. `undefined` when the cluster does not know the table.
   */
  async describeTable(keyspace: string | undefined, table: string): Promise<TableDescription | undefined> {
    const { rows } = await this.#client.execute(
      'SELECT column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?',
      [keyspace ?? this.keyspace ?? '', table],
      { prepare: false, isIdempotent: true, consistency: LOCAL_ONE },
    );
    this.answered();
    const columns = (rows ?? []) as unknown as { column_name: string; kind: string; type: string }[];
    if (columns.length === 0) return undefined;
    const keys = columns.filter(({ kind }) => kind === 'partition_key' || kind === 'clustering');
    return {
      columns: new Map(columns.map(({ column_name, type }) => [column_name, type])),
      keys: new Set(keys.map(({ column_name }) => column_name)),
    };
  }

  write(
    statement: PreparedText,
    params: readonly unknown[],
    options: StatementOptions,
  ): Promise<CqlClientResult> {
    // It may have turned out to be the other cluster since the statement was prepared.
    if (!this.hasConnected) return Promise.reject(this.notConnected());
    return this.#requests.execute(statement, params, {
      prepare: true,
      isIdempotent: false,
      retry: this.#retryPolicy,
      consistency: options.consistency ?? this.consistency,
      serialConsistency: options.serialConsistency ?? this.serialConsistency,
      timestamp: options.timestampUs,
      readTimeout: options.timeoutMs * DRIVER_TIMEOUT_FACTOR,
      routingKey: options.routingKey,
    });
  }

  writeBatch(
    items: readonly PreparedBatchItem[],
    kind: 'logged' | 'unlogged' | 'counter',
    options: StatementOptions,
  ): Promise<CqlClientResult> {
    if (!this.hasConnected) return Promise.reject(this.notConnected());
    return this.#requests.batch(items, {
      prepare: true,
      isIdempotent: false,
      logged: kind === 'logged',
      counter: kind === 'counter',
      retry: this.#retryPolicy,
      consistency: options.consistency ?? this.consistency,
      serialConsistency: options.serialConsistency ?? this.serialConsistency,
      timestamp: options.timestampUs,
      readTimeout: options.timeoutMs * DRIVER_TIMEOUT_FACTOR,
    });
  }

  /** Reads may be repeated, so the driver's retries on other hosts of the cluster stay on. */
  read(
    statement: PreparedText,
    params: unknown,
    options: {
      readonly consistency: number;
      readonly serialConsistency: number | undefined;
      readonly timeoutMs: number;
      readonly fetchSize: number | undefined;
      readonly pageState: string | undefined;
    },
  ): Promise<CqlClientResult> {
    if (!this.hasConnected) return Promise.reject(this.notConnected());
    return this.#requests.execute(statement, params, {
      prepare: true,
      isIdempotent: true,
      consistency: options.consistency,
      serialConsistency: options.serialConsistency,
      readTimeout: options.timeoutMs * DRIVER_TIMEOUT_FACTOR,
      fetchSize: options.fetchSize,
      pageState: options.pageState,
    });
  }

  /** Runs a text as it is, unprepared: schema changes and the like. */
  async run(text: string, timeoutMs: number): Promise<void> {
    await this.#client.execute(text, [], {
      prepare: false,
      isIdempotent: false,
      retry: this.#retryPolicy,
      consistency: this.consistency,
      readTimeout: timeoutMs,
    });
  }

  /**
   * The client that is injected is tried first, so that a start without trouble connects once. A failed attempt leaves
   * things in a client that no cleaning is sure to find, so there is only that one: clients that are thrown away try
   * until one has connected, and then it is the turn of the injected one again.
   */
  protected override async connectOnce(): Promise<void> {
    if (this.#hasFailed) await this.#try();
    try {
      await this.#client.connect();
    } catch (error) {
      this.#hasFailed = true;
      await this.#guard.cleanUp();
      throw error;
    }
    await this.#requests.check();
    this.#warnOnce();
  }

  /** The same as the injected client would do, with one that is closed again. */
  async #try(): Promise<void> {
    if (!this.#makeTrial) return;
    const client = this.#makeTrial();
    this.#trial = ClientGuard.of(client, this.clock);
    try {
      await client.connect();
    } finally {
      await client.shutdown().catch(() => undefined);
      this.#trial.end();
      this.#trial = undefined;
    }
  }

  #warnOnce(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    if (this.isOwnClient && !(this.#guard.isComplete && this.#guard.seesConnections)) {
      this.warn(
        'This version of cassandra-driver cannot be guarded against its unhandled rejection, nor kept from leaving connections open',
      );
    }
    if (!this.#endWatch) {
      this.warn(
        'This version of cassandra-driver does not let Helix hear of schema changes: a change that other processes make is noticed late',
      );
    }
  }

  /** Perhaps to another cluster than before. */
  readonly #onReconnected = (): void => void this.checkIdentity();

  protected override blockedBy(error: unknown): BlockedReason | undefined {
    return blockedReason(error);
  }

  protected override reasonOf(error: unknown): string {
    return connectReason(error);
  }

  protected override abandon(): void {
    this.#trial?.end();
    this.#guard.end();
  }

  protected override async identify(): Promise<ClusterIdentity | undefined> {
    const rowsOf = async <T>(text: string): Promise<readonly T[]> => {
      const { rows } = await this.#ask(text, IDENTIFY_MS);
      return (rows ?? []) as unknown as T[];
    };
    const [local] = await rowsOf<LocalRow>(
      'SELECT cluster_name, host_id, broadcast_address FROM system.local',
    );
    if (!local?.host_id || !local.broadcast_address) return undefined;
    const peers = await rowsOf<PeerRow>('SELECT host_id, peer FROM system.peers');
    const nodes = [{ host_id: local.host_id, peer: local.broadcast_address }, ...peers];
    return {
      name: local.cluster_name,
      nodes: nodes.map(({ host_id: hostId, peer }) => ({ hostId: String(hostId), address: String(peer) })),
    };
  }

  override async askEveryHost(timeoutMs: number): Promise<SignOfLife> {
    const { hosts, profileManager } = this.#client;
    const asked = (hosts?.values() ?? [undefined]).filter(
      (host) => !host || (host.isUp() && profileManager?.getDistance(host) !== IGNORED),
    );
    const signs = new Map<unknown, SignOfLife | undefined>(asked.map((host) => [host, 'silent']));
    const answers = asked.map(async (host) => {
      const sign = await this.#askHost(host);
      signs.set(host, sign);
      if (sign !== 'answered') throw new Error('No sign of life');
    });
    await resolvesWithin(this.clock, timeoutMs, Promise.any(answers)).catch(() => false);
    const found = [...signs.values()];
    if (found.includes('answered')) return 'answered';
    return found.includes('silent') && !found.includes('notSent') ? 'silent' : 'notSent';
  }

  async #askHost(host: DriverHost | undefined): Promise<SignOfLife | undefined> {
    const startedMs = this.clock.monotonicMs();
    try {
      await this.#askVersion(PATIENCE_MS, host);
    } catch (error) {
      const sign = signOfLifeIn(error);
      if (sign !== 'answered') return sign;
    }
    this.pingAnswered(startedMs);
    return 'answered';
  }

  protected override async askForLife(timeoutMs: number): Promise<void> {
    const { rows } = await this.#askVersion(Math.max(timeoutMs, PATIENCE_MS));
    // It was asked for because something was wrong, and events may have been lost meanwhile.
    const version = String((rows?.[0] as { schema_version?: unknown } | undefined)?.schema_version);
    if (version !== this.#schemaVersion) this.renewSchema();
    this.#schemaVersion = version;
  }

  readonly #onHostUp = (): void => this.hostUp();

  async #askVersion(patienceMs: number, host?: DriverHost): Promise<CqlClientResult> {
    const closeSilent = this.#guard.noteSilence();
    try {
      return await this.#ask(SCHEMA_VERSION, patienceMs, host);
    } catch (error) {
      if (signOfLifeIn(error) === 'silent') closeSilent();
      throw error;
    }
  }

  /** Asks about the cluster itself, not about what the application keeps there. */
  #ask(text: string, readTimeout: number, host?: DriverHost): Promise<CqlClientResult> {
    return this.#client.execute(text, [], {
      prepare: false,
      isIdempotent: false,
      retry: this.#retryPolicy,
      consistency: LOCAL_ONE,
      readTimeout,
      ...(host && { host }),
    });
  }

  override async close(): Promise<void> {
    this.#guard.onReconnected.delete(this.#onReconnected);
    this.#endWatch?.();
    this.#client.removeListener?.('hostUp', this.#onHostUp);
    await super.close();
    this.#requests.release();
  }

  protected override async end(): Promise<void> {
    try {
      await this.#client.shutdown();
    } finally {
      this.#guard.end();
    }
  }
}

function isClient(options: CqlClusterOptions | CqlClient): options is CqlClient {
  return 'execute' in options && typeof options.execute === 'function';
}

interface ClientAndSettings {
  readonly client: DriverClient;
  readonly makeTrial?: () => DriverClient;
  readonly consistency?: Consistency;
  readonly serialConsistency?: Consistency;
}

function createClient(driver: Driver, cluster: ClusterId, options: CqlClusterOptions): ClientAndSettings {
  const { consistency, serialConsistency, ...clientOptions } = options;
  const queryOptions = (options.queryOptions ?? {}) as {
    consistency?: number;
    serialConsistency?: number;
  };
  const policies = { ...clientOptions.policies } as { reconnection?: object; speculativeExecution?: object };
  // The driver's own goes up to ten minutes: a cluster would be back long before anybody noticed.
  policies.reconnection ??= new driver.policies.reconnection.ConstantReconnectionPolicy(
    DRIVER_RECONNECTION_MS,
  );
  const pooling = { maxRequestsPerConnection: MAX_REQUESTS_PER_CONNECTION, ...clientOptions.pooling };
  const resolved = {
    consistency: consistency ?? queryOptions.consistency,
    serialConsistency: serialConsistency ?? queryOptions.serialConsistency,
  };
  // A client ends both with itself, and they are the injected one's.
  const trialOptions = without(clientOptions, 'requestTracker');
  const trialPolicies = without(policies, 'speculativeExecution');
  try {
    return {
      client: new driver.Client({ ...clientOptions, policies, pooling }),
      makeTrial: () => new driver.Client({ ...trialOptions, policies: trialPolicies }),
      ...(resolved.consistency !== undefined && { consistency: resolved.consistency }),
      ...(resolved.serialConsistency !== undefined && { serialConsistency: resolved.serialConsistency }),
    };
  } catch (error) {
    throw new HelixConfigError(
      `cql.${cluster}: cassandra-driver refused the options: ${error instanceof Error ? error.message : 'unknown reason'}`,
      { cause: error },
    );
  }
}

function without<T extends object>(options: T, name: keyof T): object {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key !== name));
}

function contactPoints(options: object): string {
  const { contactPoints: points, protocolOptions } = options as {
    contactPoints?: string[];
    protocolOptions?: { port?: number };
  };
  const port = protocolOptions?.port;
  return (points ?? ['(cloud)'])
    .map((point) => (point.includes(':') || port === undefined ? point : `${point}:${port}`))
    .join(', ');
}

/** The driver consults it for Unavailable also when a statement is not idempotent. */
function neverRetry(driver: Driver): object {
  const policy = new driver.policies.retry.RetryPolicy();
  const rethrow = (): object => policy.rethrowResult();
  return Object.assign(policy, {
    onReadTimeout: rethrow,
    onRequestError: rethrow,
    onUnavailable: rethrow,
    onWriteTimeout: rethrow,
  });
}
