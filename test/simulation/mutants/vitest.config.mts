import { defineConfig } from 'vitest/config';
import { plant, readSources } from './plant.js';
import { allMutants } from './planted/all.js';

/** Unit tests of the library with one mutant in it, whose name is in the environment. */
const name = process.env['HELIX_MUTANT'];
const mutant = allMutants.find((each) => each.name === name);
if (!mutant) throw new Error(`HELIX_MUTANT: there is no mutant ${String(name)}`);
const sources = await readSources();
const changed = plant(mutant, sources).filter((source, index) => source !== sources[index]);
const texts = new Map(changed.map(({ path, text }) => [path, text]));

export default defineConfig({
  root: new URL('../../..', import.meta.url).pathname,
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  plugins: [{ name: 'mutant', enforce: 'pre', load: (id) => texts.get(id.split('?')[0] ?? id) }],
  test: { include: ['lib/**/*.spec.ts'], setupFiles: ['reflect-metadata'] },
});
