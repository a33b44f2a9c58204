import { describe, expect, it } from 'vitest';
import { brokenRules, HandMadeRun } from './hand-made.js';

describe('once', () => {
  it('is carried out once on each side', () => {
    const run = new HandMadeRun();
    run.write({ class: 'once', change: { kind: 'add' } });
    run.write({ class: 'idempotent' }, { B: { applied: 2 } });
    expect(brokenRules(run)).toEqual([]);
  });

  it('finds what was carried out twice', () => {
    const run = new HandMadeRun();
    run.write({ class: 'once' }, { B: { applied: 2 } });
    expect(brokenRules(run)).toEqual(['once']);
  });

  it('finds what is twice in a counter', () => {
    const run = new HandMadeRun();
    run.write({ class: 'once', change: { kind: 'add' }, key: 'c' });
    run.counters.B.set('c', ['w1', 'w1']);
    expect(brokenRules(run)).toEqual(['once']);
  });
});
