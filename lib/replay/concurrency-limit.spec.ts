import { describe, expect, it } from 'vitest';
import { HelixConfigError } from '../core/index.js';
import { ConcurrencyLimit } from './concurrency-limit.js';

/** `count` answers with this latency while as many run as the limit allows. */
function answers(limit: ConcurrencyLimit, count: number, latencyMs: number): void {
  for (let index = 0; index < count; index++) limit.onSuccess(latencyMs, limit.current);
}

/** A limit that knows 10 ms as normal and has grown to `current`. */
function grownTo(current: number): ConcurrencyLimit {
  const limit = new ConcurrencyLimit();
  while (limit.current < current) answers(limit, 1, 10);
  return limit;
}

describe('ConcurrencyLimit', () => {
  it('starts at 1', () => {
    expect(new ConcurrencyLimit().current).toBe(1);
  });

  it.each<[string, number, (limit: ConcurrencyLimit) => void, number]>([
    ['a window of normal answers', 8, (limit) => answers(limit, 16, 10), 9],
    ['less than a window of normal answers', 8, (limit) => answers(limit, 15, 10), 8],
    ['a wide window of normal answers', 40, (limit) => answers(limit, 40, 10), 41],
    ['a window of answers a little slower than normal', 8, (limit) => answers(limit, 16, 12), 8],
    ['a window of answers 1.4 times as slow as normal', 8, (limit) => answers(limit, 16, 14), 6],
    ['the first part of a window that is far too slow', 8, (limit) => answers(limit, 3, 100), 6],
    ['late answers to requests of a higher limit', 8, (limit) => answers(limit, 3 + 7, 100), 6],
    ['a failure', 8, (limit) => limit.onFailure(), 4],
    ['an outage', 8, (limit) => limit.reset(), 1],
  ])('after %s a limit of %d…', (_, before, happens, after) => {
    const limit = grownTo(before);
    happens(limit);
    expect(limit.current).toBe(after);
  });

  it('doubles with each answer of a target far away, until something is too much for it', () => {
    const limit = new ConcurrencyLimit();
    const seen = [1, 2, 4, 8, 16].map((count) => {
      answers(limit, count, 300);
      return limit.current;
    });
    expect(seen).toEqual([2, 4, 8, 16, 32]);
    limit.onFailure();
    answers(limit, 31 + 16, 300);
    expect(limit.current).toBe(17);
  });

  it('does not grow while a target far away is not as fast as usual', () => {
    const limit = new ConcurrencyLimit();
    answers(limit, 1 + 2 + 4 + 8, 300);
    answers(limit, 16, 360);
    expect(limit.current).toBe(16);
  });

  it('does not grow while it is not used', () => {
    const limit = grownTo(4);
    for (let index = 0; index < 500; index++) limit.onSuccess(10, 2);
    expect(limit.current).toBe(4);
  });

  it('stays within its bounds', () => {
    const limit = new ConcurrencyLimit({ min: 2, max: 3 });
    answers(limit, 200, 10);
    expect(limit.current).toBe(3);
    for (let index = 0; index < 5; index++) limit.onFailure();
    expect(limit.current).toBe(2);
  });

  it('goes up to 64', () => {
    const limit = new ConcurrencyLimit();
    answers(limit, 10_000, 10);
    expect(limit.current).toBe(64);
  });

  it('learns at its minimum that a target has become slower for good', () => {
    const limit = grownTo(16);
    answers(limit, 3_000, 50);
    expect(limit.current).toBeGreaterThan(16);
  });

  it('is not taught by one slow answer that slow is normal', () => {
    const limit = grownTo(2);
    limit.reset();
    answers(limit, 1, 60_000);
    answers(limit, 64, 10);
    const before = limit.current;
    answers(limit, 64, 14);
    expect(limit.current).toBeLessThan(before);
  });

  it.each([{ min: 0 }, { min: 1.5 }, { max: 0 }, { min: 5, max: 4 }, { max: Infinity }])(
    'refuses %o',
    (options) => {
      expect(() => new ConcurrencyLimit(options)).toThrow(HelixConfigError);
    },
  );
});

describe('ConcurrencyLimit against a plant', () => {
  /** Numbers from 0 up to 1, the same in every run. */
  function sequence(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
      return state / 2 ** 32;
    };
  }

  /** Limits over time against a target that gets slower with every request beyond what it bears. */
  function run(limit: ConcurrencyLimit, bears: number, random: () => number, count = 20_000): number[] {
    const seen: number[] = [];
    for (let index = 0; index < count; index++) {
      const overload = Math.max(1, limit.current / bears);
      // Exponential around the mean, like the service time of a server.
      limit.onSuccess(5 * overload * (0.5 - 0.5 * Math.log(1 - random())), limit.current);
      seen.push(limit.current);
    }
    return seen.slice(count / 2);
  }

  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

  it.each([1, 2, 3, 4, 5])(
    'settles near what the target bears, within 1.5 times its latency (seed %d)',
    (seed) => {
      const seen = run(new ConcurrencyLimit(), 20, sequence(seed));
      expect(mean(seen)).toBeGreaterThan(10);
      expect(mean(seen)).toBeLessThan(30);
      const tooHigh = seen.filter((value) => value > 30).length / seen.length;
      expect(tooHigh).toBeLessThan(0.01);
    },
  );

  it.each([1, 2, 3, 4, 5])('backs off when the target bears less than before (seed %d)', (seed) => {
    const random = sequence(seed);
    const limit = new ConcurrencyLimit();
    run(limit, 20, random);
    expect(mean(run(limit, 5, random))).toBeLessThan(7.5);
  });
});
