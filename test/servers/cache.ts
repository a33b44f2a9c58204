import { lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { atExit } from './at-exit.js';
import { createOwnedDirectory, removeDirectory, sweep } from './owned-directory.js';

const marker = '.complete';
const filling = new Map<string, Promise<string>>();

/** Outside the checkout, so that a clean checkout need not fetch again. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return (
    env['HELIX_SERVERS_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'nestjs-helix')
  );
}

/**
 * The folder with all that `fill` puts into it. It appears under its name at once and complete, and is
 * filled again when a file has gone missing. A second process waits for the first instead of fetching too.
 */
export function cached(folder: string, fill: (into: string) => Promise<void>): Promise<string> {
  let result = filling.get(folder);
  if (!result) {
    result = fillOnce(folder, fill).finally(() => filling.delete(folder));
    filling.set(folder, result);
  }
  return result;
}

async function fillOnce(folder: string, fill: (into: string) => Promise<void>): Promise<string> {
  const parent = dirname(folder);
  const prefix = `${basename(folder)}.filling`;
  mkdirSync(parent, { recursive: true });
  for (;;) {
    if (isComplete(folder)) return folder;
    if (sweep(parent, prefix).length === 0) break;
    await delay(100);
  }
  const next = createOwnedDirectory(parent, prefix);
  const withdraw = atExit(() => removeDirectory(next));
  try {
    await fill(next);
    writeFileSync(join(next, marker), contents(next));
    removeUnlessComplete(folder);
    renameSync(next, folder);
  } catch (error) {
    // Two that began at the same instant: the second finds the first one's result.
    if (!isComplete(folder)) throw error;
  } finally {
    withdraw();
    removeDirectory(next);
  }
  return folder;
}

function removeUnlessComplete(folder: string): void {
  if (!isComplete(folder)) removeDirectory(folder);
}

function isComplete(folder: string): boolean {
  try {
    return readFileSync(join(folder, marker), 'utf8') === contents(folder);
  } catch {
    return false;
  }
}

function contents(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== marker)
    .sort()
    .map((name) => `${name} ${sizeOf(join(folder, name))}\n`)
    .join('');
}

function sizeOf(path: string): string {
  const stats = lstatSync(path);
  return stats.isFile() ? String(stats.size) : '-';
}
