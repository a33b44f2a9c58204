import {
  BothClustersDrainingError,
  type ClusterId,
  ClusterError,
  DualClusterError,
  HazardousStatementError,
  OperationAbortedError,
  otherCluster,
  OverloadedError,
  ReplayQueueFullError,
  type SideStatus,
  type WriteReceipt,
} from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import type { Violation, WriteRecord } from '../ledger.js';
import { outcomeSaid, receiptOf } from './answers.js';
import { isAtOnce } from './asked.js';
import { describeTruths, describeWrite, ms } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';
import { NEVER_FULL } from './failed-writes.js';
import { type Fate, fateOf, isStalledAt, ROUNDING_MS } from './fates.js';
import { besideApplied, type ForReplay } from './replay-of-writes.js';

/** A caller is told what the two fates of its write call for, and not before it can be known. */
export function told(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const write of evidence.writes) {
    const { answer } = write;
    if (answer.kind === 'waiting') continue;
    const receipt = receiptOf(write);
    const wrong =
      wrongWithDraining(evidence, write) ??
      (receipt
        ? wrongWithReceipt(evidence, write, receipt, answer.atMs)
        : answer.kind === 'error' && wrongWithError(evidence, write, answer.error, answer.atMs));
    if (!wrong) continue;
    found.push({ rule: 'told', message: `${describeWrite(write)}: ${wrong} (${describeTruths(write)})` });
  }
  return found;
}

/** Nothing is sent then, so nothing else can be said. */
function wrongWithDraining({ setup }: Evidence, { answer, draining }: WriteRecord): string | undefined {
  if (draining.length < 2 || setup.whenBothFail === 'queue') return undefined;
  // Refused for what it is, wherever it might have gone.
  if (answer.kind === 'error' && answer.error instanceof HazardousStatementError) return undefined;
  const isSaid =
    answer.kind === 'error' &&
    !(answer.error instanceof DualClusterError) &&
    outcomeSaid(answer.error) === 'notApplied';
  return isSaid ? undefined : 'both sides were draining, and that is not said';
}

function wrongWithReceipt(
  evidence: Evidence,
  write: WriteRecord,
  receipt: WriteReceipt,
  atMs: number,
): string | undefined {
  for (const cluster of SIDES) {
    const fate = fateOf(evidence, write, cluster);
    if (!fate) continue;
    const status = receipt[cluster];
    if (status === 'pending') {
      if (!mayBePending(evidence, write, cluster, fate, atMs)) return `${cluster} was pending for no reason`;
      continue;
    }
    if (isAfter(fate, atMs)) return `said ${cluster} ${status} before it had ended`;
    if (status === 'lost' && hadPlace(evidence, write, fate, atMs)) {
      return `said ${cluster} lost, although its place in the queue is reserved before anything is sent`;
    }
    const isBesideApplied = receipt[otherCluster(cluster)] === 'applied' || fate.kind === 'applied';
    const due = isBesideApplied
      ? statuses(evidence, besideApplied(fate, write.step.class))
      : statusesOfBoth(fate);
    if (!due.includes(status))
      return `said ${cluster} ${status} instead of ${due.join(' or ')}, ${said(fate)}`;
  }
  return undefined;
}

/**
 * What is open is left open by a strategy that does not wait, or not so long, and by the end of the caller's time. The
 * latter two need something to answer with.
 */
function mayBePending(
  { setup }: Evidence,
  write: WriteRecord,
  cluster: ClusterId,
  fate: Fate,
  atMs: number,
): boolean {
  const { writeStrategy, stragglerMs } = setup;
  const { step, startedMs } = write;
  if (fate.kind === 'left out' || fate.atMs < atMs - ROUNDING_MS) return false;
  if (writeStrategy === 'hasty' && step.ack === 'any') return true;
  const { acknowledgedMs = Infinity } = write[otherCluster(cluster)];
  if (acknowledgedMs > atMs + ROUNDING_MS) return false;
  if (deadlineMs(step) <= atMs - startedMs + ROUNDING_MS) return true;
  const isOverLimit = acknowledgedMs + stragglerMs <= atMs + ROUNDING_MS;
  return step.ack === 'any' && isWaitLimited(writeStrategy) && isOverLimit;
}

