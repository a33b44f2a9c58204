import type { ClusterId } from '../../../lib/core/index.js';
import { type Change, changesOf } from '../history.js';
import type { ReadRecord, SeenRow, Violation, WriteRecord } from '../ledger.js';
import { describeRead, describeTruth, describeWrite } from './describe.js';
import { type Evidence, type OwnWrite, SIDES } from './evidence.js';

/**
 * Inside a decorated call a read finds what the call has written before. Where no side has all of it, it finds the
 * last that was answered.
 */
export function backInTime(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const read of evidence.ledger.reads) {
    const { answer, answeredBy, step } = read;
    if (step.call === undefined || answer.kind !== 'value' || !answeredBy) continue;
    const { known, hiddenFromMs } = evidence.writesOf(step.call, read.process);
    // What those did that their callers did not wait for, the call has learnt, and we have not.
    if (hiddenFromMs <= answer.atMs) continue;
    for (const write of mustBeSeen(known, read, answer.atMs)) {
      const wrong = wrongWithSight(evidence, write, step.key, answer.value, answeredBy, answer.atMs);
      if (!wrong) continue;
      found.push({
        rule: 'back in time',
        message: `${describeRead(read)} ${wrong}, although its call had written before: ${describeWrite(write)} (${describeTruth(write, answeredBy)})`,
      });
    }
  }
  return found;
}

/** Writes to the row that were answered before the read began, and that it may not miss. */
function mustBeSeen(known: readonly OwnWrite[], read: ReadRecord, atMs: number): readonly WriteRecord[] {
  const answered = known.filter((own) => own.atMs <= atMs);
  const earlier = answered.filter((own) => own.atMs < read.startedMs && changes(own.write, read.step.key));
  if (earlier.length === 0) return [];
  const isComplete = SIDES.some((cluster) => answered.every(({ receipt }) => receipt[cluster] === 'applied'));
  const certain = isComplete ? earlier : earlier.filter((own) => isLatest(own, answered) && isSomewhere(own));
  return certain.map(({ write }) => write);
}

/** Of two that were answered at one moment nobody knows which was the later one. */
function isLatest(own: OwnWrite, answered: readonly OwnWrite[]): boolean {
  return answered.every((other) => other === own || other.atMs < own.atMs);
}

function changes({ step }: WriteRecord, key: string): boolean {
  return changesOf(step).some((each) => each.key === key);
}

function isSomewhere({ receipt }: OwnWrite): boolean {
  return receipt.A === 'applied' || receipt.B === 'applied';
}

function wrongWithSight(
  evidence: Evidence,
  write: WriteRecord,
  key: string,
  seen: SeenRow,
  cluster: ClusterId,
  atMs: number,
): string | undefined {
  if (write[cluster].wasLostByCluster) return undefined;
  const change = changesOf(write.step).find((each) => each.key === key)?.change ?? write.step.change;
  switch (change.kind) {
    case 'set': {
      const missing = change.columns.find((column) => {
        const cell = seen.get(column);
        if (cell) return cell.writeTimeUs < write.timestampUs;
        return !isDeletedSince(evidence, write, key, column, cluster, atMs);
      });
      return missing && `sees ${describe(seen, missing)} in ${missing}`;
    }
    case 'unset':
      return isOld(seen, change.column, write)
        ? `sees ${describe(seen, change.column)} in ${change.column}`
        : undefined;
    case 'delete': {
      const old = [...seen.keys()].find((column) => isOld(seen, column, write));
      return old && `sees ${describe(seen, old)} in ${old}`;
    }
    case 'add':
      return undefined;
  }
}

/** At the same write time a deletion wins. */
function isOld(seen: SeenRow, column: string, { timestampUs }: WriteRecord): boolean {
  const cell = seen.get(column);
  return cell !== undefined && cell.writeTimeUs <= timestampUs;
}

function isDeletedSince(
  evidence: Evidence,
  { timestampUs }: WriteRecord,
  key: string,
  column: string,
  cluster: ClusterId,
  atMs: number,
): boolean {
  return evidence.writesTo(key).some((other) => {
    const { appliedMs } = other[cluster];
    return (
      changesOf(other.step).some((each) => each.key === key && deletes(each.change, column)) &&
      other.timestampUs >= timestampUs &&
      appliedMs !== undefined &&
      appliedMs <= atMs
    );
  });
}

function deletes(change: Change, column: string): boolean {
  return change.kind === 'delete' || (change.kind === 'unset' && change.column === column);
}

function describe(seen: SeenRow, column: string): string {
  const cell = seen.get(column);
  return cell ? `${cell.value} @${cell.writeTimeUs}` : 'nothing';
}
