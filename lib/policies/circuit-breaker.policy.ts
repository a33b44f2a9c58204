import {
  type BreakerState,
  type ClusterId,
  FailoverPolicy,
  HelixConfigError,
  type PolicyContext,
} from '../core/index.js';
import type { CallEvent } from './breaker.js';
import { type CircuitBreakerOptions, resolveCircuitBreakerOptions } from './circuit-breaker.options.js';
import { ClusterBreaker } from './cluster-breaker.js';

/**
 * Avoids a cluster after `threshold` failures in a row (connections that were lost, and answers that did not come in
 * time), and at once when it hangs (`suspectAfterMs`). Whatever a cluster answers, refusals and its own time-outs
 * included, ends such a row. An avoided cluster is pinged by Helix itself, after 250 ms at first, then at growing
 * pauses of 2 s at most, and when its driver says that a host is up: the first ping that is answered, whoever has sent
 * it, has the cluster used again. No call of the application is spent on finding out; a call that succeeds on an
 * avoided cluster does not bring it back. A cluster that has to be avoided again within `resetTimeoutMs` of its return
 * is asked half as often each time, down to once in `resetTimeoutMs`.
 *
 * Each cluster has a breaker of its own. Every failed read is tried on the other cluster.
 *
 * @example
 * new CircuitBreaker({ threshold: 5, resetTimeoutMs: 10_000 })
 */
export class CircuitBreaker extends FailoverPolicy {
  readonly #breakers: Readonly<Record<ClusterId, ClusterBreaker>>;
  #isOpened = false;

  /** @throws {HelixConfigError} an option is unknown or out of range */
  constructor(options: CircuitBreakerOptions = {}) {
    super();
    const { threshold, resetTimeoutMs } = resolveCircuitBreakerOptions(options);
    this.#breakers = {
      A: new ClusterBreaker('A', threshold, resetTimeoutMs),
      B: new ClusterBreaker('B', threshold, resetTimeoutMs),
    };
  }

  /** `half-open` while the ping that decides is under way. */
  override state(cluster: ClusterId): BreakerState {
    return this.#breakers[cluster].state;
  }

  /** Opens it by hand: the cluster is avoided, and not pinged, until {@link reset}. */
  isolate(cluster: ClusterId): void {
    this.#breakers[cluster].on('isolated');
  }

  /** Closes it by hand, at once; what a ping that is under way finds is ignored. */
  reset(cluster: ClusterId): void {
    this.#breakers[cluster].on('reset');
  }

  override shouldFailover(_cluster?: ClusterId, _error?: Error): boolean {
    return true;
  }

  override recordSuccess(cluster: ClusterId, _latencyMs?: number): void {
    this.tell(cluster, 'succeeded');
  }

  override recordFailure(cluster: ClusterId, _error?: Error): void {
    this.tell(cluster, 'failed');
  }

  override suspect(cluster: ClusterId): void {
    this.#breakers[cluster].on('suspected');
  }

  override recordPing(cluster: ClusterId, _latencyMs?: number): void {
    this.#breakers[cluster].on('pingSucceeded');
  }

  override hostUp(cluster: ClusterId): void {
    this.#breakers[cluster].hostUp();
  }

  /** Tells the breaker of a cluster how a call on it has ended. */
  protected tell(cluster: ClusterId, event: CallEvent): void {
    const breaker = cluster === 'A' ? this.#breakers.A : this.#breakers.B;
    const isGood = event === 'succeeded' || event === 'answered';
    if (!isGood || !breaker.isPristine) breaker.on(event);
  }

  override isAvailable(cluster: ClusterId): boolean {
    return (cluster === 'A' ? this.#breakers.A : this.#breakers.B).isClosed;
  }

  /**
   * Used without it, a breaker that has opened stays open. Both begin closed; only {@link isolate} outlives an
   * instance, so that a policy can be used by one after the other.
   *
   * @throws {HelixConfigError} another instance uses this policy
   */
  override open(context: PolicyContext): void {
    if (this.#isOpened) {
      throw new HelixConfigError(
        `This ${this.constructor.name} is in use already: give each instance a policy of its own.`,
      );
    }
    this.#isOpened = true;
    this.#breakers.A.open(context);
    this.#breakers.B.open(context);
  }

  override close(): void {
    this.#isOpened = false;
    this.#breakers.A.close();
    this.#breakers.B.close();
  }
}