/** Whether a side is waited for no longer than `stragglerMs` once the other one has applied a write. */
export function isWaitLimited(writeStrategy: Setup['writeStrategy']): boolean {
  return writeStrategy === 'concurrent' || writeStrategy === 'straggler';
}

/** The caller's whole time, in ms: its limit, or its signal if that is one. */
export function deadlineMs({ timeoutMs = Infinity, abortAfterMs = Infinity, abortsAs }: Limited): number {
  return Math.min(timeoutMs, abortsAs === 'timeout' ? abortAfterMs : Infinity);
}

interface Limited {
  readonly timeoutMs?: number;
  readonly abortAfterMs?: number;
  readonly abortsAs?: 'timeout';
}

/** A side that is left out from the start has a place in the queue, or its caller is told that there is none. */
function hadPlace(evidence: Evidence, { process }: WriteRecord, { kind }: Fate, atMs: number): boolean {
  const { setup, isQueueVolatile } = evidence;
  return (
    kind === 'left out' &&
    setup.onReplayLost === 'throw' &&
    isQueueVolatile &&
    isAtOnce(setup) &&
    !evidence.isClosing(process, atMs)
  );
}

function statuses({ hasQueue }: Evidence, due: ForReplay): readonly SideStatus[] {
  if (due === undefined) return ['applied'];
  // That it is lost, the queue must have said: another rule sees to that.
  if (!hasQueue) return ['lost'];
  return due === 'envelope' ? ['queued', 'spooled', 'lost'] : [due, 'lost'];
}

/** The queue has it for both, because it certainly came to neither. */
function statusesOfBoth({ kind }: Fate): readonly SideStatus[] {
  return kind === 'left out' || kind === 'not applied' ? ['queued', 'spooled'] : [];
}

function wrongWithError(
  evidence: Evidence,
  write: WriteRecord,
  error: Error,
  atMs: number,
): string | undefined {
  if (error instanceof OperationAbortedError) return wrongWithAborted(evidence, write, error, atMs);
  if (error instanceof DualClusterError) return wrongWithDual(evidence, write, error, atMs);
  if (error instanceof ClusterError) return wrongWithRefusal(evidence, write, error, atMs);
  return wrongWithUnsent(evidence, write, error);
}

/**
 * Who goes before anything was sent, or queued instead, can be told so. Who is out of time has an answer, if a side has
 * applied it by then.
 */
function wrongWithAborted(
  evidence: Evidence,
  write: WriteRecord,
  { outcome }: OperationAbortedError,
  atMs: number,
): string | undefined {
  const { A, B, step, startedMs } = write;
  const isOverdue = deadlineMs(step) <= atMs - startedMs + ROUNDING_MS && !isToldToGo(step, atMs - startedMs);
  const known = SIDES.find((cluster) => isKnownBy(evidence, write, cluster, atMs));
  if (isOverdue && known) return `was aborted for its time limit, although ${known} had applied it`;
  // What a cluster did not know by then was sent all the same.
  const isNowhere = A.sent + B.sent + A.handed + B.handed + A.unprepared + B.unprepared === 0;
  const isDue = isNowhere || step.abortAfterMs === 0;
  return isDue && outcome !== 'notApplied' ? 'nothing was ever sent, and that is not said' : undefined;
}

/** Whether its signal says so, and not that a time is over, at this moment at the latest. */
function isToldToGo({ abortAfterMs = Infinity, abortsAs }: Limited, tookMs: number): boolean {
  return abortsAs === undefined && abortAfterMs <= tookMs + ROUNDING_MS;
}

