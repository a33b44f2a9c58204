import {
  ClusterError,
  type DeadLetterReason,
  DualClusterError,
  type OperationClass,
} from '../../../lib/core/index.js';
import type { Violation, WriteRecord } from '../ledger.js';
import { outcomeSaid } from './answers.js';
import { describeTruth, describeWrite } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';
import { type Fate, fateOf } from './fates.js';

/** What replay gets for a side: something to apply, something for an operator, or nothing. */
export type ForReplay = 'envelope' | Extract<DeadLetterReason, 'rejected' | 'inDoubt'> | undefined;

/** Replay gets of a write what became of its two sides calls for, once, and nothing else. */
export function replayOfWrites(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  if (!evidence.hasQueue) return found;
  for (const write of evidence.writes) {
    if (evidence.wasKilled(write.process)) continue;
    const due = dueToReplay(evidence, write);
    if (!due) continue;
    for (const [index, cluster] of SIDES.entries()) {
      const got = write[cluster].handedAs.join(' and ');
      if (got === (due[index] ?? '')) continue;
      found.push({
        rule: 'replay of writes',
        message: `${describeWrite(write)}: for ${cluster} replay got ${got || 'nothing'} instead of ${due[index] ?? 'nothing'} (${describeTruth(write, cluster)})`,
      });
    }
  }
  return found;
}

/** For A and for B; `undefined`: it is not certain what became of them. */
function dueToReplay(evidence: Evidence, write: WriteRecord): readonly [ForReplay, ForReplay] | undefined {
  const { answer, step } = write;
  if (answer.kind === 'error' && isGivenUp(answer.error)) return [undefined, undefined];
  const a = fateOf(evidence, write, 'A');
  const b = fateOf(evidence, write, 'B');
  return a && b && forReplay(a, b, step.class, evidence.setup.whenBothFail);
}

/** It was not sent at all, or its caller went before it was. */
function isGivenUp(error: Error): boolean {
  const isOfSides = error instanceof DualClusterError || error instanceof ClusterError;
  return !isOfSides && outcomeSaid(error) === 'notApplied';
}

function forReplay(
  a: Fate,
  b: Fate,
  operationClass: OperationClass,
  whenBothFail: 'throw' | 'queue',
): readonly [ForReplay, ForReplay] {
  const isEither = (kind: Fate['kind']): boolean => a.kind === kind || b.kind === kind;
  const both = (of: (fate: Fate) => ForReplay): readonly [ForReplay, ForReplay] => [of(a), of(b)];
  if (isEither('applied')) return both((fate) => besideApplied(fate, operationClass));
  const doubt = ({ kind }: Fate): ForReplay => (kind === 'in doubt' ? 'inDoubt' : undefined);
  if (isEither('refused')) return both(doubt);
  if (!isEither('in doubt')) return both(() => (whenBothFail === 'queue' ? 'envelope' : undefined));
  return both(operationClass === 'once' ? doubt : () => 'envelope');
}

/** What the one side gets when the other has applied it. */
export function besideApplied({ kind }: Fate, operationClass: OperationClass): ForReplay {
  switch (kind) {
    case 'applied':
      return undefined;
    case 'refused':
      return 'rejected';
    case 'in doubt':
      return operationClass === 'once' ? 'inDoubt' : 'envelope';
    case 'left out':
    case 'not applied':
      return 'envelope';
  }
}
