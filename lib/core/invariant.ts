/** A rule of Helix's own that was found broken. */
export type Breach =
  /** A deadline left a list that it was not in: without a guard, none of the others there would ever expire. */
  | 'deadlineRemovedTwice'
  /** A deadline entered a list while it was in one: those behind it would have been lost. */
  | 'deadlineAddedTwice'
  /** An operation left a barrier that it was not in: a sync point would have been reached too early. */
  | 'barrierLeftTwice'
  /** A request was answered twice: the count of what is in flight would fall below what is there, and below zero. */
  | 'inFlightBelowZero'
  /** The figures of a lane do not add up: an envelope is in two places, or in none. */
  | 'laneDoesNotAddUp';

/**
 * What must hold whatever happens, and would corrupt in silence if it did not. A breach is a defect of Helix, or of a
 * client or a strategy of the user's own: it is counted each time, reported once for each kind, and the code that found it goes on with the
 * state that it would have had without it.
 */
export class Invariants {
  readonly #breaches = new Map<Breach, number>();

  /** @param report Default: a warning of the process, for parts that belong to no instance. */
  constructor(
    private readonly report: (message: string) => void = (message) => process.emitWarning(message),
  ) {}

  /** How often each was broken since the start; empty while all is well. */
  get breaches(): ReadonlyMap<Breach, number> {
    return this.#breaches;
  }

  breached(breach: Breach): void {
    const count = (this.#breaches.get(breach) ?? 0) + 1;
    this.#breaches.set(breach, count);
    if (count > 1) return;
    // Where it was found is all there is to go by.
    const { stack = '' } = new Error(breach);
    this.report(
      `A rule that has to hold always was broken (${breach}), and guarded against. Unless a client or a strategy of ` +
        `your own has done it, this is a defect of Helix: please report it. ${stack}`,
    );
  }
}
