import { describe, expect, it } from 'vitest';
import { Random } from './random.js';

const FIRST_OF_42 = [0.17957050283439457, 0.08865029737353325, 0.6903350746724755];

const draw = (random: Random, count = 5): number[] => Array.from({ length: count }, random.next);

describe('Seeded randomness', () => {
  it('gives the same numbers for the same seed, everywhere', () => {
    expect(draw(new Random(42))).toEqual(draw(new Random(42)));
    expect(draw(new Random(42))).not.toEqual(draw(new Random(43)));
    // Written down once: another machine, another version of Node, the same numbers.
    expect(draw(new Random(42), 3)).toEqual(FIRST_OF_42);
  });

  it('forks streams that do not depend on what was drawn before', () => {
    const [fresh, used] = [new Random(7), new Random(7)];
    draw(used);
    expect(draw(used.fork('a'))).toEqual(draw(fresh.fork('a')));
    expect(draw(fresh.fork('a'))).not.toEqual(draw(fresh.fork('b')));
    expect(draw(fresh.fork('a'))).not.toEqual(draw(new Random(8).fork('a')));
  });

  it('draws evenly, and within its bounds', () => {
    const random = new Random(1);
    const counts = new Map<number, number>();
    for (let i = 0; i < 6_000; i++) {
      const drawn = random.int(3, 8);
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([3, 4, 5, 6, 7, 8]);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('picks by weight', () => {
    const random = new Random(1);
    const picked = Array.from({ length: 1_000 }, () =>
      random.weighted([
        [3, 'often'],
        [1, 'seldom'],
        [0, 'never'],
      ]),
    );
    const seldom = picked.filter((each) => each === 'seldom').length;
    expect(picked).not.toContain('never');
    expect(seldom).toBeGreaterThan(200);
    expect(seldom).toBeLessThan(300);
  });
});
