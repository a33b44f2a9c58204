import { chmodSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheRoot } from '../servers/cache.js';
import { run } from '../servers/process-tree.js';

/**
 * The Nodes that the package is shown to work on: the oldest that `engines` allows, and the two later
 * long-term lines. npm has them for Linux on x64 and arm64; elsewhere it is the one that runs the tests.
 */
export const nodeVersions: readonly string[] =
  process.platform === 'linux' ? ['20.19.0', '22.23.3', '24.21.0'] : [process.versions.node];

/** The executable of a version, fetched by npm once and then kept in the cache of the test servers. */
export async function nodeBinary(version: string): Promise<string> {
  if (version === process.versions.node) return process.execPath;
  const folder = await cached(join(cacheRoot(), `node-${version}`), (into) => fetchNode(version, into));
  return join(folder, 'node');
}

async function fetchNode(version: string, into: string): Promise<void> {
  const name = `node-${process.platform}-${process.arch}`;
  const scratch = join(into, 'scratch');
  const args = ['install', '--prefix', scratch, '--no-save', '--ignore-scripts', `${name}@${version}`];
  const installed = await run({ file: 'npm', args, cwd: into });
  if (installed.code !== 0) {
    throw new Error(`npm could not fetch ${name}@${version}:\n${installed.output.slice(-4_000)}`);
  }
  const binary = join(into, 'node');
  renameSync(join(scratch, 'node_modules', name, 'bin/node'), binary);
  chmodSync(binary, 0o755);
  rmSync(scratch, { recursive: true });
  const { code, output } = await run({ file: binary, args: ['--version'], cwd: into });
  if (code !== 0 || output.trim() !== `v${version}`) {
    throw new Error(`${name}@${version} does not run here, or is another one: ${output.trim()}`);
  }
}
