import { describe, expect, it } from 'vitest';
import { Random } from './random.js';
import { type EventKind, Scheduler } from './scheduler.js';

function setUp(seed = 1) {
  const scheduler = new Scheduler(new Random(seed));
  const told: string[] = [];
  const tell = (what: string): void => void told.push(`${scheduler.nowMs} ${what}`);
  const at = (ms: number, kind: EventKind, what: string) =>
    kind === 'timer' ? scheduler.timer(ms, () => tell(what)) : scheduler.after(ms, kind, () => tell(what));
  return { scheduler, told, tell, at };
}

const seeds = Array.from({ length: 50 }, (_, index) => index + 1);

/** What is told over many seeds, each different course once. */
async function courses(
  play: (fixture: ReturnType<typeof setUp>) => void | Promise<void>,
): Promise<Set<string>> {
  const all = new Set<string>();
  for (const seed of seeds) {
    const fixture = setUp(seed);
    await play(fixture);
    await fixture.scheduler.run(1_000);
    all.add(fixture.told.join(', '));
  }
  return all;
}

describe('The scheduler', () => {
  it('runs events at their moments, and none after the end', async () => {
    const { scheduler, told, at } = setUp();
    at(7, 'io', 'c');
    at(2, 'world', 'a');
    at(5, 'timer', 'b');
    at(11, 'io', 'too late');
    expect(await scheduler.run(10)).toBe(7);
    expect(told).toEqual(['2 a', '5 b', '7 c']);
  });

  it('ends when it is told that it is over', async () => {
    const { scheduler, told, at } = setUp();
    at(1, 'io', 'a');
    at(2, 'io', 'b');
    await scheduler.run(10, () => told.length === 1);
    expect(told).toEqual(['1 a']);
  });

  it('leaves the order at one moment to the seed, but for timers of one length', async () => {
    const mixed = await courses(({ at }) => {
      at(5, 'io', 'x');
      at(5, 'io', 'y');
    });
    expect(mixed).toEqual(new Set(['5 x, 5 y', '5 y, 5 x']));
    const timers = await courses(({ at }) => {
      for (const name of ['a', 'b', 'c']) at(5, 'timer', name);
    });
    expect(timers).toEqual(new Set(['5 a, 5 b, 5 c']));
  });

  it('does not run what is cancelled', async () => {
    const { scheduler, told, at } = setUp();
    at(3, 'timer', 'a').isCancelled = true;
    at(4, 'io', 'b');
    await scheduler.run(10);
    expect(told).toEqual(['4 b']);
  });

  it('lets what an event sets off come to rest before the next one', async () => {
    const all = await courses(({ scheduler, tell, at }) => {
      scheduler.after(
        1,
        'io',
        () =>
          void Promise.resolve()
            .then(() => Promise.resolve())
            .then(() => tell('at rest')),
      );
      // One that is cancelled must not let the next moment begin in the same turn.
      scheduler.after(1, 'io', () => undefined).isCancelled = true;
      at(2, 'world', 'next');
      at(3, 'io', 'last');
    });
    expect(all).toEqual(new Set(['1 at rest, 2 next, 3 last']));
  });

  it('lets an answer share the turn of the one before it now and then, a timer never', async () => {
    const after = (kind: EventKind) =>
      courses(({ scheduler, tell, at }) => {
        const first = (): void => void Promise.resolve().then(() => tell('rest of the first'));
        scheduler.after(1, 'io', first);
        if (kind === 'io') scheduler.after(1, 'io', () => tell('second'));
        else at(1, kind, 'second');
      });
    expect(await after('io')).toContain('1 second, 1 rest of the first');
    for (const course of await after('timer')) {
      expect(['1 rest of the first, 1 second', '1 second, 1 rest of the first']).toContain(course);
    }
  });

  it('goes on with the world while the process does nothing; timers or answers come first afterwards', async () => {
    const all = await courses(({ scheduler, at }) => {
      scheduler.after(1, 'world', () => scheduler.stall(10));
      at(3, 'timer', 'timer');
      at(4, 'io', 'answer');
      at(5, 'io', 'later answer');
      at(6, 'world', 'world');
      at(12, 'io', 'after');
    });
    const after = '12 after';
    expect(all).toEqual(
      new Set([
        `6 world, 11 timer, 11 answer, 11 later answer, ${after}`,
        `6 world, 11 answer, 11 later answer, 11 timer, ${after}`,
      ]),
    );
  });

  it('goes on after the last of several stalls, and never back', async () => {
    const { scheduler, told, at } = setUp();
    scheduler.after(1, 'world', () => scheduler.stall(10));
    scheduler.after(5, 'world', () => scheduler.stall(20));
    at(3, 'io', 'answer');
    at(15, 'world', 'world');
    at(30, 'io', 'after');
    await scheduler.run(100);
    expect(told).toEqual(['15 world', '25 answer', '30 after']);
  });

  it('hands on what an event throws', async () => {
    const { scheduler } = setUp();
    scheduler.after(1, 'io', () => {
      throw new Error('broken');
    });
    await expect(scheduler.run(10)).rejects.toThrow('broken');
  });
});
