import { createHash } from 'node:crypto';
import { generate } from './generate.js';
import { run } from './run.js';

/** Prints a digest of the timeline of each of so many seeds, on a surface: equal lines are equal runs, byte for byte. */
const count = Number(process.argv[2]);
const surface = process.argv[3] === 'cql' ? 'cql' : 'core';
for (let seed = 1; seed <= count; seed++) {
  const { timeline } = await run(generate(seed, undefined, surface), { timeline: true });
  const digest = createHash('sha256').update(timeline.join('\n')).digest('hex');
  process.stdout.write(`${seed} ${timeline.length} ${digest}\n`);
}
