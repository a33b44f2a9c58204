import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { median } from '../../bench/statistics.js';
import { CqlConnection } from '../../servers/index.js';
import type { TestCluster } from '../support/clusters.js';
import { Alarms } from './alarms.js';
import { longest, ms, statuses, tell } from './figures.js';
import { Ground, halfReads, writing } from './ground.js';
import { SteadyLoad } from './steady-load.js';

/** What B has missed when it comes back. */
const MISSED = 1_000;
/** Since a client without anything around it was answered. */
const WRITTEN_TO_WITHIN_MS = 2_000;
const CAUGHT_UP_WITHIN_MS = 4_000;
const TRY_EVERY_MS = 50;
const FLAP_MS = 1_000;
const CALLS_PER_S = 50;
const PING = 'SELECT schema_version FROM system.local';

const flaps = {
  'refuses connections': (cluster: TestCluster) => cluster.proxy.refuse(),
  hangs: (cluster: TestCluster) => cluster.proxy.blackHole(),
};

export interface Returns {
  readonly keyspace: string;
  readonly killedForMs: number;
  readonly rounds: number;
}

export interface Flapping {
  readonly keyspace: string;
  readonly ways: readonly (keyof typeof flaps)[];
  readonly forMs: number;
  readonly mostPings: number;
  readonly mostOpenings: number;
}

interface Return {
  /** Both in ms since a bare client was answered. */
  readonly writtenToMs: number;
  readonly caughtUpMs: number;
}

export function describeReturns({ keyspace, killedForMs, rounds }: Returns): void {
  describe('a cluster that comes back', () => {
    let ground: Ground;

    beforeAll(async () => {
      ground = await Ground.prepare(keyspace);
    });

    afterEach(() => ground.leave());

    it(`after ${killedForMs / 1_000} s is written to within 2 s, and has 1,000 missed writes within 4 s`, async () => {
      const returns: Return[] = [];
      for (let round = 0; round < rounds; round++) returns.push(await killAndReturn());
      const writtenToMs = median(returns.map((each) => each.writtenToMs));
      const caughtUpMs = median(returns.map((each) => each.caughtUpMs));
      tell(
        `B back after ${ms(killedForMs)}, median of ${rounds}`,
        `written to after ${ms(writtenToMs)}, ${MISSED} missed writes applied after ${ms(caughtUpMs)}`,
      );
      expect(writtenToMs).toBeLessThanOrEqual(WRITTEN_TO_WITHIN_MS);
      expect(caughtUpMs).toBeLessThanOrEqual(CAUGHT_UP_WITHIN_MS);
    });

    async function killAndReturn(): Promise<Return> {
      const { B } = ground.pair;
      const table = await ground.table();
      let replayed = 0;
      let caughtUpMs: number | undefined;
      const onSuccess = (): void => {
        if (++replayed === MISSED) caughtUpMs = performance.now();
      };
      const application = await ground.start({ replayWorker: { onSuccess } });
      const { helix } = application;
      const write = writing(application, table);
      await write(-1);
      await B.kill();
      const killedMs = performance.now();
      const isBack = firstAnswer(B);
      const missing = new SteadyLoad({ callsPerS: (1.1 * MISSED * 1_000) / killedForMs }, write);
      await missing.at(killedForMs);
      const missed = await missing.stop();
      expect(helix.status().replay.B.enqueued).toBeGreaterThanOrEqual(MISSED);
      // From now on only as many writes as it takes to see when one reaches B: a server is to start beside them.
      const load = new SteadyLoad({ callsPerS: CALLS_PER_S, firstId: missed.length }, write);
      const reachesB = () => load.answered.find(({ receipt }) => receipt?.B === 'applied');
      await B.restart();
      const backMs = await isBack;
      const patience = { timeout: 60_000, interval: 20 };
      await expect.poll(reachesB, { ...patience, message: 'a write reaches B' }).toBeDefined();
      await expect.poll(() => caughtUpMs, { ...patience, message: 'B has what it missed' }).toBeDefined();
      const first = reachesB()!;
      const calls = [...missed, ...(await load.stop())];

      const came = {
        writtenToMs: load.originMs + first.beganMs + first.tookMs - backMs,
        caughtUpMs: caughtUpMs! - backMs,
      };
      tell(
        `B killed for ${ms(backMs - killedMs)}`,
        `written to ${ms(came.writtenToMs)} after its first answer, ${MISSED} missed writes applied after ${ms(came.caughtUpMs)}`,
        `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}; the longest ${ms(longest(calls))}`,
      );
      expect(calls).toAllHaveSucceeded();
      await ground.expectNothingLost(helix, table, calls);
      await application.app.close();
      return came;
    }
  });
}

export function describeFlapping({ keyspace, ways, forMs, mostPings, mostOpenings }: Flapping): void {
  describe('a cluster that comes back and goes again each second', () => {
    let ground: Ground;

    beforeAll(async () => {
      ground = await Ground.prepare(keyspace);
    });

    afterEach(async () => {
      ground.pair.B.proxy.watch(() => undefined);
      await ground.leave();
    });

    it.each(ways)('%s: it is not hammered, and has everything in the end', async (how) => {
      const { B } = ground.pair;
      const table = await ground.table();
      const application = await ground.start();
      const alarms = new Alarms(application.helix);
      const pings = countPings(B);
      const load = new SteadyLoad({ callsPerS: CALLS_PER_S }, halfReads(application, table));
      for (let atMs = FLAP_MS; atMs < forMs; atMs += 2 * FLAP_MS) {
        await load.at(atMs);
        flaps[how](B);
        await load.at(atMs + FLAP_MS);
        B.proxy.pass();
      }
      const asked = pings();
      const { opened } = alarms;
      const calls = await load.stop();

      tell(
        `B ${how} every other second for ${ms(forMs)}`,
        `${asked} pings, ${alarms.text}`,
        `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}; the longest ${ms(longest(calls))}`,
      );
      expect(calls).toAllHaveSucceeded();
      expect(asked).toBeGreaterThan(0);
      expect(asked).toBeLessThanOrEqual(mostPings);
      expect(opened).toBeGreaterThan(0);
      expect(opened).toBeLessThanOrEqual(mostOpenings);
      await ground.expectNothingLost(application.helix, table, calls);
    });
  });
}

/** When a client that knows nothing of drivers and breakers, and tries every 50 ms, was answered. */
async function firstAnswer({ server }: TestCluster): Promise<number> {
  for (;;) {
    const isAnswered = await CqlConnection.open(server).then(
      async (connection) => {
        const rows = await connection.rows('SELECT key FROM system.local').catch(() => []);
        connection.close();
        return rows.length === 1;
      },
      () => false,
    );
    if (isAnswered) return performance.now();
    await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
  }
}

/** How many of Helix's pings have come to the proxy before a cluster, from now on. */
function countPings({ proxy }: TestCluster): () => number {
  let count = 0;
  proxy.watch((chunk) => (count += chunk.toString('latin1').split(PING).length - 1));
  return () => count;
}
