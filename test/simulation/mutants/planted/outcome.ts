import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'decision-last-hope-beside-full',
    breaks:
      'A side skipped for its breaker is tried after all when the other did not apply, unless both were ' +
      'skipped by the limit. ' +
      'Decision table, last hope: here not when the other is full.',
    changes: [
      {
        replace: `return other.reason === 'draining' || (other.reason === 'limit' && outcome.reason === 'breaker');`,
        by: `return other.reason === 'draining';`,
      },
    ],
  },
  {
    name: 'decision-last-hope-beside-rejected',
    breaks:
      'A side skipped for its breaker is tried after all although the other side rejected the statement.',
    changes: [
      {
        replace: `
          case 'blocked':
          case 'ambiguous':`,
        by: `
          case 'blocked':
          case 'ambiguous':
          case 'rejected':`,
      },
    ],
  },
  {
    name: 'decision-last-hope-drained',
    breaks: 'A side that was draining when the write began is tried after all once its drain is over.',
    changes: [
      {
        replace: `if (outcome.kind !== 'skipped' || (outcome.reason !== 'breaker' && outcome.reason !== 'limit'))`,
        by: `if (outcome.kind !== 'skipped' || outcome.reason === 'firstRejected')`,
      },
    ],
  },
  {
    name: 'decision-last-hope-none',
    breaks: 'A side skipped for its breaker is not tried after all when the other did not apply.',
    changes: [
      {
        replace: `
          case 'ambiguous':
            return true;`,
        by: `
          case 'ambiguous':
            return false;`,
      },
    ],
  },
  {
    name: 'decision-last-hope-not-in-doubt',
    breaks: 'A side skipped for its breaker is not tried after all when the other is in doubt.',
    changes: [
      {
        replace: `
          case 'blocked':
          case 'ambiguous':`,
        by: `case 'blocked':`,
      },
    ],
  },
];
