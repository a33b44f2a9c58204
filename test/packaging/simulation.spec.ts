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
  it(`is the same, event by event, on Node ${nodeVersions.join(', ')}`, async () => {
    const [first = '', ...others] = await Promise.all(
      nodeVersions.map((version) => outputOf(version, 'test/simulation/digests.ts', [String(SEEDS)])),
    );
    expect(first.split('\n')).toHaveLength(SEEDS + 1);
    for (const other of others) expect(other.split('\n')).toEqual(first.split('\n'));
  });

  it('is told in the same words', async () => {
    const [first = '', ...others] = await Promise.all(
      nodeVersions.map((version) => outputOf(version, 'test/simulation/simulate.ts', ['--seed', '7'])),
    );
    expect(first).toContain('Nothing is wrong.');
    for (const other of others) expect(other).toBe(first);
  });
});
