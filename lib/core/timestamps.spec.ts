import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HelixUsageError } from './index.js';
import { checkedTimestamps, MonotonicTimestamps } from './timestamps.js';

function fakeTime() {
  const time = { wallMs: 1_700_000_000_000, monotonicMs: 0 };
  return { time, source: { nowMs: () => time.wallMs, monotonicMs: () => time.monotonicMs } };
}

describe('MonotonicTimestamps', () => {
  it('follows the clock in µs', () => {
    const { time, source } = fakeTime();
    const timestamps = new MonotonicTimestamps(source);
    expect(timestamps.next()).toBe(1_700_000_000_000_000);
    time.monotonicMs = 0.25;
    expect(timestamps.next()).toBe(1_700_000_000_000_250);
  });

  it('is strictly increasing whatever the wall clock does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -5_000, max: 5_000 }), fc.nat({ max: 3_000 }))),
        (steps) => {
          const { time, source } = fakeTime();
          const timestamps = new MonotonicTimestamps(source);
          let last = timestamps.next();
          for (const [wallMs, monotonicMs] of steps) {
            time.wallMs += wallMs;
            time.monotonicMs += monotonicMs / 1_000;
            const next = timestamps.next();
            expect(next).toBeGreaterThan(last);
            expect(Number.isSafeInteger(next)).toBe(true);
            last = next;
          }
        },
      ),
    );
  });

  it('returns to the wall clock within about a second', () => {
    const { time, source } = fakeTime();
    const timestamps = new MonotonicTimestamps(source);
    timestamps.next();
    time.wallMs += 60_000;
    time.monotonicMs += 1_000;
    expect(timestamps.next()).toBe(time.wallMs * 1_000);
  });

  it('reports and counts when it is more than 1 s ahead', () => {
    const { time, source } = fakeTime();
    const ahead: number[] = [];
    const timestamps = new MonotonicTimestamps(source, (ms) => ahead.push(ms));
    timestamps.next();
    time.wallMs -= 5_000;
    time.monotonicMs += 1_000;
    timestamps.next();
    expect(ahead).toEqual([5_000]);
    expect(timestamps.aheadCount).toBe(1);
  });
});

describe('checkedTimestamps', () => {
  it.each([1_735_689_600_000_123, 0, -1])('lets %d pass', (timestampUs) => {
    expect(checkedTimestamps(() => timestampUs)()).toBe(timestampUs);
  });

  it.each<[answer: unknown, received: string]>([
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [1.5, '1.5'],
    [2 ** 53, '9007199254740992'],
    ['1735689600000123', 'a string'],
    [5n, 'a bigint'],
    [undefined, 'a undefined'],
    [new Date(0), 'a object'],
  ])('refuses %o', (answer, received) => {
    const next = checkedTimestamps(() => answer as number);
    expect(next).toThrow(HelixUsageError);
    expect(next).toThrow(`answered with ${received}; nothing was sent`);
  });
});
