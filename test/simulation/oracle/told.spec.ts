import { describe, expect, it } from 'vitest';
import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  type FailureOutcome,
  OperationAbortedError,
  OverloadedError,
  ReplayQueueFullError,
  type SideStatus,
} from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import type { SideTruth } from '../ledger.js';
import { HandMadeRun, type WriteCourse } from './hand-made.js';
import { APPLIED, IN_DOUBT, LEFT_OUT, REFUSED, UNANSWERED, UNREACHED } from './hand-made-fates.js';

const STATUSES: readonly SideStatus[] = [
  ...(['applied', 'queued', 'spooled', 'pending', 'inDoubt', 'rejected', 'lost'] as const),
];
const ONCE = { class: 'once' } as const;
const QUEUED_FOR_BOTH: Partial<Setup> = { queue: 'durable', whenBothFail: 'queue' };

function isWrong(course: WriteCourse, step: Partial<WriteStep> = {}, setup?: Partial<Setup>): boolean {
  const run = new HandMadeRun(setup);
  run.write(step, course);
  return run.judge().some(({ rule }) => rule === 'told');
}

function dual(outcome: FailureOutcome): Error {
  return new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, outcome);
}

function refusal(outcome: FailureOutcome): Error {
  return new ClusterError('Refused', 'A', 'write', outcome, {});
}

