import { describe, expect, it } from 'vitest';
import { median, quantile, spread } from './statistics.js';

describe('quantile', () => {
  it('interpolates between neighbours', () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([10, 20], 0.9)).toBeCloseTo(19);
  });

  it('answers with the extremes at the ends', () => {
    expect(quantile([3, 5, 9], 0)).toBe(3);
    expect(quantile([3, 5, 9], 1)).toBe(9);
    expect(quantile([7], 0.25)).toBe(7);
  });

  it('refuses to make a number out of nothing', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('spread', () => {
  it('sorts by size, not by text, and leaves its input alone', () => {
    const values = [10, 9, 2, 1, 100];
    expect(spread(values)).toEqual({ min: 1, q1: 2, median: 9, q3: 10, max: 100 });
    expect(values).toEqual([10, 9, 2, 1, 100]);
  });
});

describe('median', () => {
  it('is not moved by one round that a neighbour on the machine disturbed', () => {
    expect(median([1, 1.1, 0.9, 50, 1])).toBe(1);
  });
});
