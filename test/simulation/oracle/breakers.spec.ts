import { describe, expect, it } from 'vitest';
import type { BreakerState } from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import { brokenRules, HandMadeRun } from './hand-made.js';

type Step = readonly [state: BreakerState, atMs: number];

/** A run in which the breaker of B went through these states. */
function runWith(steps: readonly Step[], setup: Partial<Setup> = {}): HandMadeRun {
  const run = new HandMadeRun(setup);
  for (const [state, atMs] of steps) run.ledger.breakers.push({ process: 1, cluster: 'B', state, atMs });
  return run;
}

function pinged(run: HandMadeRun, endedMs: number, wasAnswered: boolean, process = 1): HandMadeRun {
  run.ledger.pings.push({ process, cluster: 'B', wasAnswered, endedMs });
  return run;
}

/** Of a breaker that is asked after 225 ms, and whose ping takes 10. */
const TRIED: readonly Step[] = [
  ['open', 100],
  ['half-open', 325],
];
const CLOSED: Step = ['closed', 335];

describe('breaker', () => {
  it('closes when a ping is answered, and opens again when it is not', () => {
    const run = runWith([...TRIED, ['open', 335], ['half-open', 785], ['closed', 795]]);
    pinged(run, 335, false);
    pinged(run, 795, true);
    expect(brokenRules(run)).toEqual([]);
  });

  it('begins closed in every process', () => {
    const run = runWith([...TRIED, CLOSED]);
    pinged(run, 335, true);
    for (const [process, cluster] of [
      [2, 'B'],
      [1, 'A'],
    ] as const) {
      run.ledger.breakers.push({ process, cluster, state: 'open', atMs: 9_999 });
    }
    run.ended(2, 'killed', { atMs: 9_999 });
    expect(brokenRules(run)).not.toContain('breaker');
  });

  it('may find an answer too slow', () => {
    const slow = (policy: Setup['policy']): string[] => {
      const run = runWith([...TRIED, ['open', 335], ['half-open', 785], ['closed', 795]], { policy });
      return brokenRules(pinged(pinged(run, 335, true), 795, true));
    };
    expect(slow('latency breaker')).toEqual([]);
    expect(slow('breaker')).toEqual(['breaker']);
  });

  it.each<[string, readonly Step[]]>([
    [
      'closed without having asked',
      [
        ['open', 100],
        ['closed', 150],
      ],
    ],
    ['closed at another moment', [...TRIED, ['closed', 336]]],
    [
      'opened twice',
      [
        ['open', 100],
        ['open', 110],
      ],
    ],
    ['opened before the answer', [...TRIED, ['open', 330]]],
    ['asked before its pause was over', [['open', 100], ['half-open', 287], CLOSED]],
    [
      'asked after its pause was over',
      [
        ['open', 100],
        ['half-open', 351],
        ['closed', 335],
      ],
    ],
    ['never asked', [['open', 100]]],
    ['never heard of its ping', TRIED],
  ])('finds one that %s', (_, steps) => {
    expect(brokenRules(pinged(runWith(steps), 335, true))).toEqual(['breaker']);
  });

  it('does not take the ping of another process for its own', () => {
    expect(brokenRules(pinged(runWith([...TRIED, CLOSED]), 335, true, 2))).toEqual(['breaker']);
  });

  it('closes with the ping of somebody else', () => {
    const run = (closedMs: number): string[] =>
      brokenRules(
        pinged(
          runWith([
            ['open', 100],
            ['closed', closedMs],
          ]),
          150,
          true,
        ),
      );
    expect(run(150)).toEqual([]);
    expect(run(160)).toEqual(['breaker']);
  });

  it('asks at once when its driver says that a host is up', () => {
    const run = (askedMs: number): string[] => {
      const made = runWith([
        ['open', 100],
        ['half-open', askedMs],
        ['closed', askedMs + 10],
      ]);
      made.ledger.hostUps.push({ process: 1, cluster: 'B', atMs: 150 });
      return brokenRules(pinged(made, askedMs + 10, true));
    };
    expect(run(150)).toEqual([]);
    expect(run(325)).toEqual(['breaker']);
  });

  it('asks less often when it opens again and again', () => {
    const opensAgain = (pauseMs: number): string[] => {
      const again: Step[] = [
        ['open', 400],
        ['half-open', 400 + pauseMs],
        ['closed', 410 + pauseMs],
      ];
      const run = runWith([...TRIED, CLOSED, ...again]);
      return brokenRules(pinged(pinged(run, 335, true), 410 + pauseMs, true));
    };
    expect(opensAgain(250)).toEqual(['breaker']);
    expect(opensAgain(375)).toEqual([]);
    expect(opensAgain(500)).toEqual([]);
    expect(opensAgain(501)).toEqual(['breaker']);
  });
});
