import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'h5-answer-counts-for-breaker',
    specs: 'core/failover.spec.ts',
    breaks:
      'Whatever a server says is a sign of life. ' +
      'Here what it could not do for a request (too few replicas, its own time-out) counts against it.',
    changes: [
      { replace: `if (scope === 'request') {`, by: `if (scope === 'request' && kind === 'rejected') {` },
    ],
  },
  {
    name: 'h5-refusal-counts-for-breaker',
    breaks:
      'H5: what a cluster refuses says nothing against it. ' +
      'Here a refused write is a failure to the breaker.',
    changes: [
      {
        replace: `
          this.#recordAnswer(cluster);
          return;
        }
        if (scope === 'local' || kind === 'rejected' || kind === 'blocked') return;`,
        by: `
          if (kind !== 'rejected') return;
        }
        if (scope === 'local' || kind === 'blocked') return;`,
      },
    ],
  },
  {
    name: 'h6-half-open-failure-is-a-call',
    breaks:
      'H6: in the half-open state the ping alone decides. ' +
      'Here a call that fails meanwhile opens the breaker again, before the ping is answered.',
    changes: [
      {
        replace: `return event === 'pingFailed' ? OPEN : breaker;`,
        by: `return event === 'pingFailed' || event === 'failed' ? OPEN : breaker;`,
      },
    ],
  },
  {
    name: 'h6-lost-connection-counts-per-request',
    breaks:
      'One connection that is lost is one failure to the breaker, however many requests were on it. ' +
      'Here each of them counts.',
    changes: [{ replace: `if (startedMs <= this.#lostConnectionMs[cluster]) return;`, by: '' }],
  },
  {
    name: 'h6-never-closes',
    breaks: 'H6: a ping that is answered closes the breaker. Here it only leaves the half-open state.',
    changes: [
      {
        replace: `
          if (event === 'pingSucceeded') return CLOSED;
          return event === 'pingDue' ? HALF_OPEN : breaker;`,
        by: `return event === 'pingDue' ? HALF_OPEN : breaker;`,
      },
      {
        replace: `if (event === 'pingSucceeded') return CLOSED;`,
        by: `if (event === 'pingSucceeded') return OPEN;`,
      },
    ],
  },
  {
    name: 'h6-replay-ignores-breaker',
    breaks:
      'H6: while a breaker is open nothing is replayed to its side. ' +
      'Here only the pings of replay are held back.',
    changes: [
      {
        replace: `if (this.#isLeftAlone) return this.#skipped(sent);`,
        by: '',
      },
    ],
  },
  {
    name: 'h6-success-closes',
    breaks: 'H6: only a ping closes an open breaker. Here a call that still succeeds does, too.',
    changes: [
      {
        replace: `return event === 'pingDue' ? HALF_OPEN : breaker;`,
        by: `return event === 'pingDue' ? HALF_OPEN : event === 'succeeded' ? CLOSED : breaker;`,
      },
    ],
  },
];
