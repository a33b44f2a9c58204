import { setImmediate as nextTurn } from 'node:timers/promises';
import { median, type Spread, spread } from './statistics.js';

/** One call, begun and awaited. Called again and again, so it brings its own changing parameters. */
export type Operation = () => Promise<unknown>;

/** Two ways to do the same, ready to run. */
export interface Pair {
  readonly handWritten: Operation;
  readonly helix: Operation;
  close(): Promise<void>;
}

export type Group = 'fakes' | 'stubs';

export interface Comparison {
  readonly name: string;
  readonly group: Group;
  readonly inFlight: number;
  open(): Promise<Pair>;
}

export interface Settings {
  /** Pairs of rounds, one round of each side; a ratio is taken within each pair. */
  readonly pairs: number;
  /** Length that the slower side's rounds are to have, in ms. */
  readonly roundMs: number;
  readonly warmUpMs: number;
}

/** One side's time, wall and CPU of the whole process, per operation. */
export interface Round {
  readonly nsPerOp: number;
  readonly cpuNsPerOp: number;
}

export interface Side extends Round {
  readonly opsPerSecond: number;
}

export interface Result {
  readonly name: string;
  readonly group: Group;
  readonly inFlight: number;
  readonly pairs: number;
  readonly operationsPerRound: number;
  /** Medians of all rounds. */
  readonly handWritten: Side;
  readonly helix: Side;
  /** Helix divided by hand-written within each pair: below 1, Helix is the cheaper one. */
  readonly timeRatio: Spread;
  readonly cpuRatio: Spread;
  readonly rounds: readonly { readonly handWritten: Round; readonly helix: Round }[];
}

/**
 * Runs both sides alternately, A B B A, so that what drifts while it runs (heat, heap, neighbours) falls on
 * both alike.
 */
export async function compare(comparison: Comparison, settings: Settings): Promise<Result> {
  const { inFlight } = comparison;
  const { handWritten, helix, close } = await comparison.open();
  try {
    const count = await warmUp([handWritten, helix], inFlight, settings);
    const rounds: Result['rounds'][number][] = [];
    for (let pair = 0; pair < settings.pairs; pair++) {
      if (pair % 2 === 0) {
        const first = await measure(handWritten, count, inFlight);
        rounds.push({ handWritten: first, helix: await measure(helix, count, inFlight) });
      } else {
        const first = await measure(helix, count, inFlight);
        rounds.push({ helix: first, handWritten: await measure(handWritten, count, inFlight) });
      }
    }
    return summarize(comparison, count, rounds);
  } finally {
    await close();
  }
}

/** Results of the same comparison from several processes, as one. */
export function pool(results: readonly Result[]): Result {
  const [first] = results;
  if (!first) throw new RangeError('There is nothing to pool');
  const operations = median(results.map((result) => result.operationsPerRound));
  return summarize(
    first,
    Math.round(operations),
    results.flatMap((result) => result.rounds),
  );
}

function summarize(
  comparison: Omit<Comparison, 'open'>,
  operationsPerRound: number,
  rounds: Result['rounds'],
): Result {
  const { name, group, inFlight } = comparison;
  return {
    name,
    group,
    inFlight,
    pairs: rounds.length,
    operationsPerRound,
    handWritten: side(rounds.map((round) => round.handWritten)),
    helix: side(rounds.map((round) => round.helix)),
    timeRatio: spread(rounds.map((round) => round.helix.nsPerOp / round.handWritten.nsPerOp)),
    cpuRatio: spread(rounds.map((round) => round.helix.cpuNsPerOp / round.handWritten.cpuNsPerOp)),
    rounds,
  };
}

function side(rounds: readonly Round[]): Side {
  const nsPerOp = median(rounds.map((round) => round.nsPerOp));
  return {
    nsPerOp,
    cpuNsPerOp: median(rounds.map((round) => round.cpuNsPerOp)),
    opsPerSecond: 1e9 / nsPerOp,
  };
}

/** Lets both be compiled, and answers with the number of operations that fills a round of the slower one. */
async function warmUp(
  operations: readonly Operation[],
  inFlight: number,
  { roundMs, warmUpMs }: Settings,
): Promise<number> {
  const endMs = performance.now() + warmUpMs;
  let count = 4 * inFlight;
  let slowestMs: number;
  do {
    slowestMs = 0;
    for (const operation of operations) {
      const { nsPerOp } = await measure(operation, count, inFlight);
      slowestMs = Math.max(slowestMs, (nsPerOp * count) / 1e6);
    }
    count = Math.max(inFlight, Math.ceil((count * roundMs) / Math.max(slowestMs, roundMs / 8)));
  } while (performance.now() < endMs || slowestMs < roundMs / 2);
  return count;
}

async function measure(operation: Operation, count: number, inFlight: number): Promise<Round> {
  // Timers and I/O of the round before get their turn, and its garbage is not this round's to collect. A full
  // collection would find no operation alive, drop the shapes of their objects, and with them the compiled
  // code (V8: "deoptimization, reason: weak objects"), which only hits the side that has classes.
  await nextTurn();
  await globalThis.gc?.({ type: 'minor', execution: 'async' });
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await drive(operation, count, inFlight);
  const ns = Number(process.hrtime.bigint() - start);
  const { user, system } = process.cpuUsage(cpu);
  return { nsPerOp: ns / count, cpuNsPerOp: ((user + system) * 1_000) / count };
}

async function drive(operation: Operation, count: number, inFlight: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
