import {
  type ClusterId,
  ClusterError,
  NoAvailableClusterError,
  OperationAbortedError,
} from '../../../lib/core/index.js';
import type { Answer, ReadRecord, Violation } from '../ledger.js';
import { receiptOf } from './answers.js';
import { describeRead, ms } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';

/** What a request may take on its way beside the latency that is set. */
const MARGIN_MS = 5;

/** A read fails only when no side could have answered it; one that every side refuses is refused by one. */
export function failedReads(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'read failed', message });
  let firstAnswers: ReadonlyMap<number, number> | undefined;
  for (const read of evidence.ledger.reads) {
    const { answer, step } = read;
    if (answer.kind === 'value') {
      if (step.isBad) report(`${describeRead(read)} has an answer, although every side refuses it`);
      continue;
    }
    if (answer.kind !== 'error') continue;
    const wrong = wrongWithFailure(evidence, read, answer);
    if (wrong) report(`${describeRead(read)} ${wrong}`);
    if (!(answer.error instanceof NoAvailableClusterError)) continue;
    firstAnswers ??= firstAnswersOf(evidence);
    const sinceMs = firstAnswers.get(read.process) ?? Infinity;
    if (sinceMs < answer.atMs) {
      report(
        `${describeRead(read)} says that no side has ever connected; one had answered at ${ms(sinceMs)}`,
      );
    }
  }
  return found;
}

function wrongWithFailure(
  evidence: Evidence,
  read: ReadRecord,
  { error, atMs }: Extract<Answer<unknown>, { kind: 'error' }>,
): string | undefined {
  if (error instanceof OperationAbortedError || evidence.isClosing(read.process, atMs)) return undefined;
  if (!hadTime(evidence, read, atMs)) return undefined;
  const usable = read.usable.filter((cluster) => !mayBeBarred(evidence, read, cluster, atMs));
  if (usable.length === 0) return undefined;
  // Once it has rows of one side, an iteration does not go on on the other.
  if (read.step.how === 'iter' && usable.length === 1) return undefined;
  if (!read.step.isBad) return `failed, although nothing was wrong with ${usable.join(' and ')}`;

  if (!(error instanceof ClusterError))
    return `should have been refused: nothing was wrong with ${usable.join(' and ')}`;
  const first = read.asked[0]?.cluster;
  const refusedMs = read.asked[0]?.failedMs ?? Infinity;
  // Before that it may have been given up.
  const isAskedTwice =
    read.asked.slice(1).some(({ atMs: askedMs }) => askedMs >= refusedMs) &&
    read.step.hedgeAfterMs === undefined;
  return isAskedTwice && first && read.usable.includes(first)
    ? `was refused by ${first}, and the other side was asked all the same`
    : undefined;
}

/** Whether a side that is well must have answered in time: not if the process slept, or the way is too long. */
function hadTime(evidence: Evidence, { startedMs }: ReadRecord, atMs: number): boolean {
  const { latency, readTimeoutMs, surface } = evidence.setup;
  // In CQL it may have to be prepared first, by two requests, and again after the first ping.
  const messages = surface === 'cql' ? 12 : 2;
  const longestMs = (cluster: ClusterId): number =>
    messages * (latency[cluster].baseMs + latency[cluster].spreadMs);
  const neededMs = Math.max(longestMs('A'), longestMs('B')) + evidence.stalledMs(startedMs, atMs) + MARGIN_MS;
  return neededMs < readTimeoutMs;
}

/**
 * Whether the read may not have been allowed to ask this side: what its call has written is missing there, or may
 * be for all that anybody knows.
 */
function mayBeBarred(evidence: Evidence, read: ReadRecord, cluster: ClusterId, atMs: number): boolean {
  const { call } = read.step;
  if (call === undefined) return false;
  const { known, hiddenFromMs } = evidence.writesOf(call, read.process);
  if (hiddenFromMs <= atMs) return true;
  return known.some((own) => own.atMs <= atMs && own.receipt[cluster] !== 'applied');
}

/** When a side first answered, process by process. */
function firstAnswersOf({ ledger, writes }: Evidence): ReadonlyMap<number, number> {
  const first = new Map<number, number>();
  const note = (process: number, atMs: number): void =>
    void first.set(process, Math.min(atMs, first.get(process) ?? Infinity));
  for (const { answer, process } of ledger.reads) if (answer.kind === 'value') note(process, answer.atMs);
  for (const write of writes) {
    const { answer, process } = write;
    const receipt = receiptOf(write);
    const isAnswered = receipt && SIDES.some((cluster) => receipt[cluster] === 'applied');
    if (isAnswered && answer.kind !== 'waiting') note(process, answer.atMs);
  }
  return first;
}
