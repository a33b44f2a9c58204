/** A planted defect. */
export interface Mutant {
  readonly name: string;
  /** The rule that it breaks, and what happens instead. */
  readonly breaks: string;
  /** Made one after the other. */
  readonly changes: readonly Change[];
  /** Unit tests that catch it, from `lib/`: what it breaks is not in the histories. */
  readonly specs?: string;
}

/**
 * A snippet of the library's code, found exactly once in all of it, wherever that is, and what stands there instead.
 * White space makes no difference.
 */
export interface Change {
  readonly replace: string;
  readonly by: string;
}
