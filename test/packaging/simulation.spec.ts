import { describe, expect, it } from 'vitest';
import { run } from '../servers/process-tree.js';
import { nodeBinary, nodeVersions } from './node-binaries.js';

const SEEDS = 60;

async function outputOf(version: string, script: string, args: readonly string[]): Promise<string> {
  const file = await nodeBinary(version);
  const { code, output } = await run({
    file,
    args: ['--import', 'tsx', script, ...args],
    cwd: process.cwd(),
  });
  if (code !== 0) throw new Error(`Node ${version} ended with ${code}:\n${output.slice(-4_000)}`);
  return output;
}

describe('A simulated history', () => {
  it.each(['core', 'cql'])(
    `is the same, event by event, on Node ${nodeVersions.join(', ')} (%s)`,
    async (surface) => {
      const [first = '', ...others] = await Promise.all(
        nodeVersions.map((version) =>
          outputOf(version, 'test/simulation/digests.ts', [String(SEEDS), surface]),
        ),
      );
      expect(first.split('\n')).toHaveLength(SEEDS + 1);
      for (const other of others) expect(other.split('\n')).toEqual(first.split('\n'));
    },
  );

  it.each(['core', 'cql'])('is told in the same words (%s)', async (surface) => {
    const args = ['--surface', surface, '--seed', '7'];
    const [first = '', ...others] = await Promise.all(
      nodeVersions.map((version) => outputOf(version, 'test/simulation/simulate.ts', args)),
    );
    expect(first).toContain('Nothing is wrong.');
    for (const other of others) expect(other).toBe(first);
  });
});
