import { describe, expect, it } from 'vitest';
import type { LaneStats } from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import type { ProcessEnd } from '../ledger.js';
import { brokenRules, HandMadeRun, MISSING, REPLAYED } from './hand-made.js';

/** A run with one replayed write, one buried and one refused by the queue. */
function busyRun(setup?: Partial<Setup>): HandMadeRun {
  const run = new HandMadeRun(setup);
  run.write({}, { B: REPLAYED, told: ['applied', 'queued'] });
  run.write(
    { refusedBy: ['B'] },
    { B: { ...MISSING, handed: 1, queued: 1, buried: ['rejected'] }, told: ['applied', 'queued'] },
  );
  run.write({}, { B: { ...MISSING, handed: 1, dropped: 1 }, told: ['applied', 'lost'] });
  return run;
}

function judged(end: Partial<ProcessEnd>, B: Partial<LaneStats> = {}, setup?: Partial<Setup>): string[] {
  const run = busyRun(setup);
  run.end = end;
  run.stats = { B };
  return brokenRules(run);
}

describe('accounting', () => {
  it('accepts figures that add up', () => {
    expect(judged({})).toEqual([]);
    expect(judged({}, {}, { queue: 'durable' })).toEqual([]);
  });

  it.each<[string, Partial<ProcessEnd>, Partial<LaneStats>?]>([
    ['a sum that is wrong', {}, { applied: 2 }],
    ['a figure below zero', {}, { applied: 2, superseded: -1 }],
    ['a figure that is no number', {}, { applied: NaN }],
    ['dead letters that are not there', { deadLetters: [] }],
    ['something left in the queue', {}, { applied: 0, queued: 1 }],
    ['something left in flight', {}, { applied: 0, inFlight: 1 }],
    ['a call left on the wire', { inFlight: { A: 0, B: 1 } }],
    ['reports that the instance did not count', { lost: 1 }],
    ['something lost for no reason', { dropped: 3, lost: 3 }],
    ['something lost and not reported', { dropped: 1, lost: 1 }],
    ['something that was never given to it', {}, { enqueued: 4, applied: 2 }],
    ['something given to it and not counted', {}, { enqueued: 2, applied: 0 }],
  ])('finds %s', (_wrong, end, stats) => {
    expect(judged(end, stats)).toEqual(['accounting']);
  });

  it('finds what a queue refused that was never full', () => {
    // 3 enqueued, and room reserved for both sides of 3 writes.
    expect(judged({}, {}, { capacity: 8 })).toEqual([]);
    expect(judged({}, {}, { capacity: 9 })).toEqual(['accounting']);
    const faulty = busyRun({ capacity: 9 });
    faulty.steps.push({ atMs: 1, do: 'queue fault', fault: 'full', forMs: 5 });
    expect(brokenRules(faulty)).toEqual([]);
  });

  it('asks less of a process that ends in the middle', () => {
    const run = new HandMadeRun();
    const stats = { enqueued: 4, applied: 1, queued: 1, inFlight: 1, deadLettered: 1, purged: 0 };
    const lane: LaneStats = { ...stats, superseded: 0, dropped: 0, oldestAgeMs: 5, open: true };
    run.ended(1, 'killed', { stats: { A: lane, B: lane }, inFlight: { A: 1, B: 1 } });
    expect(brokenRules(run)).toEqual([]);

    const wrong = new HandMadeRun();
    wrong.ended(1, 'killed', { stats: { A: { ...lane, applied: 2 }, B: lane } });
    expect(brokenRules(wrong)).toEqual(['accounting']);
  });
});
