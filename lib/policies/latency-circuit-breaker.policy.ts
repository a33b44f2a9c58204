import { type ClusterId, type PolicyContext, timeoutError } from '../core/index.js';
import {
  type LatencyCircuitBreakerOptions,
  resolveLatencyCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreaker } from './circuit-breaker.policy.js';

/**
 * A {@link CircuitBreaker} for which a slow answer is a failure: a cluster that answers everything, but late,
 * is avoided as well. The same holds for the ping that decides: a cluster that is too slow even for a ping
 * would be avoided again at once, so a ping that takes longer than `slowMs` has failed. How long a refusal took
 * counts neither way.
 *
 * @example
 * new LatencyCircuitBreaker({ threshold: 10, slowMs: 500 })
 */
export class LatencyCircuitBreaker extends CircuitBreaker {
  override readonly needsLatency = true;
  readonly #slowMs: number;
  /** How long the last ping of each cluster took. One that is waited for may have been sent by somebody else, before. */
  readonly #pingMs: Record<ClusterId, number> = { A: 0, B: 0 };

  /** @throws {HelixConfigError} an option is unknown, out of range, or `slowMs` is missing */
  constructor(options: LatencyCircuitBreakerOptions) {
    const { slowMs, ...breaker } = resolveLatencyCircuitBreakerOptions(options);
    super(breaker);
    this.#slowMs = slowMs;
  }

  override recordSuccess(cluster: ClusterId, latencyMs?: number): void {
    if (latencyMs === undefined) this.tell(cluster, 'answered');
    else this.tell(cluster, latencyMs > this.#slowMs ? 'slow' : 'succeeded');
  }

  override recordPing(cluster: ClusterId, latencyMs: number): void {
    this.#pingMs[cluster] = latencyMs;
    if (latencyMs <= this.#slowMs) super.recordPing(cluster);
  }

  override open(context: PolicyContext): void {
    const { clock } = context;
    super.open({
      clock,
      ping: async (cluster) => {
        const startedMs = clock.monotonicMs();
        this.#pingMs[cluster] = 0;
        await context.ping(cluster);
        const tookMs = Math.max(clock.monotonicMs() - startedMs, this.#pingMs[cluster]);
        if (tookMs > this.#slowMs) throw timeoutError(`The ping took ${tookMs} ms`);
      },
      onStateChange: (cluster, state) => context.onStateChange(cluster, state),
      random: () => context.random?.() ?? Math.random(),
    });
  }
}
