import { describe, expect, it } from 'vitest';
import { DualClusterError, OperationAbortedError } from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import { brokenRules, HandMadeRun, MISSING, REPLAYED, type WriteCourse } from './hand-made.js';

/** It resolves at 21 ms. */
function judged(course: WriteCourse, step: Partial<WriteStep> = {}, setup?: Partial<Setup>): string[] {
  const run = new HandMadeRun(setup);
  run.write({ timeoutMs: 50, ...step }, course);
  run.syncPoint();
  return brokenRules(run);
}

describe('sync point', () => {
  const LATER = { ...REPLAYED, appliedMs: 22 };
  const told = ['applied', 'queued'] as const;

  it('resolves when both sides have every write', () => {
    expect(judged({ B: { ...REPLAYED, appliedMs: 21 }, told })).toEqual([]);
    expect(judged({ B: LATER, told })).toEqual(['sync point']);
  });

  it('names the write, the side and the moment', () => {
    const run = new HandMadeRun();
    run.write({}, { B: LATER, told });
    run.syncPoint();
    expect(run.judge()[0]?.message).toMatch(
      /^Sync point .*21 ms; B had neither got nor given up Write w1 .*first at 22 ms/,
    );
  });

  it('does not wait for what is decided', () => {
    expect(judged({ B: { ...MISSING, handed: 1, dropped: 1 }, told: ['applied', 'lost'] })).toEqual([]);
    const buried: WriteCourse = { B: { ...LATER, buried: ['inDoubt'] }, told };
    expect(judged(buried, { class: 'once' })).toEqual([]);
    expect(judged({ B: LATER, told: ['applied', 'lost'] }, {}, { queue: 'none' })).toEqual([]);
  });

  it('is not reached by what the queue had taken and hands back at its end', () => {
    const handedBack = { ...MISSING, handed: 1, queued: 1, dropped: 1 };
    expect(judged({ B: handedBack, told })).toContain('sync point');
    expect(judged({ B: { ...handedBack, burials: ['rejected'] }, told })).not.toContain('sync point');
    expect(judged({ B: handedBack, told }, {}, { queue: 'durable' })).not.toContain('sync point');
  });

  it('does not wait for what a side refuses, whatever became of its dead letter', () => {
    const run = new HandMadeRun();
    run.write({ refusedBy: ['B'] }, { B: MISSING, told: ['applied', 'rejected'] });
    run.syncPoint();
    run.ended(1, 'killed');
    expect(brokenRules(run)).toEqual([]);
  });

  it('is not asked about what came after it', () => {
    const run = new HandMadeRun();
    run.syncPoint();
    run.write({}, { B: { ...REPLAYED, appliedMs: 90 }, told });
    expect(brokenRules(run)).toEqual([]);
  });

  it('lets what failed be nowhere, but not come later', () => {
    const gone = new OperationAbortedError('Aborted', 'unknown', {});
    const errors = { A: new Error('a'), B: new Error('b') };
    const failed = new DualClusterError('Failed', errors, 'notApplied');
    expect(judged({ A: MISSING, B: MISSING, told: failed })).toEqual([]);
    expect(judged({ A: MISSING, B: MISSING, told: gone })).toEqual([]);
    expect(judged({ B: LATER, told: gone })).toEqual(['sync point']);
    expect(judged({ B: LATER, told: gone }, {}, { queue: 'durable', whenBothFail: 'queue' })).toEqual([]);
  });

  it('says nothing when it fails', () => {
    const run = new HandMadeRun({ queue: 'durable' });
    run.write({}, { B: LATER, told });
    run.syncPoint(new Error('The queue cannot be reached'));
    expect(brokenRules(run)).toEqual([]);
  });
});
