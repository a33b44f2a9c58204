import { describe, expect, it } from 'vitest';
import type { Setup, WriteStep } from '../history.js';
import type { ReadRecord } from '../ledger.js';
import { brokenRules, HandMadeRun, MISSING, type WriteCourse } from './hand-made.js';

const SETUP: Partial<Setup> = { writeTimeoutMs: 5_000, readTimeoutMs: 5_000, stragglerMs: 5_000 };

/** Whether a write waits too long that A has applied at 12 ms and B does not answer. It begins at 10 ms. */
function waitsTooLong(
  tookMs: number,
  course: WriteCourse = {},
  setup: Partial<Setup> = {},
  step: Partial<WriteStep> = {},
  arrange: (run: HandMadeRun) => void = () => undefined,
): boolean {
  const run = new HandMadeRun({ ...SETUP, ...setup });
  const A = { attemptedMs: 10, acknowledgedMs: 12 };
  const B = { attemptedMs: 10, ...MISSING };
  run.write(step, { startedMs: 10, tookMs, usable: ['A'], A, B, told: ['applied', 'queued'], ...course });
  arrange(run);
  return brokenRules(run).includes('waits');
}

const heard = (atMs: number) => (run: HandMadeRun) =>
  void run.ledger.heard.push({ process: 1, cluster: 'B', atMs, isUnsure: false });

describe('Nobody waits for a side that does not answer at all', () => {
  // 500 ms of silence, 500 of the ping, and three looks.
  const FOUND_MS = 1_150;

  it('longer than it takes to find that out', () => {
    expect(waitsTooLong(FOUND_MS)).toBe(false);
    expect(waitsTooLong(FOUND_MS + 1)).toBe(true);
    expect(waitsTooLong(851, {}, { suspectAfterMs: 200 })).toBe(true);
  });

  it('unless nobody is to be suspected, or it must not be applied twice', () => {
    expect(waitsTooLong(3_000, {}, { suspectAfterMs: 0 })).toBe(false);
    expect(waitsTooLong(3_000, {}, {}, { class: 'once' })).toBe(false);
  });

  it('unless the other side is not well, or has not applied it', () => {
    expect(waitsTooLong(3_000, { usable: [] })).toBe(false);
    expect(waitsTooLong(3_000, { A: { attemptedMs: 10, ...MISSING } })).toBe(false);
  });

  it('and the time begins anew with whatever comes from it', () => {
    expect(waitsTooLong(FOUND_MS + 300, {}, {}, {}, heard(310))).toBe(false);
    expect(waitsTooLong(FOUND_MS + 301, {}, {}, {}, heard(310))).toBe(true);
  });

  it('nor while its own turn has not come for the other', () => {
    const A = { attemptedMs: 2_000, acknowledgedMs: 2_002 };
    expect(waitsTooLong(1_500, { A }, { writeStrategy: 'B first' })).toBe(true);
    expect(waitsTooLong(1_500, { A, full: ['A'] }, { writeStrategy: 'B first' })).toBe(false);
  });

  it('with a read', () => {
    const reads = (secondMs: number, parts: Partial<ReadRecord> = {}): boolean => {
      const run = new HandMadeRun(SETUP);
      const read = run.read({}, { asked: ['B', 'A'], startedMs: 10, tookMs: secondMs });
      Object.assign(read.asked[0] as object, { failedMs: undefined });
      Object.assign(read.asked[1] as object, { atMs: secondMs });
      Object.assign(read, parts);
      return brokenRules(run).includes('waits');
    };
    expect(reads(10 + FOUND_MS)).toBe(false);
    expect(reads(11 + FOUND_MS)).toBe(true);
    expect(reads(11 + FOUND_MS, { usable: [] })).toBe(false);
  });
});

describe('Nobody waits for a slow side', () => {
  const slow = { B: { attemptedMs: 10, acknowledgedMs: 4_000 }, told: ['applied', 'pending'] } as const;

  it('longer than the limit once the other one has applied the write', () => {
    // 300 ms, two looks of 30 ms, and the queue's 100 ms.
    const setup = { stragglerMs: 300, suspectAfterMs: 0 };
    expect(waitsTooLong(462, slow, setup)).toBe(false);
    expect(waitsTooLong(463, slow, setup)).toBe(true);
  });

  it('unless both are to acknowledge it, or the strategy knows no limit', () => {
    const setup = { stragglerMs: 300, suspectAfterMs: 0 };
    expect(waitsTooLong(463, slow, setup, { ack: 'both' })).toBe(false);
    expect(waitsTooLong(463, slow, { ...setup, writeStrategy: 'A first' })).toBe(false);
  });
});
