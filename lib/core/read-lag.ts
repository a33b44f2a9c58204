import type { Clock } from './clock.js';
import type { ClusterId } from './cluster.js';
import type { Replayer } from './ports/replayer.js';

/** How old the answer may be: asking the queue walks through what it holds. */
const REFRESH_MS = 100;

/** Which sides have waited too long for what they have missed: their answers would be old. */
export class ReadLag {
  readonly #isBehind = { A: false, B: false };
  #refreshedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly replayer: Pick<Replayer, 'snapshot'>,
    private readonly clock: Clock,
    private readonly maxReadLagMs: number,
  ) {}

  isBehind(cluster: ClusterId): boolean {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#refreshedMs >= REFRESH_MS) {
      this.#refreshedMs = nowMs;
      const { A, B } = this.replayer.snapshot();
      this.#isBehind.A = A.oldestAgeMs > this.maxReadLagMs;
      this.#isBehind.B = B.oldestAgeMs > this.maxReadLagMs;
    }
    return this.#isBehind[cluster];
  }
}
