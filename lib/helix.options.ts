import type { CqlClient, CqlClusterOptions } from './cql/index.js';
import {
  type Envelope,
  type FailoverPolicy,
  HelixConfigError,
  type Priority,
  type ReadStrategy,
  type Replayer,
  type TimestampProvider,
  type WriteStrategy,
} from './core/index.js';
import { checkDriverOptions } from './helix.driver-options.js';
import type { ReplayHooks } from './replay/index.js';

/** What the start of the application waits for; see {@link HelixModuleOptions.connect}. */
export type ConnectMode = 'any' | 'both' | 'lazy';

/** How what one cluster has missed is replayed to it. */
export interface ReplayWorkerModuleOptions extends ReplayHooks {
  /** `embedded` (default) replays in this process; `off` leaves it to a worker elsewhere. */
  readonly mode?: 'embedded' | 'off';
  /** Time limit of one replay execution, in ms. Default 30,000. */
  readonly executeTimeoutMs?: number;
}

/** Options of one instance: one pair of clusters. */
export interface HelixModuleOptions {
  /** A pair of Cassandra or ScyllaDB clusters, or one: without `B`, Helix is a pass-through to `A`. */
  readonly cql: {
    /** The driver's options, or a ready client of your own, which Helix never closes. */
    readonly A: CqlClusterOptions | CqlClient;
    /** As `A`. */
    readonly B?: CqlClusterOptions | CqlClient;
    /**
     * Computes the token of a partition key once for both clusters, in place of once by each driver: about a
     * seventh less CPU time for a write to both. Where it is not sure that both drivers would come to that token
     * (Murmur3 partitioners, the driver's own token-aware policies), it changes nothing. A token decides which node
     * is asked first, never what is written. Default false: it rests on classes of the driver that its typings do
     * not show, and routing by it has not been watched on clusters of several real nodes. See docs/performance.md.
     */
    readonly sharedToken?: boolean;
    /**
     * Lets `A` and `B` be one cluster, which is refused otherwise: nothing would be written twice. For trying things
     * out. Default false.
     */
    readonly allowSameCluster?: boolean;
  };
  /** Display names for logs and messages: `^[a-zA-Z_][a-zA-Z0-9_]*$`, at most 32 characters, distinct. */
  readonly clusterNames?: { readonly A?: string; readonly B?: string };
  /** Default `StickyReadStrategy`. */
  readonly readStrategy?: ReadStrategy;
  /** Default `ConcurrentDualWriteStrategy`. */
  readonly writeStrategy?: WriteStrategy;
  /** Default `CircuitBreaker` (three failures in a row, 30 s). */
  readonly failoverPolicy?: FailoverPolicy;
  /** Default `MemoryReplayer` (10,000 envelopes). `false`: what a side misses is lost for it. */
  readonly replayer?: Replayer | false;
  /** Default: replay in this process, 30 s for each execution. */
  readonly replayWorker?: ReplayWorkerModuleOptions;
  /** Called for every envelope that could not be kept, also at shutdown. What it throws is logged. */
  readonly onReplayDropped?: (envelope: Envelope, error: Error) => void;
  /**
   * When the application may start. `any` (default): one cluster is up and the other has failed once or had
   * 2 s; `both`: both are up; `lazy`: at once. A missing cluster goes on being connected in the background.
   */
  readonly connect?: ConnectMode;
  /** Time for what `connect` asks for, in ms, before the application fails to start. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /**
   * When a write has succeeded. `any` (default): one cluster applied it, and the receipt says what became of it
   * on the other; `both`: both applied it, or the call throws `PartialWriteError` with the receipt.
   */
  readonly ack?: 'any' | 'both';
  /**
   * A write that certainly reached neither cluster. `throw` (default): `DualClusterError`, safe to retry; `queue`:
   * it is queued for both, which needs a durable replayer.
   */
  readonly whenBothFail?: 'throw' | 'queue';
  /**
   * What one cluster missed could not be kept. `report`: the receipt says `lost`, beside `onReplayDropped`;
   * `throw`: the call throws `PartialWriteError` as well, and a write for which the queue has no room is refused
   * before it is sent. Default: `throw` with a durable replayer, else `report`.
   */
  readonly onReplayLost?: 'throw' | 'report';
  /**
   * Most writes under way to one cluster, 1 or more. Above it the cluster is left out and gets the write by
   * replay; when both are there, writes are refused with `OverloadedError`. Default 1,024.
   */
  readonly maxInFlight?: number;
  /**
   * Most reads under way to one cluster, 1 or more. Above it the other cluster is asked; when both are there, reads are
   * refused with `OverloadedError`. Each page of an iteration is a read. Default 1,024.
   */
  readonly maxReadsInFlight?: number;
  /**
   * A cluster that has waited longer for something it missed is asked last, in ms, because it would answer with
   * old rows. Default 5,000.
   */
  readonly maxReadLagMs?: number;
  /**
   * When a request has waited so long, in ms, and nothing has come from its cluster since it was sent, every host of
   * the cluster is pinged; if none answers within 500 ms the cluster is dead: its breaker opens, and what waits for it
   * alone is decided without it. Default 500. 0: never.
   */
  readonly suspectAfterMs?: number;
  /** Replay priority of writes that do not say. Default `high`. */
  readonly priority?: Priority;
  /** Time of each side for a write, in ms. Default 5,000. */
  readonly writeTimeoutMs?: number;
  /** Time of each side for a read (for each page of `all()`), in ms. Default 5,000. */
  readonly readTimeoutMs?: number;
  /** Time for the replayer to accept an envelope, in ms. Default 500. */
  readonly enqueueTimeoutMs?: number;
  /**
   * Write times, whole µs since the epoch; with any other answer the write is refused. Default: a strictly increasing
   * clock.
   */
  readonly timestampProvider?: TimestampProvider;
  /** Bound of the whole shutdown, in ms. Default 10,000. */
  readonly shutdownTimeoutMs?: number;
}