describe('A receipt', () => {
  it.each<[string, Partial<SideTruth>, readonly SideStatus[], Partial<WriteStep>?, Partial<Setup>?]>([
    ['has applied it', APPLIED, ['applied']],
    ['was not reached', UNREACHED, ['queued', 'spooled', 'lost']],
    ['was left out', LEFT_OUT, ['queued', 'spooled', 'lost']],
    ['is in doubt', IN_DOUBT, ['queued', 'spooled', 'lost']],
    ['is in doubt of what must not be repeated', IN_DOUBT, ['inDoubt', 'lost'], ONCE],
    ['refuses it', REFUSED, ['rejected', 'lost']],
    ['misses it, and there is no queue', UNREACHED, ['lost'], {}, { queue: 'none' }],
  ])('says of a side that %s what the table says', (_, truth, due, step, setup) => {
    const accepted = (of: (status: SideStatus) => WriteCourse): SideStatus[] =>
      STATUSES.filter((status) => !isWrong(of(status), step, setup));
    expect(accepted((status) => ({ A: APPLIED, B: truth, told: ['applied', status] }))).toEqual(due);
    expect(accepted((status) => ({ A: truth, B: APPLIED, told: [status, 'applied'] }))).toEqual(due);
  });

  it('does not say lost of a side whose place in the queue was reserved', () => {
    const lost: WriteCourse = { A: APPLIED, B: LEFT_OUT, told: ['applied', 'lost'] };
    expect(isWrong(lost, {}, { onReplayLost: 'throw' })).toBe(true);
    expect(isWrong({ ...lost, B: UNREACHED }, {}, { onReplayLost: 'throw' })).toBe(false);
    expect(isWrong(lost, {}, { onReplayLost: 'throw', writeStrategy: 'A first' })).toBe(false);
    expect(isWrong(lost, {}, { onReplayLost: 'throw', queue: 'durable' })).toBe(false);
  });

  it('comes when both sides have ended', () => {
    expect(isWrong({ A: APPLIED, B: UNANSWERED, told: ['applied', 'queued'], tookMs: 499 })).toBe(true);
    expect(isWrong({ A: APPLIED, B: UNANSWERED, told: ['applied', 'queued'], tookMs: 500 })).toBe(false);
  });

  it('leaves open only what a strategy does not wait for, and what is open', () => {
    const course: WriteCourse = { A: APPLIED, B: UNANSWERED, told: ['applied', 'pending'] };
    const hasty = { writeStrategy: 'hasty' } as const;
    expect(isWrong(course, {}, hasty)).toBe(false);
    expect(isWrong({ ...course, tookMs: 12 }, {}, { writeStrategy: 'straggler', stragglerMs: 10 })).toBe(
      false,
    );
    expect(isWrong({ ...course, tookMs: 11 }, {}, { writeStrategy: 'straggler', stragglerMs: 10 })).toBe(
      true,
    );
    expect(isWrong({ ...course, tookMs: 12 }, { ack: 'both' }, { stragglerMs: 10 })).toBe(true);
    expect(isWrong(course, {}, { writeStrategy: 'A first' })).toBe(true);
    expect(isWrong(course, { ack: 'both' }, hasty)).toBe(true);
    expect(isWrong({ ...course, B: UNREACHED }, {}, hasty)).toBe(false);
    expect(isWrong({ ...course, B: UNREACHED, tookMs: 3 }, {}, hasty)).toBe(true);
    expect(isWrong({ ...course, B: LEFT_OUT }, {}, hasty)).toBe(true);
  });

  it('leaves open what is open at the end of the time of its caller', () => {
    const course: WriteCourse = { A: APPLIED, B: UNANSWERED, told: ['applied', 'pending'], tookMs: 20 };
    expect(isWrong(course, { timeoutMs: 20 })).toBe(false);
    expect(isWrong(course, { timeoutMs: 21 })).toBe(true);
    expect(isWrong(course, { abortAfterMs: 20, abortsAs: 'timeout' })).toBe(false);
    expect(isWrong(course, { abortAfterMs: 20 })).toBe(true);
    expect(isWrong({ ...course, A: UNANSWERED }, { timeoutMs: 20 })).toBe(true);
  });

  it('knows of a side that was given up what a time that is over says of it', () => {
    const released = { ...UNANSWERED, releasedMs: 110 };
    const queued = (tookMs: number): boolean =>
      isWrong({ A: APPLIED, B: released, told: ['applied', 'queued'], tookMs });
    expect(queued(99)).toBe(true);
    expect(queued(100)).toBe(false);
    expect(isWrong({ A: APPLIED, B: released, told: ['applied', 'applied'], tookMs: 100 })).toBe(true);
  });

  it('of a write that neither side has says queued for both, and only where it is certain', () => {
    const of = (B: Partial<SideTruth>, status: SideStatus): boolean =>
      isWrong({ A: UNREACHED, B, told: ['queued', status] }, {}, QUEUED_FOR_BOTH);
    expect(STATUSES.filter((status) => !of(UNREACHED, status))).toEqual(['queued', 'spooled']);
    expect(of(LEFT_OUT, 'queued')).toBe(false);
    expect(of(IN_DOUBT, 'queued')).toBe(true);
    expect(of(REFUSED, 'queued')).toBe(true);
  });
});

