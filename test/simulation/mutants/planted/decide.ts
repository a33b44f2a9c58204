import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'decision-ambiguous-inDoubt',
    breaks:
      'Decision table, row "applied, M": a write that may be repeated becomes a dead letter instead of ' +
      'being queued.',
    changes: [
      {
        replace: `return operationClass === 'once' ? ['inDoubt', 'inDoubt'] : ['queued', 'enqueue'];`,
        by: `return ['inDoubt', 'inDoubt'];`,
      },
    ],
  },
  {
    name: 'decision-ambiguous-not-enqueued',
    breaks:
      'Decision table, row "applied, M": the doubtful side is said to be queued, and nothing is ' +
      'enqueued.',
    changes: [
      {
        replace: `return operationClass === 'once' ? ['inDoubt', 'inDoubt'] : ['queued', 'enqueue'];`,
        by: `return operationClass === 'once' ? ['inDoubt', 'inDoubt'] : ['queued', undefined];`,
      },
    ],
  },
  {
    name: 'decision-applied-applied-queued',
    breaks: 'Decision table, row "applied, applied": the side that applied as well is queued all the same.',
    changes: [{ replace: `return ['applied', undefined];`, by: `return ['applied', 'enqueue'];` }],
  },
  {
    name: 'decision-blocked-is-ambiguous',
    breaks:
      'Outcomes: a side that refuses the login or the permission is taken for one that may have applied ' +
      'the write.',
    changes: [
      {
        replace: `
          switch (outcome.kind) {
            case 'unreached':
            case 'blocked':`,
        by: `
          switch (outcome.kind) {
            case 'blocked':
              return 'ambiguous';
            case 'unreached':`,
      },
    ],
  },
  {
    name: 'decision-both-draining-failed',
    breaks: 'Decision table, row "both draining": DualClusterError instead of BothClustersDrainingError.',
    changes: [
      {
        replace: `if (isSkipped(a, 'draining') && isSkipped(b, 'draining')) return { kind: 'bothDraining' };`,
        by: '',
      },
    ],
  },
  {
    name: 'decision-doubt-not-enqueued',
    breaks: 'Decision table, rows "M, R" and "M, M": nothing is enqueued.',
    changes: [
      {
        replace: `if (operationClass === 'idempotent') return { A: 'enqueue', B: 'enqueue' };`,
        by: `if (operationClass === 'idempotent') return {};`,
      },
    ],
  },
  {
    name: 'decision-doubt-notApplied',
    breaks: 'Decision table, rows "M, R" and "M, M": the caller is told that nothing was applied.',
    changes: [
      {
        replace: `return { kind: 'bothFailed', outcome: 'unknown', replay: replayOfUnknown(sideA, sideB, operationClass) };`,
        by: `return { kind: 'bothFailed', outcome: 'notApplied', replay: replayOfUnknown(sideA, sideB, operationClass) };`,
      },
    ],
  },
  {
    name: 'decision-doubt-once-enqueued',
    breaks: 'Decision table, rows "M, R" and "M, M": what must not be repeated is enqueued for both.',
    changes: [
      {
        replace: `if (operationClass === 'idempotent') return { A: 'enqueue', B: 'enqueue' };`,
        by: `if (operationClass === 'idempotent' || a !== b) return { A: 'enqueue', B: 'enqueue' };`,
      },
    ],
  },
  {
    name: 'decision-doubt-once-second-forgotten',
    breaks: 'Decision table, row "M, M": what must not be repeated gets one dead letter instead of two.',
    changes: [
      {
        replace: `...(b === 'ambiguous' && { B: 'inDoubt' as const }),`,
        by: `...(b === 'ambiguous' && a !== 'ambiguous' && { B: 'inDoubt' as const }),`,
      },
    ],
  },
  {
    name: 'decision-doubt-only-certain-side',
    breaks: 'Decision table, row "M, R": enqueued for the side only that has certainly not got it.',
    changes: [
      {
        replace: `if (operationClass === 'idempotent') return { A: 'enqueue', B: 'enqueue' };`,
        by: `
          if (operationClass === 'idempotent') {
            if (a === 'notApplied') return { A: 'enqueue' };
            return b === 'notApplied' ? { B: 'enqueue' } : { A: 'enqueue', B: 'enqueue' };
          }`,
      },
    ],
  },
  {
    name: 'decision-doubt-only-doubtful-side',
    breaks: 'Decision table, row "M, R": enqueued for the doubtful side only.',
    changes: [
      {
        replace: `if (operationClass === 'idempotent') return { A: 'enqueue', B: 'enqueue' };`,
        by: `
          if (operationClass === 'idempotent') {
            return { ...(a === 'ambiguous' && { A: 'enqueue' }), ...(b === 'ambiguous' && { B: 'enqueue' }) };
          }`,
      },
    ],
  },
  {
    name: 'decision-draining-counts-either',
    breaks:
      'Decision table, row "both draining": one that drains and one that fails is told as if both were ' +
      'draining.',
    changes: [
      {
        replace: `if (isSkipped(a, 'draining') && isSkipped(b, 'draining')) return { kind: 'bothDraining' };`,
        by: `if (isSkipped(a, 'draining') || isSkipped(b, 'draining')) return { kind: 'bothDraining' };`,
      },
    ],
  },
  {
    name: 'decision-enqueued-for-wrong-side',
    breaks: 'Decision table, row "applied, R": it is enqueued for the side that has it.',
    changes: [
      {
        replace: `const replay: ReplayPlan = action ? { [other]: action } : {};`,
        by: `const replay: ReplayPlan = action ? { [other === 'A' ? 'B' : 'A']: action } : {};`,
      },
    ],
  },
  {
    name: 'decision-neither-as-doubt',
    breaks:
      'Decision table, row "R, R": treated as if one of them were in doubt: unknown, and replayed to ' +
      'both.',
    changes: [
      {
        replace: `if (sideA === 'notApplied' && sideB === 'notApplied') return neitherApplied(a, b);`,
        by: `if (a.kind === 'skipped' && b.kind === 'skipped') return neitherApplied(a, b);`,
      },
    ],
  },
  {
    name: 'decision-neither-enqueued',
    breaks: 'Decision table, row "R, R": enqueued for both although the caller is told that it may retry.',
    changes: [
      {
        replace: `return { kind: 'bothFailed', outcome: 'notApplied', replay: {} };`,
        by: `return { kind: 'bothFailed', outcome: 'notApplied', replay: { A: 'enqueue', B: 'enqueue' } };`,
      },
    ],
  },
  {
    name: 'decision-neither-unknown',
    breaks: 'Decision table, row "R, R": the outcome is said to be unknown.',
    changes: [
      {
        replace: `return { kind: 'bothFailed', outcome: 'notApplied', replay: {} };`,
        by: `return { kind: 'bothFailed', outcome: 'unknown', replay: {} };`,
      },
    ],
  },
  {
    name: 'decision-once-enqueued',
    breaks:
      'Decision table, row "applied, M": what must not be repeated is enqueued although it may have ' +
      'been applied.',
    changes: [
      {
        replace: `return operationClass === 'once' ? ['inDoubt', 'inDoubt'] : ['queued', 'enqueue'];`,
        by: `return ['queued', 'enqueue'];`,
      },
    ],
  },
  {
    name: 'decision-once-not-buried',
    breaks:
      'Decision table, row "applied, M": the receipt of a write that must not be repeated says inDoubt, ' +
      'and no dead letter is made.',
    changes: [
      {
        replace: `return operationClass === 'once' ? ['inDoubt', 'inDoubt'] : ['queued', 'enqueue'];`,
        by: `return operationClass === 'once' ? ['inDoubt', undefined] : ['queued', 'enqueue'];`,
      },
    ],
  },
  {
    name: 'decision-pending-beside-failed',
    breaks: 'Decision table, row "pending, the other failed": the write fails at once.',
    changes: [
      {
        replace: `if (sideA === 'pending' || sideB === 'pending') return { kind: 'await' };`,
        by: `if (sideA === 'pending' && sideB === 'pending') return { kind: 'await' };`,
      },
    ],
  },
  {
    name: 'decision-receipt-swapped',
    breaks:
      'Decision table, row "applied, R": A and B are swapped in what the caller is told; what is ' +
      'replayed is right.',
    changes: [
      {
        replace: `
          ? { kind: 'receipt', A: status, B: 'applied', replay }
          : { kind: 'receipt', A: 'applied', B: status, replay };`,
        by: `
          ? { kind: 'receipt', A: 'applied', B: status, replay }
          : { kind: 'receipt', A: status, B: 'applied', replay };`,
      },
      {
        replace: `const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];`,
        by: `const status = (cluster: ClusterId): SideStatus => decision[cluster];`,
      },
    ],
  },
  {
    name: 'decision-refused-both-failed',
    breaks:
      'Decision table, row "rejected, R": the caller is told that both failed, which it may retry, ' +
      'instead of who refuses it.',
    changes: [
      {
        replace: `: { kind: 'refused', by, outcome: 'notApplied', replay: {} };`,
        by: `: { kind: 'bothFailed', outcome: 'notApplied', replay: {} };`,
      },
    ],
  },
  {
    name: 'decision-refused-doubt-enqueued',
    breaks:
      'Decision table, row "rejected, M": the doubtful side is enqueued, although the other one will ' +
      'never take it.',
    changes: [
      {
        replace: `? { kind: 'refused', by, outcome: 'unknown', replay: { [other]: 'inDoubt' } }`,
        by: `? { kind: 'refused', by, outcome: 'unknown', replay: { [other]: 'enqueue' } }`,
      },
    ],
  },
  {
    name: 'decision-refused-doubt-not-buried',
    breaks: 'Decision table, row "rejected, M": no dead letter is made for the doubtful side.',
    changes: [
      {
        replace: `? { kind: 'refused', by, outcome: 'unknown', replay: { [other]: 'inDoubt' } }`,
        by: `? { kind: 'refused', by, outcome: 'unknown', replay: {} }`,
      },
    ],
  },
  {
    name: 'decision-refused-doubt-notApplied',
    breaks: 'Decision table, row "rejected, M": the caller is told that nothing was applied.',
    changes: [
      {
        replace: `? { kind: 'refused', by, outcome: 'unknown', replay: { [other]: 'inDoubt' } }`,
        by: `? { kind: 'refused', by, outcome: 'notApplied', replay: { [other]: 'inDoubt' } }`,
      },
    ],
  },
  {
    name: 'decision-refused-enqueued',
    breaks:
      'Decision table, row "rejected, R": the other side is enqueued although the caller is told that ' +
      'nothing was applied.',
    changes: [
      {
        replace: `: { kind: 'refused', by, outcome: 'notApplied', replay: {} };`,
        by: `: { kind: 'refused', by, outcome: 'notApplied', replay: { [other]: 'enqueue' } };`,
      },
    ],
  },
  {
    name: 'decision-refused-twice-inDoubt',
    breaks: 'Decision table, row "rejected, rejected": the second refusal is taken for a doubt.',
    changes: [{ replace: `return verdict === 'ambiguous'`, by: `return verdict !== 'notApplied'` }],
  },
  {
    name: 'decision-refused-unknown',
    breaks: 'Decision table, row "rejected, R": the outcome is said to be unknown.',
    changes: [
      {
        replace: `: { kind: 'refused', by, outcome: 'notApplied', replay: {} };`,
        by: `: { kind: 'refused', by, outcome: 'unknown', replay: {} };`,
      },
    ],
  },
  {
    name: 'decision-rejected-enqueued',
    breaks: 'Decision table, row "applied, rejected": it is enqueued for the side that refuses it.',
    changes: [{ replace: `return ['rejected', 'rejected'];`, by: `return ['queued', 'enqueue'];` }],
  },
  {
    name: 'decision-rejected-fails',
    breaks:
      'Decision table, row "applied, rejected": the caller gets an error although one side has applied ' +
      'it.',
    changes: [
      {
        replace: `
          if (sideB === 'applied') return receipt('A', sideA, operationClass);
          if (sideA === 'pending' || sideB === 'pending') return { kind: 'await' };
          if (sideA === 'rejected') return refused('A', 'B', sideB);`,
        by: `
          if (sideA === 'rejected' && sideB !== 'pending') return refused('A', 'B', sideB);
          if (sideB === 'applied') return receipt('A', sideA, operationClass);
          if (sideA === 'pending' || sideB === 'pending') return { kind: 'await' };`,
      },
    ],
  },
  {
    name: 'decision-rejected-not-buried',
    breaks: 'Decision table, row "applied, rejected": no dead letter is made.',
    changes: [{ replace: `return ['rejected', 'rejected'];`, by: `return ['rejected', undefined];` }],
  },
  {
    name: 'decision-skipped-is-ambiguous',
    breaks: 'Outcomes: a side that was never asked is taken for one that may have applied the write.',
    changes: [
      {
        replace: `
          case 'skipped':
            return 'notApplied';`,
        by: `
            return 'notApplied';
          case 'skipped':
            return 'ambiguous';`,
      },
    ],
  },
  {
    name: 'decision-straggler-enqueued-at-once',
    breaks: 'Decision table, row "applied, pending": it is enqueued before it has failed.',
    changes: [
      {
        replace: `return ['pending', undefined];`,
        by: `return ['pending', 'enqueue'];`,
      },
      {
        replace: `const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];`,
        by: `const status = (cluster: ClusterId): SideStatus => decision[cluster] === 'pending' ? 'pending' : (kept[cluster] ?? decision[cluster]);`,
      },
    ],
  },
  {
    name: 'decision-unreached-not-enqueued',
    breaks: 'Decision table, row "applied, R": the receipt says queued, and nothing is enqueued.',
    changes: [{ replace: `return ['queued', 'enqueue'];`, by: `return ['queued', undefined];` }],
  },
  {
    name: 'decision-unreached-said-applied',
    breaks:
      'Decision table, row "applied, R": the other side is enqueued, and the receipt says that it has ' +
      'applied.',
    changes: [
      {
        replace: `return ['queued', 'enqueue'];`,
        by: `return ['applied', 'enqueue'];`,
      },
      {
        replace: `const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];`,
        by: `const status = (cluster: ClusterId): SideStatus => decision[cluster];`,
      },
    ],
  },
];
