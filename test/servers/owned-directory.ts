import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isGone, processesIn, signal, goneSync, startTime } from './process-tree.js';

/** A new directory whose name says which process it belongs to. */
export function createOwnedDirectory(parent: string, prefix: string): string {
  return mkdtempSync(join(parent, `${prefix}-${process.pid}-${startTime(process.pid)}-`));
}

/** A server that was killed a moment ago may still have been writing: removal is tried again. */
export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 25 });
}

/** Removes what processes that no longer exist left in `parent`; returns what belongs to living ones. */
export function sweep(parent: string, prefix: string): string[] {
  const living: string[] = [];
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(`${prefix}-`)) continue;
    const owner = /-(\d+)-(\d+)-\w{6}$/.exec(name);
    if (!owner) continue;
    const directory = join(parent, name);
    if (lives(Number(owner[1]), owner[2])) {
      living.push(directory);
      continue;
    }
    try {
      const orphans = processesIn(directory);
      for (const pid of orphans) signal(pid, 'SIGKILL');
      goneSync(orphans);
      removeDirectory(directory);
    } catch {
      // Another user's, or just being swept by another run.
    }
  }
  return living;
}

function lives(pid: number, since: string | undefined): boolean {
  return !isGone(pid) && startTime(pid) === since;
}
