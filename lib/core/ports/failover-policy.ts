import { type ClusterId } from '../cluster.js';

/** Decides when a side is to be avoided. Only transport failures are reported to it, never refusals. */
export abstract class FailoverPolicy {
  /** True when latencies are to be measured and passed to {@link recordSuccess}. */
  readonly needsLatency?: boolean;
  /** May a read that failed on this side be tried on the other? */
  abstract shouldFailover(cluster: ClusterId, error: Error): boolean;
  abstract recordSuccess(cluster: ClusterId, latencyMs?: number): void;
  abstract recordFailure(cluster: ClusterId, error: Error): void;
  /** False: the side is asked last for reads and skipped for writes. */
  abstract isAvailable(cluster: ClusterId): boolean;
}
