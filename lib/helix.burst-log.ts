import type { Clock, Timer } from './core/index.js';

/** How soon after the first line what was not logged is counted … */
const FIRST_COUNT_MS = 1_000;
/** … and how often after that, as long as it goes on. */
const NEXT_COUNT_MS = 10_000;

/**
 * Lines of which there may be thousands a second. The first of a kind is logged in full; those that follow are counted,
 * and the counts of all kinds are one line after a second, then one every ten. A kind of which nothing came for so long
 * is logged in full again. Nothing that was counted is kept back: a timer says it, or {@link flush}.
 */
export class BurstLog {
  /** How many of each kind have not been said. */
  readonly #unsaid = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: (message: string, stack?: string) => void,
  ) {}

  /**
   * @param kind what all of its kind have in common, in words: it stands in the line with the counts
   * @param detail what is said of this one beside that
   */
  add(kind: string, detail: string, stack?: string): void {
    const unsaid = this.#unsaid.get(kind);
    if (unsaid === undefined) this.log(`${kind}${detail}`, stack);
    this.#unsaid.set(kind, unsaid === undefined ? 0 : unsaid + 1);
    this.#timer ??= this.clock.setTimer(() => this.#count(), FIRST_COUNT_MS);
  }

  /** Says now what was counted, and begins anew. */
  flush(): void {
    this.#say();
    this.#unsaid.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #count(): void {
    this.#timer = undefined;
    this.#say();
    for (const [kind, unsaid] of this.#unsaid) {
      if (unsaid === 0) this.#unsaid.delete(kind);
      else this.#unsaid.set(kind, 0);
    }
    if (this.#unsaid.size > 0) this.#timer = this.clock.setTimer(() => this.#count(), NEXT_COUNT_MS);
  }

  #say(): void {
    const counts = [...this.#unsaid].filter(([, unsaid]) => unsaid > 0);
    if (counts.length === 0) return;
    this.log(counts.map(([kind, unsaid]) => `${unsaid.toLocaleString('en-US')} more: ${kind}`).join('; '));
  }
}
