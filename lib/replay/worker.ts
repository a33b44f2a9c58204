import {
  type Clock,
  type ClusterId,
  delay,
  type Failover,
  HelixConfigError,
  HelixUsageError,
  Invariants,
  type PerCluster,
  type Replayer,
  type ReplayTarget,
  type Watch,
  Wire,
} from '../core/index.js';
import { type ReplayHooks, type ReplayLog, SafeHooks } from './hooks.js';
import { GRACE_MS, PING_TIMEOUT_MS, TargetLane } from './target-lane.js';

/** How often a drain looks at the queue. */
const DRAIN_POLL_MS = 10;

/** How long a drain waits for a side that is gone to say that it is back; one that may only be slow has longer. */
const LAST_PROBE_MS = 1_000;

/** Options of {@link ReplayWorker}. */
export interface ReplayWorkerOptions extends ReplayHooks {
  /** Time limit of one execution, in ms. */
  readonly executeTimeoutMs: number;
}

export interface ReplayWorkerDependencies {
  readonly replayer: Replayer;
  readonly targets: PerCluster<ReplayTarget>;
  /** Says which targets are left alone, pings included. Default: none. */
  readonly failover?: Pick<Failover, 'mayReplayTo'>;
  /** Default: a breach is a warning of the process. */
  readonly invariants?: Invariants;
  /** Default: nobody finds out that a target hangs. */
  readonly watch?: Watch | undefined;
  /** Envelopes of any other namespace are refused. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly options: ReplayWorkerOptions;
  /** Told when a lane closes and when it is open again. Default: nobody. */
  readonly log?: ReplayLog;
  /** What a cluster is called in the log. Default: `cluster A` and `cluster B`. */
  readonly label?: (cluster: ClusterId) => string;
  /** Jitter of all delays, from 0 up to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Replays to each cluster what it has missed, on a lane of its own: a cluster that is down never delays the
 * other. While its target is down a lane delivers nothing and pings it, 100 ms apart at first and 2 s at most;
 * an envelope that fails while its target is well comes again on its own, after 100 ms at first and 30 s at
 * most. A target that answers pings and takes nothing is given one envelope at a time, ten a second at most in the
 * end. There is no number of attempts after which an envelope is given up.
 */
export class ReplayWorker {
  readonly #lanes: Readonly<Record<ClusterId, TargetLane | undefined>>;
  readonly #replayer: Replayer;
  readonly #clock: Clock;
  /** What every delivery goes over, to either side. */
  readonly #wire: Wire;
  #state: 'new' | 'started' | 'stopped' = 'new';

  /**
   * @internal Made by `HelixModule`.
   * @throws {HelixConfigError} `executeTimeoutMs` is out of range
   */
  constructor(dependencies: ReplayWorkerDependencies) {
    const { replayer, targets, namespace, clock, options, log, random } = dependencies;
    const { executeTimeoutMs } = options;
    if (!Number.isFinite(executeTimeoutMs) || executeTimeoutMs <= 0) {
      throw new HelixConfigError(
        `replayWorker.executeTimeoutMs: received ${executeTimeoutMs}; allowed is a number of ms above 0.`,
      );
    }
    const safeLog = quietly(log);
    const hooks = new SafeHooks(options, clock, safeLog);
    const { invariants = new Invariants() } = dependencies;
    const { watch } = dependencies;
    const wire = new Wire({ clock, timeoutMs: executeTimeoutMs + GRACE_MS, invariants, watch });
    this.#wire = wire;
    const laneTo = (cluster: ClusterId, target: ReplayTarget): TargetLane =>
      new TargetLane({
        cluster,
        label: dependencies.label?.(cluster) ?? `cluster ${cluster}`,
        namespace,
        replayer,
        target,
        failover: dependencies.failover,
        wire,
        executeTimeoutMs,
        clock,
        random: random ?? Math.random,
        hooks,
        log: safeLog,
      });
    this.#lanes = { A: laneTo('A', targets.A), B: targets.B && laneTo('B', targets.B) };
    this.#replayer = replayer;
    this.#clock = clock;
  }

  /**
   * Begins to replay, first asking each target whether it is there. The replayer must be open.
   *
   * @throws {HelixUsageError} it was started or stopped before
   */
  start(): void {
    if (this.#state !== 'new') {
      throw new HelixUsageError(`ReplayWorker.start: it was ${this.#state} already; make a new worker.`);
    }
    this.#state = 'started';
    for (const lane of this.#all()) lane.start();
  }

  /**
   * Nothing more is delivered to this side, and it is not probed, until {@link resume} for the same reason. Works
   * before start.
   */
  pause(cluster: ClusterId, by: 'operator' | 'draining' = 'operator'): void {
    this.#lanes[cluster]?.pause(by);
  }

  /**
   * Ends the {@link pause} made for this reason. Once none is left, the target is asked whether it is there, then
   * replay goes on.
   */
  resume(cluster: ClusterId, by: 'operator' | 'draining' = 'operator'): void {
    this.#lanes[cluster]?.resume(by);
  }

  /** There is reason to believe that a side is back: it is asked now, not only at its next probe. */
  probe(cluster: ClusterId): void {
    void this.#lanes[cluster]?.probe();
  }

  /** Ends all deliveries for good; resolves when those that run have finished. Never rejects. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    await Promise.allSettled(this.#all().map((lane) => lane.stop()));
    this.#wire.cutOff();
  }

  /**
   * Resolves when nothing is queued or in flight for any side that can be replayed to, or after `timeoutMs`.
   * A side that is down is asked once more, for a second at most, or for 5 if it may only be slow; if it stays down, or
   * is paused or stopped, it is not waited for. Never rejects.
   */
  async drain(timeoutMs: number): Promise<void> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    await Promise.all(
      this.#all().map((lane) => {
        lane.hurry();
        const probeMs = lane.isGone ? LAST_PROBE_MS : PING_TIMEOUT_MS;
        return Promise.race([lane.probe(), delay(this.#clock, Math.min(probeMs, timeoutMs))]);
      }),
    );
    while (!(await this.#isDrained())) {
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return;
      await delay(this.#clock, Math.min(DRAIN_POLL_MS, leftMs));
    }
  }

  /** Whether envelopes are being delivered to this side. */
  isOpen(cluster: ClusterId): boolean {
    return this.#lanes[cluster]?.isOpen ?? false;
  }

  async #isDrained(): Promise<boolean> {
    try {
      const stats = await this.#replayer.stats();
      return (['A', 'B'] as const).every((cluster) => {
        const { queued, inFlight } = stats[cluster];
        return this.#lanes[cluster]?.canProgress !== true || queued + inFlight === 0;
      });
    } catch {
      return false;
    }
  }

  #all(): TargetLane[] {
    return [this.#lanes.A, this.#lanes.B].filter((lane) => lane !== undefined);
  }
}

/** A log that fails must not stop a lane. */
function quietly(log: ReplayLog | undefined): ReplayLog {
  return (level, message) => {
    try {
      log?.(level, message);
    } catch {
      // There is nowhere left to say so.
    }
  };
}
