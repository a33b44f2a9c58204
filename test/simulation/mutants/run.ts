/**
 * `node --import tsx test/simulation/mutants/run.ts [name…]`: hunts these mutants, or all; ends with 1 if one survives.
 * With `--remember` it notes what has caught each, which is played first from then on.
 * With `--check` it only says which of them cannot be planted in the code as it is, and ends with 1 if there is one.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Mutant } from './mutant.js';
import type { Verdict } from './mutants.js';
import { complaintsAbout, readSources } from './plant.js';
import { allMutants } from './planted/all.js';

/** The rule of what was caught in no history. */
const UNIT_TEST = 'unit test';

const { values, positionals: names } = parseArgs({
  options: { check: { type: 'boolean' }, remember: { type: 'boolean' } },
  allowPositionals: true,
});
for (const name of names) {
  if (!allMutants.some((mutant) => mutant.name === name)) throw new Error(`No mutant is called ${name}`);
}
const mutants = names.length > 0 ? allMutants.filter(({ name }) => names.includes(name)) : allMutants;
if (values.check) await check(mutants);
else await hunt(mutants);

async function check(mutants: readonly Mutant[]): Promise<void> {
  const complaints = complaintsAbout(mutants, await readSources());
  for (const complaint of complaints) console.log(complaint);
  console.log(`${mutants.length - complaints.length} of ${mutants.length} can be planted`);
  if (complaints.length > 0) process.exitCode = 1;
}

async function hunt(mutants: readonly Mutant[]): Promise<void> {
  // Loaded when it is needed: the bundler takes longer to come than a check takes altogether.
  const { huntMutants, isAsItShouldBe, tableOf } = await import('./mutants.js');
  const startMs = performance.now();
  const verdicts = await huntMutants(mutants);
  console.log(tableOf(verdicts));
  console.log(`in ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
  for (const { name, breaks } of mutants) {
    const verdict = verdicts.find((other) => other.name === name);
    if (verdict?.caught && !names.includes(name)) continue;
    console.log(`\n${name}: ${breaks}`);
    if (verdict?.caught) console.log(verdict.caught.violation.message);
  }
  if (values.remember) await remember(verdicts);
  if (!verdicts.every(isAsItShouldBe)) process.exitCode = 1;
}

/** Those that were not hunted stay as they are; what a unit test has caught needs no note. */
async function remember(verdicts: readonly Verdict[]): Promise<void> {
  const file = new URL('caught-by.json', import.meta.url);
  const known = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
  for (const { name, caught } of verdicts) {
    if (caught && caught.violation.rule !== UNIT_TEST) known[name] = caught.by;
  }
  const sorted = Object.fromEntries(Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(file, `${JSON.stringify(sorted, null, 2)}\n`);
}
