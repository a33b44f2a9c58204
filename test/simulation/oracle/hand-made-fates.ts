import type { SideTruth } from '../ledger.js';
import { MISSING } from './hand-made.js';

// What may become of one side of the first write of a hand-made run, which begins at 10 ms and ends at 12.

const attemptedMs = 10;

function failedWith(error: Error): Partial<SideTruth> {
  return { ...MISSING, attemptedMs, failure: { error, atMs: 12 } };
}

export const APPLIED: Partial<SideTruth> = { attemptedMs, acknowledgedMs: 12 };
export const LEFT_OUT: Partial<SideTruth> = { ...MISSING, sent: 0 };
export const UNREACHED: Partial<SideTruth> = { ...failedWith(new Error('No connection')), sent: 0 };
export const BLOCKED = failedWith(Object.assign(new Error('Bad credentials'), { code: 0x0100 }));
export const IN_DOUBT = failedWith(new Error('Socket was closed'));
export const REFUSED = failedWith(Object.assign(new Error('Invalid'), { code: 0x2200 }));
/** No answer has come yet when the write ends. */
export const UNANSWERED: Partial<SideTruth> = { ...MISSING, attemptedMs };

/** The same side, and what replay got for it. */
export function handed(truth: Partial<SideTruth>, ...handedAs: SideTruth['handedAs']): Partial<SideTruth> {
  const buried = handedAs.filter((as) => as !== 'envelope');
  const queued = handedAs.length - buried.length;
  return { ...truth, handedAs, handed: handedAs.length, buried, queued, ...(queued > 0 && REPLAYED_LATER) };
}

const REPLAYED_LATER: Partial<SideTruth> = { applied: 1, appliedMs: 100, isThere: true };
