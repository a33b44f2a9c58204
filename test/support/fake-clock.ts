import { type Clock, type Timer } from '../../lib/core/index.js';

interface Due {
  readonly callback: () => void;
  readonly dueMs: number;
}

/**
 * A clock that stands still until it is told to go on. Timers run in the order of their times, equal times in
 * the order they were set in, and everything that a timer sets in motion is finished before the next one runs.
 */
export class FakeClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<Due>();
  #elapsedMs = 0;

  constructor(startMs = Date.UTC(2025, 0, 1)) {
    this.#startMs = startMs;
  }

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

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    await this.settle();
    for (let due = this.#next(endMs); due; due = this.#next(endMs)) {
      this.#timers.delete(due);
      this.#elapsedMs = due.dueMs;
      due.callback();
      await this.settle();
    }
    this.#elapsedMs = endMs;
  }

  /** Lets everything happen that needs no time. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #next(endMs: number): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#timers) {
      if (due.dueMs <= endMs && (!next || due.dueMs < next.dueMs)) next = due;
    }
    return next;
  }
}
