import { describe, expect, it } from 'vitest';
import { ClusterError, DualClusterError, OperationAbortedError } from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import type { SideTruth } from '../ledger.js';
import { brokenRules, HandMadeRun, MISSING, type WriteCourse } from './hand-made.js';

const GONE = new OperationAbortedError('Aborted', 'unknown', {});

function judged(
  step: Partial<WriteStep>,
  course: WriteCourse,
  { isKilled = false, ...setup }: Partial<Setup> & { isKilled?: boolean } = {},
): string[] {
  const run = new HandMadeRun(setup);
  run.write({ timeoutMs: 5, ...step }, course);
  if (isKilled) run.ended(1, 'killed');
  return brokenRules(run);
}

describe('convergence', () => {
  it('finds a write that is on one side only', () => {
    expect(judged({}, { told: GONE })).toEqual([]);
    expect(judged({}, { A: MISSING, B: MISSING, told: GONE })).toEqual([]);
    expect(judged({}, { A: MISSING, told: GONE })).toEqual(['convergence']);
    expect(judged({}, { B: MISSING, told: GONE })).toEqual(['convergence']);
  });

  it.each<[string, Partial<WriteStep>, Partial<SideTruth>]>([
    ['is in the dead letters', { class: 'once' }, { ...MISSING, handed: 1, buried: ['inDoubt'] }],
    ['was purged', { class: 'once' }, { ...MISSING, handed: 1, buried: ['inDoubt'], purged: true }],
    ['was reported lost', {}, { ...MISSING, handed: 1, dropped: 1 }],
    ['was lost by the cluster', {}, { isThere: false, wasLostByCluster: true }],
  ])('accepts one that %s', (_reason, step, B) => {
    expect(judged(step, { B, told: GONE })).toEqual([]);
  });

  it('accepts what nobody replays', () => {
    expect(judged({}, { B: MISSING, told: GONE }, { queue: 'none' })).toEqual([]);
  });

  it('accepts what went with a process that was killed, and nothing that a durable queue had taken', () => {
    const B = { ...MISSING, handed: 1, queued: 1 };
    expect(judged({}, { B, told: GONE }, { isKilled: true })).toEqual([]);
    expect(judged({}, { B, told: GONE }, { isKilled: true, queue: 'durable' })).toEqual([]);
    expect(judged({}, { B, told: 'waiting' }, { isKilled: true, queue: 'durable' })).toEqual([]);
    expect(judged({}, { B, told: ['applied', 'queued'] }, { isKilled: true })).toEqual([]);
    expect(judged({}, { B, told: ['applied', 'queued'] }, { isKilled: true, queue: 'durable' })).toEqual([
      'receipt',
      'convergence',
    ]);
  });

  it('does not accept what a process lost that was shut down', () => {
    const run = new HandMadeRun();
    run.write({ timeoutMs: 5 }, { B: MISSING, told: GONE });
    run.ended(1, 'shut down');
    expect(brokenRules(run)).toEqual(['convergence']);
  });

  it('accepts the dead letter of the doubtful side where the other one is left alone', () => {
    const A: Partial<SideTruth> = { handed: 1, buried: ['inDoubt'] };
    const failed = new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, 'unknown');
    expect(judged({ class: 'once' }, { A, B: MISSING, told: failed })).toEqual([]);
    expect(judged({ class: 'once' }, { B: MISSING, told: failed })).toEqual(['convergence']);
    const refused = new ClusterError('Refused', 'B', 'write', 'unknown', {});
    expect(judged({ refusedBy: ['B'] }, { A, B: MISSING, told: refused })).toEqual([]);
    expect(judged({ refusedBy: ['B'] }, { A: { handed: 1, dropped: 1 }, B: MISSING, told: refused })).toEqual(
      [],
    );
    expect(judged({}, { A, B: MISSING, told: GONE })).toEqual(['dead letter', 'convergence']);
  });
});
