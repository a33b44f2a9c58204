import { describe, expect, it } from 'vitest';
import { backoffMs, PROBE_BACKOFF, RETRY_BACKOFF } from './backoff.js';

describe('back-off', () => {
  const longest = 1 - Number.EPSILON;

  it.each([
    [0, 100],
    [1, 200],
    [4, 1_600],
    [5, 2_000],
    [10_000, 2_000],
  ])('waits at most as long after %d failed probes: %d ms', (failures, expected) => {
    expect(backoffMs(PROBE_BACKOFF, failures, longest)).toBe(expected);
    expect(backoffMs(PROBE_BACKOFF, failures, 0)).toBe(expected / 2);
  });

  it('doubles up to 30 s between attempts of one envelope', () => {
    expect([0, 1, 8, 9, 50].map((failures) => backoffMs(RETRY_BACKOFF, failures, longest))).toEqual([
      100, 200, 25_600, 30_000, 30_000,
    ]);
  });

  it('answers in whole ms', () => {
    expect(backoffMs(RETRY_BACKOFF, 0, 1 / 3)).toBe(67);
  });
});
