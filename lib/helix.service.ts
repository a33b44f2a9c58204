import {
  type ClusterId,
  type DeadLetterStore,
  HelixConfigError,
  type LaneStats,
  OperationAbortedError,
  type ReplayStats,
  toError,
  withTimeout,
} from './core/index.js';
import { type HelixInstance } from './helix.instance.js';
import { type HelixLifecycle } from './helix.lifecycle.js';

/** One cluster as it looks now. */
export interface SideState {
  /** Display name. */
  readonly name: string;
  /** Whether the driver believes that a host is up. */
  readonly connected: boolean;
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** Written in the background because it is slow. */
  readonly degraded: boolean;
  /** Calls that wait for this cluster. */
  readonly inFlight: number;
}

export interface HelixStatus {
  readonly instance: string;
  readonly kind: 'cql' | 'sql';
  readonly A: SideState;
  readonly B?: SideState;
  readonly replay: ReplayStats;
  /** Envelopes that could be neither written nor kept since the start. */
  readonly lost: number;
}

export interface SyncPoint {
  /** Envelopes that were waiting at the call and have been applied since. */
  readonly applied: number;
  /** Those of them that became dead letters. */
  readonly deadLettered: number;
  readonly at: Date;
}

/** What is common to an instance, whatever its clusters are: status, synchronisation, dead letters, shutdown. */
export class HelixService {
  /** @internal Made by `HelixModule`. */
  constructor(
    private readonly instance: HelixInstance,
    private readonly lifecycle: HelixLifecycle,
  ) {}

  /** Name the instance is registered under. */
  get name(): string {
    return this.instance.name;
  }

  /** True when no cluster B is configured. */
  get isSingleCluster(): boolean {
    return this.instance.sessions.B === undefined;
  }

  /**
   * Writes that one side missed and that need somebody's decision.
   *
   * @throws HelixConfigError replay is off
   */
  get deadLetters(): DeadLetterStore {
    const { replayer } = this.instance;
    if (!replayer) {
      throw new HelixConfigError(
        'There are no dead letters: the instance has one cluster or `replayer: false`',
      );
    }
    return replayer.deadLetters;
  }

  /** Display name of a cluster. */
  clusterName(cluster: ClusterId): string {
    return this.instance.options.clusterNames[cluster];
  }

  status(): HelixStatus {
    const { sessions, replayer, name, lost } = this.instance;
    return {
      instance: name,
      kind: 'cql',
      A: this.#sideState('A'),
      ...(sessions.B && { B: this.#sideState('B') }),
      replay: replayer?.snapshot() ?? { A: NO_LANE, B: NO_LANE },
      lost,
    };
  }

  /** Asks a cluster for a sign of life; rejects if there is none within `timeoutMs` (default 1,000). */
  ping(cluster: ClusterId, timeoutMs = 1_000): Promise<void> {
    const session = this.instance.sessions[cluster];
    if (!session) {
      return Promise.reject(new HelixConfigError(`ping('${cluster}'): there is no cluster ${cluster}`));
    }
    return session.ping(timeoutMs);
  }

  /**
   * Resolves when every write that was accepted before this call is on both clusters or in the dead letters.
   *
   * @param options.timeoutMs longest wait, in ms. Default: none
   * @throws OperationAbortedError the time was over; replay goes on
   */
  async syncPoint(options: { readonly timeoutMs?: number } = {}): Promise<SyncPoint> {
    const { timeoutMs } = options;
    const reached = this.#reachSyncPoint();
    if (timeoutMs === undefined) return reached;
    const message = `Not in sync within ${timeoutMs} ms; replay goes on`;
    try {
      return await withTimeout(this.instance.clock, timeoutMs, reached, message, true);
    } catch (cause) {
      if (toError(cause).name !== 'TimeoutError') throw cause;
      throw new OperationAbortedError(`syncPoint: ${message}`, 'unknown', { cause });
    }
  }

  /** Shuts the instance down as the end of the application would. Never rejects; later calls do nothing more. */
  close(): Promise<void> {
    return this.lifecycle.close();
  }

  async #reachSyncPoint(): Promise<SyncPoint> {
    const { context, replayer } = this.instance;
    await context.writePath.settled();
    const position = await replayer?.position();
    const { applied, deadLettered } = (await position?.settled()) ?? { applied: 0, deadLettered: 0 };
    return { applied, deadLettered, at: new Date(this.instance.clock.nowMs()) };
  }

  #sideState(cluster: ClusterId): SideState {
    const { sessions, context } = this.instance;
    const session = sessions[cluster];
    return {
      name: session?.name ?? cluster,
      connected: session?.isConnected ?? false,
      breaker: context.readPath.isAvailable(cluster) ? 'closed' : 'open',
      degraded: false,
      inFlight: context.writePath.inFlight[cluster] + context.readPath.inFlight[cluster],
    };
  }
}

const NO_LANE: LaneStats = {
  queued: 0,
  inFlight: 0,
  deadLettered: 0,
  oldestAgeMs: 0,
  open: false,
  applied: 0,
  enqueued: 0,
  purged: 0,
  superseded: 0,
  dropped: 0,
};
