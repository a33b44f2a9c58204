import type { Clock, Timer } from '../../core/index.js';

/** Node runs a longer timer at once; the set looks again when this one has fired. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Delayed<T> {
  readonly item: T;
  readonly dueMs: number;
  /** Equal times keep the order they were added in. */
  readonly order: number;
}

/** Things that come back after a delay, each after its own, with one timer for all. */
export class DelayedSet<T> {
  readonly #clock: Clock;
  readonly #onDue: (item: T) => void;
  /** Binary heap, soonest first. */
  readonly #heap: Delayed<T>[] = [];
  #timer: Timer | undefined;
  #timerDueMs = Infinity;
  #added = 0;

  constructor(clock: Clock, onDue: (item: T) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  add(item: T, delayMs: number): void {
    this.#push({ item, dueMs: this.#clock.monotonicMs() + Math.max(0, delayMs), order: this.#added++ });
    this.#arm();
  }

  clear(): void {
    this.#heap.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
  }

  #arm(): void {
    const soonest = this.#heap[0];
    if (!soonest || soonest.dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = soonest.dueMs;
    const delayMs = Math.max(0, soonest.dueMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(() => this.#fire(), Math.min(delayMs, LONGEST_TIMER_MS));
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    for (let soonest = this.#heap[0]; soonest && soonest.dueMs <= nowMs; soonest = this.#heap[0]) {
      this.#removeSoonest();
      this.#onDue(soonest.item);
    }
    this.#arm();
  }

  #push(delayed: Delayed<T>): void {
    let index = this.#heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (!parent || isSooner(parent, delayed)) break;
      this.#heap[index] = parent;
      index = parentIndex;
    }
    this.#heap[index] = delayed;
  }

  #removeSoonest(): void {
    const moved = this.#heap.pop();
    if (!moved || this.#heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.#heap[childIndex];
      const right = this.#heap[childIndex + 1];
      if (child && right && isSooner(right, child)) {
        child = right;
        childIndex++;
      }
      if (!child || isSooner(moved, child)) break;
      this.#heap[index] = child;
      index = childIndex;
    }
    this.#heap[index] = moved;
  }
}

function isSooner(a: Delayed<unknown>, b: Delayed<unknown>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
