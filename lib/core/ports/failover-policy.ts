import type { Clock } from '../clock.js';
import type { ClusterId } from '../cluster.js';

/** Closed: in use. Open: avoided. Half-open: avoided, while a ping is asked whether it is well again. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What a policy may do with the pair it watches. */
export interface PolicyContext {
  /** For timers and for telling the time. */
  readonly clock: Clock;
  /** Asks a cluster for a sign of life. Calls share a ping that is under way. */
  ping(cluster: ClusterId): Promise<void>;
  /** To be called at each change, once the policy itself is in the new state. */
  onStateChange(cluster: ClusterId, state: BreakerState): void;
  /** For jitter, from 0 up to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Decides when a side is to be avoided. What is reported to it as a failure is that a side could not be reached, did
 * not answer in time, or said that it is overloaded or still starting; a connection that drops is one failure,
 * however many calls were under way on it. Anything else that a side says is an answer, refusals and its own
 * time-outs included, and what this process or the driver refused by itself is not reported at all.
 */
export abstract class FailoverPolicy {
  /** True when latencies are to be measured and passed to {@link recordSuccess}. */
  readonly needsLatency?: boolean;
  /** May a read that failed on this side be tried on the other? */
  abstract shouldFailover(cluster: ClusterId, error: Error): boolean;
  /**
   * The side answered. `latencyMs`, from sending to the answer, is given if {@link needsLatency} is set and the side did
   * what it was asked: how long a refusal took says nothing of how fast the side is.
   */
  abstract recordSuccess(cluster: ClusterId, latencyMs?: number): void;
  /** The side could not be reached, did not answer in time, or is not ready to. */
  abstract recordFailure(cluster: ClusterId, error: Error): void;
  /**
   * The side hangs: requests wait, nothing has come from it since they were sent, and none of its hosts has answered a
   * ping. What waits for it alone is decided without it, whatever the policy does.
   */
  suspect?(cluster: ClusterId): void;
  /** A ping was answered, whoever had sent it. */
  recordPing?(cluster: ClusterId, latencyMs: number): void;
  /** The driver says that a host of the side can be reached again: a good moment for a ping. */
  hostUp?(cluster: ClusterId): void;
  /** False: the side is asked last for reads, skipped for writes, and not replayed to. */
  abstract isAvailable(cluster: ClusterId): boolean;
  /** State of a side, for status and health. Default: `closed` while it is available, else `open`. */
  state?(cluster: ClusterId): BreakerState;
  /** Called once, before the first call. A policy that needs no pings ignores it. */
  open?(context: PolicyContext): void;
  /** The instance ends: no ping any more, and no timer. */
  close?(): void;
}
