import { describe, expect, it } from 'vitest';
import {
  ClusterError,
  DualClusterError,
  NoAvailableClusterError,
  OperationAbortedError,
} from '../../../lib/core/index.js';
import type { Change, ReadStep } from '../history.js';
import type { SeenRow } from '../ledger.js';
import { brokenRules, HandMadeRun, MISSING, type ReadCourse, REPLAYED } from './hand-made.js';

const BOTH_FAILED = new DualClusterError('Failed', { A: new Error('a'), B: new Error('b') }, 'notApplied');
const REFUSED = new ClusterError('Refused', 'A', 'read', 'notApplied', {});
const GONE = new OperationAbortedError('Aborted', 'unknown', {});

function judged(step: Partial<ReadStep>, course: ReadCourse, stallMs = 0): string[] {
  const run = new HandMadeRun();
  if (stallMs > 0) run.ledger.stalls.push({ fromMs: 0, toMs: 10 + stallMs });
  run.read(step, course);
  return brokenRules(run);
}

describe('read failed', () => {
  it('must not happen while a side is well', () => {
    expect(judged({}, { told: BOTH_FAILED, usable: [] })).toEqual([]);
    expect(judged({}, { told: BOTH_FAILED, usable: ['B'] })).toEqual(['read failed']);
    expect(judged({}, { told: REFUSED, usable: ['A', 'B'] })).toEqual(['read failed']);
  });

  it('may happen to a caller that has gone, a process that slept, and one that ends', () => {
    const gone = new OperationAbortedError('Aborted', 'notApplied', {});
    expect(judged({ timeoutMs: 5 }, { told: gone })).toEqual([]);
    expect(judged({}, { told: BOTH_FAILED, tookMs: 600 }, 491)).toEqual([]);
    expect(judged({}, { told: BOTH_FAILED, tookMs: 600 }, 490)).toEqual(['read failed']);
    const closing = new HandMadeRun();
    closing.end = { atMs: 11 };
    closing.read({}, { told: BOTH_FAILED });
    expect(brokenRules(closing)).toEqual([]);
  });

  it('may happen inside a call when only the other side has what it wrote', () => {
    const inCall = (course: ReadCourse, told: 'queued' | 'applied' | 'gone'): string[] => {
      const run = new HandMadeRun();
      const outcome = told === 'gone' ? GONE : (['applied', told] as const);
      run.write({ call: 'c', timeoutMs: 5 }, { B: REPLAYED, told: outcome });
      run.read({ call: 'c' }, { told: REFUSED, ...course });
      return brokenRules(run);
    };
    expect(inCall({ usable: ['B'] }, 'queued')).toEqual([]);
    expect(inCall({ usable: ['A'] }, 'queued')).toEqual(['read failed']);
    expect(inCall({ usable: ['B'] }, 'applied')).toEqual(['read failed']);
    expect(inCall({ usable: ['A', 'B'] }, 'gone')).toEqual([]);
  });

  it('must happen to a bad one, by the word of one side', () => {
    const isBad = true;
    expect(judged({ isBad }, { told: REFUSED })).toEqual([]);
    expect(judged({ isBad }, { told: new Map() })).toEqual(['read failed']);
    expect(judged({ isBad }, { told: BOTH_FAILED, asked: ['A', 'B'] })).toEqual(['read failed']);
    expect(judged({ isBad }, { told: BOTH_FAILED, asked: ['A', 'B'], usable: [] })).toEqual([]);
    expect(judged({ isBad }, { told: BOTH_FAILED, asked: ['A', 'B'], usable: ['B'] })).toEqual([
      'read failed',
    ]);
    expect(judged({ isBad }, { told: REFUSED, asked: ['A', 'B'] })).toEqual(['read failed']);
    expect(judged({ isBad }, { told: REFUSED, asked: ['A', 'B'], usable: ['B'] })).toEqual([]);
    expect(judged({ isBad, hedgeAfterMs: 1 }, { told: REFUSED, asked: ['A', 'B'] })).toEqual([]);
  });

  it('must not say that no side has connected after one has answered', () => {
    const told = new NoAvailableClusterError('None');
    const never = new HandMadeRun();
    never.read({}, { told, usable: [] });
    expect(brokenRules(never)).toEqual([]);
    const afterWrite = new HandMadeRun();
    afterWrite.write();
    afterWrite.read({}, { told, usable: [] });
    expect(brokenRules(afterWrite)).toEqual(['read failed']);
    const afterRead = new HandMadeRun();
    afterRead.read();
    afterRead.read({}, { told, usable: [] });
    expect(brokenRules(afterRead)).toEqual(['read failed']);
    const inAnother = new HandMadeRun();
    inAnother.write();
    inAnother.ended(1, 'killed');
    inAnother.read({}, { told, usable: [], process: 2 });
    expect(brokenRules(inAnother)).toEqual([]);
  });
});

