import { describe, expect, it } from 'vitest';
import type { Change, StoredCell } from '../history.js';
import { HandMadeRun } from './hand-made.js';

interface Write {
  readonly timestampUs: number;
  readonly change: Change;
}
type Stored = Record<string, StoredCell>;

const set = (...columns: string[]): Change => ({ kind: 'set', columns });
const unset = (column: string): Change => ({ kind: 'unset', column });
const at = (timestampUs: number, change: Change): Write => ({ timestampUs, change });
const DELETE: Change = { kind: 'delete' };
const cell = (value: string, writeTimeUs: number): StoredCell => ({ value, writeTimeUs });

/** Violations when the row `k` is stored like this on B. A, which has none of the writes, is empty. */
function judged(writes: readonly Write[], stored: Stored, isThere = true): string[] {
  const run = new HandMadeRun({ queue: 'none' });
  for (const { change, timestampUs } of writes) {
    run.write({ key: 'k', change }, { timestampUs, A: { isThere: false }, B: { isThere } });
  }
  run.cells.B.set('k', new Map(Object.entries(stored)));
  return run.judge().map(({ rule, message }) => `${rule}: ${message}`);
}

describe('cells', () => {
  it.each<[string, Write[], Stored]>([
    ['the last one wins', [at(1, set('a')), at(2, set('a'))], { a: cell('w2', 2) }],
    ['whatever the order they came in', [at(2, set('a')), at(1, set('a'))], { a: cell('w1', 2) }],
    [
      'cell by cell',
      [at(2, set('a', 'b')), at(3, set('a')), at(1, set('b'))],
      { a: cell('w2', 3), b: cell('w1', 2) },
    ],
    ['the greater value at one time', [at(1, set('a')), at(1, set('a'))], { a: cell('w2', 1) }],
    ['a deleted cell is absent', [at(1, set('a', 'b')), at(2, unset('a'))], { b: cell('w1', 1) }],
    ['an older deletion of it does nothing', [at(2, set('a')), at(1, unset('a'))], { a: cell('w1', 2) }],
    ['its deletion wins at one time', [at(1, unset('a')), at(1, set('a'))], {}],
    ['whichever came first', [at(1, set('a')), at(1, unset('a'))], {}],
    ['a deleted row is absent', [at(1, set('a', 'b')), at(2, DELETE)], {}],
    ['so does that of the row', [at(2, DELETE), at(2, set('a'))], {}],
    ['the last deletion counts', [at(3, DELETE), at(1, DELETE), at(2, set('a'))], {}],
    ['what came later stays', [at(2, DELETE), at(3, set('a'))], { a: cell('w2', 3) }],
  ])('%s', (_rule, writes, stored) => {
    expect(judged(writes, stored)).toEqual([]);
  });

  it.each<[string, Write[], Stored, string]>([
    [
      'another value',
      [at(1, set('a')), at(2, set('a'))],
      { a: cell('w1', 2) },
      'w1 @2 in k.a; its writes amount to w2 @2',
    ],
    [
      'another write time',
      [at(2, set('a'))],
      { a: cell('w1', 3) },
      'w1 @3 in k.a; its writes amount to w1 @2',
    ],
    ['a missing cell', [at(2, set('a'))], {}, 'nothing in k.a; its writes amount to w1 @2'],
    ['a deleted cell', [at(1, set('a')), at(2, unset('a'))], { a: cell('w1', 1) }, 'amount to nothing'],
    ['a deleted row', [at(1, set('a')), at(2, DELETE)], { a: cell('w1', 1) }, 'amount to nothing'],
    [
      'a cell from nowhere',
      [at(1, set('a'))],
      { a: cell('w1', 1), b: cell('w1', 1) },
      'in k.b; no write set it',
    ],
    ['an expiry', [at(1, set('a'))], { a: { ...cell('w1', 1), expiresAtS: 9 } }, 'w1 @1, expires at 9 s'],
  ])('finds %s', (_wrong, writes, stored, message) => {
    const found = judged(writes, stored);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('cells: B holds ');
    expect(found[0]).toContain(message);
  });

  it('knows only what is there', () => {
    expect(judged([at(1, set('a'))], {}, false)).toEqual([]);
    expect(judged([at(1, set('a'))], { a: cell('w1', 1) }, false)).toHaveLength(1);
  });

  it('compares counters', () => {
    const counted = (ids: string[]): string[] => {
      const run = new HandMadeRun();
      run.write({ class: 'once', change: { kind: 'add' }, key: 'c' });
      run.counters.A.set('c', ids);
      return run.judge().map(({ rule, message }) => `${rule}: ${message}`);
    };
    expect(counted(['w1'])).toEqual([]);
    expect(counted([])).toEqual(['cells: A lacks w1 in counter c']);
    expect(counted(['w1', 'w9'])).toEqual(['cells: A holds w9 in counter c; it is not there']);
  });
});