/** @internal What an instance goes by, whatever its clusters are; every default is filled in. */
export interface InstanceOptions {
  readonly clusterNames: { readonly A: string; readonly B: string };
  readonly replayWorker: ReplayHooks & {
    readonly mode: 'embedded' | 'off';
    readonly executeTimeoutMs: number;
  };
  readonly onReplayDropped: (envelope: Envelope, error: Error) => unknown;
  readonly connect: ConnectMode;
  readonly connectTimeoutMs: number;
  readonly ack: 'any' | 'both';
  readonly whenBothFail: 'throw' | 'queue';
  /** `undefined`: as durable as the replayer. */
  readonly onReplayLost: 'throw' | 'report' | undefined;
  readonly maxInFlight: number;
  readonly maxReadsInFlight: number;
  readonly maxReadLagMs: number;
  readonly suspectAfterMs: number;
  readonly priority: Priority;
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly enqueueTimeoutMs: number;
  readonly timestampProvider: TimestampProvider | undefined;
  readonly shutdownTimeoutMs: number;
}

/** @internal Options with every default filled in. Strategies and the replayer have providers of their own. */
export interface ResolvedOptions extends InstanceOptions {
  readonly cql: HelixModuleOptions['cql'];
  readonly readStrategy: ReadStrategy | undefined;
  readonly writeStrategy: WriteStrategy | undefined;
  readonly failoverPolicy: FailoverPolicy | undefined;
  readonly replayer: Replayer | false | undefined;
}