describe('values', () => {
  const seen = (value: string, writeTimeUs: number, column = 'a'): SeenRow =>
    new Map([[column, { value, writeTimeUs }]]);

  it.each<[string, SeenRow, string?]>([
    ['what was written', seen('w1', 10_000)],
    ['a value from nowhere', seen('w9', 10_000), 'nobody wrote that'],
    ['the value of another row', seen('w2', 20_000), 'w2 was written to other'],
    ['the value of another column', seen('w1', 10_000, 'b'), 'w1 did not set that column'],
    ['the value of a deletion', seen('w3', 30_000), 'w3 did not set that column'],
    ['another write time', seen('w1', 10_001), 'w1 has write time 10000'],
  ])('sees %s', (_what, told, message) => {
    const run = new HandMadeRun();
    run.write({ key: 'k' });
    run.write({ key: 'other' });
    run.write({ key: 'k', change: { kind: 'unset', column: 'b' } });
    run.read({ key: 'k' }, { told });
    const found = run.judge().map(({ rule, message: text }) => `${rule}: ${text}`);
    expect(found).toHaveLength(message ? 1 : 0);
    if (message) expect(found[0]).toMatch(new RegExp(`^values: Read r1.*${message}$`));
  });

  it('come from a side that was asked', () => {
    const run = new HandMadeRun();
    run.read().answeredBy = 'B';
    expect(brokenRules(run)).toEqual(['values']);
  });
});

