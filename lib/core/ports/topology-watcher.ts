import type { Observable } from 'rxjs';
import type { ClusterId } from '../cluster.js';

/** A cluster has begun to drain, or does not drain any more. */
export interface TopologyUpdate {
  readonly cluster: ClusterId;
  readonly draining: boolean;
  /** What the operator gave as the reason, if anything. */
  readonly reason?: string;
}

/**
 * Knows which clusters operators are draining. A draining cluster is not written to, what it misses is queued, and
 * reads ask it last.
 *
 * It fails static: while its source cannot be reached, or says what cannot be understood, every cluster stays as
 * it was last known to be. A cluster of which nothing was ever known does not drain.
 */
export abstract class TopologyWatcher {
  /**
   * Every change, once it is in force: {@link isDraining} says so already. Only changes: what is so when somebody
   * subscribes, {@link isDraining} tells. It never fails.
   */
  abstract readonly changes: Observable<TopologyUpdate>;
  /** The state as last known. Never throws. */
  abstract isDraining(cluster: ClusterId): boolean;
  /**
   * Begins or ends a drain, for all who watch the same source. Resolves when the change is in force here too; saying
   * what is so already changes nothing. Rejects, never throws, if the source did not take it: then nothing has
   * changed.
   */
  abstract setDrain(cluster: ClusterId, draining: boolean, reason?: string): Promise<void>;
}
