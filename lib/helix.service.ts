import type { Observable } from 'rxjs';
import {
  type BlockedReason,
  type BreakerState,
  type ClusterId,
  type ClusterState,
  type DeadLetterStore,
  HelixConfigError,
  type LaneStats,
  OperationAbortedError,
  type ReplayStats,
  toError,
  withTimeout,
} from './core/index.js';
import type { CallRunner, DualWriteCallOptions, StickyReadCallOptions } from './cql/index.js';
import { EventStream } from './helix.event-stream.js';
import type { HelixEvent } from './helix.events.js';
import type { HelixInstance } from './helix.instance.js';
import type { HelixLifecycle } from './helix.lifecycle.js';

/** One cluster as it looks now. */
export interface SideState {
  /** Display name. */
  readonly name: string;
  /** How it is, in one word. */
  readonly state: ClusterState;
  /** Whether the driver believes that a host is up. */
  readonly connected: boolean;
  /** Why it cannot be used until somebody acts; missing if it can, or if it may come by itself. */
  readonly blocked?: BlockedReason;
  /** Whether the failover policy uses it. */
  readonly breaker: BreakerState;
  /** While it drains: since when this process knows of it, and what the operator gave as the reason. */
  readonly draining?: { readonly since: Date; readonly reason?: string };
  /** Written in the background because it is slow. */
  readonly degraded: boolean;
  /** Reads and writes that its driver has not answered, also those that nobody waits for any more. */
  readonly inFlight: number;
}

/** An instance as it looks now. */
export interface HelixStatus {
  /** Name the instance is registered under. */
  readonly instance: string;
  /** What its clusters are. */
  readonly kind: 'cql' | 'sql';
  /** Cluster A. */
  readonly A: SideState;
  /** Missing in single-cluster mode. */
  readonly B?: SideState;
  /** What each cluster has missed; all zero when replay is off. */
  readonly replay: ReplayStats;
  /** Envelopes that could be neither written nor kept since the start. */
  readonly lost: number;
}

/** What came of everything that was waiting when {@link HelixService.syncPoint} was called. */
export interface SyncPoint {
  /** Envelopes that were waiting at the call and have been applied since. */
  readonly applied: number;
  /** Those of them that became dead letters. */
  readonly deadLettered: number;
  /** When it was reached. */
  readonly at: Date;
}

/** What is common to an instance, whatever its clusters are: status, synchronisation, dead letters, shutdown. */
export class HelixService {
  /** @internal Made by `HelixModule`. */
  constructor(
    private readonly instance: HelixInstance,
    private readonly lifecycle: HelixLifecycle,
    private readonly calls: CallRunner,
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

  /** How the instance is doing, as far as this process knows; no cluster is asked. */
  status(): HelixStatus {
    const { parts, sessions, replayer, name, lost } = this.instance;
    const replay = replayer?.snapshot() ?? { A: NO_LANE, B: NO_LANE };
    return {
      instance: name,
      kind: parts.kind,
      A: this.#sideState('A', replay.A),
      ...(sessions.B && { B: this.#sideState('B', replay.B) }),
      replay,
      lost,
    };
  }

  /**
   * What happens to the instance, as it happens; completes when it is closed. A listener that throws or rejects is
   * logged, and disturbs neither Helix nor the other listeners. See docs/events.md.
   */
  get events$(): Observable<HelixEvent> {
    const { events, reporter } = this.instance;
    return new EventStream(events, (error) => reporter.onMistake('A listener of events$', error));
  }

  /** Replays nothing to a cluster, and does not ask whether it is there, until {@link resumeReplay}. */
  pauseReplay(cluster: ClusterId): void {
    this.instance.worker?.pause(cluster);
  }

  /** Ends {@link pauseReplay}: the cluster is asked whether it is there, then replay goes on. */
  resumeReplay(cluster: ClusterId): void {
    this.instance.worker?.resume(cluster);
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
   * @throws SessionClosedError the instance is shutting down, or was shut down before
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

  /**
   * What `@DualWrite` does, for a function: every write through Helix is dual with or without it, and it is not a
   * transaction.
   *
   * ```ts
   * await helix.dualWrite({ ack: 'both' }, () => this.archive(order));
   * ```
   *
   * @returns what the function returns; promises, generators and Observables keep the context
   * @throws HelixUsageError wrong options, or a result that no context can be kept for
   */
  dualWrite<T>(options: DualWriteCallOptions, call: () => T): T {
    return this.calls.dualWrite(options, call);
  }

  /**
   * What `@StickyRead` does, for a function: all its reads stay on one side. A write inside it throws
   * `HelixUsageError` unless a nested `dualWrite` or `@DualWrite` wraps it.
   *
   * ```ts
   * const orders = await helix.stickyRead({ key: customer }, () => this.ordersOf(customer));
   * ```
   *
   * @returns what the function returns; promises, generators and Observables keep the context
   * @throws HelixUsageError wrong options, or a result that no context can be kept for
   */
  stickyRead<T>(options: StickyReadCallOptions, call: () => T): T {
    return this.calls.stickyRead(options, call);
  }

  /** Shuts the instance down as the end of the application would. Never rejects; later calls do nothing more. */
  close(): Promise<void> {
    return this.lifecycle.close();
  }

  async #reachSyncPoint(): Promise<SyncPoint> {
    const { writePath, replayer } = this.instance;
    writePath.checkOpen();
    await writePath.settled();
    const position = await replayer?.position();
    const { applied, deadLettered } = (await position?.settled()) ?? { applied: 0, deadLettered: 0 };
    return { applied, deadLettered, at: new Date(this.instance.clock.nowMs()) };
  }

  #sideState(cluster: ClusterId, { queued, inFlight }: LaneStats): SideState {
    const { instance } = this;
    const { sessions, writePath, readPath, failover } = instance;
    const session = sessions[cluster];
    const draining = instance.drainOf(cluster);
    return {
      name: session?.name ?? cluster,
      state: instance.stateOf(cluster, queued + inFlight > 0),
      connected: session?.isConnected ?? false,
      ...(session?.blocked && { blocked: session.blocked }),
      breaker: failover.state(cluster),
      ...(draining && { draining }),
      degraded: false,
      inFlight: writePath.wire.inFlight[cluster] + readPath.wire.inFlight[cluster],
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
