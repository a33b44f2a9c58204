import { describe, expect, it } from 'vitest';
import { decide, type Decision } from './decide.js';
import { APPLIED, type Outcome, type SkipReason } from './outcome.js';

type Name = Exclude<Outcome['kind'], 'skipped'> | SkipReason;
const failed = (kind: 'unreached' | 'blocked' | 'ambiguous' | 'rejected'): Outcome => ({
  kind,
  error: new Error(kind),
});
const outcomes: Record<Name, Outcome> = {
  applied: APPLIED,
  unreached: failed('unreached'),
  blocked: failed('blocked'),
  ambiguous: failed('ambiguous'),
  rejected: failed('rejected'),
  draining: { kind: 'skipped', reason: 'draining' },
  breaker: { kind: 'skipped', reason: 'breaker' },
  limit: { kind: 'skipped', reason: 'limit' },
  firstRejected: { kind: 'skipped', reason: 'firstRejected' },
  pending: { kind: 'pending', settled: new Promise(() => undefined) },
};

const swap = (decision: Decision): Decision => {
  const replay = (plan: { A?: unknown; B?: unknown }) => ({
    ...('B' in plan && { A: plan.B }),
    ...('A' in plan && { B: plan.A }),
  });
  switch (decision.kind) {
    case 'receipt':
      return { ...decision, A: decision.B, B: decision.A, replay: replay(decision.replay) as never };
    case 'bothFailed':
      return { ...decision, replay: replay(decision.replay) as never };
    case 'refused':
      return { ...decision, by: decision.by === 'A' ? 'B' : 'A', replay: replay(decision.replay) as never };
    default:
      return decision;
  }
};

const saved = (B: 'applied' | 'pending'): Decision => ({ kind: 'receipt', A: 'applied', B, replay: {} });
const queued: Decision = { kind: 'receipt', A: 'applied', B: 'queued', replay: { B: 'enqueue' } };
const inDoubt: Decision = { kind: 'receipt', A: 'applied', B: 'inDoubt', replay: { B: 'inDoubt' } };
const diverged: Decision = { kind: 'receipt', A: 'applied', B: 'rejected', replay: { B: 'rejected' } };
const refusedByA: Decision = { kind: 'refused', by: 'A', outcome: 'notApplied', replay: {} };
const refusedBesideDoubt: Decision = {
  kind: 'refused',
  by: 'A',
  outcome: 'unknown',
  replay: { B: 'inDoubt' },
};
const safeToRetry: Decision = { kind: 'bothFailed', outcome: 'notApplied', replay: {} };
const unknown = (replay: object): Decision => ({ kind: 'bothFailed', outcome: 'unknown', replay });
const waits: Decision = { kind: 'await' };

const notApplied = ['unreached', 'blocked', 'draining', 'breaker', 'limit', 'firstRejected'] as const;

describe('decide', () => {
  const rows: [a: Name, b: Name, idempotent: Decision, once: Decision][] = [
    ['applied', 'applied', saved('applied'), saved('applied')],
    ...notApplied.map((r): (typeof rows)[number] => ['applied', r, queued, queued]),
    ['applied', 'ambiguous', queued, inDoubt],
    ['applied', 'pending', saved('pending'), saved('pending')],
    ['applied', 'rejected', diverged, diverged],
    ['pending', 'unreached', waits, waits],
    ['pending', 'ambiguous', waits, waits],
    ['pending', 'rejected', waits, waits],
    ['pending', 'pending', waits, waits],
    ...notApplied.map((r): (typeof rows)[number] => ['rejected', r, refusedByA, refusedByA]),
    ['rejected', 'rejected', refusedByA, refusedByA],
    ['rejected', 'ambiguous', refusedBesideDoubt, refusedBesideDoubt],
    ['unreached', 'unreached', safeToRetry, safeToRetry],
    ['unreached', 'blocked', safeToRetry, safeToRetry],
    ['unreached', 'draining', safeToRetry, safeToRetry],
    ['blocked', 'breaker', safeToRetry, safeToRetry],
    ['draining', 'limit', safeToRetry, safeToRetry],
    ...notApplied.map((r): (typeof rows)[number] => [
      'ambiguous',
      r,
      unknown({ A: 'enqueue', B: 'enqueue' }),
      unknown({ A: 'inDoubt' }),
    ]),
    [
      'ambiguous',
      'ambiguous',
      unknown({ A: 'enqueue', B: 'enqueue' }),
      unknown({ A: 'inDoubt', B: 'inDoubt' }),
    ],
    ['draining', 'draining', { kind: 'bothDraining' }, { kind: 'bothDraining' }],
    ['limit', 'limit', { kind: 'overloaded' }, { kind: 'overloaded' }],
  ];

  it.each(rows)('A %s, B %s', (a, b, idempotent, once) => {
    expect(decide(outcomes[a], outcomes[b], 'idempotent')).toEqual(idempotent);
    expect(decide(outcomes[a], outcomes[b], 'once')).toEqual(once);
  });

  it.each(rows.filter(([a, b]) => a !== b))(
    'is the same with the sides exchanged: A %s, B %s',
    (a, b, idempotent, once) => {
      expect(decide(outcomes[b], outcomes[a], 'idempotent')).toEqual(swap(idempotent));
      expect(decide(outcomes[b], outcomes[a], 'once')).toEqual(swap(once));
    },
  );

  it('has an answer for every pair of outcomes', () => {
    for (const a of Object.values(outcomes)) {
      for (const b of Object.values(outcomes)) expect(decide(a, b, 'idempotent').kind).toBeTypeOf('string');
    }
  });
});
