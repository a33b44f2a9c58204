import { type ClusterId, ClusterError, DualClusterError } from '../../../lib/core/index.js';
import type { Violation, WriteRecord } from '../ledger.js';
import { receiptOf } from './answers.js';
import { describeTruth, describeWrite } from './describe.js';
import { type Evidence, refuses, SIDES } from './evidence.js';

/** Below this, a side that is well may be left out because too many writes are on their way to it. */
export const NEVER_FULL = 250;
/** What a request may take on its way beside the latency that is set. */
const MARGIN_MS = 5;
/** To prepare, twice, to look at the table, to execute; and the second side to be prepared has half the time. */
const MESSAGES_IN_CQL = 16;

/** A write fails only when no side could have taken it, and what a side has acknowledged is said to be applied. */
export function failedWrites(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'write failed', message });
  for (const write of evidence.writes) {
    for (const cluster of SIDES) {
      if (isAcknowledged(evidence, write, cluster) && !isSaid(write, cluster)) {
        report(
          `${describeWrite(write)}: ${cluster} acknowledged it, and that is not said (${describeTruth(write, cluster)})`,
        );
      }
    }
    const { answer } = write;
    if (answer.kind !== 'error' || !(answer.error instanceof DualClusterError)) continue;
    const usable = write.usable.filter((cluster) => mustHaveTaken(evidence, write, cluster, answer.atMs));
    if (usable.length > 0) {
      report(`${describeWrite(write)} failed, although nothing was wrong with ${usable.join(' and ')}`);
    }
  }
  return found;
}

/** Whether the acknowledgement came in time, and before the caller was answered. */
function isAcknowledged(evidence: Evidence, write: WriteRecord, cluster: ClusterId): boolean {
  const { attemptedMs, acknowledgedMs, releasedMs = Infinity } = write[cluster];
  const { answer } = write;
  if (acknowledgedMs === undefined || attemptedMs === undefined || answer.kind === 'waiting') return false;
  // The sum that the time limit is: at one moment with it, a difference may be less by a rounding error.
  const isInTime = acknowledgedMs < Math.min(attemptedMs + evidence.setup.writeTimeoutMs, releasedMs);
  return isInTime && acknowledgedMs < answer.atMs && !evidence.isClosing(write.process, acknowledgedMs);
}

function isSaid(write: WriteRecord, cluster: ClusterId): boolean {
  const receipt = receiptOf(write);
  if (receipt) return receipt[cluster] === 'applied';
  const { answer } = write;
  const isFailure =
    answer.kind === 'error' &&
    (answer.error instanceof DualClusterError || answer.error instanceof ClusterError);
  return !isFailure;
}

/** A statement that was being prepared when something changed is prepared once more. */
const MOST_PREPARATIONS = 2;

/** Whether a side that was well all the time must have been asked, and have answered in time. */
function mustHaveTaken(evidence: Evidence, write: WriteRecord, cluster: ClusterId, atMs: number): boolean {
  const { setup } = evidence;
  if (setup.maxInFlight < NEVER_FULL || refuses(write, cluster)) return false;
  if (evidence.isClosing(write.process, atMs)) return false;
  const { baseMs, spreadMs } = setup.latency[cluster];
  // What changes meanwhile has a statement prepared again.
  const preparations = setup.surface === 'cql' ? MOST_PREPARATIONS : 1;
  const messages = setup.surface === 'cql' ? MESSAGES_IN_CQL : write.step.prepareMs === undefined ? 2 : 4;
  const neededMs = preparations * (write.step.prepareMs ?? 0) + messages * (baseMs + spreadMs) + MARGIN_MS;
  return neededMs + evidence.stalledMs(write.startedMs, atMs) < setup.writeTimeoutMs;
}