const KNOWN_OPTIONS: readonly (keyof HelixModuleOptions)[] = [
  'cql',
  'clusterNames',
  'readStrategy',
  'writeStrategy',
  'failoverPolicy',
  'replayer',
  'replayWorker',
  'onReplayDropped',
  'connect',
  'connectTimeoutMs',
  'ack',
  'whenBothFail',
  'onReplayLost',
  'maxInFlight',
  'maxReadsInFlight',
  'maxReadLagMs',
  'suspectAfterMs',
  'priority',
  'writeTimeoutMs',
  'readTimeoutMs',
  'enqueueTimeoutMs',
  'timestampProvider',
  'shutdownTimeoutMs',
];
const KNOWN_WORKER_OPTIONS = ['mode', 'executeTimeoutMs', 'onSuccess', 'onError', 'onDrop'];
/** Node's timers end there. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** Checks what the user gave and fills in the defaults; everything that is wrong is said here. */
export function resolveOptions(options: HelixModuleOptions, instance: string): ResolvedOptions {
  const check = new OptionCheck(instance);
  check.object('options', options);
  check.known('', options, KNOWN_OPTIONS);
  const { cql, replayWorker = {} } = options;
  checkClusters(check, cql);
  check.object('replayWorker', replayWorker);
  check.known('replayWorker.', replayWorker, KNOWN_WORKER_OPTIONS);
  for (const hook of ['onSuccess', 'onError', 'onDrop'] as const) {
    check.callback(`replayWorker.${hook}`, Reflect.get(replayWorker, hook));
  }
  checkMethods(check, options);
  return {
    cql,
    clusterNames: resolveNames(check, options.clusterNames),
    readStrategy: options.readStrategy,
    writeStrategy: options.writeStrategy,
    failoverPolicy: options.failoverPolicy,
    replayer: options.replayer,
    replayWorker: {
      ...replayWorker,
      mode: check.oneOf('replayWorker.mode', replayWorker.mode, ['embedded', 'off']),
      executeTimeoutMs: check.timeout('replayWorker.executeTimeoutMs', replayWorker.executeTimeoutMs, 30_000),
    },
    onReplayDropped: check.callback('onReplayDropped', options.onReplayDropped) ?? (() => undefined),
    connect: check.oneOf('connect', options.connect, ['any', 'both', 'lazy']),
    connectTimeoutMs: check.timeout('connectTimeoutMs', options.connectTimeoutMs, 30_000),
    ack: check.oneOf('ack', options.ack, ['any', 'both']),
    whenBothFail: check.oneOf('whenBothFail', options.whenBothFail, ['throw', 'queue']),
    onReplayLost:
      options.onReplayLost === undefined
        ? undefined
        : check.oneOf<'throw' | 'report'>('onReplayLost', options.onReplayLost, ['throw', 'report']),
    maxInFlight: check.count('maxInFlight', options.maxInFlight, 1_024),
    maxReadsInFlight: check.count('maxReadsInFlight', options.maxReadsInFlight, 1_024),
    maxReadLagMs: check.timeout('maxReadLagMs', options.maxReadLagMs, 5_000),
    suspectAfterMs:
      options.suspectAfterMs === 0 ? 0 : check.timeout('suspectAfterMs', options.suspectAfterMs, 500),
    priority: check.oneOf('priority', options.priority, ['high', 'low']),
    writeTimeoutMs: check.timeout('writeTimeoutMs', options.writeTimeoutMs, 5_000),
    readTimeoutMs: check.timeout('readTimeoutMs', options.readTimeoutMs, 5_000),
    enqueueTimeoutMs: check.timeout('enqueueTimeoutMs', options.enqueueTimeoutMs, 500),
    timestampProvider: check.callback('timestampProvider', options.timestampProvider),
    shutdownTimeoutMs: check.timeout('shutdownTimeoutMs', options.shutdownTimeoutMs, 10_000),
  };
}

function checkClusters(check: OptionCheck, cql: HelixModuleOptions['cql'] | undefined): void {
  check.object('cql', cql);
  check.known('cql.', cql, ['A', 'B', 'sharedToken', 'allowSameCluster']);
  check.object('cql.A', cql?.A);
  if (cql?.B !== undefined) check.object('cql.B', cql.B);
  if (cql?.A === cql?.B) {
    check.fail('cql.B', 'the same object as cql.A', 'options or a client of the second cluster');
  }
  const policiesOfA = hostPolicies(cql?.A);
  if ([...hostPolicies(cql?.B)].some((policy) => policiesOfA.has(policy))) {
    check.fail(
      'cql.B',
      'the same load balancing or speculative execution policy as cql.A, which would send the writes of both to one cluster',
      'policies of its own',
    );
  }
  check.flag('cql.sharedToken', cql?.sharedToken);
  check.flag('cql.allowSameCluster', cql?.allowSameCluster);
  checkDriverOptions(check, 'cql.A', cql?.A);
  checkDriverOptions(check, 'cql.B', cql?.B);
}

interface HostPolicies {
  readonly loadBalancing?: object;
  readonly speculativeExecution?: object;
}

/** The driver's policies that keep the hosts of the client they were last given to. */
function hostPolicies(cluster: object | undefined): Set<object> {
  const options = cluster && 'execute' in cluster && 'options' in cluster ? cluster.options : cluster;
  const { policies, profiles } = (options ?? {}) as { policies?: HostPolicies; profiles?: HostPolicies[] };
  const found = new Set<object>();
  for (const from of [policies, ...(profiles ?? [])]) {
    for (const top of [from?.loadBalancing, from?.speculativeExecution]) {
      let policy: object | undefined = top;
      while (policy && !found.has(policy)) {
        found.add(policy);
        policy = (policy as { childPolicy?: object }).childPolicy;
      }
    }
  }
  return found;
}

