/** `node --import tsx test/simulation/mutants/run.ts [name…]`: hunts these mutants, or all; ends with 1 if one survives. */
import { allMutants, huntMutants, isAsItShouldBe, tableOf } from './mutants.js';

const names = process.argv.slice(2);
const startMs = performance.now();
const verdicts = await huntMutants(names.length > 0 ? names : await allMutants());
console.log(tableOf(verdicts));
console.log(`in ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
for (const { name, caught } of verdicts) {
  if (names.includes(name) && caught) console.log(`\n${name}: ${caught.violation.message}`);
}
if (!verdicts.every(isAsItShouldBe)) process.exitCode = 1;
