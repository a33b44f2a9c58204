import { describe, expect, it } from 'vitest';
import { run } from '../run.js';
import { scenarios } from './index.js';

/** A glance at each; the profiles of `npm run simulate` take hundreds. */
const SEEDS = Array.from({ length: 8 }, (_, seed) => seed);

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  'scenario %s',
  (_, scenario) => {
    it.each(SEEDS)('shows what it is about, seed %i', async (seed) => {
      const outcome = await run(scenario.history(seed));
      expect([...outcome.violations, ...scenario.judge(outcome)]).toEqual([]);
    });

    it('is the same history for the same seed, and another one for another', () => {
      expect(scenario.history(1)).toEqual(scenario.history(1));
      expect(scenario.history(1)).not.toEqual(scenario.history(2));
    });
  },
);
