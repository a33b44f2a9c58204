import { describe, expect, it } from 'vitest';
import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  OperationAbortedError,
  OverloadedError,
  PartialWriteError,
  ReplayQueueFullError,
  SessionClosedError,
  type SideStatus,
} from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import type { SideTruth } from '../ledger.js';
import { brokenRules, HandMadeRun, MISSING, REPLAYED, type WriteCourse } from './hand-made.js';
import { REFUSED, UNREACHED } from './hand-made-fates.js';

const BURIED_IN_DOUBT: Partial<SideTruth> = { ...MISSING, handed: 1, buried: ['inDoubt'] };
const BURIED_AS_REJECTED: Partial<SideTruth> = { ...MISSING, handed: 1, buried: ['rejected'] };
const REJECTED_THEN_IN_DOUBT: Partial<SideTruth> = {
  ...MISSING,
  handed: 1,
  buried: ['inDoubt'],
  burials: ['rejected', 'inDoubt'],
};
const DROPPED: Partial<SideTruth> = { ...MISSING, handed: 1, dropped: 1 };

type Case = [name: string, step: Partial<WriteStep>, course: WriteCourse, setup?: Partial<Setup>];

function judged([, step, course, setup]: Case, isKilled = false): string[] {
  const run = new HandMadeRun(setup);
  run.write(step, course);
  if (isKilled) run.ended(1, 'killed');
  return brokenRules(run);
}

describe('receipt', () => {
  it.each<Case>([
    ['queued and replayed', {}, { B: REPLAYED, told: ['applied', 'queued'] }],
    ['queued and buried', { class: 'once' }, { B: BURIED_IN_DOUBT, told: ['applied', 'queued'] }],
    ['queued and reported lost', {}, { B: DROPPED, told: ['applied', 'queued'] }],
    ['pending and carried out', {}, { told: ['applied', 'pending'] }],
    ['pending and in doubt', { class: 'once' }, { B: BURIED_IN_DOUBT, told: ['applied', 'pending'] }],
    ['pending with no queue', {}, { B: MISSING, told: ['applied', 'pending'] }, { queue: 'none' }],
    ['in doubt', { class: 'once' }, { B: BURIED_IN_DOUBT, told: ['applied', 'inDoubt'] }],
    ['rejected', { refusedBy: ['B'] }, { B: BURIED_AS_REJECTED, told: ['applied', 'rejected'] }],
    [
      'rejected, put back by an operator, and in doubt then',
      { refusedBy: ['B'], class: 'once' },
      { B: REJECTED_THEN_IN_DOUBT, told: ['applied', 'rejected'] },
    ],
    ['lost', {}, { B: DROPPED, told: ['applied', 'lost'] }],
    ['lost with no queue', {}, { B: MISSING, told: ['applied', 'lost'] }, { queue: 'none' }],
    [
      'both queued',
      {},
      { A: REPLAYED, B: REPLAYED, told: ['queued', 'queued'] },
      { queue: 'durable', whenBothFail: 'queue' },
    ],
  ])('accepts %s', (...each) => {
    expect(judged(each)).toEqual([]);
  });

  it.each<Case>([
    ['applied too late', {}, { B: { appliedMs: 50 } }],
    ['applied and never carried out', {}, { A: MISSING, B: MISSING }],
    ['queued and gone on both', {}, { A: MISSING, B: MISSING, told: ['applied', 'queued'] }],
    ['in doubt, but idempotent', { refusedBy: ['A'] }, { B: BURIED_IN_DOUBT, told: ['applied', 'inDoubt'] }],
    ['in doubt and not buried', { class: 'once' }, { told: ['applied', 'inDoubt'] }],
    [
      'rejected, but carried out',
      { refusedBy: ['B'] },
      { B: { handed: 1, buried: ['rejected'] }, told: ['applied', 'rejected'] },
    ],
    ['lost, and nobody was told', {}, { told: ['applied', 'lost'] }],
    ['absent', {}, { told: ['applied', 'absent'] }],
    ['both queued without being asked for', {}, { A: REPLAYED, B: REPLAYED, told: ['queued', 'queued'] }],
    ["short of ack 'both'", { ack: 'both' }, { B: REPLAYED, told: ['applied', 'queued'] }],
    ['lost without a throw', {}, { B: DROPPED, told: ['applied', 'lost'] }, { onReplayLost: 'throw' }],
  ])('finds %s', (...each) => {
    expect(judged(each)).toEqual(['receipt']);
  });

  it.each<Case>([
    ['queued', {}, { B: MISSING, told: ['applied', 'queued'] }],
    ['pending', {}, { B: MISSING, told: ['applied', 'pending'] }],
    ['rejected', { refusedBy: ['B'] }, { B: MISSING, told: ['applied', 'rejected'] }],
  ])('finds %s that came to nothing, unless the queue was killed', (...each) => {
    expect(judged(each)).toContain('receipt');
    expect(judged(each, true)).toEqual([]);
  });

  it('finds a rejection by a side that does not refuse', () => {
    expect(judged(['', {}, { B: BURIED_AS_REJECTED, told: ['applied', 'rejected'] }])).toEqual([
      'receipt',
      'dead letter',
    ]);
  });

  it.each<[SideStatus, boolean]>([
    ['queued', false],
    ['spooled', true],
    ['pending', true],
  ])('knows what goes with a process whose queue is durable: %s %s', (status, goes) => {
    const course: WriteCourse = { B: { ...MISSING, handed: 1, queued: 1 }, told: ['applied', status] };
    const rules = judged(['', {}, course, { queue: 'durable' }], true);
    expect(rules).toEqual(goes ? [] : ['receipt', 'convergence']);
  });

  it.each(['id', 'timestamp'] as const)('compares the %s', (field) => {
    const run = new HandMadeRun();
    const write = run.write();
    if (write.answer.kind !== 'value') throw new Error('It was answered');
    const value = { ...write.answer.value, id: 'other', timestamp: 1 };
    const { [field]: wrong } = value;
    write.answer = { ...write.answer, value: { ...write.answer.value, [field]: wrong } };
    expect(brokenRules(run)).toEqual(['receipt']);
  });
});

