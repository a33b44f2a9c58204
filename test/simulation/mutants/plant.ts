import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Change, Mutant } from './mutant.js';

const LIBRARY = fileURLToPath(new URL('../../../lib', import.meta.url));
const WHITE = /\s/;

/** A file of the library. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** The text without its white space, in which snippets are looked for. */
  readonly bare: string;
}

export function sourceOf(path: string, text: string): Source {
  return { path, text, bare: bareOf(text) };
}

/** The library as it is, without its tests. */
export async function readSources(): Promise<Source[]> {
  const files = await readdir(LIBRARY, { recursive: true });
  const paths = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  return Promise.all(
    paths.map(async (file) => {
      const path = join(LIBRARY, file);
      return sourceOf(path, await readFile(path, 'utf8'));
    }),
  );
}

/**
 * The library with this mutant in it.
 *
 * @throws an error that says why, if it is not clear where it belongs or if it would change nothing
 */
export function plant({ changes }: Mutant, sources: readonly Source[]): readonly Source[] {
  if (changes.length === 0) throw new Error('changes nothing');
  return changes.reduce(changed, sources);
}

/** What is wrong with these mutants: a line for each that cannot be planted, or has the name of another. */
export function complaintsAbout(mutants: readonly Mutant[], sources: readonly Source[]): string[] {
  const names = new Set<string>();
  return mutants.flatMap((mutant) => {
    const complaints: string[] = [];
    if (names.has(mutant.name)) complaints.push(`${mutant.name}: another one has this name`);
    names.add(mutant.name);
    try {
      plant(mutant, sources);
    } catch (error) {
      complaints.push(`${mutant.name}: ${(error as Error).message}`);
    }
    return complaints;
  });
}

function changed(sources: readonly Source[], change: Change): readonly Source[] {
  const snippet = bareOf(change.replace);
  if (snippet === '') throw new Error(`does not say what is replaced by: ${shortened(change.by)}`);
  if (snippet === bareOf(change.by)) throw new Error(`changes nothing: ${shortened(change.replace)}`);
  const found = sources.flatMap((source) => placesOf(snippet, source).map((from) => ({ source, from })));
  const [only] = found;
  if (!only || found.length > 1) throw new Error(`found ${found.length} times: ${shortened(change.replace)}`);
  const { path, text } = only.source;
  const before = text.slice(0, placeIn(text, only.from));
  const after = text.slice(placeIn(text, only.from + snippet.length - 1) + 1);
  const mutated = sourceOf(path, before + change.by + after);
  return sources.map((source) => (source === only.source ? mutated : source));
}

function placesOf(snippet: string, { bare }: Source): number[] {
  const found: number[] = [];
  for (let at = bare.indexOf(snippet); at >= 0; at = bare.indexOf(snippet, at + 1)) found.push(at);
  return found;
}

/** Where the character stands in `text` that is at `index` of its bare text. */
function placeIn(text: string, index: number): number {
  let place = -1;
  for (let left = index; left >= 0; left--) {
    do place++;
    while (WHITE.test(text.charAt(place)));
  }
  return place;
}

function bareOf(code: string): string {
  return code.replace(/\s/g, '');
}

function shortened(code: string): string {
  const line = code.trim().replace(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 80)}…` : line;
}
