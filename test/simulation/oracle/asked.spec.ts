import { describe, expect, it } from 'vitest';
import { DualClusterError, OperationAbortedError, OverloadedError } from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import { brokenRules, HandMadeRun, type WriteCourse } from './hand-made.js';
import { APPLIED, handed, LEFT_OUT, REFUSED, UNREACHED } from './hand-made-fates.js';

const failed = new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, 'notApplied');

function judged(course: WriteCourse, step: Partial<WriteStep> = {}, setup?: Partial<Setup>): string[] {
  const run = new HandMadeRun({ maxInFlight: 1_024, ...setup });
  run.write(step, course);
  return brokenRules(run);
}

describe('asked', () => {
  it('must be every side before a write fails, unless it drains or is full', () => {
    const course: WriteCourse = { A: UNREACHED, B: LEFT_OUT, told: failed };
    expect(judged(course)).toEqual(['asked']);
    expect(judged({ ...course, B: UNREACHED })).toEqual([]);
    expect(judged({ ...course, drained: ['B'] })).toEqual([]);
    expect(judged({ ...course, drained: ['A'] })).toEqual(['asked']);
    expect(judged({ ...course, full: ['B'] })).toEqual([]);
    expect(judged({ ...course, full: ['A'] })).toEqual(['asked']);
  });

  it('is nobody if both are full, which the error must say', () => {
    const setup = { maxInFlight: 16 };
    const course: WriteCourse = { A: LEFT_OUT, B: LEFT_OUT, full: ['A', 'B'], told: failed };
    expect(judged(course, {}, setup)).toEqual(['asked']);
    expect(judged(course, {}, { ...setup, writeStrategy: 'A first' })).toEqual([]);
    expect(judged({ ...course, full: ['B'] }, {}, { ...setup, writeStrategy: 'A first' })).toEqual(['asked']);
    expect(judged({ ...course, told: new OverloadedError('Too much') }, {}, setup)).toEqual([]);
    expect(judged({ ...course, drained: ['A'] }, {}, setup)).toEqual([]);
  });

  it('must be every side before the queue gets a write for both', () => {
    const setup = { queue: 'durable', whenBothFail: 'queue' } as const;
    const [A, B] = [handed(UNREACHED, 'envelope'), handed(LEFT_OUT, 'envelope')];
    expect(judged({ A, B, told: ['queued', 'queued'] }, {}, setup)).toEqual(['asked']);
  });

  it('may be one side where the other has it', () => {
    const B = handed(LEFT_OUT, 'envelope');
    expect(judged({ A: APPLIED, B, told: ['applied', 'queued'] })).toEqual([]);
  });

  it('must be both where there is no queue, unless one drains', () => {
    const course: WriteCourse = { A: APPLIED, B: LEFT_OUT, told: ['applied', 'lost'] };
    expect(judged(course, {}, { queue: 'none' })).toEqual(['asked']);
    expect(judged(course, {}, { queue: 'none', maxInFlight: 16 })).toEqual(['asked']);
    expect(judged({ ...course, B: UNREACHED }, {}, { queue: 'none' })).toEqual([]);
    expect(judged({ ...course, drained: ['B'] }, {}, { queue: 'none' })).toEqual([]);
  });

  it('must not be a side that was draining', () => {
    const course: WriteCourse = { A: APPLIED, B: APPLIED };
    expect(judged({ ...course, draining: ['B'] })).toEqual(['asked']);
    expect(judged({ ...course, drained: ['B'] })).toEqual([]);
  });

  it('must not be the other side of one that has refused it', () => {
    const course: WriteCourse = { A: handed(REFUSED, 'rejected'), told: ['rejected', 'applied'] };
    const B = { ...APPLIED, acknowledgedMs: 14, appliedMs: 13 };
    expect(judged({ ...course, B, tookMs: 4 }, { refusedBy: ['A'] })).toEqual([]);
    expect(judged({ ...course, B: { ...B, attemptedMs: 12 }, tookMs: 4 }, { refusedBy: ['A'] })).toEqual([
      'asked',
    ]);
  });

  it('must not be anybody when the caller had gone before', () => {
    const gone: WriteCourse = { told: new OperationAbortedError('Aborted', 'unknown', {}) };
    expect(judged({ ...gone, A: APPLIED, B: APPLIED }, { abortAfterMs: 0 })).toContain('asked');
    expect(judged({ ...gone, A: APPLIED, B: APPLIED }, { abortAfterMs: 1 })).not.toContain('asked');
  });
});
