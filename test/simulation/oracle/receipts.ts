import {
  type ClusterId,
  ClusterError,
  DualClusterError,
  OperationAbortedError,
  otherCluster,
  PartialWriteError,
  type WriteReceipt,
} from '../../../lib/core/index.js';
import type { Answer, SideTruth, Violation, WriteRecord } from '../ledger.js';
import { outcomeSaid } from './answers.js';
import { describeTruth, describeTruths, describeWrite, ms } from './describe.js';
import { type Evidence, refuses, SIDES } from './evidence.js';
import { isReported, mayBeMissing, wentWithProcess } from './explanations.js';
import { fateOf, ROUNDING_MS } from './fates.js';

/** What a caller was told of its write is what happened. */
export function receipts(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const write of evidence.writes) {
    const { answer } = write;
    if (answer.kind === 'waiting') continue;
    const wrong =
      answer.kind === 'value'
        ? (wrongWithSuccess(evidence, write, answer.value) ??
          wrongWithReceipt(evidence, write, answer.value, answer.atMs))
        : wrongWithError(evidence, write, answer);
    if (wrong) found.push({ rule: 'receipt', message: `${describeWrite(write)}: ${wrong}` });
  }
  return found;
}

/** What must have been an error instead. */
function wrongWithSuccess(
  { setup }: Evidence,
  { step }: WriteRecord,
  { A, B }: WriteReceipt,
): string | undefined {
  if (step.ack === 'both' && !(A === 'applied' && B === 'applied')) {
    return "succeeded although ack 'both' was asked for";
  }
  if (setup.onReplayLost === 'throw' && (A === 'lost' || B === 'lost')) {
    return "succeeded although it is lost for one side (onReplayLost 'throw')";
  }
  return undefined;
}

function wrongWithReceipt(
  evidence: Evidence,
  write: WriteRecord,
  receipt: WriteReceipt,
  atMs: number,
): string | undefined {
  const { step, timestampUs } = write;
  if (receipt.id !== step.id) return `its receipt is of ${receipt.id}`;
  if (receipt.timestamp !== timestampUs) {
    return `its receipt says write time ${receipt.timestamp} instead of ${timestampUs}`;
  }
  if (receipt.A !== 'applied' && receipt.B !== 'applied' && evidence.setup.whenBothFail !== 'queue') {
    return 'it has a receipt, and no side had applied it';
  }
  for (const cluster of SIDES) {
    const wrong = wrongWithStatus(evidence, write, cluster, receipt[cluster], atMs);
    if (wrong) return `said ${cluster} ${receipt[cluster]}, but ${wrong} (${describeTruth(write, cluster)})`;
  }
  return undefined;
}

function wrongWithStatus(
  evidence: Evidence,
  write: WriteRecord,
  cluster: ClusterId,
  status: WriteReceipt[ClusterId],
  atMs: number,
): string | undefined {
  const truth = write[cluster];
  const { hasQueue } = evidence;
  switch (status) {
    case 'applied':
      return isAppliedBy(truth, atMs) ? undefined : `it was not carried out by ${ms(atMs)}`;
    case 'pending':
      // Should it fail without a queue, nobody keeps it: it is not awaited any longer.
      return hasQueue ? wrongWithQueued(evidence, write, cluster) : undefined;
    case 'queued':
    case 'spooled':
      return wrongWithQueued(evidence, write, cluster);
    case 'inDoubt':
      if (write.step.class !== 'once') return 'it may be repeated';
      return isBuried(truth, 'inDoubt') ? undefined : 'it was not buried as that';
    case 'rejected': {
      // An operator may have put it back into the queue when its types were right.
      if (truth.applied > 0 && !truth.refusesTypes) return 'it was carried out';
      if (!refuses(write, cluster)) return 'that side does not refuse it';
      // A dead letter that was put back into the queue went with it.
      const isKnown = isBuried(truth, 'rejected') || wentWithProcess(evidence, write, cluster);
      return isKnown ? undefined : 'it was not buried as that';
    }
    case 'lost':
      return truth.dropped > 0 || !hasQueue ? undefined : 'nobody was told';
    case 'absent':
      return 'there are two clusters';
  }
}

function wrongWithQueued(evidence: Evidence, write: WriteRecord, cluster: ClusterId): string | undefined {
  const isKnown =
    evidence.hasQueue &&
    (write[cluster].applied > 0 || isReported(write, cluster) || wentWithProcess(evidence, write, cluster));
  return isKnown ? undefined : 'it was never carried out, buried or reported';
}

