import { describe, expect, it } from 'vitest';
import { huntMutants, isAsItShouldBe, tableOf } from './mutants.js';
import { allMutants } from './planted/all.js';

describe('Mutants', () => {
  it('are caught, every one of them, and nothing is found in the code as it is', async () => {
    expect(allMutants.length).toBeGreaterThan(100);
    const verdicts = await huntMutants(allMutants);
    expect(verdicts.filter((verdict) => !isAsItShouldBe(verdict)).length, tableOf(verdicts)).toBe(0);
  }, 1_800_000);
});
