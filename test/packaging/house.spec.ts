import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../servers/process-tree.js';
import type { Walks } from './walk-of-a-write.js';

const LIBRARY = 'lib';
const MOST_FILES_OF_A_WRITE = 14;
const MOST_FILES_OF_A_REPLAYED_WRITE = 33;

/** The files of lib without specs, and what each of them imports, types included. */
function imports(): Map<string, string[]> {
  const files = readdirSync(LIBRARY, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  return new Map(
    sources.map((file) => {
      const text = readFileSync(join(LIBRARY, file), 'utf8');
      const named = [...text.matchAll(/ from '(\.[^']+)\.js'/g)].map(([, path = '']) => path);
      return [file, named.map((path) => `${normalize(join(dirname(file), path))}.ts`)];
    }),
  );
}

/** The first way that leads from a file back to itself. */
function ringIn(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const seen = new Set<string>();
  const search = (file: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (seen.has(file)) return undefined;
    seen.add(file);
    for (const next of graph.get(file) ?? []) {
      const ring = search(next, [...way, file]);
      if (ring) return ring;
    }
    return undefined;
  };
  for (const file of graph.keys()) {
    const ring = search(file, []);
    if (ring) return ring;
  }
  return undefined;
}

describe('The house', () => {
  it('has no file that imports itself by way of others, not even for a type', () => {
    const graph = imports();
    expect(graph.size).toBeGreaterThan(100);
    expect(ringIn(graph)).toBeUndefined();
  });
});

describe('A write, from exec() on', () => {
  let walks: Walks;

  beforeAll(async () => {
    const args = ['--import', 'tsx', 'test/packaging/walk-of-a-write.ts'];
    const { code, output } = await run({ file: process.execPath, args, cwd: process.cwd() });
    if (code !== 0) throw new Error(`The walk ended with ${code}:\n${output.slice(-4_000)}`);
    walks = JSON.parse(output.slice(output.indexOf('{"applied"'))) as Walks;
  });

  it(`that both sides apply passes at most ${MOST_FILES_OF_A_WRITE} files`, () => {
    expect(walks.applied).toContain('core/write-path');
    expect(walks.applied.length, walks.applied.join('\n')).toBeLessThanOrEqual(MOST_FILES_OF_A_WRITE);
  });

  it(`that B leaves in doubt passes at most ${MOST_FILES_OF_A_REPLAYED_WRITE} until it is replayed`, () => {
    expect(walks.replayed).toContain('replay/target-lane');
    const { length } = walks.replayed;
    expect(length, walks.replayed.join('\n')).toBeLessThanOrEqual(MOST_FILES_OF_A_REPLAYED_WRITE);
  });
});
