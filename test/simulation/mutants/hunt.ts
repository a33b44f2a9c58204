import { readdirSync, readFileSync } from 'node:fs';
import { check as checkHistory, checkScenario } from '../batch.js';
import { generate } from '../generate.js';
import type { History } from '../history.js';
import type { Violation } from '../ledger.js';
import { scenarios } from '../scenarios/index.js';

/** How much is played before a mutant counts as survived. */
export interface Budget {
  /** What has caught it before, as {@link Catch} calls it: played first, and nothing more than a short cut. */
  readonly first: string | undefined;
  /** Of each scenario. */
  readonly scenarioSeeds: number;
  /** Of random histories, after the scenarios. */
  readonly seeds: readonly number[];
  /** Of histories through `HelixCqlService`, before all others. */
  readonly cqlSeeds: readonly number[];
  /** No further one is begun after so much time of a processor, in ms: others may have it meanwhile. */
  readonly cpuMs: number;
}

/** What came of it. */
export interface Findings {
  /** The first of the histories that show it; `undefined`: none does. */
  readonly caught: Catch | undefined;
  readonly runs: number;
}

export interface Catch {
  readonly by: string;
  /** Of the random history that it was, … */
  readonly seed?: number;
  /** … if it was not one from the core up. */
  readonly surface?: 'cql';
  readonly violation: Violation;
}

/** Histories that showed a defect once, from the folder that the process runs in. */
const REGRESSIONS = 'test/simulation/regressions';
interface Play {
  readonly name: string;
  readonly seed?: number;
  readonly surface?: 'cql';
  play(): Promise<readonly Violation[]>;
}

/** The process of one mutant: is told how much to play, answers with what it found, and ends. */
process.once('message', (budget) => {
  void hunt(budget as Budget).then((findings) => process.send?.(findings, () => process.exit()));
});

async function hunt(budget: Budget): Promise<Findings> {
  // Errors are made by the thousand, and nobody reads where.
  Error.stackTraceLimit = 0;
  const fromMs = cpuMs();
  let runs = 0;
  for (const { name, play, ...which } of plays(budget)) {
    if (cpuMs() - fromMs >= budget.cpuMs) break;
    const [violation] = await play();
    runs++;
    if (violation) return { caught: { by: name, ...which, violation }, runs };
  }
  return { caught: undefined, runs };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/**
 * What has caught it before; the first seed of every scenario, then the second…, which show most, and cost least; then
 * what was found before.
 */
function* plays(budget: Budget): Generator<Play, undefined> {
  const { scenarioSeeds, seeds, cqlSeeds, first } = budget;
  const before = first === undefined ? undefined : playCalled(first);
  if (before) yield before;
  for (const seed of cqlSeeds) yield cqlPlay(seed);
  for (let seed = 1; seed <= scenarioSeeds; seed++) {
    for (const scenario of scenarios) {
      const name = `scenario ${scenario.name}, seed ${seed}`;
      yield { name, play: () => checkScenario(scenario, seed) };
    }
  }
  for (const name of readdirSync(REGRESSIONS)) yield regressionPlay(name);
  for (const seed of seeds) yield seedPlay(seed);
  return undefined;
}

/** `undefined`: there is nothing of that name any more. */
function playCalled(name: string): Play | undefined {
  const [, surface, seed] = /^(cql )?seed (\d+)$/.exec(name) ?? [];
  if (seed !== undefined) return surface ? cqlPlay(Number(seed)) : seedPlay(Number(seed));
  const [, called, ofScenario] = /^scenario (.+), seed (\d+)$/.exec(name) ?? [];
  const scenario = scenarios.find((each) => each.name === called);
  if (scenario) return { name, play: () => checkScenario(scenario, Number(ofScenario)) };
  const file = readdirSync(REGRESSIONS).find((each) => name === `regression ${each}`);
  return file === undefined ? undefined : regressionPlay(file);
}

function seedPlay(seed: number): Play {
  return { name: `seed ${seed}`, seed, play: () => check(generate(seed)) };
}

function cqlPlay(seed: number): Play {
  return {
    name: `cql seed ${seed}`,
    seed,
    surface: 'cql',
    play: () => check(generate(seed, undefined, 'cql')),
  };
}

function regressionPlay(file: string): Play {
  const history = JSON.parse(readFileSync(`${REGRESSIONS}/${file}`, 'utf8')) as History;
  return { name: `regression ${file}`, play: () => check(history) };
}

async function check(history: History): Promise<readonly Violation[]> {
  return (await checkHistory(history)).violations;
}
