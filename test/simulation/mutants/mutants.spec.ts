import { describe, expect, it } from 'vitest';
import { allMutants, huntMutants, isAsItShouldBe, tableOf } from './mutants.js';

describe('Mutants', () => {
  it('are caught, every one of them, and nothing is found in the code as it is', async () => {
    const names = await allMutants();
    expect(names.length).toBeGreaterThan(100);
    const verdicts = await huntMutants(names);
    expect(verdicts.filter((verdict) => !isAsItShouldBe(verdict)).length, tableOf(verdicts)).toBe(0);
  }, 1_800_000);
});