function checkMethods(check: OptionCheck, options: HelixModuleOptions): void {
  check.methods('readStrategy', options.readStrategy, ['select', 'onSuccess', 'onFailure']);
  check.methods('writeStrategy', options.writeStrategy, ['execute']);
  check.methods('failoverPolicy', options.failoverPolicy, [
    'shouldFailover',
    'recordSuccess',
    'recordFailure',
    'isAvailable',
  ]);
  const { replayer } = options;
  if (options.whenBothFail === 'queue' && !(replayer && replayer.durability === 'durable')) {
    check.fail(
      'whenBothFail',
      "'queue' without a durable replayer",
      "'throw', or a replayer whose queue outlives the process: in memory a write that neither cluster has would be gone with it",
    );
  }
  if (options.replayer !== false) {
    check.methods('replayer', options.replayer, [
      ...['open', 'enqueue', 'reserve', 'bury', 'consume', 'position', 'stats', 'snapshot', 'flush', 'close'],
    ]);
  }
}

function resolveNames(
  check: OptionCheck,
  names: HelixModuleOptions['clusterNames'] = {},
): { A: string; B: string } {
  check.object('clusterNames', names);
  check.known('clusterNames.', names, ['A', 'B']);
  const { A = 'A', B = 'B' } = names;
  for (const [cluster, name] of [
    ['A', A],
    ['B', B],
  ] as const) {
    if (typeof name !== 'string' || name.length > 32 || !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      check.fail(
        `clusterNames.${cluster}`,
        JSON.stringify(name),
        'letters, digits and _, not beginning with a digit, at most 32 characters',
      );
    }
  }
  if (A === B) check.fail('clusterNames.B', JSON.stringify(B), 'a name other than that of A');
  return { A, B };
}

class OptionCheck {
  constructor(private readonly instance: string) {}

  fail(option: string, received: string, allowed: string): never {
    const where = this.instance === 'default' ? 'Helix options' : `Helix options of "${this.instance}"`;
    throw new HelixConfigError(`${where}: ${option} is wrong. Received ${received}; allowed: ${allowed}`);
  }

  object(option: string, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.fail(option, describe(value), 'an object');
    }
  }

  known(prefix: string, value: object | undefined, known: readonly string[]): void {
    for (const key of Object.keys(value ?? {})) {
      if (!known.includes(key)) {
        this.fail(`${prefix}${key}`, 'an option that does not exist', known.join(', '));
      }
    }
  }

  methods(option: string, value: object | undefined, methods: readonly string[]): void {
    if (value === undefined) return;
    const missing = methods.filter((name) => typeof Reflect.get(Object(value), name) !== 'function');
    if (missing.length > 0) {
      this.fail(option, describe(value), `an object with the methods ${methods.join(', ')}`);
    }
  }

  oneOf<T extends string>(option: string, value: T | undefined, allowed: readonly [T, ...T[]]): T {
    if (value === undefined) return allowed[0];
    if (!allowed.includes(value)) {
      this.fail(option, describe(value), allowed.map((each) => `'${each}'`).join(', '));
    }
    return value;
  }

  timeout(option: string, value: number | undefined, byDefault: number): number {
    if (value === undefined) return byDefault;
    if (typeof value !== 'number' || !(value >= 1 && value <= MAX_TIMEOUT_MS)) {
      this.fail(option, describe(value), `milliseconds from 1 to ${MAX_TIMEOUT_MS}`);
    }
    return value;
  }

  flag(option: string, value: boolean | undefined): void {
    if (value !== undefined && typeof value !== 'boolean') {
      this.fail(option, describe(value), 'true or false');
    }
  }

  count(option: string, value: number | undefined, byDefault: number): number {
    if (value === undefined) return byDefault;
    if (!Number.isSafeInteger(value) || value < 1) {
      this.fail(option, describe(value), 'a whole number, 1 or more');
    }
    return value;
  }

  callback<T>(option: string, value: T | undefined): T | undefined {
    if (value !== undefined && typeof value !== 'function') {
      this.fail(option, describe(value), 'a function');
    }
    return value;
  }
}

/** Kind of a wrong value; its content might be a secret. */
function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || value === null) return String(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'object') return `an object of ${classOf(value)}`;
  return typeof value;
}

function classOf(value: object): string {
  const { constructor } = value as { constructor?: { name?: string } };
  return constructor?.name ?? 'no class';
}
