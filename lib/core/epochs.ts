/** A span of time; knows how many of the things that entered in it have not left. */
export class Epoch {
  open = 0;
  next: Epoch | undefined;
  whenEmpty: (() => void) | undefined;
}

/**
 * Answers "has everything that was here at that moment left?" at the cost of one increment and one
 * decrement per thing, without a list of them.
 */
export class Epochs {
  #oldest = new Epoch();
  #current = this.#oldest;

  /** Call {@link leave} with the epoch that was returned, exactly once, as for {@link stay}. */
  enter(): Epoch {
    this.#current.open++;
    return this.#current;
  }

  /** One more beside those that entered with it; at least one of them must be there still. */
  stay(epoch: Epoch): Epoch {
    epoch.open++;
    return epoch;
  }

  leave(epoch: Epoch): void {
    if (--epoch.open === 0 && epoch === this.#oldest) this.#retire();
  }

  /** Resolves when all that entered before this call have left. */
  barrier(): Promise<void> {
    const closing = this.#current;
    if (closing === this.#oldest && closing.open === 0) return Promise.resolve();
    this.#current = closing.next = new Epoch();
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
