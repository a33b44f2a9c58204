import { describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { type ClusterId, HelixConfigError } from '../core/index.js';
import { PrimaryOnlyReadStrategy, RoundRobinReadStrategy, StickyReadStrategy } from './index.js';

describe('StickyReadStrategy', () => {
  const COOLDOWN_MS = 1_000;

  function setUp(preferred: ClusterId = 'A', cooldownMs = COOLDOWN_MS) {
    const clock = new FakeClock();
    return { clock, strategy: new StickyReadStrategy({ preferred, cooldownMs }, clock) };
  }

  it.each<ClusterId>(['A', 'B'])('stays on side %s while reads succeed', (preferred) => {
    const { strategy } = setUp(preferred);
    for (let i = 0; i < 5; i++) {
      expect(strategy.select()).toBe(preferred);
      strategy.onSuccess();
    }
  });

  it('moves to the other side when a read fails, and stays there', () => {
    const { strategy } = setUp();
    expect(strategy.onFailure('A')).toBe('B');
    expect(strategy.select()).toBe('B');
    strategy.onSuccess();
    expect(strategy.select()).toBe('B');
  });

  it('does not move back within the cooldown, but has every read tried on the other side', async () => {
    const { clock, strategy } = setUp();
    strategy.onFailure('A');
    await clock.advance(COOLDOWN_MS - 1);
    expect(strategy.onFailure('B')).toBe('A');
    expect(strategy.select()).toBe('B');
  });

  it('moves back when a read fails after the cooldown', async () => {
    const { clock, strategy } = setUp();
    strategy.onFailure('A');
    await clock.advance(COOLDOWN_MS);
    expect(strategy.onFailure('B')).toBe('A');
    expect(strategy.select()).toBe('A');
  });

  it('begins a new cooldown with each move', async () => {
    const { clock, strategy } = setUp();
    strategy.onFailure('A');
    await clock.advance(COOLDOWN_MS);
    strategy.onFailure('B');
    await clock.advance(COOLDOWN_MS - 1);
    strategy.onFailure('A');
    expect(strategy.select()).toBe('A');
  });

  it('does not move when a read fails on the side it has left already', () => {
    const { strategy } = setUp('A', 0);
    strategy.onFailure('A');
    expect(strategy.onFailure('A')).toBe('B');
    expect(strategy.select()).toBe('B');
  });

  it('does not begin a new cooldown when a read fails on the side it has left already', async () => {
    const { clock, strategy } = setUp();
    strategy.onFailure('A');
    await clock.advance(COOLDOWN_MS);
    strategy.onFailure('A');
    strategy.onFailure('B');
    expect(strategy.select()).toBe('A');
  });

  it('moves at every failure without a cooldown', () => {
    const { strategy } = setUp('A', 0);
    strategy.onFailure('A');
    strategy.onFailure('B');
    expect(strategy.select()).toBe('A');
  });

  it('has a cooldown of five minutes by default', async () => {
    const clock = new FakeClock();
    const strategy = new StickyReadStrategy({ preferred: 'A' }, clock);
    strategy.onFailure('A');
    await clock.advance(299_999);
    strategy.onFailure('B');
    expect(strategy.select()).toBe('B');
    await clock.advance(1);
    strategy.onFailure('B');
    expect(strategy.select()).toBe('A');
  });

  it.each<[random: number, side: ClusterId]>([
    [0, 'A'],
    [0.49, 'A'],
    [0.5, 'B'],
    [0.99, 'B'],
  ])('begins on a side at random when none is preferred: %f gives %s', (random, side) => {
    const spy = vi.spyOn(Math, 'random').mockReturnValue(random);
    try {
      expect(new StickyReadStrategy().select()).toBe(side);
    } finally {
      spy.mockRestore();
    }
  });

  it.each([-1, NaN, Infinity, '5' as never, null as never])('refuses cooldownMs: %s', (cooldownMs) => {
    expect(() => new StickyReadStrategy({ cooldownMs })).toThrow(HelixConfigError);
    expect(() => new StickyReadStrategy({ cooldownMs })).toThrow('cooldownMs');
  });

  it.each(['C', '', 'a', null])('refuses preferred: %s', (preferred) => {
    expect(() => new StickyReadStrategy({ preferred: preferred as 'A' })).toThrow(HelixConfigError);
  });
});

describe('PrimaryOnlyReadStrategy', () => {
  it('reads from A', () => {
    const strategy = new PrimaryOnlyReadStrategy();
    strategy.onSuccess();
    expect(strategy.select()).toBe('A');
  });

  it('stays on B once A has failed, whatever happens then, until it is reset', () => {
    const strategy = new PrimaryOnlyReadStrategy();
    expect(strategy.onFailure('A')).toBe('B');
    strategy.onSuccess();
    expect(strategy.onFailure('B')).toBe('A');
    strategy.onSuccess();
    expect(strategy.select()).toBe('B');
    strategy.reset();
    expect(strategy.select()).toBe('A');
  });

  it('does not leave A when only B fails', () => {
    const strategy = new PrimaryOnlyReadStrategy();
    expect(strategy.onFailure('B')).toBe('A');
    expect(strategy.select()).toBe('A');
  });
});

describe('RoundRobinReadStrategy', () => {
  it('alternates, beginning with A', () => {
    const strategy = new RoundRobinReadStrategy();
    expect([1, 2, 3, 4].map(() => strategy.select())).toEqual(['A', 'B', 'A', 'B']);
  });

  it('fails over to the other side and keeps its turns', () => {
    const strategy = new RoundRobinReadStrategy();
    strategy.select();
    expect(strategy.onFailure('A')).toBe('B');
    expect(strategy.onFailure('B')).toBe('A');
    strategy.onSuccess();
    expect(strategy.select()).toBe('B');
  });
});
