import { type History } from './history.js';
import { type Violation } from './ledger.js';
import { run } from './run.js';

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

/** So many runs at a time share the turns of one event loop: a turn costs the same for one as for all. */
const SIDE_BY_SIDE = 16;

/**
 * Runs the histories of many seeds. Errors that nobody handles, in code under test that lost a promise, belong to
 * the seeds that were running: they are run again one at a time to find whose it is.
 */
export async function runBatch(
  seeds: Iterable<number>,
  historyOf: (seed: number) => History,
  /** No further histories are begun after so many failures. */
  stopAfter = Infinity,
): Promise<BatchReport> {
  // Errors are made by the thousand, and nobody reads where.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const left = seeds[Symbol.iterator]();
  const running = new Set<number>();
  const suspects = new Set<number>();
  const failures: Failure[] = [];
  let runs = 0;
  let operations = 0;
  let virtualMs = 0;
  const onUnhandled = (): void => {
    for (const seed of running) suspects.add(seed);
  };
  const runOne = async (seed: number): Promise<void> => {
    const outcome = await runCatching(historyOf(seed));
    runs++;
    operations += outcome.operations;
    virtualMs += outcome.virtualMs;
    if (outcome.violations.length > 0) failures.push({ seed, violations: outcome.violations });
  };
  const worker = async (): Promise<void> => {
    for (let next = left.next(); !next.done && failures.length < stopAfter; next = left.next()) {
      const seed = next.value;
      running.add(seed);
      await runOne(seed);
      running.delete(seed);
    }
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
    process.off('unhandledRejection', onUnhandled);
    for (const seed of suspects) {
      const violations = await check(historyOf(seed));
      if (violations.length > 0) failures.push({ seed, violations });
    }
  } finally {
    process.off('unhandledRejection', onUnhandled);
    Error.stackTraceLimit = stackTraceLimit;
  }
  return { runs, operations, virtualMs, failures };
}

/** Runs one history by itself; an error of the simulation itself, and one that nobody handles, are violations too. */
export async function check(history: History): Promise<readonly Violation[]> {
  const unhandled: Violation[] = [];
  const note = (reason: unknown): void => {
    unhandled.push({ rule: 'unhandled rejection', message: textOf(reason) });
  };
  process.on('unhandledRejection', note);
  try {
    const { violations } = await runCatching(history);
    // Node tells of a rejection after the turn it happened in.
    await new Promise((resolve) => setImmediate(resolve));
    return [...violations, ...unhandled];
  } finally {
    process.off('unhandledRejection', note);
  }
}

async function runCatching(
  history: History,
): Promise<{ violations: readonly Violation[]; operations: number; virtualMs: number }> {
  try {
    const { violations, ledger, virtualMs } = await run(history);
    return { violations, operations: ledger.writes.size + ledger.reads.length, virtualMs };
  } catch (thrown) {
    return { violations: [{ rule: 'thrown', message: textOf(thrown) }], operations: 0, virtualMs: 0 };
  }
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
