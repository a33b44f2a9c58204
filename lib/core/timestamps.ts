import { HelixUsageError } from './errors.js';

/** Answers with the write time of the next operation, in µs since the epoch. */
export type TimestampProvider = () => number;

/**
 * A provider of the user's own, whose answers are checked: the driver takes what is no number for the time 0, at which
 * a write loses against everything that is there.
 *
 * @throws HelixUsageError by the call: the answer is not whole µs
 */
export function checkedTimestamps(provider: TimestampProvider): TimestampProvider {
  return () => {
    const timestampUs: unknown = provider();
    if (Number.isSafeInteger(timestampUs)) return timestampUs as number;
    const received = typeof timestampUs === 'number' ? String(timestampUs) : `a ${typeof timestampUs}`;
    throw new HelixUsageError(
      `timestampProvider must answer with whole microseconds since the epoch, answered with ${received}; nothing was sent`,
    );
  };
}

/** What {@link MonotonicTimestamps} reads the time from; a {@link Clock} is one. */
export interface TimestampSource {
  /** Wall clock, ms since the epoch. */
  nowMs(): number;
  /** Never goes back, ms with fractions. */
  monotonicMs(): number;
}

const REANCHOR_MS = 1_000;
const AHEAD_LIMIT_US = 1_000_000;

/**
 * Strictly increasing µs timestamps that follow the wall clock.
 *
 * The monotonic clock gives real microseconds but drifts from the wall clock, so it is anchored to it anew
 * about every second. When the wall clock steps back, timestamps go on from where they are, 1 µs at a time:
 * two operations of a process never share a write time.
 */
export class MonotonicTimestamps {
  #anchorUs = 0;
  #anchorMonotonicMs = Number.NEGATIVE_INFINITY;
  #lastUs = 0;
  #aheadCount = 0;

  constructor(
    private readonly source: TimestampSource,
    /** Called at each new anchor at which timestamps run more than 1 s ahead of the wall clock. */
    private readonly onAhead: (aheadMs: number) => void = () => undefined,
  ) {}

  /** At how many anchors timestamps were more than 1 s ahead of the wall clock. */
  get aheadCount(): number {
    return this.#aheadCount;
  }

  /**
   * A write time, in µs since the epoch, that is later than all before it.
   *
   * @param monotonicMs a reading of the source's monotonic clock, if there is a fresh one
   */
  next(monotonicMs = this.source.monotonicMs()): number {
    let elapsedMs = monotonicMs - this.#anchorMonotonicMs;
    if (elapsedMs >= REANCHOR_MS) {
      this.#anchor(monotonicMs);
      elapsedMs = 0;
    }
    const nowUs = this.#anchorUs + Math.floor(elapsedMs * 1_000);
    return (this.#lastUs = nowUs > this.#lastUs ? nowUs : this.#lastUs + 1);
  }

  #anchor(monotonicMs: number): void {
    this.#anchorUs = this.source.nowMs() * 1_000;
    this.#anchorMonotonicMs = monotonicMs;
    const aheadUs = this.#lastUs - this.#anchorUs;
    if (aheadUs > AHEAD_LIMIT_US) {
      this.#aheadCount++;
      this.onAhead(Math.round(aheadUs / 1_000));
    }
  }
}
