import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import type { WriteRecord } from '../ledger.js';
import { outcomeSaid, receiptOf } from './answers.js';
import { type Evidence, refuses } from './evidence.js';

/**
 * Whether a side may lack a write because its process was killed: with it went a volatile queue, whatever it had
 * not answered yet, and what it held in memory until the queue would be reachable. What a durable queue has
 * confirmed does not go.
 */
export function wentWithProcess(evidence: Evidence, write: WriteRecord, cluster: ClusterId): boolean {
  if (!evidence.wasKilled(write.process)) return false;
  const { answer } = write;
  if (evidence.isQueueVolatile || answer.kind === 'waiting') return true;
  if (answer.kind === 'error' && outcomeSaid(answer.error) === 'unknown') return true;
  const status = receiptOf(write)?.[cluster];
  return status === 'spooled' || status === 'pending';
}

/** Somebody was told that this side may not have it: an operator, the application, or it never will be. */
export function isReported(write: WriteRecord, cluster: ClusterId): boolean {
  const { buried, dropped, purged } = write[cluster];
  return buried.length > 0 || purged || dropped > 0;
}

/** Whether there is a reason for which a side may lack, for good, what the other one has. */
export function mayBeMissing(evidence: Evidence, write: WriteRecord, cluster: ClusterId): boolean {
  return (
    !evidence.hasQueue ||
    isReported(write, cluster) ||
    write[cluster].wasLostByCluster ||
    wentWithProcess(evidence, write, cluster) ||
    isDoubtOfTheOther(write, cluster)
  );
}

/**
 * A write that must not be repeated, or that one side refuses, is not given to a side that has certainly not got
 * it when the other one is in doubt: the dead letter of the doubtful side is all there is.
 */
function isDoubtOfTheOther(write: WriteRecord, cluster: ClusterId): boolean {
  const other = write[otherCluster(cluster)];
  const isLeftAlone = write.step.class === 'once' || refuses(write, cluster);
  return isLeftAlone && (other.buried.includes('inDoubt') || other.dropped > 0);
}
