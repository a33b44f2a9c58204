import { describe, expect, it } from 'vitest';
import { checkScenario } from '../batch.js';
import { profiles } from '../profiles.js';
import { scenarios } from './index.js';

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  'scenario %s',
  (_, scenario) => {
    it('shows what it is about, whatever the seed', async () => {
      for (let seed = 0; seed < profiles.standard.scenarioSeeds; seed++) {
        expect({ seed, found: await checkScenario(scenario, seed) }).toEqual({ seed, found: [] });
      }
    });

    it('is the same history for the same seed, and another one for another', () => {
      expect(scenario.history(1)).toEqual(scenario.history(1));
      expect(scenario.history(1)).not.toEqual(scenario.history(2));
    });
  },
);
