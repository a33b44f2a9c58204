import type { History } from './history.js';
import type { Violation } from './ledger.js';
import type { Outcome } from './run.js';

/** A course of events that is played for what it must show, beside everything the oracle knows. */
export interface Scenario {
  /** As in `npm run simulate -- --scenario name`. */
  readonly name: string;
  /** One sentence: what happens, and what must be so. */
  readonly about: string;
  /** The seed varies what does not matter: moments, latencies, keys. */
  history(seed: number): History;
  /** What is wrong with how it went; empty if nothing is. */
  judge(outcome: Outcome): readonly Violation[];
}