describe('receipt of a partial write', () => {
  function judgedPartial(
    step: Partial<WriteStep>,
    B: Partial<SideTruth>,
    status: SideStatus,
    setup?: Partial<Setup>,
  ): string[] {
    const run = new HandMadeRun(setup);
    const write = run.write(step, { B });
    const receipt = { id: 'w1', timestamp: write.timestampUs, A: 'applied', B: status } as const;
    write.answer = { kind: 'error', error: new PartialWriteError('Incomplete', receipt), atMs: 12 };
    return brokenRules(run);
  }

  it('is held to the same rules', () => {
    expect(judgedPartial({ ack: 'both' }, REPLAYED, 'queued')).toEqual([]);
    expect(judgedPartial({ ack: 'both' }, MISSING, 'queued')).toEqual(['receipt', 'convergence']);
    expect(judgedPartial({}, DROPPED, 'lost', { onReplayLost: 'throw' })).toEqual([]);
  });

  it('needs a reason', () => {
    expect(judgedPartial({}, REPLAYED, 'queued')).toEqual(['receipt']);
    expect(judgedPartial({}, DROPPED, 'lost')).toEqual(['receipt']);
  });
});

const errors = { A: new Error('a'), B: new Error('b') };
const UNTOUCHED: Partial<SideTruth> = { ...MISSING, sent: 0 };

describe('receipt: notApplied', () => {
  it.each<[Error, Partial<WriteStep>?, WriteCourse?]>([
    [new DualClusterError('Failed', errors, 'notApplied'), {}, { A: UNREACHED, B: UNREACHED, full: ['B'] }],
    [new ClusterError('Refused', 'A', 'write', 'notApplied', {}), { refusedBy: ['A'] }, { A: REFUSED }],
    [new OperationAbortedError('Aborted', 'notApplied', {}), { abortAfterMs: 5 }],
    [new OverloadedError('Too much')],
    [new ReplayQueueFullError('Full')],
    [new BothClustersDrainingError('Draining'), {}, { draining: ['A', 'B'] }],
  ])('holds %s to its word', (told, step = {}, rest = {}) => {
    const broken = (course: WriteCourse, of: Partial<WriteStep> = step): string[] =>
      judged(['', of, { ...rest, told, ...course }, { onReplayLost: 'throw' }]);
    const course = { A: UNTOUCHED, B: UNTOUCHED, ...rest };
    expect(broken(course)).toEqual([]);
    expect(broken({ B: UNTOUCHED, A: {} })).toContain('receipt');
    expect(broken({ ...course, B: { ...UNTOUCHED, handed: 1, queued: 1 } })).toEqual(['receipt']);
    const buried: Partial<SideTruth> = { ...UNTOUCHED, handed: 1, buried: ['inDoubt'] };
    expect(broken({ ...course, B: buried }, { ...step, class: 'once' })).toEqual(['receipt']);
  });

  it('holds a closed instance to its word', () => {
    const run = new HandMadeRun();
    run.end = { atMs: 5 };
    run.write({}, { told: new SessionClosedError('Closed') });
    expect(brokenRules(run)).toEqual(['receipt']);
  });
});

describe('receipt: unknown', () => {
  const told = new DualClusterError('Failed', errors, 'unknown');

  it('of an idempotent write ends on both sides', () => {
    const neither: WriteCourse = { A: MISSING, B: MISSING, told };
    expect(judged(['', {}, { A: REPLAYED, B: REPLAYED, told }])).toEqual([]);
    expect(judged(['', {}, { A: DROPPED, B: DROPPED, told }])).toEqual([]);
    expect(judged(['', {}, neither])).toEqual(['receipt']);
    expect(judged(['', {}, neither], true)).toEqual([]);
    expect(judged(['', {}, neither, { queue: 'none' }])).toEqual([]);
    expect(judged(['', { class: 'once' }, neither])).toEqual([]);
    expect(judged(['', {}, neither, { queue: 'durable', whenBothFail: 'queue' }])).toEqual([]);
  });

  it('of a refused write has a dead letter on the other side', () => {
    const refused = new ClusterError('Refused', 'A', 'write', 'unknown', {});
    const course: WriteCourse = { A: MISSING, B: { handed: 1, buried: ['inDoubt'] }, told: refused };
    expect(judged(['', { refusedBy: ['A'] }, course])).toEqual([]);
    expect(judged(['', { refusedBy: ['A'] }, { ...course, B: MISSING }])).toEqual(['receipt']);
    expect(judged(['', { refusedBy: ['A'] }, { ...course, B: DROPPED }])).toEqual([]);
    expect(judged(['', { refusedBy: ['A'] }, { ...course, B: MISSING }, { queue: 'none' }])).toEqual([]);
  });

  it('comes from a side that refuses it', () => {
    const refused = new ClusterError('Refused', 'B', 'write', 'notApplied', {});
    expect(judged(['', { refusedBy: ['A'] }, { A: MISSING, B: MISSING, told: refused }])).toEqual([
      'receipt',
    ]);
  });

  it('of a caller that has gone says nothing', () => {
    const gone = new OperationAbortedError('Aborted', 'unknown', {});
    expect(judged(['', { timeoutMs: 5 }, { told: gone }])).toEqual([]);
    expect(judged(['', { timeoutMs: 5 }, { A: MISSING, B: MISSING, told: gone }])).toEqual([]);
  });
});
