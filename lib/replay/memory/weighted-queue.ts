import type { Envelope } from '../../core/index.js';
import type { Presence } from './positions.js';

/** An envelope while it is queued, delayed or in flight. */
export class Held {
  attempts = 0;
  /** Rises with every arrival at the end of a queue: where it belongs when it is put back. */
  place = 0;
  next: Held | undefined;

  constructor(
    readonly envelope: Envelope,
    readonly presence: Presence,
  ) {}
}

/** What waits for one side, in two priorities. */
export class WeightedQueue {
  readonly #high = new HeldList();
  readonly #low = new HeldList();
  readonly #ratio: number;
  #highInARow = 0;
  #nextPlace = 0;

  /** @param ratio so many high before one low when both wait; Infinity serves low only when no high waits */
  constructor(ratio: number) {
    this.#ratio = ratio;
  }

  append(held: Held): void {
    held.place = this.#nextPlace++;
    this.#listOf(held).append(held);
  }

  /** Puts back what {@link take} answered, in front of everything that came behind it. */
  putBack(held: Held): void {
    this.#listOf(held).insertByPlace(held);
  }

  take(): Held | undefined {
    if (this.#low.isEmpty || (!this.#high.isEmpty && this.#highInARow < this.#ratio)) {
      const held = this.#high.shift();
      if (held) this.#highInARow = Math.min(this.#ratio, this.#highInARow + 1);
      return held;
    }
    this.#highInARow = 0;
    return this.#low.shift();
  }

  clear(): void {
    this.#high.clear();
    this.#low.clear();
  }

  #listOf(held: Held): HeldList {
    return held.envelope.priority === 'high' ? this.#high : this.#low;
  }
}

/** A linked list in the order of places. */
class HeldList {
  #first: Held | undefined;
  #last: Held | undefined;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  append(held: Held): void {
    if (this.#last) this.#last.next = held;
    else this.#first = held;
    this.#last = held;
  }

  /** Cheap: only what was in flight together, and was put back earlier, can stand before it. */
  insertByPlace(held: Held): void {
    let before: Held | undefined;
    let behind = this.#first;
    while (behind && behind.place < held.place) {
      before = behind;
      behind = behind.next;
    }
    held.next = behind;
    if (before) before.next = held;
    else this.#first = held;
    if (!behind) this.#last = held;
  }

  shift(): Held | undefined {
    const held = this.#first;
    if (!held) return undefined;
    this.#first = held.next;
    if (!this.#first) this.#last = undefined;
    held.next = undefined;
    return held;
  }

  clear(): void {
    this.#first = this.#last = undefined;
  }
}
