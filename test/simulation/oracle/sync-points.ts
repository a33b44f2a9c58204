import type { ClusterId } from '../../../lib/core/index.js';
import type { SyncPointRecord, Violation, WriteRecord } from '../ledger.js';
import { receiptOf } from './answers.js';
import { describeTruth, describeWrite, ms } from './describe.js';
import { type Evidence, refuses, SIDES } from './evidence.js';
import { isReported } from './explanations.js';

/** When a sync point resolves, every write that was accepted before it is where it will ever be by itself. */
export function syncPoints(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  // Without a queue it waits for the calls alone.
  if (!evidence.hasQueue) return found;
  for (const point of evidence.ledger.syncPoints) {
    if (point.answer.kind !== 'value') continue;
    const { atMs } = point.answer;
    for (const write of point.writes) {
      const open = SIDES.find((cluster) => isOpen(evidence, write, cluster, atMs));
      if (open) found.push({ rule: 'sync point', message: describeOpen(point, write, open, atMs) });
    }
  }
  return found;
}

function isOpen(evidence: Evidence, write: WriteRecord, cluster: ClusterId, atMs: number): boolean {
  const { appliedMs, queued, dropped, burials } = write[cluster];
  if (appliedMs !== undefined && appliedMs <= atMs) return false;
  // What a volatile queue has taken and could not keep until its end had been waited for until then.
  if (evidence.isQueueVolatile && queued > 0 && dropped > 0 && burials.length === 0) return true;
  // A refused one was buried, and somebody may have put it back into the queue since.
  const isDecided = isReported(write, cluster) || refuses(write, cluster);
  if (isDecided) return false;
  if (receiptOf(write)) return true;
  // It may be nowhere for good, but it may not come later. Unless only a queue that did not answer could have it.
  return appliedMs !== undefined && evidence.setup.whenBothFail === 'throw';
}

function describeOpen(point: SyncPointRecord, write: WriteRecord, cluster: ClusterId, atMs: number): string {
  return (
    `Sync point asked for at ${ms(point.startedMs)}, process ${point.process}, resolved at ${ms(atMs)}; ` +
    `${cluster} had neither got nor given up ${describeWrite(write)} (${describeTruth(write, cluster)})`
  );
}
