import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, cacheRoot } from './cache.js';
import { runScript, type Child } from './fixtures/child.js';

describe('the cache', () => {
  let root: string;
  let folder: string;
  let fills: number;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cache-spec-'));
    folder = join(root, 'jars-1.0');
    fills = 0;
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const fill = async (into: string) => {
    fills += 1;
    writeFileSync(join(into, 'a.jar'), 'a');
    writeFileSync(join(into, 'b.jar'), 'b');
  };

  it('is filled once', async () => {
    await Promise.all([cached(folder, fill), cached(folder, fill)]);
    await cached(folder, fill);
    expect(fills).toBe(1);
    expect(readdirSync(root)).toEqual(['jars-1.0']);
  });

  it('is filled again when a file has gone missing', async () => {
    await cached(folder, fill);
    rmSync(join(folder, 'b.jar'));
    await cached(folder, fill);
    expect(fills).toBe(2);
    expect(existsSync(join(folder, 'b.jar'))).toBe(true);
  });

  it('leaves nothing behind when it cannot be filled', async () => {
    const failing = async (into: string) => {
      await fill(into);
      throw new Error('no network');
    };
    await expect(cached(folder, failing)).rejects.toThrow('no network');
    expect(readdirSync(root)).toEqual([]);
  });

  it('is not filled by a process while another one fills it', async () => {
    let waiting: Child | undefined;
    await cached(folder, async (into) => {
      waiting = await runScript('fill-cache.ts', folder);
      await fill(into);
    });
    expect(await waiting?.ended).toBe(0);
    expect(readdirSync(root)).toEqual(['jars-1.0']);
  });

  it('is complete whichever of several processes fills it', async () => {
    const children = await Promise.all([1, 2, 3].map(() => runScript('fill-cache.ts', folder)));
    const fillsOfAll = await Promise.all(children.map(({ ended }) => ended));
    expect(fillsOfAll).toContain(1);
    expect(readdirSync(root)).toEqual(['jars-1.0']);
    await cached(folder, fill);
    expect(fills).toBe(0);
  });

  it.each([
    [{ HELIX_SERVERS_CACHE: '/c', XDG_CACHE_HOME: '/x' }, '/c'],
    [{ XDG_CACHE_HOME: '/x' }, '/x/nestjs-helix'],
  ])('lies where %o says', (env, expected) => {
    expect(cacheRoot(env)).toBe(expected);
  });
});
