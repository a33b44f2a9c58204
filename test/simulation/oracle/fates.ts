import type { ClusterId } from '../../../lib/core/index.js';
import type { SideTruth, WriteRecord } from '../ledger.js';
import type { Evidence } from './evidence.js';

/** Moments that were reckoned in different ways may differ by so much and be one, in ms. */
export const ROUNDING_MS = 0.001;

/** Longest time, in ms, that is given to a request after the process stood still. */
const MOST_GRACE_MS = 500;
/** A stall that is shorter is not noticed. */
const LATE_MS = 100;

/** What the write's own request to one side came to, in the words of the documentation. */
export interface Fate {
  readonly kind: 'left out' | 'applied' | 'not applied' | 'in doubt' | 'refused';
  /** When that was settled: by the answer, by the end of the side's time, or because its cluster was found dead. */
  readonly atMs: number;
}

/**
 * Told from the driver's own answers and from the clock. `undefined`: it cannot be told for sure, because an answer
 * came at the very moment at which its time was over, or the process slept then, or was ending.
 */
export function fateOf(evidence: Evidence, write: WriteRecord, cluster: ClusterId): Fate | undefined {
  const truth = write[cluster];
  const { attemptedMs, acknowledgedMs, failure, releasedMs = Infinity, sent } = truth;
  if (attemptedMs === undefined) return sent === 0 ? { kind: 'left out', atMs: write.startedMs } : undefined;
  const dueMs = Math.min(attemptedMs + evidence.setup.writeTimeoutMs, releasedMs);
  const answeredMs = acknowledgedMs ?? failure?.atMs ?? Infinity;
  const atMs = Math.min(answeredMs, dueMs);
  if (evidence.isClosing(write.process, atMs)) return undefined;
  const isAtTheEnd = Math.abs(answeredMs - dueMs) <= ROUNDING_MS;
  if (answeredMs < dueMs && !isAtTheEnd)
    return { kind: acknowledgedMs === undefined ? kindOf(truth, write) : 'applied', atMs };
  const timedOut = sent > 0 ? 'in doubt' : 'not applied';
  const isRace = isAtTheEnd && (acknowledgedMs !== undefined || kindOf(truth, write) !== timedOut);
  return isRace || isStalledAt(evidence, dueMs) ? undefined : { kind: timedOut, atMs };
}

/** Whether the process may have done something at this moment later than it would have: it stood still, or made up for that. */
export function isStalledAt(evidence: Evidence, atMs: number): boolean {
  return evidence.ledger.stalls.some(({ fromMs, toMs }) => {
    // One stall may follow another.
    const isNoticed = evidence.stalledMs(fromMs - MOST_GRACE_MS, toMs) > LATE_MS;
    return fromMs <= atMs && atMs <= toMs + (isNoticed ? MOST_GRACE_MS : 0);
  });
}

/** Codes of the native protocol. */
const REFUSALS: readonly unknown[] = [0x2000, 0x2200];
const BAD_CREDENTIALS = 0x0100;
const UNAVAILABLE = 0x1000;
const OVERLOADED = 0x1001;
const UNPREPARED = 0x2500;

/** Only what is certain: whatever else a driver says of a request that was sent leaves it open. */
function kindOf({ failure, sent }: SideTruth, { step }: WriteRecord): 'refused' | 'not applied' | 'in doubt' {
  const { name, message, code } = (failure?.error ?? {}) as Partial<Error & { code: unknown }>;
  if (REFUSALS.includes(code)) return 'refused';
  // Of Helix itself, about types and hazards.
  if (name === 'SchemaMismatchError' || name === 'HazardousStatementError') return 'refused';
  const isCertain =
    sent === 0 ||
    code === BAD_CREDENTIALS ||
    // Of several partitions some may have been there.
    (code === UNAVAILABLE && !step.batch) ||
    (code === OVERLOADED && message?.includes('shutting down') === true) ||
    name === 'NoHostAvailableError' ||
    // The id is not known.
    (name === 'DriverInternalError' && message?.startsWith('Unprepared response invalid') === true) ||
    code === UNPREPARED;
  return isCertain ? 'not applied' : 'in doubt';
}
