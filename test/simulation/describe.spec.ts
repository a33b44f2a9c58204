import { describe, expect, it } from 'vitest';
import { describe as describeHistory } from './describe.js';
import { PLAIN_SETUP } from './generate/setup.js';
import { generate } from './generate.js';

describe('A described history', () => {
  it('says what differs from a plain setup, and every step', () => {
    const text = describeHistory({
      seed: 4_711,
      setup: {
        ...PLAIN_SETUP,
        queue: 'durable',
        writeTimeoutMs: 100,
        latency: { A: { baseMs: 1, spreadMs: 0 }, B: { baseMs: 2, spreadMs: 5 } },
      },
      steps: [
        { atMs: 50, do: 'fault', cluster: 'B', fault: { kind: 'crash', losesMs: 7 }, forMs: 103 },
        {
          ...{ atMs: 60.5, do: 'write', id: 'w1', key: 'k0', change: { kind: 'set', columns: ['a', 'c'] } },
          ...{ class: 'idempotent', ack: 'both', priority: 'low', consistency: 4, call: 'c0' },
          ...{ prepareMs: 3, timeoutMs: 99, abortAfterMs: 0, refusedBy: ['A', 'B'] },
        },
        {
          ...{ atMs: 60.5, do: 'write', id: 'w2', key: 'n0', change: { kind: 'add' }, class: 'once' },
          ...{ ack: 'any', priority: 'high', consistency: 6 },
        },
        { atMs: 61, do: 'read', id: 'r3', key: 'k0', call: 'c0', hedgeAfterMs: 5, isBad: true },
        { atMs: 70, do: 'queue fault', fault: 'full', forMs: 10 },
        { atMs: 80, do: 'drain', cluster: 'A', forMs: 20 },
        { atMs: 90, do: 'set clock', byMs: -1 },
        { atMs: 100, do: 'restart', how: 'kill', afterMs: 5 },
        { atMs: 12_000, do: 'sync point' },
      ],
    });
    expect(text).toBe(
      [
        'seed 4711: 9 steps, 3 operations, 12000 ms',
        'setup',
        '  queue           durable',
        '  writeTimeoutMs  100',
        '  latency B       2 to 7 ms',
        '      at ms',
        '         50  cluster B: crash, loses 7 ms, for 103 ms, until 153',
        '       60.5  w1 writes k0: set a, c, call c0, ack both, priority low, consistency 4, ' +
          'prepared within 3 ms, time limit 99 ms, aborted after 0 ms, refused by A and B',
        '       60.5  w2 writes n0: add, class once',
        '         61  r3 reads k0, call c0, hedged after 5 ms, syntax error',
        '         70  queue: full, for 10 ms, until 80',
        '         80  drain of A, for 20 ms, until 100',
        '         90  set clock by -1 ms',
        '        100  restart: kill, again after 5 ms',
        '      12000  sync point',
      ].join('\n'),
    );
  });

  it('says that nothing differs', () => {
    const text = describeHistory({ seed: 1, setup: PLAIN_SETUP, steps: [] });
    expect(text).toBe('seed 1: 0 steps, 0 operations, 0 ms\nsetup\n  plain\n      at ms');
  });

  it('has a line for each step, all different things said differently', () => {
    const history = generate(3);
    const lines = describeHistory(history).split('\n');
    const timeline = lines.slice(lines.indexOf('      at ms') + 1);
    expect(timeline).toHaveLength(history.steps.length);
    expect(new Set(timeline).size).toBe(new Set(history.steps.map((step) => JSON.stringify(step))).size);
    expect(timeline.join()).not.toMatch(/undefined|object/);
  });
});