describe('back in time', () => {
  const set = (...columns: string[]): Change => ({ kind: 'set', columns });
  const row = (...cells: [column: string, write: string, writeTimeUs: number][]): SeenRow =>
    new Map(cells.map(([column, value, writeTimeUs]) => [column, { value, writeTimeUs }]));
  const NOTHING = row();

  /** Writes of a call, all on both sides in the end, to one row that the clusters are not asked about. */
  function callOf(...writes: [told: Parameters<HandMadeRun['write']>[1], change?: Change][]): HandMadeRun {
    const run = new HandMadeRun();
    for (const [course, change = set('a')] of writes) {
      run.write({ call: 'c', key: 'k', change, timeoutMs: 50 }, course);
    }
    return run;
  }

  function found(run: HandMadeRun): string[] {
    return run.judge().flatMap(({ rule, message }) => (rule === 'cells' ? [] : [`${rule}: ${message}`]));
  }

  function rulesOf(run: HandMadeRun): string[] {
    return found(run).map((each) => each.slice(0, each.indexOf(':')));
  }

  it.each<[string, SeenRow, boolean]>([
    ['the write itself', row(['a', 'w1', 10_000]), true],
    ['nothing', NOTHING, false],
    ['what was there before', row(['a', 'w0', 5_000]), false],
    ['what came after', row(['a', 'w2', 20_000]), true],
  ])('sees %s', (_what, told, ok) => {
    const run = new HandMadeRun();
    run.write({ id: 'w0', key: 'k' }, { startedMs: 5 });
    run.write({ id: 'w1', key: 'k', call: 'c' });
    run.write({ id: 'w2', key: 'k' });
    run.read({ key: 'k', call: 'c' }, { told });
    expect(rulesOf(run)).toEqual(ok ? [] : ['back in time']);
  });

  it('says what was seen instead, and where', () => {
    const run = callOf([{}]);
    run.read({ key: 'k', call: 'c' }, { told: NOTHING });
    expect(found(run)[0]).toMatch(
      /^back in time: Read r1 .*answered by A\) sees nothing in a, although .*Write w1 /,
    );
  });

  it('holds for every column of the write', () => {
    const run = callOf([{}, set('a', 'b')]);
    run.read({ key: 'k', call: 'c' }, { told: row(['a', 'w1', 10_000]) });
    expect(rulesOf(run)).toEqual(['back in time']);
  });

  it.each<[string, Partial<ReadStep>, ReadCourse]>([
    ['of another row', { key: 'other', call: 'c' }, {}],
    ['of another call', { key: 'k', call: 'd' }, {}],
    ['of no call', { key: 'k' }, {}],
    ['of the call of that name in another process', { key: 'k', call: 'c' }, { process: 2 }],
    ['that began before the answer', { key: 'k', call: 'c' }, { startedMs: 12, tookMs: 10 }],
  ])('does not hold for a read %s', (_which, step, course) => {
    const run = callOf([{}]);
    run.read(step, { told: NOTHING, ...course });
    expect(rulesOf(run)).toEqual([]);
  });

  it('does not hold for what the side that answers has lost in a crash', () => {
    const run = callOf([{ A: { wasLostByCluster: true } }]);
    run.read({ key: 'k', call: 'c' }, { told: NOTHING });
    expect(rulesOf(run)).toEqual([]);
    run.read({ key: 'k', call: 'c' }, { told: NOTHING, asked: ['B'] });
    expect(rulesOf(run)).toEqual(['back in time']);
  });

  it('lets a deletion hide the write, where it has been carried out and is not older', () => {
    const hidden = (deletedUs: number, A: { appliedMs?: number } = {}): string[] => {
      const run = callOf([{}]);
      run.write({ key: 'k', change: { kind: 'delete' } }, { timestampUs: deletedUs, A });
      run.read({ key: 'k', call: 'c' }, { told: NOTHING });
      return rulesOf(run);
    };
    expect(hidden(10_000)).toEqual([]);
    expect(hidden(9_999)).toEqual(['back in time']);
    expect(hidden(10_000, { appliedMs: 22 })).toEqual([]);
    expect(hidden(10_000, { appliedMs: 33 })).toEqual(['receipt', 'back in time']);
  });

  it.each<[string, Change, SeenRow, boolean]>([
    ['a deleted cell', { kind: 'unset', column: 'a' }, row(['a', 'w1', 10_000]), false],
    ['another cell', { kind: 'unset', column: 'b' }, row(['a', 'w1', 10_000]), true],
    ['a cell of a deleted row', { kind: 'delete' }, row(['a', 'w1', 10_000]), false],
    ['a cell as old as its deletion', { kind: 'delete' }, row(['a', 'w4', 20_000]), false],
    ['a newer cell', { kind: 'delete' }, row(['a', 'w3', 30_000]), true],
    ['no cell of a counter', { kind: 'add' }, NOTHING, true],
  ])('sees %s', (_what, change, told, ok) => {
    const run = new HandMadeRun();
    run.write({ key: 'k' });
    run.write({ key: 'k', change, call: 'c', class: change.kind === 'add' ? 'once' : 'idempotent' });
    run.write({ key: 'k' });
    run.write({ key: 'k' }, { timestampUs: 20_000 });
    run.read({ key: 'k', call: 'c' }, { told });
    expect(rulesOf(run)).toEqual(ok ? [] : ['back in time']);
  });

  describe('after writes that a side has missed', () => {
    const onlyA = { B: REPLAYED, told: ['applied', 'queued'] } as const;
    const onlyB = { A: REPLAYED, told: ['queued', 'applied'] } as const;

    it('holds for all of them where one side has all', () => {
      const run = callOf([onlyA, set('a')], [onlyA, set('b')]);
      run.read({ key: 'k', call: 'c' }, { told: row(['b', 'w2', 20_000]), asked: ['B'] });
      expect(rulesOf(run)).toEqual(['back in time']);
    });

    it('holds for the latest where each side lacks one', () => {
      const run = callOf([onlyA, set('a')], [onlyB, set('b')]);
      run.read({ key: 'k', call: 'c' }, { told: row(['b', 'w2', 20_000]), asked: ['B'] });
      expect(rulesOf(run)).toEqual([]);
      run.read({ key: 'k', call: 'c' }, { told: row(['a', 'w1', 10_000]), asked: ['A'] });
      expect(rulesOf(run)).toEqual(['back in time']);
    });

    it('does not hold for what only the queue has', () => {
      const run = new HandMadeRun({ queue: 'durable', whenBothFail: 'queue' });
      const later = { ...REPLAYED, appliedMs: 100 };
      run.write({ call: 'c', key: 'k' }, { A: later, B: later, told: ['queued', 'queued'] });
      run.read({ key: 'k', call: 'c' }, { told: NOTHING });
      expect(rulesOf(run)).toEqual([]);
    });

    it('does not hold when another is answered while the read is under way', () => {
      const run = callOf([onlyA], [{ ...onlyB, startedMs: 15, tookMs: 8 }]);
      run.read({ key: 'k', call: 'c' }, { told: NOTHING, asked: ['B'], startedMs: 20, tookMs: 5 });
      expect(rulesOf(run)).toEqual([]);
    });

    it('does not hold when nobody knows what the call has learnt', () => {
      const run = callOf([{}], [{ told: GONE }]);
      run.read({ key: 'k', call: 'c' }, { told: NOTHING });
      expect(rulesOf(run)).toEqual([]);
    });
  });

  it('ignores a write that failed', () => {
    const run = callOf([{ A: MISSING, B: MISSING, told: BOTH_FAILED }]);
    run.read({ key: 'k', call: 'c' }, { told: NOTHING });
    expect(rulesOf(run)).toEqual([]);
  });
});
