import { describe, expect, it } from 'vitest';
import { HelixUsageError, OperationAbortedError, SessionClosedError } from '../../../lib/core/index.js';
import { brokenRules, HandMadeRun, MISSING } from './hand-made.js';

const NOWHERE = { A: MISSING, B: MISSING };

describe('unexpected error', () => {
  it.each([new Error('Something'), new TypeError('x is undefined'), new HelixUsageError('Wrong')])(
    'finds %s, and names it',
    (told) => {
      const run = new HandMadeRun();
      run.write({}, { ...NOWHERE, told });
      run.read({}, { told, usable: [] });
      const violations = run.judge();
      expect(violations.map(({ rule }) => rule)).toEqual(['unexpected error', 'unexpected error']);
      for (const { message } of violations) expect(message).toContain(told.name);
    },
  );

  it('expects an abort only where there is a limit', () => {
    const told = new OperationAbortedError('Aborted', 'notApplied', {});
    const run = new HandMadeRun();
    run.write({ timeoutMs: 5 }, { ...NOWHERE, told });
    run.read({ abortAfterMs: 5 }, { told });
    expect(brokenRules(run)).toEqual([]);
    run.write({}, { ...NOWHERE, told });
    expect(brokenRules(run)).toEqual(['unexpected error']);
  });

  it('expects a closed instance only at its end', () => {
    const told = new SessionClosedError('Closed');
    const early = new HandMadeRun();
    early.write({}, { ...NOWHERE, told });
    early.read({}, { told, usable: [] });
    expect(brokenRules(early)).toEqual(['unexpected error']);
    const late = new HandMadeRun();
    late.end = { atMs: 10 };
    late.write({}, { ...NOWHERE, told });
    late.read({}, { told });
    expect(brokenRules(late)).toEqual([]);
  });

  it('expects a sync point to fail at the end, or when the queue is elsewhere', () => {
    const told = new SessionClosedError('Closed');
    const early = new HandMadeRun();
    early.syncPoint(told);
    expect(brokenRules(early)).toEqual(['unexpected error']);
    const late = new HandMadeRun();
    late.end = { atMs: 5 };
    late.syncPoint(told);
    expect(brokenRules(late)).toEqual([]);
    const elsewhere = new HandMadeRun({ queue: 'durable' });
    elsewhere.syncPoint(told);
    expect(brokenRules(elsewhere)).toEqual([]);
  });
});
