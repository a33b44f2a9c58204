import { OperationAbortedError } from '../../../lib/core/index.js';
import type { Answer, ProcessEnd, Violation } from '../ledger.js';
import { describeRead, describeWrite, ms } from './describe.js';
import type { Evidence } from './evidence.js';

/** Timers fire on time in virtual time; what one event sets off takes none of it. */
const TOLERANCE_MS = 5;
/** What a call may take beside its time limits: messages on their way. */
const CALL_MARGIN_MS = 1_000;
const SHUTDOWN_TOLERANCE_MS = 100;
/** Of a table in a model cluster. */
const MOST_PAGES = 8;

/** Everything ends, and within the time that its options allow. */
export function liveness(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'liveness', message });
  const { ledger, setup, end } = evidence;
  if (end.undrained !== undefined) report(`Not everything came to an end: ${end.undrained}`);

  for (const write of evidence.writes) {
    const limitMs =
      (write.step.prepareMs ?? 0) +
      (write.step.firstUseMs ?? 0) +
      (setup.surface === 'cql' ? 5 : 3) * setup.writeTimeoutMs +
      2 * setup.enqueueTimeoutMs +
      CALL_MARGIN_MS;
    // What is only to be queued by then, it is waited for until it is.
    const queueMs = isAborted(write) ? 0 : setup.enqueueTimeoutMs;
    const ownMs = ownLimitMs(write.step, Infinity) + queueMs;
    const wrong = wrongWithTime(evidence, write, Math.min(limitMs, ownMs));
    if (wrong) report(`${describeWrite(write)} ${wrong}`);
  }
  for (const read of ledger.reads) {
    const pages = read.step.pageSize === undefined ? 1 : MOST_PAGES;
    const limitMs = 2 * pages * setup.readTimeoutMs + CALL_MARGIN_MS;
    const wrong = wrongWithTime(evidence, read, ownLimitMs(read.step, limitMs));
    if (wrong) report(`${describeRead(read)} ${wrong}`);
  }
  for (const point of ledger.syncPoints) {
    const wrong = wrongWithTime(evidence, point, Infinity);
    if (wrong) report(`Sync point asked for at ${ms(point.startedMs)}, process ${point.process}, ${wrong}`);
  }
  for (const each of ledger.ends) {
    for (const { cluster, forMs } of each.takenForDead) {
      if (forMs > foundAliveMs(evidence, each)) {
        report(`Process ${each.process} takes ${cluster} for dead, which has been there for ${ms(forMs)}`);
      }
    }
    const wrong = each.how === 'shut down' && wrongWithShutdown(evidence, each);
    if (wrong) report(`Process ${each.process}, shut down at ${ms(each.atMs)}, ${wrong}`);
  }
  return found;
}

/** A dead cluster is asked every 2 s; while it is avoided and keeps coming and going, less often. */
function foundAliveMs(evidence: Evidence, { atMs }: ProcessEnd): number {
  const { policy, resetTimeoutMs } = evidence.setup;
  const everyMs = Math.max(2_000, policy === 'active' ? 0 : resetTimeoutMs);
  return everyMs + CALL_MARGIN_MS + evidence.stalledMs(0, atMs);
}

function isAborted({ answer }: Call): boolean {
  return answer.kind === 'error' && answer.error instanceof OperationAbortedError;
}

interface Call {
  readonly process: number;
  readonly startedMs: number;
  readonly answer: Answer<unknown>;
}

function ownLimitMs(
  { timeoutMs = Infinity, abortAfterMs = Infinity }: { timeoutMs?: number; abortAfterMs?: number },
  limitMs: number,
): number {
  return Math.min(limitMs, timeoutMs, abortAfterMs);
}

/** A process that does nothing cannot answer: that time is not counted. */
function wrongWithTime(evidence: Evidence, call: Call, limitMs: number): string | undefined {
  const { process, startedMs, answer } = call;
  if (answer.kind === 'waiting') {
    return evidence.wasKilled(process) ? undefined : 'was never answered';
  }
  const tookMs = answer.atMs - startedMs;
  if (tookMs <= limitMs + TOLERANCE_MS) return undefined;
  const stalledMs = evidence.stalledMs(startedMs, answer.atMs) + evidence.graceMs(startedMs, answer.atMs);
  if (tookMs <= limitMs + stalledMs + TOLERANCE_MS) return undefined;
  return `took ${ms(tookMs)}; at most ${ms(limitMs)} are allowed and ${ms(stalledMs)} for stalls`;
}

function wrongWithShutdown(evidence: Evidence, end: ProcessEnd): string | undefined {
  const { atMs, endedMs, leftTimers } = end;
  const limitMs = evidence.setup.shutdownTimeoutMs + evidence.stalledMs(atMs, endedMs);
  if (endedMs - atMs > limitMs + SHUTDOWN_TOLERANCE_MS) {
    return `took ${ms(endedMs - atMs)}; at most ${ms(limitMs)} are allowed`;
  }
  return leftTimers > 0 ? `left ${leftTimers} timer(s) behind` : undefined;
}
