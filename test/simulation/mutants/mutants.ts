import { execFile, fork } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundle } from '../bundle.js';
import type { Budget, Catch, Findings } from './hunt.js';

/** What became of a mutant. */
export interface Verdict {
  readonly name: string;
  readonly caught: Catch | undefined;
  /** What happened instead of its being caught. */
  readonly otherwise: string;
  readonly runs: number;
  readonly ms: number;
}

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '../../..');
/** The name of the code as it is. */
const NO_MUTANT = '(none)';
const SURVIVED = 'survived';
const BUNDLE = 'bundle';
const SCENARIO_SEEDS = 5;
const SEEDS = seedsUpTo(2_000);
/** Of the code as it is, in which nothing may be found. */
const CONTROL_SEEDS = seedsUpTo(300);
/** No further history is begun after that, … */
const HUNT_MS = 90_000;
/** … and after that a process hangs. */
const TIME_LIMIT_MS = 120_000;

/** Names of all mutants: of their patches, without the extension. */
export async function allMutants(): Promise<string[]> {
  const files = await readdir(HERE);
  return files
    .filter((file) => file.endsWith('.patch'))
    .map((file) => basename(file, '.patch'))
    .sort();
}

/**
 * Hunts each of these mutants, as many at a time as there are cores. The code as it is comes first, and again at the
 * end with the histories that have caught one: a history that it fails shows nothing.
 */
export async function huntMutants(names: readonly string[]): Promise<Verdict[]> {
  const base = await mkdtemp(join(tmpdir(), 'helix-mutants-'));
  try {
    await copyCode(ROOT, base);
    await compile(base);
    const verdicts: Verdict[] = [];
    const left = [NO_MUTANT, ...names].entries();
    const worker = async (): Promise<void> => {
      for (const [index, name] of left) {
        verdicts[index] =
          name === NO_MUTANT ? await huntIn(base, name, CONTROL_SEEDS) : await huntMutant(base, name);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    const seeds = new Set(verdicts.flatMap(({ caught }) => caught?.seed ?? []));
    const again = await huntIn(base, NO_MUTANT, [...seeds]);
    return again.caught ? [again, ...verdicts.slice(1)] : verdicts;
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** Whether it was caught; of the code as it is, whether nothing was. */
export function isAsItShouldBe({ name, caught }: Pick<Verdict, 'name' | 'caught'>): boolean {
  return (name === NO_MUTANT) === (caught === undefined);
}

/** One line for each, and one for all. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ name, caught, otherwise, runs, ms }) => {
    const what = caught?.by ?? otherwise;
    const by = isAsItShouldBe({ name, caught }) ? what : `${caught ? 'CAUGHT' : 'NOT CAUGHT'}: ${what}`;
    return [name, by, caught?.violation.rule ?? '', String(runs), (ms / 1_000).toFixed(1)];
  });
  const table = [['mutant', 'caught by', 'rule', 'runs', 's'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  const mutants = verdicts.filter(({ name }) => name !== NO_MUTANT);
  const caught = mutants.filter(isAsItShouldBe);
  return [...lines, `${caught.length} of ${mutants.length} were caught`].join('\n');
}

async function huntMutant(base: string, name: string): Promise<Verdict> {
  const copy = await mkdtemp(join(tmpdir(), 'helix-mutant-'));
  const startMs = performance.now();
  try {
    await copyCode(base, copy);
    await applyPatch(copy, name);
    await compile(copy);
    return await huntIn(copy, name, SEEDS);
  } catch (error) {
    // Whatever this is, it shows nothing.
    const otherwise = error instanceof Error ? error.message : String(error);
    return { name, caught: undefined, otherwise, runs: 0, ms: performance.now() - startMs };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** `copy` has been bundled. */
async function huntIn(copy: string, name: string, seeds: readonly number[]): Promise<Verdict> {
  const startMs = performance.now();
  const budget = { scenarioSeeds: SCENARIO_SEEDS, seeds, timeMs: HUNT_MS };
  const { caught, runs } = await play(copy, budget);
  return { name, caught, otherwise: SURVIVED, runs, ms: performance.now() - startMs };
}

async function copyCode(from: string, to: string): Promise<void> {
  const filter = (path: string): boolean => !path.endsWith('.spec.ts') && !path.endsWith('.patch');
  for (const part of ['lib', 'test/simulation', 'package.json', 'tsconfig.json']) {
    await cp(join(from, part), join(to, part), { recursive: true, filter });
  }
  await symlink(join(ROOT, 'node_modules'), join(to, 'node_modules'));
}

/** Exactly where it belongs, or not at all. A mutant changes the library, and nothing that it is judged by. */
async function applyPatch(copy: string, name: string): Promise<void> {
  const file = join(HERE, `${name}.patch`);
  const text = await readFile(file, 'utf8');
  const changed = [...text.matchAll(/^\+\+\+ (\S+)/gm)].map(([, path = '']) => path);
  if (changed.length === 0 || !changed.every((path) => path.startsWith('b/lib/'))) {
    throw new Error('not a patch of lib');
  }
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(copy) };
  try {
    await promisify(execFile)('git', ['apply', '-p1', file], { cwd: copy, env });
  } catch (cause) {
    throw new Error('does not apply', { cause });
  }
}

/** One file that runs as it is: compiling module by module would take longer than most hunts. */
async function compile(copy: string): Promise<void> {
  try {
    await bundle(copy, 'test/simulation/mutants/hunt.ts', BUNDLE);
  } catch (cause) {
    throw new Error('does not compile', { cause });
  }
}

/** In a process of its own, which an endless loop may hold, and an error that nobody handles may end. */
function play(copy: string, budget: Budget): Promise<Findings> {
  return new Promise((resolve, reject) => {
    const child = fork(join(copy, BUNDLE, 'hunt.js'), {
      cwd: copy,
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: TIME_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let findings: Findings | undefined;
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    child.on('message', (message) => (findings = message as Findings));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (findings) resolve(findings);
      else if (signal === 'SIGKILL') reject(new Error(`hung for ${TIME_LIMIT_MS / 1_000} s`));
      else
        reject(
          new Error(`ended with ${signal ?? code}: ${/^.*Error.*$/m.exec(complaint)?.[0] ?? 'no reason'}`),
        );
    });
    child.send(budget);
  });
}

function seedsUpTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