function wrongWithError(
  evidence: Evidence,
  write: WriteRecord,
  { error, atMs }: Extract<Answer<unknown>, { kind: 'error' }>,
): string | undefined {
  if (error instanceof PartialWriteError) {
    return (
      wrongWithReceipt(evidence, write, error.receipt, atMs) ??
      (wrongWithSuccess(evidence, write, error.receipt) ? undefined : 'it failed without a reason')
    );
  }
  if (error instanceof OperationAbortedError) {
    const wrong = error.receipt && wrongWithWhatIsKnown(evidence, write, error.receipt, atMs);
    if (wrong) return `aborted, ${wrong}`;
  }
  const { class: operationClass } = write.step;
  if (error instanceof ClusterError && !refuses(write, error.cluster)) {
    return `${error.cluster} does not refuse it`;
  }
  switch (outcomeSaid(error)) {
    case 'notApplied':
      return wrongWithNotApplied(write);
    case 'unknown':
      if (!evidence.hasQueue) return undefined;
      if (error instanceof ClusterError) {
        return wrongWithDoubt(evidence, write, otherCluster(error.cluster));
      }
      // Where a queue that did not answer was all that could have it, it may be nowhere.
      return error instanceof DualClusterError &&
        operationClass === 'idempotent' &&
        evidence.setup.whenBothFail === 'throw'
        ? wrongWithBothUnknown(evidence, write)
        : undefined;
    case undefined:
      return undefined;
  }
}

/** What a caller that goes is told of both sides: what has been answered by then, and nothing else. */
function wrongWithWhatIsKnown(
  evidence: Evidence,
  write: WriteRecord,
  receipt: WriteReceipt,
  atMs: number,
): string | undefined {
  const { step, timestampUs } = write;
  if (receipt.id !== step.id || receipt.timestamp !== timestampUs) return 'its receipt is of another write';
  for (const cluster of SIDES) {
    const fate = fateOf(evidence, write, cluster);
    const status = receipt[cluster];
    const wrong = `said ${cluster} ${status} (${describeTruth(write, cluster)})`;
    if (status !== 'applied' && status !== 'rejected' && status !== 'pending') return wrong;
    if (status === 'applied' && !isAppliedBy(write[cluster], atMs)) return wrong;
    if (status === 'rejected' && !refuses(write, cluster)) return wrong;
    if (!fate) continue;
    const due = fate.kind === 'refused' ? 'rejected' : fate.kind === 'applied' ? 'applied' : 'pending';
    // What comes at that very moment comes before it or after it.
    if (fate.atMs < atMs - ROUNDING_MS && status !== due) return `${wrong} instead of ${due}`;
    if (fate.atMs > atMs + ROUNDING_MS && status !== 'pending') return `${wrong} before it had ended`;
  }
  return undefined;
}

/** It is a promise: the caller may do something else instead. */
function wrongWithNotApplied(write: WriteRecord): string | undefined {
  for (const cluster of SIDES) {
    const { applied, queued, buried } = write[cluster];
    const wrong =
      applied > 0 ? 'carried out' : queued > 0 ? 'queued' : buried.length > 0 ? 'buried' : undefined;
    if (wrong) {
      return `said that nothing was applied, but it was ${wrong} (${describeTruth(write, cluster)})`;
    }
  }
  return undefined;
}

function wrongWithDoubt(evidence: Evidence, write: WriteRecord, cluster: ClusterId): string | undefined {
  const isKnown = isBuried(write[cluster], 'inDoubt') || wentWithProcess(evidence, write, cluster);
  return isKnown
    ? undefined
    : `${cluster} is in doubt, but has no dead letter (${describeTruth(write, cluster)})`;
}

/** What may be on one of them is brought to both. */
function wrongWithBothUnknown(evidence: Evidence, write: WriteRecord): string | undefined {
  const missing = SIDES.find((cluster) => !write[cluster].isThere && !mayBeMissing(evidence, write, cluster));
  return (
    missing && `replay should have brought it to both, but ${missing} lacks it (${describeTruths(write)})`
  );
}

function isAppliedBy({ appliedMs }: SideTruth, atMs: number): boolean {
  return appliedMs !== undefined && appliedMs <= atMs;
}

/** At some time: an operator may have put it back into the queue, where it came to another end. */
function isBuried({ burials, dropped }: SideTruth, reason: 'inDoubt' | 'rejected'): boolean {
  return burials.includes(reason) || dropped > 0;
}
