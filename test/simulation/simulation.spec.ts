import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { check } from './batch.js';
import { generate } from './generate.js';
import type { History } from './history.js';
import { runSeeds } from './pool.js';
import { profiles } from './profiles.js';
import { run } from './run.js';

const regressions = new URL('./regressions/', import.meta.url);

describe('random histories', () => {
  it.each([
    ['standard', profiles.standard.seeds, 'core'],
    ['cql', profiles.cql.seeds, 'cql'],
  ] as const)(
    'of the profile %s leave nothing lost, unequal or unanswered',
    async (_name, seeds, surface) => {
      const { runs, failures } = await runSeeds(1, seeds, { surface });
      const told = failures.map(
        ({ seed, violations: [first] }) =>
          `npm run simulate -- --surface ${surface} --seed ${seed}   [${first?.rule ?? ''}] ${first?.message ?? ''}`,
      );
      expect(told).toEqual([]);
      expect(runs).toBe(seeds);
    },
  );

  it('are the same, event by event, each time a seed is played', async () => {
    const histories = [3, 14, 159].flatMap((seed) => [generate(seed), generate(seed, undefined, 'cql')]);
    for (const history of histories) {
      const once = await run(history, { timeline: true });
      const again = await run(history, { timeline: true });
      expect(once.timeline.length).toBeGreaterThan(500);
      expect(again.timeline).toEqual(once.timeline);
    }
  });
});

describe('what was found before, and mended', () => {
  it.each(readdirSync(regressions).filter((name) => name.endsWith('.json')))('%s', async (name) => {
    const history = JSON.parse(readFileSync(fileURLToPath(new URL(name, regressions)), 'utf8')) as History;
    expect((await check(history)).violations).toEqual([]);
  });
});