/** Whether the acknowledgement had come by then, and counts. */
function isKnownBy(
  { setup }: Evidence,
  truths: Pick<WriteRecord, ClusterId>,
  cluster: ClusterId,
  atMs: number,
): boolean {
  const { attemptedMs = Infinity, acknowledgedMs = Infinity, releasedMs = Infinity } = truths[cluster];
  const dueMs = Math.min(attemptedMs + setup.writeTimeoutMs, releasedMs);
  return acknowledgedMs < Math.min(atMs, dueMs) - ROUNDING_MS;
}

function wrongWithDual(
  evidence: Evidence,
  write: WriteRecord,
  { outcome }: DualClusterError,
  atMs: number,
): string | undefined {
  const kinds: (Fate['kind'] | undefined)[] = [];
  for (const cluster of SIDES) {
    const fate = fateOf(evidence, write, cluster);
    kinds.push(fate?.kind);
    if (!fate) continue;
    if (fate.kind === 'refused') return `${cluster} refuses it, and that is not said`;
    if (isAfter(fate, atMs)) return `failed before ${cluster} had ended at ${ms(fate.atMs)}`;
  }
  if (kinds.includes('in doubt')) return outcome === 'unknown' ? undefined : 'it was in doubt';
  // Otherwise a queue that did not answer may have it.
  const isNotQueued =
    evidence.setup.whenBothFail === 'throw' ||
    SIDES.every((cluster) => isRefusedBy(evidence, write, cluster, atMs));
  const isCertain = isNotQueued && !kinds.includes(undefined);
  return isCertain && outcome !== 'notApplied' ? 'neither side can have had it' : undefined;
}

/** Whether the queue had said by then that it does not take it, and not only while nobody could listen. */
function isRefusedBy(evidence: Evidence, write: WriteRecord, cluster: ClusterId, atMs: number): boolean {
  const { refusedMs } = write[cluster];
  return refusedMs !== undefined && refusedMs <= atMs && !isStalledAt(evidence, refusedMs);
}

function wrongWithRefusal(
  evidence: Evidence,
  write: WriteRecord,
  { cluster, outcome }: ClusterError,
  atMs: number,
): string | undefined {
  const fate = fateOf(evidence, write, cluster);
  if (fate && (fate.kind !== 'refused' || isAfter(fate, atMs))) return `${cluster} had not refused it`;
  const other = fateOf(evidence, write, otherCluster(cluster));
  if (!other) return undefined;
  if (isAfter(other, atMs)) return `failed before ${otherCluster(cluster)} had ended at ${ms(other.atMs)}`;
  const due = other.kind === 'in doubt' ? 'unknown' : 'notApplied';
  return outcome === due ? undefined : `its outcome should be ${due}, ${said(other)}`;
}

/** What is refused before it is sent. */
function wrongWithUnsent({ setup }: Evidence, write: WriteRecord, error: Error): string | undefined {
  const asked: ClusterId[] = SIDES.filter((cluster) => write[cluster].attemptedMs !== undefined);
  if (asked.length > 0) return `it was sent to ${asked.join(' and ')}`;
  if (error instanceof BothClustersDrainingError) {
    if (setup.whenBothFail === 'queue') return 'it should have been queued for both';
    const well = SIDES.filter((cluster) => !write.drained.includes(cluster));
    return well.length > 0 ? `${well.join(' and ')} was not draining` : undefined;
  }
  if (error instanceof OverloadedError) {
    return setup.maxInFlight < NEVER_FULL ? undefined : 'there were never so many';
  }
  if (error instanceof ReplayQueueFullError) {
    return setup.onReplayLost === 'throw' ? undefined : "onReplayLost is 'report'";
  }
  return undefined;
}

function isAfter(fate: Fate, atMs: number): boolean {
  return fate.atMs > atMs + ROUNDING_MS;
}

function said({ kind, atMs }: Fate): string {
  return `which was ${kind} at ${ms(atMs)}`;
}
