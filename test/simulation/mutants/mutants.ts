import { execFile, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundle, withBundles } from '../bundle.js';
import type { Budget, Catch, Findings } from './hunt.js';
import type { Mutant } from './mutant.js';
import { plant, readSources, type Source } from './plant.js';

/** What became of a mutant. */
export interface Verdict {
  readonly name: string;
  readonly caught: Catch | undefined;
  /** What happened instead of its being caught. */
  readonly otherwise: string;
  readonly runs: number;
  readonly ms: number;
}

/** What histories from the core up do not pass. */
const IN_CQL = /\/cql\/(?!driver\/classify)/;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** The name of the code as it is. */
const NO_MUTANT = '(none)';
const SURVIVED = 'survived';
const VITEST_CONFIG = 'test/simulation/mutants/vitest.config.mts';
const SCENARIO_SEEDS = 5;
const SEEDS = seedsUpTo(2_000);
/** The core is under the same net by itself, which is the faster way. */
const CQL_SEEDS = seedsUpTo(400);
/** Of the code as it is, in which nothing may be found. */
const CONTROL_SEEDS = { seeds: seedsUpTo(300), cqlSeeds: seedsUpTo(100) };
/** What caught each mutant when all were hunted last. */
const CAUGHT_BY = JSON.parse(readFileSync(new URL('caught-by.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, string>
>;
/** No further history is begun after so much time of a processor. */
const HUNT_CPU_MS = 90_000;
/** A process that has not ended after so long hangs. */
const TIME_LIMIT_MS = 600_000;

/**
 * Hunts each of these mutants, as many at a time as there are cores. The code as it is comes first, and again at the
 * end with the histories that have caught one: a history that it fails shows nothing.
 */
export function huntMutants(mutants: readonly Mutant[]): Promise<Verdict[]> {
  return withBundles(async (folder) => {
    // All of them are planted in the library as it is now, whatever is changed in it meanwhile.
    const sources = await readSources();
    const asItIs = await compile(sources, join(folder, NO_MUTANT));
    const verdicts: Verdict[] = [];
    const left = [undefined, ...mutants].entries();
    const worker = async (): Promise<void> => {
      for (const [index, mutant] of left) {
        verdicts[index] = mutant
          ? await huntMutant(mutant, sources, join(folder, mutant.name))
          : await hunt(asItIs, NO_MUTANT, CONTROL_SEEDS);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    const again = await hunt(asItIs, NO_MUTANT, seedsThatCaught(verdicts));
    return again.caught ? [again, ...verdicts.slice(1)] : verdicts;
  });
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

async function huntMutant(mutant: Mutant, sources: readonly Source[], folder: string): Promise<Verdict> {
  const startMs = performance.now();
  try {
    if (mutant.specs) return await testMutant(mutant, mutant.specs, folder);
    const planted = plant(mutant, sources);
    const isInCql = planted.some((source, index) => source !== sources[index] && IN_CQL.test(source.path));
    const script = await compile(planted, folder);
    return await hunt(script, mutant.name, { seeds: SEEDS, cqlSeeds: isInCql ? CQL_SEEDS : [] });
  } catch (error) {
    // Whatever this is, it shows nothing.
    const otherwise = error instanceof Error ? error.message : String(error);
    return { name: mutant.name, caught: undefined, otherwise, runs: 0, ms: performance.now() - startMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs unit tests over the library with the mutant in it. */
async function testMutant({ name }: Mutant, specs: string, folder: string): Promise<Verdict> {
  const startMs = performance.now();
  const report = join(folder, 'report.json');
  const args = [
    'run',
    '--config',
    VITEST_CONFIG,
    '--reporter',
    'json',
    '--outputFile',
    report,
    join('lib', specs),
  ];
  const env = { ...process.env, HELIX_MUTANT: name };
  // It ends with 1 when a test fails, which is what is wanted here.
  await promisify(execFile)(join(ROOT, 'node_modules/.bin/vitest'), args, { cwd: ROOT, env }).catch(
    () => undefined,
  );
  const { testResults } = JSON.parse(await readFile(report, 'utf8')) as VitestReport;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === 'failed');
  const violation = failed && { rule: 'unit test', message: failed.fullName };
  return {
    name,
    caught: violation && { by: specs, violation },
    otherwise: SURVIVED,
    runs: tests.length,
    ms: performance.now() - startMs,
  };
}

interface VitestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

async function hunt(
  script: string,
  name: string,
  seeds: Pick<Budget, 'seeds' | 'cqlSeeds'>,
): Promise<Verdict> {
  const startMs = performance.now();
  const budget = { first: CAUGHT_BY[name], scenarioSeeds: SCENARIO_SEEDS, ...seeds, cpuMs: HUNT_CPU_MS };
  const { caught, runs } = await play(script, budget);
  return { name, caught, otherwise: SURVIVED, runs, ms: performance.now() - startMs };
}

/** One file that runs as it is: compiling module by module would take longer than most hunts. */
async function compile(sources: readonly Source[], folder: string): Promise<string> {
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  try {
    return await bundle('test/simulation/mutants/hunt.ts', folder, texts);
  } catch (cause) {
    throw new Error('does not compile', { cause });
  }
}

/** In a process of its own, which an endless loop may hold, and an error that nobody handles may end. */
function play(script: string, budget: Budget): Promise<Findings> {
  return new Promise((resolve, reject) => {
    const child = fork(script, {
      cwd: ROOT,
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

function seedsThatCaught(verdicts: readonly Verdict[]): Pick<Budget, 'seeds' | 'cqlSeeds'> {
  const of = (surface: 'cql' | undefined): number[] => [
    ...new Set(verdicts.flatMap(({ caught }) => (caught?.surface === surface ? (caught?.seed ?? []) : []))),
  ];
  return { seeds: of(undefined), cqlSeeds: of('cql') };
}

function seedsUpTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
