import { describe, expect, it } from 'vitest';
import { DualClusterError, OperationAbortedError } from '../../../lib/core/index.js';
import { brokenRules, HandMadeRun } from './hand-made.js';

/** The longest that a write of a hand-made run may take: 3 × 500 + 2 × 100 + 1,000 ms. */
const WRITE_MS = 2_700;
/** And a read: 2 × 500 + 1,000 ms. */
const READ_MS = 2_000;

const ABORTED = new OperationAbortedError('Aborted', 'notApplied', { cause: undefined });
const BOTH_FAILED = new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, 'notApplied');

describe('liveness', () => {
  it('is content with a run in which everything goes well', () => {
    const run = new HandMadeRun();
    run.write();
    run.read();
    run.syncPoint();
    expect(run.judge()).toEqual([]);
  });

  it('passes on what was found while the history ran, first', () => {
    const run = new HandMadeRun();
    run.ledger.violate('draining', 'w1 was sent to A');
    run.undrained = 'the queue of B';
    expect(run.judge()).toEqual([
      { rule: 'draining', message: 'w1 was sent to A' },
      { rule: 'liveness', message: 'Not everything came to an end: the queue of B' },
    ]);
  });

  it.each<[string, (run: HandMadeRun) => unknown]>([
    ['write', (run) => run.write({}, { told: 'waiting' })],
    ['read', (run) => run.read({}, { told: 'waiting' })],
    ['sync point', (run) => run.syncPoint('waiting')],
  ])('misses the answer of a %s, unless its process was killed', (_call, make) => {
    const run = new HandMadeRun();
    make(run);
    expect(brokenRules(run)).toEqual(['liveness']);

    const killed = new HandMadeRun();
    make(killed);
    killed.ended(1, 'killed');
    expect(brokenRules(killed)).toEqual([]);
  });

  it.each<[string, number, (run: HandMadeRun, tookMs: number) => unknown]>([
    ['a write', WRITE_MS, (run, tookMs) => run.write({}, { tookMs })],
    ['one that is prepared', WRITE_MS + 50, (run, tookMs) => run.write({ prepareMs: 50 }, { tookMs })],
    // And what the queue may take to confirm.
    ['a write with a time limit', 130, (run, tookMs) => run.write({ timeoutMs: 30 }, { tookMs })],
    [
      'one that is aborted for it',
      30,
      (run, tookMs) => run.write({ timeoutMs: 30 }, { tookMs, told: ABORTED, A: NEVER_SENT, B: NEVER_SENT }),
    ],
    [
      'a write that is aborted',
      30,
      (run, tookMs) =>
        run.write({ abortAfterMs: 30 }, { tookMs, told: ABORTED, A: NEVER_SENT, B: NEVER_SENT }),
    ],
    ['a read', READ_MS, (run, tookMs) => run.read({}, { tookMs })],
    ['a read with a time limit', 30, (run, tookMs) => run.read({ timeoutMs: 30 }, { tookMs })],
    ['a failed read', READ_MS, (run, tookMs) => run.read({}, { tookMs, told: BOTH_FAILED, usable: [] })],
  ])('allows %s %d ms, and the time the process was stalled', (_call, limitMs, make) => {
    const inTime = new HandMadeRun();
    make(inTime, limitMs + 5);
    expect(brokenRules(inTime)).toEqual([]);

    const late = new HandMadeRun();
    make(late, limitMs + 6);
    expect(brokenRules(late)).toEqual(['liveness']);

    const stalled = new HandMadeRun();
    stalled.ledger.stalls.push({ fromMs: 5, toMs: 20 });
    make(stalled, limitMs + 15);
    expect(brokenRules(stalled)).toEqual([]);

    const stalledLess = new HandMadeRun();
    stalledLess.ledger.stalls.push({ fromMs: 5, toMs: 20 });
    make(stalledLess, limitMs + 16);
    expect(brokenRules(stalledLess)).toEqual(['liveness']);
  });

  it('allows a shutdown its time and no timer afterwards', () => {
    const inTime = new HandMadeRun();
    inTime.end = { atMs: 10_000, endedMs: 12_100 };
    expect(brokenRules(inTime)).toEqual([]);

    const late = new HandMadeRun();
    late.end = { atMs: 10_000, endedMs: 12_101 };
    expect(brokenRules(late)).toEqual(['liveness']);

    const restarted = new HandMadeRun();
    restarted.ended(1, 'shut down', { leftTimers: 1 });
    expect(brokenRules(restarted)).toEqual(['liveness']);

    const killed = new HandMadeRun();
    killed.ended(1, 'killed', { leftTimers: 1 });
    expect(brokenRules(killed)).toEqual([]);
  });
});

const NEVER_SENT = { sent: 0, applied: 0, appliedMs: undefined, isThere: false };
