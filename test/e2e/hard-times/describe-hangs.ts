import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { otherCluster } from '../../../lib/core/index.js';
import {
  ActiveFailover,
  type ClusterId,
  type HelixModuleOptions,
  PrimaryOnlyReadStrategy,
  RoundRobinReadStrategy,
  StickyReadStrategy,
  SyncDualWriteStrategy,
} from '../../../lib/index.js';
import { median } from '../../bench/statistics.js';
import type { TestApplication } from '../support/application.js';
import type { TestCluster } from '../support/clusters.js';
import { LongestStall } from './event-loop.js';
import { longest, ms, p99, statuses, tell } from './figures.js';
import { Ground, halfReads } from './ground.js';
import { type Call, type Rate, SteadyLoad, type Work } from './steady-load.js';

/** No call takes longer, beside what this process itself stood still for. */
const LIMIT_MS = 1_500;
/** So long after it began, a hang has been noticed, and what waited for it has been answered. */
const NOTICED_MS = 2_000;
/** A call that still waits for the silence to be noticed would take longer. */
const UNNOTICED_MS = 500;
const WELL_FOR_MS = 1_000;
const HANGS_FOR_MS = 3_500;
const ROUND_MS = 1_000;
/** The fewer calls there are in a round, the less it says. Even: which of the two goes first changes from round to round. */
const roundsAt = (callsPerS: number): number => (callsPerS < 100 ? 40 : 12);
const MOST_TIMES_SLOWER = 1.2;

const faults = {
  frozen: (cluster: TestCluster) => cluster.freeze(),
  'black-holed': (cluster: TestCluster) => cluster.proxy.blackHole(),
};

/** Everything that is not named is as by default. */
const setups: Record<string, (hung: ClusterId) => Partial<HelixModuleOptions>> = {
  'sticky reads': (hung) => ({ readStrategy: new StickyReadStrategy({ preferred: hung }) }),
  'round-robin reads': () => ({ readStrategy: new RoundRobinReadStrategy() }),
  'primary-only reads': () => ({ readStrategy: new PrimaryOnlyReadStrategy() }),
  'one write after the other': () => ({ writeStrategy: new SyncDualWriteStrategy() }),
  'ActiveFailover, round-robin reads': () => ({
    failoverPolicy: new ActiveFailover(),
    readStrategy: new RoundRobinReadStrategy(),
  }),
};

interface Hang {
  readonly hung: ClusterId;
  readonly fault: keyof typeof faults;
  readonly callsPerS: number;
  readonly setup: string;
}

/** What is played in `npm test`. */
export const someHangs: readonly Hang[] = [
  { hung: 'B', fault: 'frozen', callsPerS: 500, setup: 'sticky reads' },
  { hung: 'A', fault: 'black-holed', callsPerS: 20, setup: 'round-robin reads' },
  { hung: 'A', fault: 'frozen', callsPerS: 20, setup: 'one write after the other' },
];

export const everyHang: readonly Hang[] = Object.keys(setups).flatMap((setup) =>
  (['frozen', 'black-holed'] as const).flatMap((fault) =>
    (['A', 'B'] as const).flatMap((hung) =>
      [20, 500].map((callsPerS) => ({ hung, fault, callsPerS, setup })),
    ),
  ),
);

/** `compares`: with the other cluster alone, while the hang lasts. */
export function describeHangs(keyspace: string, hangs: readonly Hang[], compares: boolean): void {
  describe('a cluster that hangs costs a call no more than 1.5 s, and nothing from 2 s on', () => {
    let ground: Ground;

    beforeAll(async () => {
      ground = await Ground.prepare(keyspace);
    });

    afterEach(() => ground.leave());

    it.each(hangs.map((hang) => [titleOf(hang), hang] as const))('%s', async (title, hang) => {
      const { hung, fault, callsPerS, setup } = hang;
      const table = await ground.table();
      const application = await ground.start(setups[setup]!(hung));
      const stall = new LongestStall();
      const load = new SteadyLoad({ callsPerS }, halfReads(application, table));
      await load.at(WELL_FOR_MS);
      const hungAtMs = load.nowMs;
      faults[fault](ground.pair[hung]);
      await load.at(hungAtMs + HANGS_FOR_MS);
      const calls = [...(await load.stop())];
      const longestStallMs = stall.end();

      const noticed = calls.filter(({ beganMs }) => beganMs >= hungAtMs + NOTICED_MS);
      const figures = [
        `${calls.length} calls, the longest ${ms(longest(calls))} beside a stall of ${ms(longestStallMs)}`,
        `from 2 s on p99 ${ms(p99(noticed))}`,
        `writes on ${hung}: ${statuses(calls, hung)}`,
      ];
      tell(title, ...figures);
      expect(calls).toAllHaveSucceeded();
      expect(longest(calls)).toBeLessThan(LIMIT_MS + longestStallMs);
      expect(p99(noticed)).toBeLessThan(UNNOTICED_MS + longestStallMs);
      if (compares) calls.push(...(await compareWithTheOtherAlone(application, table, hang, calls.length)));
      await ground.expectNothingLost(application.helix, table, calls);
    });

    /** Answers with the pair's calls. */
    async function compareWithTheOtherAlone(
      application: TestApplication,
      table: string,
      hang: Hang,
      firstId: number,
    ): Promise<readonly Call[]> {
      const { hung, callsPerS } = hang;
      const other = otherCluster(hung);
      const alone = await ground.startAlone(other);
      const tableOfItsOwn = await ground.tableOn(other);
      const ofPair: Call[] = [];
      const ratios: number[] = [];
      for (let round = 0; round < roundsAt(callsPerS); round++) {
        const rate = { callsPerS, firstId: firstId + ofPair.length };
        const works = [halfReads(application, table), halfReads(alone, tableOfItsOwn)];
        const isPairFirst = round % 2 === 0;
        const played = await playBeside(rate, isPairFirst ? works : works.reverse());
        const [pairs = [], alones = []] = isPairFirst ? played : played.reverse();
        ofPair.push(...pairs);
        ratios.push(p99(pairs) / p99(alones));
      }
      const times = median(ratios);
      tell(titleOf(hang), `p99 of the pair is ${times.toFixed(2)} times that of ${other} alone`);
      expect(times).toBeLessThanOrEqual(MOST_TIMES_SLOWER);
      return ofPair;
    }
  });
}

const titleOf = ({ hung, fault, callsPerS, setup }: Hang): string =>
  `${hung} is ${fault}, ${callsPerS} calls/s, ${setup}`;

/** Each call of one beside a call of the other, so that what a server or this machine is busy with meets both. */
async function playBeside(rate: Rate, works: readonly Work[]): Promise<(readonly Call[])[]> {
  const loads = works.map((work) => new SteadyLoad(rate, work));
  await Promise.all(loads.map((load) => load.at(ROUND_MS)));
  const played = await Promise.all(loads.map((load) => load.stop()));
  for (const calls of played) expect(calls).toAllHaveSucceeded();
  return played;
}
