import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { NO_STATS } from '../../test/support/recording-replayer.js';
import { type ClusterId, ReadLag } from './index.js';

function setUp() {
  const clock = new FakeClock();
  const ages = { A: 0, B: 0 };
  let asked = 0;
  const snapshot = () => {
    asked++;
    return { A: { ...NO_STATS, oldestAgeMs: ages.A }, B: { ...NO_STATS, oldestAgeMs: ages.B } };
  };
  return { clock, ages, asked: () => asked, lag: new ReadLag({ snapshot }, clock, 5_000) };
}

describe('ReadLag', () => {
  it.each<[cluster: ClusterId, ageMs: number, isBehind: boolean]>([
    ['A', 0, false],
    ['A', 5_000, false],
    ['A', 5_001, true],
    ['B', 5_000, false],
    ['B', 5_001, true],
  ])('has %s, which has waited for %d ms, behind: %s', (cluster, ageMs, isBehind) => {
    const { ages, lag } = setUp();
    ages[cluster] = ageMs;
    expect(lag.isBehind(cluster)).toBe(isBehind);
  });

  it('keeps the sides apart', () => {
    const { ages, lag } = setUp();
    ages.A = 6_000;
    expect([lag.isBehind('A'), lag.isBehind('B')]).toEqual([true, false]);
  });

  it('asks the queue every 100 ms at most', async () => {
    const { clock, ages, asked, lag } = setUp();
    lag.isBehind('A');
    ages.B = 6_000;
    await clock.advance(99);
    expect([lag.isBehind('B'), asked()]).toEqual([false, 1]);
    await clock.advance(1);
    expect([lag.isBehind('B'), asked()]).toEqual([true, 2]);
    ages.B = 0;
    await clock.advance(100);
    expect(lag.isBehind('B')).toBe(false);
  });
});
