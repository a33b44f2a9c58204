import { Barrier, type Inside, type Invariants, type ReplayPosition } from '../../core/index.js';

interface Tally {
  applied: number;
  deadLettered: number;
}

/** That something is in the queue, and since when. */
export interface Presence extends Inside {
  readonly tally: Tally;
}

/**
 * Moments in the queue. Each position begins a tally of its own; when a position is settled all tallies before
 * it are final, and what had been counted when it was taken is what it subtracts. So no position costs more
 * than a few numbers, however long it has to wait.
 */
export class Positions {
  readonly #inside: Barrier;
  readonly #total = newTally();
  /** Sum of the tallies that are final. Positions settle in the order they were taken in. */
  readonly #final = newTally();
  #current = newTally();
  readonly #unsettled = new Set<(error: Error) => void>();

  constructor(invariants?: Invariants) {
    this.#inside = new Barrier(invariants);
  }

  enter(): Presence {
    const presence: Presence = { since: undefined, tally: this.#current };
    this.#inside.enter(presence);
    return presence;
  }

  /** `as`: `undefined` if it could not be kept. */
  leave(presence: Presence, as: keyof Tally | undefined): void {
    if (as) {
      presence.tally[as]++;
      this.#total[as]++;
    }
    this.#inside.leave(presence);
  }

  /** What is still waited for will never leave. */
  fail(error: Error): void {
    for (const reject of this.#unsettled) reject(error);
    this.#unsettled.clear();
  }

  take(): ReplayPosition {
    const before = { ...this.#total };
    const tally = this.#current;
    this.#current = newTally();
    const settled = new Promise<Tally>((resolve, reject) => {
      this.#unsettled.add(reject);
      void this.#inside.passed().then(() => {
        this.#unsettled.delete(reject);
        this.#final.applied += tally.applied;
        this.#final.deadLettered += tally.deadLettered;
        resolve({
          applied: this.#final.applied - before.applied,
          deadLettered: this.#final.deadLettered - before.deadLettered,
        });
      });
    });
    // Nobody need wait for it.
    settled.catch(() => undefined);
    return { settled: () => settled };
  }
}

function newTally(): Tally {
  return { applied: 0, deadLettered: 0 };
}
