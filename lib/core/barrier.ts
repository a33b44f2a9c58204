import { Invariants } from './invariant.js';

/** A span of time; knows how many of the things that entered in it have not left. */
class Span {
  open = 0;
  next: Span | undefined;
  whenEmpty: (() => void) | undefined;
}

/** Something that a barrier waits for while it is inside. */
export interface Inside {
  /** @internal When it entered; `undefined` while it is not inside. */
  since: Span | undefined;
}

/**
 * Answers "has everything that was inside at that moment left?" at the cost of one increment and one decrement per
 * thing, without a list of them.
 */
export class Barrier {
  #oldest = new Span();
  #current = this.#oldest;

  constructor(private readonly invariants = new Invariants()) {}

  /** Call {@link leave} for it, exactly once. */
  enter(thing: Inside): void {
    this.#current.open++;
    thing.since = this.#current;
  }

  /** As if it had entered together with another, which is inside still. */
  enterWith(thing: Inside, other: Inside): void {
    if (!other.since) this.invariants.breached('barrierLeftTwice');
    const since = other.since ?? this.#current;
    since.open++;
    thing.since = since;
  }

  leave(thing: Inside): void {
    const { since } = thing;
    if (!since) {
      this.invariants.breached('barrierLeftTwice');
      return;
    }
    thing.since = undefined;
    if (--since.open === 0 && since === this.#oldest) this.#retire();
  }

  /** Resolves when all that entered before this call have left. */
  passed(): Promise<void> {
    const closing = this.#current;
    if (closing === this.#oldest && closing.open === 0) return Promise.resolve();
    this.#current = closing.next = new Span();
    return new Promise((resolve) => {
      closing.whenEmpty = resolve;
      if (this.#oldest.open === 0) this.#retire();
    });
  }

  #retire(): void {
    while (this.#oldest.open === 0 && this.#oldest.next) {
      this.#oldest.whenEmpty?.();
      this.#oldest = this.#oldest.next;
    }
  }
}
