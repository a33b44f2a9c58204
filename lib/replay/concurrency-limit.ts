import { HelixConfigError } from '../core/index.js';

/** A window of samples is at least so long: means over fewer are mostly noise, … */
const MIN_WINDOW = 16;
/** … unless they have taken so long, in ms: a target far away would need minutes for as many. */
const LONG_WINDOW_MS = 250;
/** The first samples after a reset are taken at face value to find a baseline. */
const LEARNING_SAMPLES = 8;
/** Mean latency over baseline below which there is room for more, and above which there is too much. */
const ROOM = 1.15;
const TOO_MUCH = 1.3;
const DECREASE_ON_LATENCY = 0.75;
const DECREASE_ON_FAILURE = 0.5;
const BASELINE_RATE = 0.1;
/** One slow answer moves the baseline no further than one this many times as slow as usual. */
const OUTLIER = 2;
/** Below this, latency is the jitter of our own event loop. */
const FLOOR_MS = 1;

/**
 * How many replays a target bears at once without its foreground traffic noticing: additive increase,
 * multiplicative decrease, judged by latency against what is normal for this target.
 *
 * The baseline follows the latency freely only while the limit is at its minimum. Above it our own load may be
 * what slows the target down, so it never rises over what was normal at the minimum: a baseline that followed
 * would in the end call any overload normal.
 */
export class ConcurrencyLimit {
  readonly #min: number;
  readonly #max: number;
  #current: number;
  #baselineMs: number | undefined;
  /** The baseline when the limit was last at its minimum. */
  #anchorMs = 0;
  #learned = 0;
  #samples = 0;
  #sumMs = 0;
  #used = 0;
  /** Answers still to come to requests that were sent under a higher limit. */
  #stale = 0;
  /** Nothing has been too much for it since the last outage. */
  #isStarting = true;

  /**
   * @param options.min smallest limit, default 1
   * @param options.max largest limit, default 64
   * @throws {HelixConfigError} not integers with 1 ≤ min ≤ max
   */
  constructor({ min = 1, max = 64 }: { readonly min?: number; readonly max?: number } = {}) {
    if (!Number.isInteger(min) || !Number.isInteger(max) || min < 1 || max < min) {
      throw new HelixConfigError(
        `Replay concurrency: received min ${min}, max ${max}; allowed are integers with 1 <= min <= max.`,
      );
    }
    this.#min = min;
    this.#max = max;
    this.#current = min;
  }

  get current(): number {
    return this.#current;
  }

  /** After an outage: starts at the minimum again; what is normal for the target is still known. */
  reset(): void {
    this.#current = this.#min;
    this.#stale = 0;
    this.#isStarting = true;
    this.#startWindow();
  }

  /** @param inFlight deliveries that ran when this one ended, itself included */
  onSuccess(latencyMs: number, inFlight: number): void {
    if (this.#stale > 0) {
      this.#stale--;
      return;
    }
    const baselineMs = this.#baseline(latencyMs);
    this.#samples++;
    this.#sumMs += latencyMs;
    this.#used = Math.max(this.#used, inFlight);

    const window = Math.max(MIN_WINDOW, this.#current);
    // The rest of the window could not bring the mean down any more: do not wait for it.
    const isOverloaded = this.#sumMs > TOO_MUCH * baselineMs * window;
    const meanMs = this.#sumMs / this.#samples;
    // A limit that was not used proves nothing about a higher one.
    const hasRoom = meanMs <= ROOM * baselineMs && this.#used >= this.#current;
    const isLong = this.#samples >= this.#current && this.#sumMs >= LONG_WINDOW_MS * this.#current;
    if (!isOverloaded && this.#samples < window && !(isLong && hasRoom)) return;

    this.#adaptBaseline(baselineMs, meanMs);
    if (isOverloaded) {
      this.#decrease(DECREASE_ON_LATENCY);
      return;
    }
    if (hasRoom) this.#increase(isLong);
    this.#startWindow();
  }

  /** The target was well, but an execution failed or ran into its time limit. */
  onFailure(): void {
    this.#decrease(DECREASE_ON_FAILURE);
  }

  /** One by one; a target far away, that nothing has been too much for yet, is tried with twice as many. */
  #increase(isLong: boolean): void {
    const more = isLong && this.#isStarting ? this.#current : 1;
    this.#current = Math.min(this.#max, this.#current + more);
  }

  #decrease(factor: number): void {
    this.#isStarting = false;
    const before = this.#current;
    this.#current = Math.max(this.#min, Math.floor(before * factor));
    this.#stale = before > this.#current ? before - 1 : 0;
    this.#startWindow();
  }

  #baseline(latencyMs: number): number {
    if (this.#baselineMs === undefined || this.#learned < LEARNING_SAMPLES) {
      const known = this.#baselineMs ?? 0;
      this.#baselineMs = known + (latencyMs - known) / ++this.#learned;
    }
    return Math.max(FLOOR_MS, this.#baselineMs);
  }

  #adaptBaseline(baselineMs: number, meanMs: number): void {
    const moved = baselineMs + BASELINE_RATE * (Math.min(meanMs, OUTLIER * baselineMs) - baselineMs);
    if (this.#current === this.#min) this.#baselineMs = this.#anchorMs = moved;
    else if (meanMs <= ROOM * baselineMs) this.#baselineMs = Math.min(this.#anchorMs, moved);
  }

  #startWindow(): void {
    this.#samples = 0;
    this.#sumMs = 0;
    this.#used = 0;
  }
}
