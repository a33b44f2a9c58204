import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  errorLabel,
  HazardousStatementError,
  NoAvailableClusterError,
  OperationAbortedError,
  OverloadedError,
  PartialWriteError,
  ReplayQueueFullError,
  SessionClosedError,
} from '../../../lib/core/index.js';
import type { Answer, Violation } from '../ledger.js';
import { describeRead, describeWrite, ms } from './describe.js';
import type { Evidence } from './evidence.js';
import { ROUNDING_MS } from './fates.js';

type ErrorClass = abstract new (...args: never[]) => Error;

const OF_WRITES: readonly ErrorClass[] = [
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  OverloadedError,
  PartialWriteError,
  ReplayQueueFullError,
];
const OF_READS: readonly ErrorClass[] = [ClusterError, DualClusterError, NoAvailableClusterError];

interface Call {
  readonly process: number;
  readonly startedMs: number;
  readonly answer: Answer<unknown>;
  readonly step: { readonly timeoutMs?: number; readonly abortAfterMs?: number };
}

/** Calls fail with the documented errors, and only where there is a reason for that one. */
export function unexpectedErrors(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'unexpected error', message });
  for (const write of evidence.writes) {
    const wrong = wrongWith(evidence, write, OF_WRITES);
    if (wrong) report(`${describeWrite(write)} failed with ${wrong}`);
  }
  for (const read of evidence.ledger.reads) {
    const wrong = wrongWith(evidence, read, OF_READS);
    if (wrong) report(`${describeRead(read)} failed with ${wrong}`);
  }
  for (const { answer, process, startedMs } of evidence.ledger.syncPoints) {
    // A durable queue that cannot be reached does not know where it is.
    if (answer.kind !== 'error' || evidence.setup.queue === 'durable') continue;
    if (evidence.isClosing(process, answer.atMs)) continue;
    report(`Sync point asked for at ${ms(startedMs)}, process ${process}, failed with ${full(answer.error)}`);
  }
  return found;
}

function wrongWith(evidence: Evidence, call: Call, expected: readonly ErrorClass[]): string | undefined {
  const { answer, process, startedMs, step } = call;
  if (answer.kind !== 'error') return undefined;
  const { error, atMs } = answer;
  if (error instanceof OperationAbortedError) {
    const isLimited = step.timeoutMs !== undefined || step.abortAfterMs !== undefined;
    if (!isLimited) return `${full(error)}, although it had no time limit and no signal`;
    const { timeoutMs = Infinity, abortAfterMs = Infinity } = step;
    // In CQL a call around it may say a shorter one, which does not count.
    const isBefore =
      evidence.setup.surface === 'cql' && atMs < startedMs + Math.min(timeoutMs, abortAfterMs) - ROUNDING_MS;
    return isBefore ? `${full(error)}, before its time was over and its signal aborted` : undefined;
  }
  if (error instanceof SessionClosedError) {
    return evidence.isClosing(process, atMs)
      ? undefined
      : `${full(error)}, although its process was not shutting down`;
  }
  // Whether there was reason to is judged when it is said (`types`).
  if (error instanceof HazardousStatementError && evidence.setup.surface === 'cql') return undefined;
  return expected.some((each) => error instanceof each) ? undefined : full(error);
}

function full(error: Error): string {
  return `${errorLabel(error)}: ${error.message}`;
}
