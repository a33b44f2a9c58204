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

const TRIED: readonly Step[] = [
  ['open', 100],
  ['half-open', 200],
];

describe('breaker', () => {
  it('closes when a ping is answered, and opens again when it is not', () => {
    const run = runWith([...TRIED, ['open', 210], ['half-open', 310], ['closed', 320]]);
    pinged(run, 210, false);
    pinged(run, 320, true);
    expect(brokenRules(run)).toEqual([]);
  });

  it('begins closed in every process', () => {
    const run = runWith(TRIED);
    run.ledger.breakers.push({ process: 2, cluster: 'B', state: 'open', atMs: 500 });
    run.ledger.breakers.push({ process: 1, cluster: 'A', state: 'open', atMs: 500 });
    expect(brokenRules(run)).toEqual([]);
  });

  it('may find an answer too slow', () => {
    const slow = (policy: Setup['policy']): HandMadeRun =>
      pinged(runWith([...TRIED, ['open', 210]], { policy }), 210, true);
    expect(brokenRules(slow('latency breaker'))).toEqual([]);
    expect(brokenRules(slow('breaker'))).toEqual(['breaker']);
  });

  it.each<[string, readonly Step[]]>([
    [
      'closed without having asked',
      [
        ['open', 100],
        ['closed', 150],
      ],
    ],
    ['closed at another moment', [...TRIED, ['closed', 211]]],
    [
      'opened twice',
      [
        ['open', 100],
        ['open', 110],
      ],
    ],
    ['opened before the answer', [...TRIED, ['open', 205]]],
  ])('finds one that %s', (_, steps) => {
    expect(brokenRules(pinged(runWith(steps), 210, true))).toEqual(['breaker']);
  });

  it('does not take the ping of another process for its own', () => {
    expect(brokenRules(pinged(runWith([...TRIED, ['closed', 210]]), 210, true, 2))).toEqual(['breaker']);
  });
});
