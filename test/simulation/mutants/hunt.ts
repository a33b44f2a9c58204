import { readdirSync, readFileSync } from 'node:fs';
import { generate } from '../generate.js';
import { type History } from '../history.js';
import { type Violation } from '../ledger.js';
import { type Outcome, run } from '../run.js';
import { scenarios } from '../scenarios/index.js';

/** How much is played before a mutant counts as survived. */
export interface Budget {
  /** Of each scenario. */
  readonly scenarioSeeds: number;
  /** Of random histories, after the scenarios. */
  readonly seeds: readonly number[];
  /** No further one is begun after so long, in ms. */
  readonly timeMs: number;
}

/** What came of it. */
export interface Findings {
  /** The first of the histories that show it; `undefined`: none does. */
  readonly caught: Catch | undefined;
  readonly runs: number;
}

export interface Catch {
  readonly by: string;
  /** Of the random history that it was. */
  readonly seed?: number;
  readonly violation: Violation;
}

/** Histories that showed a defect once, from the folder that the process runs in. */
const REGRESSIONS = 'test/simulation/regressions';
/** So many runs at a time share the turns of one event loop. */
const SIDE_BY_SIDE = 16;

interface Play {
  readonly name: string;
  readonly seed?: number;
  readonly history: History;
  /** What it must show beside everything that always holds. */
  readonly judge?: (outcome: Outcome) => readonly Violation[];
}

/** The process of one mutant: is told how much to play, answers with what it found, and ends. */
process.once('message', (budget) => {
  void hunt(budget as Budget).then((findings) => process.send?.(findings, () => process.exit()));
});

async function hunt(budget: Budget): Promise<Findings> {
  // Errors are made by the thousand, and nobody reads where.
  Error.stackTraceLimit = 0;
  const left = plays(budget);
  const endMs = performance.now() + budget.timeMs;
  const running = new Set<Play>();
  let caught: Catch | undefined;
  let runs = 0;
  process.on('unhandledRejection', (reason) => {
    const [play] = running;
    const violation = { rule: 'unhandled rejection', message: String(reason) };
    caught ??= { by: `${play?.name ?? 'nobody'}, or one beside it`, violation };
  });
  const worker = async (): Promise<void> => {
    for (let next = left.next(); !next.done && !caught && performance.now() < endMs; next = left.next()) {
      const play = next.value;
      running.add(play);
      const [violation] = await violationsOf(play);
      running.delete(play);
      runs++;
      if (violation)
        caught ??= { by: play.name, ...(play.seed !== undefined && { seed: play.seed }), violation };
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return { caught, runs };
}

/** The first seed of every scenario, then the second…, which show most, and cost least; then what was found before. */
function* plays({ scenarioSeeds, seeds }: Budget): Generator<Play, undefined> {
  for (let seed = 1; seed <= scenarioSeeds; seed++) {
    for (const scenario of scenarios) {
      const { name } = scenario;
      const judge = (outcome: Outcome): readonly Violation[] => scenario.judge(outcome);
      yield { name: `scenario ${name}, seed ${seed}`, history: scenario.history(seed), judge };
    }
  }
  for (const name of readdirSync(REGRESSIONS)) {
    const history = JSON.parse(readFileSync(`${REGRESSIONS}/${name}`, 'utf8')) as History;
    yield { name: `regression ${name}`, history };
  }
  for (const seed of seeds) yield { name: `seed ${seed}`, seed, history: generate(seed) };
  return undefined;
}

async function violationsOf({ history, judge }: Play): Promise<readonly Violation[]> {
  try {
    const outcome = await run(history);
    return [...(judge?.(outcome) ?? []), ...outcome.violations];
  } catch (thrown) {
    return [{ rule: 'thrown', message: String(thrown) }];
  }
}
