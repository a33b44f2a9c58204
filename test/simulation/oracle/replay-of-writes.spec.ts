import { describe, expect, it } from 'vitest';
import {
  ClusterError,
  DualClusterError,
  type FailureOutcome,
  OperationAbortedError,
} from '../../../lib/core/index.js';
import type { Setup, WriteStep } from '../history.js';
import type { SideTruth } from '../ledger.js';
import { HandMadeRun, type WriteCourse } from './hand-made.js';
import { APPLIED, BLOCKED, handed, IN_DOUBT, LEFT_OUT, REFUSED, UNREACHED } from './hand-made-fates.js';

type Got = SideTruth['handedAs'][number] | undefined;

const QUEUED_FOR_BOTH: Partial<Setup> = { queue: 'durable', whenBothFail: 'queue' };

function dual(outcome: FailureOutcome): Error {
  return new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, outcome);
}

function refusal(outcome: FailureOutcome): Error {
  return new ClusterError('Refused', 'A', 'write', outcome, {});
}

/** What is wrong with what replay got. */
function judged(course: WriteCourse, step: Partial<WriteStep> = {}, setup?: Partial<Setup>): string[] {
  const run = new HandMadeRun(setup);
  run.write(step, course);
  const found = run.judge().filter(({ rule }) => rule === 'replay of writes');
  return found.map(({ message }) => /for ([AB]) replay got .* instead of \w+/.exec(message)?.[0] ?? message);
}

function give(truth: Partial<SideTruth>, got: Got): Partial<SideTruth> {
  return got === undefined ? truth : handed(truth, got);
}

type Row = [
  name: string,
  A: Partial<SideTruth>,
  B: Partial<SideTruth>,
  told: WriteCourse['told'],
  due: readonly [Got, Got],
  step?: Partial<WriteStep>,
  setup?: Partial<Setup>,
];

describe('What replay gets of a write', () => {
  it.each<Row>([
    ['applied, applied', APPLIED, APPLIED, undefined, [undefined, undefined]],
    ['applied, unreached', APPLIED, UNREACHED, ['applied', 'queued'], [undefined, 'envelope']],
    ['applied, blocked', APPLIED, BLOCKED, ['applied', 'queued'], [undefined, 'envelope']],
    ['left out, applied', LEFT_OUT, APPLIED, ['queued', 'applied'], ['envelope', undefined]],
    ['applied, in doubt', APPLIED, IN_DOUBT, ['applied', 'queued'], [undefined, 'envelope']],
    [
      'applied, in doubt, once',
      ...[APPLIED, IN_DOUBT, ['applied', 'inDoubt'], [undefined, 'inDoubt'], { class: 'once' }],
    ] as Row,
    ['applied, refused', APPLIED, REFUSED, ['applied', 'rejected'], [undefined, 'rejected']],
    ['refused, unreached', REFUSED, UNREACHED, refusal('notApplied'), [undefined, undefined]],
    ['refused, refused', REFUSED, REFUSED, refusal('notApplied'), [undefined, undefined]],
    ['refused, in doubt', REFUSED, IN_DOUBT, refusal('unknown'), [undefined, 'inDoubt']],
    ['unreached, left out', UNREACHED, LEFT_OUT, dual('notApplied'), [undefined, undefined]],
    ['in doubt, unreached', IN_DOUBT, UNREACHED, dual('unknown'), ['envelope', 'envelope']],
    ['in doubt, in doubt', IN_DOUBT, IN_DOUBT, dual('unknown'), ['envelope', 'envelope']],
    [
      'in doubt, unreached, once',
      ...[IN_DOUBT, UNREACHED, dual('unknown'), ['inDoubt', undefined], { class: 'once' }],
    ] as Row,
    [
      'in doubt, in doubt, once',
      ...[IN_DOUBT, IN_DOUBT, dual('unknown'), ['inDoubt', 'inDoubt'], { class: 'once' }],
    ] as Row,
    [
      'unreached, unreached, queued for both',
      ...[UNREACHED, UNREACHED, ['queued', 'queued'], ['envelope', 'envelope'], {}, QUEUED_FOR_BOTH],
    ] as Row,
  ])('is what the table says: %s', (_, A, B, told, [forA, forB], step = {}, setup = {}) => {
    const course = told ? { told } : {};
    const [rightA, rightB] = [give(A, forA), give(B, forB)];
    expect(judged({ ...course, A: rightA, B: rightB }, step, setup)).toEqual([]);

    const all: readonly Got[] = [undefined, 'envelope', 'inDoubt', 'rejected'];
    for (const wrong of all.filter((each) => each !== forA)) {
      expect(judged({ ...course, A: give(A, wrong), B: rightB }, step, setup)).toHaveLength(1);
    }
    for (const wrong of all.filter((each) => each !== forB)) {
      expect(judged({ ...course, A: rightA, B: give(B, wrong) }, step, setup)).toHaveLength(1);
    }
  });

  it('it gets once', () => {
    const B = handed(UNREACHED, 'envelope', 'envelope');
    expect(judged({ A: APPLIED, B, told: ['applied', 'queued'] })).toEqual([
      'for B replay got envelope and envelope instead of envelope',
    ]);
  });

  it('is nothing when the caller went before anything was sent', () => {
    const told = new OperationAbortedError('Aborted', 'notApplied', {});
    const step = { timeoutMs: 5 };
    expect(judged({ A: UNREACHED, B: UNREACHED, told }, step, QUEUED_FOR_BOTH)).toEqual([]);
    const queued = handed(UNREACHED, 'envelope');
    expect(judged({ A: queued, B: queued, told }, step, QUEUED_FOR_BOTH)).toHaveLength(2);
  });

  it('is what it would be if the caller had not gone', () => {
    const told = new OperationAbortedError('Aborted', 'unknown', {});
    const course: WriteCourse = { A: APPLIED, told };
    expect(judged({ ...course, B: handed(UNREACHED, 'envelope') }, { timeoutMs: 5 })).toEqual([]);
    expect(judged({ ...course, B: UNREACHED }, { timeoutMs: 5 })).toHaveLength(1);
  });

  it('is nothing without a queue, and anything when the process was killed', () => {
    const course: WriteCourse = { A: APPLIED, B: UNREACHED, told: ['applied', 'lost'] };
    expect(judged(course, {}, { queue: 'none' })).toEqual([]);
    const run = new HandMadeRun();
    run.write({}, course);
    run.ended(1, 'killed');
    expect(run.judge().filter(({ rule }) => rule === 'replay of writes')).toEqual([]);
  });
});
