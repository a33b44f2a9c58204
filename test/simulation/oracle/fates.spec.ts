import { describe, expect, it } from 'vitest';
import type { SideTruth } from '../ledger.js';
import { Evidence } from './evidence.js';
import { fateOf } from './fates.js';
import { HandMadeRun, MISSING } from './hand-made.js';
import { APPLIED, BLOCKED, IN_DOUBT, LEFT_OUT, REFUSED, UNANSWERED, UNREACHED } from './hand-made-fates.js';

function judged(B: Partial<SideTruth>, prepare?: (run: HandMadeRun) => void): string | undefined {
  const run = new HandMadeRun({ writeTimeoutMs: 500 });
  const write = run.write({}, { B });
  prepare?.(run);
  const { A, B: counters } = run.counters;
  const end = { undrained: undefined, cells: run.cells, counters: { A, B: counters } };
  const fate = fateOf(new Evidence({ seed: 1, setup: run.setup, steps: [] }, run.ledger, end), write, 'B');
  return fate && `${fate.kind} at ${fate.atMs}`;
}

function refusedWith(code: number, message = ''): Partial<SideTruth> {
  return { ...UNANSWERED, failure: { error: Object.assign(new Error(message), { code }), atMs: 12 } };
}

describe('What a request came to', () => {
  it.each<[Partial<SideTruth>, string | undefined]>([
    [APPLIED, 'applied at 12'],
    [LEFT_OUT, 'left out at 10'],
    [UNREACHED, 'not applied at 12'],
    [BLOCKED, 'not applied at 12'],
    [IN_DOUBT, 'in doubt at 12'],
    [REFUSED, 'refused at 12'],
    [refusedWith(0x1000), 'not applied at 12'],
    [refusedWith(0x1001, 'Server is shutting down'), 'not applied at 12'],
    [refusedWith(0x1001, 'Too many requests'), 'in doubt at 12'],
    [refusedWith(0x1100), 'in doubt at 12'],
    [{ ...MISSING, sent: 0, attemptedMs: 10 }, 'not applied at 510'],
    [UNANSWERED, 'in doubt at 510'],
    [{ ...APPLIED, acknowledgedMs: 509 }, 'applied at 509'],
    [{ ...APPLIED, acknowledgedMs: 511 }, 'in doubt at 510'],
    [{ ...REFUSED, failure: { error: new Error('Late'), atMs: 510 } }, 'in doubt at 510'],
    // A race between its answer and its time limit.
    [{ ...APPLIED, acknowledgedMs: 510 }, undefined],
    // Sent, and nobody knows when.
    [{ ...MISSING, sent: 1 }, undefined],
  ])('is told from %o: %s', (truth, expected) => {
    expect(judged(truth)).toBe(expected);
  });

  it('is not certain when the process slept at the end of its time', () => {
    const stalled = (fromMs: number, toMs: number): string | undefined =>
      judged(UNANSWERED, (run) => void run.ledger.stalls.push({ fromMs, toMs }));
    expect(stalled(500, 520)).toBeUndefined();
    // What it kept from being done is made up for afterwards.
    expect(stalled(400, 509)).toBeUndefined();
    expect(stalled(1, 9)).toBe('in doubt at 510');
  });

  it('is not certain when its process was ending by then', () => {
    const ending = (atMs: number): string | undefined =>
      judged(UNANSWERED, (run) => run.ended(1, 'shut down', { atMs }));
    expect(ending(400)).toBeUndefined();
    expect(ending(600)).toBe('in doubt at 510');
  });
});
