import type { ClusterId } from './cluster.js';
import type { FailureOutcome } from './errors.js';
import type { Outcome } from './outcome.js';
import type { OperationClass } from './ports/envelope.js';
import type { SideStatus } from './receipt.js';

/** What the replayer is to do for a side: keep it for later, or put it into the dead letters. */
export type ReplayAction = 'enqueue' | 'rejected' | 'inDoubt';

export interface ReplayPlan {
  readonly A?: ReplayAction;
  readonly B?: ReplayAction;
}

export type Decision =
  /** The write succeeded. A status `queued` holds only once the replayer has accepted it. */
  | { readonly kind: 'receipt'; readonly A: SideStatus; readonly B: SideStatus; readonly replay: ReplayPlan }
  | { readonly kind: 'bothFailed'; readonly outcome: FailureOutcome; readonly replay: ReplayPlan }
  | {
      readonly kind: 'refused';
      readonly by: ClusterId;
      readonly outcome: FailureOutcome;
      readonly replay: ReplayPlan;
    }
  | { readonly kind: 'bothDraining' }
  | { readonly kind: 'overloaded' }
  /** Nothing can be said before a pending side has settled. */
  | { readonly kind: 'await' };

type Verdict = 'applied' | 'notApplied' | 'ambiguous' | 'rejected' | 'pending';

function verdictOf(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'unreached':
    case 'blocked':
    case 'skipped':
      return 'notApplied';
    default:
      return outcome.kind;
  }
}

/** The pair decision: what a caller is told and what is replayed, for every pair of outcomes. */
export function decide(a: Outcome, b: Outcome, operationClass: OperationClass): Decision {
  const sideA = verdictOf(a);
  const sideB = verdictOf(b);
  if (sideA === 'applied') return receipt('B', sideB, operationClass);
  if (sideB === 'applied') return receipt('A', sideA, operationClass);
  if (sideA === 'pending' || sideB === 'pending') return { kind: 'await' };
  if (sideA === 'rejected') return refused('A', 'B', sideB);
  if (sideB === 'rejected') return refused('B', 'A', sideA);
  if (sideA === 'notApplied' && sideB === 'notApplied') return neitherApplied(a, b);
  return { kind: 'bothFailed', outcome: 'unknown', replay: replayOfUnknown(sideA, sideB, operationClass) };
}

function receipt(other: ClusterId, verdict: Verdict, operationClass: OperationClass): Decision {
  const [status, action] = statusBesideApplied(verdict, operationClass);
  const replay: ReplayPlan = action ? { [other]: action } : {};
  return other === 'A'
    ? { kind: 'receipt', A: status, B: 'applied', replay }
    : { kind: 'receipt', A: 'applied', B: status, replay };
}

function statusBesideApplied(
  verdict: Verdict,
  operationClass: OperationClass,
): [SideStatus, ReplayAction | undefined] {
  switch (verdict) {
    case 'applied':
      return ['applied', undefined];
    case 'pending':
      return ['pending', undefined];
    case 'rejected':
      return ['rejected', 'rejected'];
    case 'notApplied':
      return ['queued', 'enqueue'];
    case 'ambiguous':
      return operationClass === 'once' ? ['inDoubt', 'inDoubt'] : ['queued', 'enqueue'];
  }
}

/** One side will never take it, so neither may get it later; a side that might have it is left to an operator. */
function refused(by: ClusterId, other: ClusterId, verdict: Verdict): Decision {
  return verdict === 'ambiguous'
    ? { kind: 'refused', by, outcome: 'unknown', replay: { [other]: 'inDoubt' } }
    : { kind: 'refused', by, outcome: 'notApplied', replay: {} };
}

function neitherApplied(a: Outcome, b: Outcome): Decision {
  if (isSkipped(a, 'draining') && isSkipped(b, 'draining')) return { kind: 'bothDraining' };
  if (isSkipped(a, 'limit') && isSkipped(b, 'limit')) return { kind: 'overloaded' };
  return { kind: 'bothFailed', outcome: 'notApplied', replay: {} };
}

function isSkipped(outcome: Outcome, reason: string): boolean {
  return outcome.kind === 'skipped' && outcome.reason === reason;
}

/**
 * At least one side may have it. Replaying it to both under its own timestamp makes them equal whatever
 * happened; what must not be applied twice waits for an operator instead.
 */
function replayOfUnknown(a: Verdict, b: Verdict, operationClass: OperationClass): ReplayPlan {
  if (operationClass === 'idempotent') return { A: 'enqueue', B: 'enqueue' };
  return {
    ...(a === 'ambiguous' && { A: 'inDoubt' as const }),
    ...(b === 'ambiguous' && { B: 'inDoubt' as const }),
  };
}
