import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { type Inspected, Rounds } from './index.js';

class Thing implements Inspected {
  isUnderWay = true;
  readonly seen: [atMs: number, isLate: boolean][] = [];

  inspect(nowMs: number, isLate: boolean): void {
    this.seen.push([nowMs, isLate]);
  }
}

function setUp(shortestLimitMs?: number) {
  const clock = new FakeClock();
  const rounds = new Rounds(clock, shortestLimitMs);
  const thing = new Thing();
  rounds.include(thing);
  const startMs = clock.monotonicMs();
  const seenAfterMs = () => thing.seen.map(([atMs]) => atMs - startMs);
  return { clock, rounds, thing, seenAfterMs };
}

describe('Rounds', () => {
  it('are made every 50 ms, from when something is under way', async () => {
    const { clock, rounds, seenAfterMs } = setUp();
    await clock.advance(1_000);
    expect([rounds.isGoing, clock.pendingTimers]).toEqual([false, 0]);
    rounds.begin();
    rounds.begin();
    await clock.advance(150);
    expect(seenAfterMs()).toEqual([1_050, 1_100, 1_150]);
  });

  it.each([
    [1_000, 50],
    [100, 10],
    [5, 1],
    [0, 50],
  ])('for a limit of %d ms are made every %d ms', async (limitMs, everyMs) => {
    const { clock, rounds, seenAfterMs } = setUp(limitMs);
    rounds.begin();
    await clock.advance(2 * everyMs);
    expect(seenAfterMs()).toEqual([everyMs, 2 * everyMs]);
  });

  it('end when nothing is under way, and begin anew', async () => {
    const { clock, rounds, thing } = setUp();
    rounds.begin();
    thing.isUnderWay = false;
    await clock.advance(50);
    expect([rounds.isGoing, clock.pendingTimers, thing.seen.length]).toEqual([false, 0, 1]);
    rounds.begin();
    await clock.advance(50);
    expect(thing.seen.length).toBe(2);
  });

  it('go on while one of several things is under way', async () => {
    const { clock, rounds, thing } = setUp();
    const other = new Thing();
    other.isUnderWay = false;
    rounds.include(other);
    rounds.begin();
    await clock.advance(100);
    expect([thing.seen.length, other.seen.length]).toEqual([2, 2]);
  });

  it('say when they are late, because the process stood still', async () => {
    const { clock, rounds, thing } = setUp();
    rounds.begin();
    clock.standStill(150);
    await clock.advance(0);
    expect(thing.seen.map(([, isLate]) => isLate)).toEqual([false]);
    clock.standStill(151);
    await clock.advance(0);
    expect(thing.seen.map(([, isLate]) => isLate)).toEqual([false, true]);
  });

  it('are over once they have been ended', async () => {
    const { clock, rounds, thing } = setUp();
    rounds.begin();
    rounds.end();
    rounds.begin();
    await clock.advance(1_000);
    expect([thing.seen, clock.pendingTimers]).toEqual([[], 0]);
  });

  it('are over when one of them ends them', async () => {
    const { clock, rounds, thing } = setUp();
    thing.inspect = () => rounds.end();
    rounds.begin();
    await clock.advance(50);
    expect(clock.pendingTimers).toBe(0);
  });
});
