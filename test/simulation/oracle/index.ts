import type { History } from '../history.js';
import type { FinalState, Ledger, Violation } from '../ledger.js';
import { accounting } from './accounting.js';
import { asked } from './asked.js';
import { backInTime } from './back-in-time.js';
import { breakers } from './breakers.js';
import { cells } from './cells.js';
import { convergence } from './convergence.js';
import { deadLetters } from './dead-letters.js';
import { Evidence, type Rule } from './evidence.js';
import { failedReads } from './failed-reads.js';
import { failedWrites } from './failed-writes.js';
import { liveness } from './liveness.js';
import { once } from './once.js';
import { receipts } from './receipts.js';
import { replayOfWrites } from './replay-of-writes.js';
import { reservations } from './reservations.js';
import { sticky } from './sticky.js';
import { suspicion } from './suspicion.js';
import { syncPoints } from './sync-points.js';
import { told } from './told.js';
import { unexpectedErrors } from './unexpected-errors.js';
import { values } from './values.js';
import { waits } from './waits.js';

const RULES: readonly Rule[] = [
  liveness,
  unexpectedErrors,
  receipts,
  asked,
  replayOfWrites,
  told,
  deadLetters,
  convergence,
  once,
  cells,
  accounting,
  failedReads,
  failedWrites,
  backInTime,
  sticky,
  values,
  syncPoints,
  breakers,
  suspicion,
  waits,
  reservations,
];

/**
 * Everything that is wrong with a run, what was found while it ran first. The rules are those of the documentation in
 * words of their own: nothing here asks the code under test what it would have decided.
 */
export function judge(history: History, ledger: Ledger, end: FinalState): Violation[] {
  const evidence = new Evidence(history, ledger, end);
  return [...ledger.violations, ...RULES.flatMap((rule) => rule(evidence))];
}
