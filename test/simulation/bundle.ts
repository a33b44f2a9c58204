import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What a bundle does not contain it finds from here. */
const CACHE = join(ROOT, 'node_modules/.cache');

/**
 * Makes one JavaScript file of a script and everything of ours that it imports: it begins sooner than one that
 * compiles each module when it is imported, and runs faster, because functions need not keep their names.
 *
 * @param script the script, from the folder of this repository
 * @param outDir a folder that was made by {@link withBundles}
 * @param texts what stands in files of ours instead of what is on disk, by their path
 * @returns where the file is
 */
export async function bundle(
  script: string,
  outDir: string,
  texts: ReadonlyMap<string, string> = new Map(),
): Promise<string> {
  await build({
    configFile: false,
    root: ROOT,
    logLevel: 'silent',
    plugins: [{ name: 'texts', load: (path) => texts.get(path) }],
    oxc: { decorator: { legacy: true } },
    build: { ssr: script, outDir, target: 'node20', minify: false, emptyOutDir: false },
  });
  return join(outDir, basename(script).replace(/\.ts$/, '.js'));
}

/** Lends a folder for bundles, which is removed once `use` has ended. */
export async function withBundles<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'helix-simulation-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
