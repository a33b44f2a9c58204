import { type Envelope, type ReplayTarget, type SettledOutcome, SKIPPED_BY_BREAKER } from '../core/index.js';

/** A target that is left alone, pings included, while it is avoided: somebody else finds out when it is back. */
export class GuardedTarget implements ReplayTarget {
  constructor(
    private readonly target: ReplayTarget,
    private readonly isAvailable: () => boolean,
  ) {}

  ping(timeoutMs: number): Promise<void> {
    if (this.isAvailable()) return this.target.ping(timeoutMs);
    return Promise.reject(new Error('The cluster is being avoided by the failover policy'));
  }

  apply(envelope: Envelope, timeoutMs: number): Promise<SettledOutcome> {
    if (this.isAvailable()) return this.target.apply(envelope, timeoutMs);
    return Promise.resolve(SKIPPED_BY_BREAKER);
  }
}
