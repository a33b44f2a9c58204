import { describe, expect, it } from 'vitest';
import type { ReadStep, Step } from '../history.js';
import { brokenRules, HandMadeRun, MISSING, type ReadCourse, REPLAYED } from './hand-made.js';

const STICKY: Partial<ReadStep> = { call: 'c', isSticky: true };
const A: ReadCourse = { asked: ['A'] };
const B: ReadCourse = { asked: ['B'] };

/** Reads of one sticky call, one after the other. */
function run(...courses: readonly ReadCourse[]): HandMadeRun {
  const made = new HandMadeRun();
  for (const course of courses) made.read(STICKY, course);
  return made;
}

describe('sticky', () => {
  it('finds a read that asks another side than the ones before', () => {
    expect(brokenRules(run(A, A, A))).toEqual([]);
    expect(brokenRules(run(A, A, B))).toEqual(['sticky']);
  });

  it('asks nothing of reads that are in no such call, or in different ones', () => {
    for (const steps of [
      [{}, {}],
      [{ call: 'c' }, { call: 'c' }],
      [STICKY, { ...STICKY, call: 'd' }],
    ]) {
      const made = new HandMadeRun();
      made.read(steps[0], A);
      made.read(steps[1], B);
      expect(brokenRules(made)).toEqual([]);
    }
    expect(brokenRules(run(A, { ...B, process: 2 }))).toEqual([]);
  });

  it('knows nothing of a side that has answered none of them', () => {
    expect(brokenRules(run({ ...A, told: 'waiting' }, B))).not.toContain('sticky');
  });

  it('stays with the side that has answered instead of one that failed', () => {
    const moved: ReadCourse = { asked: ['A', 'B'] };
    expect(brokenRules(run(A, moved, B))).toEqual([]);
    expect(brokenRules(run(A, moved, A))).toEqual(['sticky']);
  });

  it('does not know where they stay when one begins as another moves them', () => {
    const made = run(A, { asked: ['A', 'B'], startedMs: 100, tookMs: 10 });
    made.read(STICKY, { ...A, startedMs: 110, tookMs: 2 });
    made.read(STICKY, { ...B, startedMs: 120, tookMs: 2 });
    expect(brokenRules(made)).toEqual([]);
    made.read(STICKY, { ...A, startedMs: 130 });
    expect(brokenRules(made)).toEqual(['sticky']);
  });

  it('is not moved by a hedge that is faster, unless the first may have failed', () => {
    const hedged = (tookMs: number, failed: boolean): string[] => {
      const made = run(A);
      const read = made.read({ ...STICKY, hedgeAfterMs: 1 }, { asked: ['A', 'B'], tookMs });
      for (const each of read.asked)
        if (each.cluster === 'A') each.failedMs = failed ? read.startedMs : undefined;
      made.read(STICKY, { ...B, startedMs: read.startedMs + tookMs + 1 });
      return brokenRules(made);
    };
    expect(hedged(2, false)).toEqual(['sticky']);
    expect(hedged(2, true)).toEqual([]);
    expect(hedged(new HandMadeRun().setup.readTimeoutMs, false)).toEqual([]);
  });

  it('lets them go to the other side while something speaks against theirs', () => {
    expect(brokenRules(run(A, { ...B, draining: ['A'] }))).toEqual([]);
    expect(brokenRules(run(A, { ...B, draining: ['B'] }))).toEqual(['sticky']);

    const avoided = run(A, { ...B, startedMs: 50 });
    avoided.ledger.breakers.push({ process: 1, cluster: 'A', state: 'open', atMs: 40 });
    expect(brokenRules(avoided)).not.toContain('sticky');
    avoided.ledger.breakers[0] = { process: 1, cluster: 'A', state: 'open', atMs: 60 };
    expect(brokenRules(avoided)).toContain('sticky');

    const isBehind = (readMs: number, ...steps: Step[]): string[] => {
      const made = new HandMadeRun();
      made.steps.push(...steps);
      made.write({}, { startedMs: 1, A: { ...REPLAYED, appliedMs: 9_000 }, told: ['queued', 'applied'] });
      made.read(STICKY, { ...A, startedMs: 10 });
      made.read(STICKY, { ...B, startedMs: readMs });
      return brokenRules(made);
    };
    const { maxReadLagMs } = new HandMadeRun().setup;
    expect(isBehind(maxReadLagMs)).toEqual(['sticky']);
    expect(isBehind(maxReadLagMs + 2)).toEqual([]);
    expect(isBehind(30_000)).toEqual(['sticky']);
    expect(isBehind(30_000, { atMs: 0, do: 'queue fault', fault: 'redelivers', forMs: 1 })).toEqual([]);
  });

  it('leaves it open when the call has written what one side misses', () => {
    const made = new HandMadeRun();
    made.write({ call: 'c' }, { A: { ...MISSING, ...REPLAYED }, told: ['queued', 'applied'] });
    made.read(STICKY, A);
    made.read(STICKY, B);
    expect(brokenRules(made)).not.toContain('sticky');
  });
});
