import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  type FailureOutcome,
  OperationAbortedError,
  OverloadedError,
  PartialWriteError,
  ReplayQueueFullError,
  SessionClosedError,
  type WriteReceipt,
} from '../../../lib/core/index.js';
import type { Answer, WriteRecord } from '../ledger.js';

/** What the caller was told of both sides; `undefined`: it was told less, or nothing. */
export function receiptOf({ answer }: WriteRecord): WriteReceipt | undefined {
  if (answer.kind === 'value') return answer.value;
  return answer.kind === 'error' && answer.error instanceof PartialWriteError
    ? answer.error.receipt
    : undefined;
}

/**
 * What the error of a write says of both sides: `notApplied` is a promise. `undefined`: it says it side by side,
 * or is none that a write may end with.
 */
export function outcomeSaid(error: Error): FailureOutcome | undefined {
  if (
    error instanceof DualClusterError ||
    error instanceof ClusterError ||
    error instanceof OperationAbortedError ||
    error instanceof OverloadedError ||
    error instanceof ReplayQueueFullError
  ) {
    return error.outcome;
  }
  const isUnsent = error instanceof BothClustersDrainingError || error instanceof SessionClosedError;
  return isUnsent ? 'notApplied' : undefined;
}

/** The caller did not wait for the end, and the operation went on without it. */
export function isCallerGone(answer: Answer<unknown>): boolean {
  return (
    answer.kind === 'error' &&
    answer.error instanceof OperationAbortedError &&
    answer.error.outcome === 'unknown'
  );
}
