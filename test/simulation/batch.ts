import type { History } from './history.js';
import type { Violation } from './ledger.js';
import { type Outcome, run, type RunOptions } from './run.js';
import type { Scenario } from './scenario.js';

/** A history that something was wrong with. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly Violation[];
}

/** What a batch came to. */
export interface BatchReport {
  readonly runs: number;
  readonly operations: number;
  /** Virtual time, all runs together. */
  readonly virtualMs: number;
  readonly failures: readonly Failure[];
}

/** A run, and everything that is wrong with it. */
export interface Checked {
  readonly violations: readonly Violation[];
  /** `undefined`: the run itself broke off. */
  readonly outcome: Outcome | undefined;
}

/** Runs the histories of many seeds, one after the other: side by side they would only keep each other from the cache. */
export async function runBatch(
  seeds: Iterable<number>,
  historyOf: (seed: number) => History,
  /** No further histories are begun after so many failures. */
  stopAfter = Infinity,
): Promise<BatchReport> {
  // Errors are made by the thousand, and nobody reads where.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const failures: Failure[] = [];
  let runs = 0;
  let operations = 0;
  let virtualMs = 0;
  for (const seed of seeds) {
    const { violations, outcome } = await check(historyOf(seed));
    runs++;
    operations += outcome ? outcome.ledger.writes.size + outcome.ledger.reads.length : 0;
    virtualMs += outcome?.virtualMs ?? 0;
    if (violations.length > 0 && failures.push({ seed, violations }) >= stopAfter) break;
  }
  Error.stackTraceLimit = stackTraceLimit;
  return { runs, operations, virtualMs, failures };
}

/** Runs a history; an error of the simulation itself, and one that nobody handles, are violations too. */
export async function check(history: History, options: RunOptions = {}): Promise<Checked> {
  const found: Violation[] = [];
  const note = (reason: unknown): void => {
    found.push({ rule: 'unhandled rejection', message: textOf(reason) });
  };
  process.on('unhandledRejection', note);
  let outcome: Outcome | undefined;
  try {
    outcome = await run(history, options);
    // Node tells of a rejection after the turn it happened in.
    await new Promise((resolve) => setImmediate(resolve));
  } catch (thrown) {
    found.push({ rule: 'thrown', message: textOf(thrown) });
  } finally {
    process.off('unhandledRejection', note);
  }
  return { violations: [...(outcome?.violations ?? []), ...found], outcome };
}

/** Plays a scenario; what it must show beside everything that always holds comes first. */
export async function checkScenario(scenario: Scenario, seed: number): Promise<readonly Violation[]> {
  const { violations, outcome } = await check(scenario.history(seed));
  return outcome ? [...scenario.judge(outcome), ...violations] : violations;
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
