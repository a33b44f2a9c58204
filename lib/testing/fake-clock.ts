import type { Clock, Timer } from '../core/index.js';

interface Due {
  readonly callback: () => void;
  readonly dueMs: number;
}

/** A test framework's fake timers may replace the global one. */
const nextTurn = setImmediate;

/**
 * A clock that stands still until it is told to go on. Timers run in the order of their times, equal times in
 * the order they were set in, and everything that a timer sets in motion is finished before the next one runs.
 *
 * ```ts
 * const clock = new FakeClock();
 * await clock.advance(5_000); // five seconds pass at once
 * ```
 */
export class FakeClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<Due>();
  #elapsedMs = 0;
  #runsFreely = false;

  /** @param startMs where the wall clock stands at first, ms since the epoch. Default: the start of 2025, UTC */
  constructor(startMs = Date.UTC(2025, 0, 1)) {
    this.#startMs = startMs;
  }

  /** How many timers wait for their time. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const due = { callback, dueMs: this.#elapsedMs + Math.max(0, delayMs) };
    this.#timers.add(due);
    return { cancel: () => this.#timers.delete(due) };
  }

  /** Lets `ms` pass: runs every timer that falls due, and what each sets in motion. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    await this.settle();
    for (let due = this.#next(endMs); due; due = this.#next(endMs)) {
      await this.#run(due);
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, endMs);
  }

  /** Lets `ms` pass without anything happening, as when the process stands still; what fell due is late afterwards. */
  standStill(ms: number): void {
    this.#elapsedMs += ms;
  }

  /** Lets everything happen that needs no time. */
  settle(): Promise<void> {
    return new Promise((resolve) => nextTurn(resolve));
  }

  /**
   * Jumps from timer to timer by itself until the promise settles. For an end that nobody would advance the
   * clock through.
   *
   * @internal
   */
  runUntil(promise: Promise<unknown>): void {
    if (this.#runsFreely) return;
    this.#runsFreely = true;
    const stop = (): void => {
      this.#runsFreely = false;
    };
    promise.then(stop, stop);
    void this.#runFreely();
  }

  async #runFreely(): Promise<void> {
    while (this.#runsFreely) {
      await this.settle();
      const due = this.#next(Infinity);
      if (due) await this.#run(due);
    }
  }

  async #run(due: Due): Promise<void> {
    this.#timers.delete(due);
    this.#elapsedMs = Math.max(this.#elapsedMs, due.dueMs);
    due.callback();
    await this.settle();
  }

  #next(endMs: number): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#timers) {
      if (due.dueMs <= endMs && (!next || due.dueMs < next.dueMs)) next = due;
    }
    return next;
  }
}