describe('An error', () => {
  it.each<[string, Partial<SideTruth>, Partial<SideTruth>, FailureOutcome | undefined]>([
    ['neither can have it', UNREACHED, LEFT_OUT, 'notApplied'],
    ['one may have it', UNREACHED, IN_DOUBT, 'unknown'],
    ['both may have it', IN_DOUBT, IN_DOUBT, 'unknown'],
    ['one refuses it', REFUSED, IN_DOUBT, undefined],
  ])('of both sides says what is certain: %s', (_, A, B, due) => {
    for (const outcome of ['notApplied', 'unknown'] as const) {
      expect(isWrong({ A, B, told: dual(outcome) })).toBe(outcome !== due);
      expect(isWrong({ A: B, B: A, told: dual(outcome) })).toBe(outcome !== due);
    }
  });

  it('of both sides may be in doubt of the queue', () => {
    const course: WriteCourse = { A: UNREACHED, B: UNREACHED, told: dual('unknown') };
    expect(isWrong(course, {}, QUEUED_FOR_BOTH)).toBe(false);
    const refused = (refusedMs: number): Partial<SideTruth> => ({ ...UNREACHED, refusedMs });
    expect(isWrong({ ...course, A: refused(0), B: refused(0) }, {}, QUEUED_FOR_BOTH)).toBe(true);
    expect(isWrong({ ...course, A: refused(0), B: refused(Infinity) }, {}, QUEUED_FOR_BOTH)).toBe(false);
  });

  it('comes when both sides have ended', () => {
    expect(isWrong({ A: UNREACHED, B: UNANSWERED, told: dual('unknown'), tookMs: 499 })).toBe(true);
    expect(isWrong({ A: UNREACHED, B: UNANSWERED, told: dual('unknown'), tookMs: 500 })).toBe(false);
    expect(isWrong({ A: REFUSED, B: UNANSWERED, told: refusal('unknown'), tookMs: 499 })).toBe(true);
    expect(isWrong({ A: REFUSED, B: UNANSWERED, told: refusal('unknown'), tookMs: 500 })).toBe(false);
  });

  it.each<[Partial<SideTruth>, FailureOutcome]>([
    [UNREACHED, 'notApplied'],
    [LEFT_OUT, 'notApplied'],
    [REFUSED, 'notApplied'],
    [IN_DOUBT, 'unknown'],
  ])('of a side that refuses it says what the other can have: %o', (B, due) => {
    for (const outcome of ['notApplied', 'unknown'] as const) {
      expect(isWrong({ A: REFUSED, B, told: refusal(outcome) })).toBe(outcome !== due);
    }
    expect(isWrong({ A: UNREACHED, B, told: refusal(due) })).toBe(true);
  });

  it('of a write that was not sent is of one that was not sent, and has a reason', () => {
    const nothing: WriteCourse = { A: LEFT_OUT, B: LEFT_OUT };
    const draining = new BothClustersDrainingError('Draining');
    expect(isWrong({ ...nothing, told: draining, drained: ['A', 'B'] })).toBe(false);
    expect(isWrong({ ...nothing, told: draining, drained: ['A'] })).toBe(true);
    expect(isWrong({ ...nothing, A: UNREACHED, told: draining, drained: ['A', 'B'] })).toBe(true);
    expect(isWrong({ ...nothing, told: draining, drained: ['A', 'B'] }, {}, QUEUED_FOR_BOTH)).toBe(true);

    const overloaded = new OverloadedError('Too much');
    expect(isWrong({ ...nothing, told: overloaded })).toBe(false);
    expect(isWrong({ ...nothing, told: overloaded }, {}, { maxInFlight: 1_024 })).toBe(true);

    const full = new ReplayQueueFullError('Full');
    expect(isWrong({ ...nothing, told: full }, {}, { onReplayLost: 'throw' })).toBe(false);
    expect(isWrong({ ...nothing, told: full }, {}, { onReplayLost: 'report' })).toBe(true);
  });

  it('says that both were draining when they were', () => {
    const course: WriteCourse = { A: LEFT_OUT, B: LEFT_OUT, draining: ['A', 'B'] };
    expect(isWrong({ ...course, told: new BothClustersDrainingError('Draining') })).toBe(false);
    expect(isWrong({ ...course, told: dual('notApplied') })).toBe(true);
    expect(isWrong({ ...course, told: ['queued', 'queued'] }, {}, QUEUED_FOR_BOTH)).toBe(false);
    expect(isWrong({ ...course, told: dual('notApplied'), draining: ['A'] })).toBe(false);
  });

  it('of a caller that has gone says that nothing was sent, if nothing was', () => {
    const gone = (outcome: FailureOutcome): Error => new OperationAbortedError('Aborted', outcome, {});
    const step = { timeoutMs: 5 };
    expect(isWrong({ A: LEFT_OUT, B: LEFT_OUT, told: gone('notApplied') }, step)).toBe(false);
    expect(isWrong({ A: LEFT_OUT, B: UNREACHED, told: gone('unknown') }, step)).toBe(true);
    expect(isWrong({ A: LEFT_OUT, B: UNANSWERED, told: gone('unknown') }, step)).toBe(false);
  });
});
