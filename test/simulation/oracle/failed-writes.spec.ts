import { describe, expect, it } from 'vitest';
import { DualClusterError, type SideStatus } from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import { brokenRules, HandMadeRun, MISSING, REPLAYED, type WriteCourse } from './hand-made.js';

const failed = new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, 'unknown');

function judged(course: WriteCourse, step: Partial<WriteStep> = {}, setup?: Partial<Setup>): string[] {
  const run = new HandMadeRun({ maxInFlight: 1_024, ...setup });
  run.write(step, course);
  return brokenRules(run);
}

describe('write failed', () => {
  it('must not happen while a side is well, unless it refuses the write or may be full', () => {
    const course: WriteCourse = { A: REPLAYED, B: REPLAYED, told: failed };
    expect(judged(course)).toEqual([]);
    expect(judged({ ...course, usable: ['A'] })).toEqual(['write failed']);
    expect(judged({ ...course, usable: ['A'] }, {}, { maxInFlight: 16 })).toEqual([]);
    const refused: WriteCourse = { A: MISSING, B: MISSING, told: failed, usable: ['A'] };
    expect(judged(refused, { refusedBy: ['A'], class: 'once' })).toEqual([]);
  });

  it('may happen to a write that there was no time for', () => {
    const course: WriteCourse = { A: REPLAYED, B: REPLAYED, told: failed, usable: ['A'] };
    expect(judged(course, { prepareMs: 486 })).toEqual(['write failed']);
    expect(judged(course, { prepareMs: 487 })).toEqual([]);
  });

  it.each<[acknowledgedMs: number, told: readonly [SideStatus, SideStatus], ok: boolean]>([
    [11, ['applied', 'applied'], true],
    [11, ['applied', 'queued'], false],
    [12, ['applied', 'queued'], true],
  ])('says what a side has acknowledged: B at %d ms, told %j: %s', (acknowledgedMs, told, ok) => {
    const B = { ...REPLAYED, attemptedMs: 10, acknowledgedMs };
    expect(judged({ B, told }).includes('write failed')).toBe(!ok);
  });
});
