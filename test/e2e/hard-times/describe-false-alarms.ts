import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type HelixService, OverloadedError } from '../../../lib/index.js';
import { startCqlProxy } from '../../servers/index.js';
import { AlwaysFirst } from '../support/always-first.js';
import { Alarms } from './alarms.js';
import { block, LongestStall, turns } from './event-loop.js';
import { longest, ms, statuses, tell } from './figures.js';
import { Ground, halfReads, reading, writing } from './ground.js';
import { type Call, SteadyLoad } from './steady-load.js';

/** Longer than two rounds of suspicion, and less than a deadline. */
const SLOW_MS = 3_000;
const CALLS_PER_S = 100;
const LATENCY_MS = 300;
const PAUSE_MS = 400;
const PAUSE_EVERY_MS = 2_000;
/** A pause that lasts as long as it takes to be found dead is none. */
const DEAD_MS = 1_000;
const BLOCKED_FOR_MS = 6_000;
const CALLS_UNDER_WAY = 50;
const READS_AT_ONCE = 6_000;
const TURNS_TO_SEND = 20;

export interface FalseAlarms {
  readonly keyspace: string;
  readonly steadyForMs: number;
  readonly withReadsAtOnce: boolean;
}

export function describeFalseAlarms({ keyspace, steadyForMs, withReadsAtOnce }: FalseAlarms): void {
  describe('no breaker opens and nothing is queued', () => {
    let ground: Ground;

    beforeAll(async () => {
      ground = await Ground.prepare(keyspace);
    });

    afterEach(() => ground.leave());

    const start = async (options: Parameters<Ground['start']>[0] = {}) => {
      const application = await ground.start(options);
      return { application, table: await ground.table(), alarms: new Alarms(application.helix) };
    };

    it('for queries that take 3 s on a cluster that is otherwise idle', async () => {
      const { A, B } = ground.pair;
      const proxy = await startCqlProxy(B.server);
      onTestFinished(() => proxy.stop());
      const { application, table, alarms } = await start({
        cql: { A: A.options(keyspace), B: { ...B.options(keyspace), protocolOptions: { port: proxy.port } } },
        readStrategy: new AlwaysFirst('B'),
      });
      const { cql, helix } = application;
      const select = `SELECT name FROM ${table} WHERE id > 0 ALLOW FILTERING`;
      await writing(application, table)(1);
      expect(await cql.query(select).all()).toHaveLength(1);
      proxy.delay(new RegExp(table), SLOW_MS);
      const startMs = performance.now();
      const write = writing(application, table)(2);
      const rows = await cql.query(select).all();
      const readMs = performance.now() - startMs;
      const receipt = await write;

      tell('B takes 3 s', `read ${ms(readMs)}`, `write: B ${receipt?.B}`, alarms.text);
      expect(rows.length).toBeGreaterThan(0);
      // Or A would have answered in its place.
      expect(readMs).toBeGreaterThanOrEqual(SLOW_MS);
      await ground.expectNothingLost(helix, table, []);
      alarms.expectNone();
    });

    it(`for ${LATENCY_MS} ms more latency`, async () => {
      const { application, table, alarms } = await start();
      const load = new SteadyLoad({ callsPerS: CALLS_PER_S }, halfReads(application, table));
      await load.at(1_000);
      ground.pair.B.proxy.latency(LATENCY_MS / 2);
      await load.at(1_000 + steadyForMs);
      await expectUnhurt(
        `B ${LATENCY_MS} ms further away`,
        application.helix,
        table,
        await load.stop(),
        alarms,
      );
    });

    it(`for pauses of ${PAUSE_MS} ms every 2 s`, async () => {
      const { application, table, alarms } = await start();
      const load = new SteadyLoad({ callsPerS: CALLS_PER_S }, halfReads(application, table));
      let longestPauseMs = 0;
      for (let atMs = 500; atMs < steadyForMs; atMs += PAUSE_EVERY_MS) {
        await load.at(atMs);
        const pausedMs = performance.now();
        ground.pair.B.freeze();
        await load.at(atMs + PAUSE_MS);
        ground.pair.B.thaw();
        longestPauseMs = Math.max(longestPauseMs, performance.now() - pausedMs);
      }
      const what = `B pauses, for ${ms(longestPauseMs)} at most`;
      expect(longestPauseMs, 'this machine is too busy to make short pauses').toBeLessThan(DEAD_MS);
      await expectUnhurt(what, application.helix, table, await load.stop(), alarms);
    });

    it('for an event loop that is blocked for 6 s with 50 calls under way', async () => {
      const { application, table, alarms } = await start({ cql: ground.direct });
      const { A, B } = ground.pair;
      const [write, read] = [writing(application, table), reading(application)];
      await Promise.all([write(-1), read(0), read(1)]);
      A.freeze();
      B.freeze();
      const receipts = Promise.all(Array.from({ length: CALLS_UNDER_WAY / 2 }, (_, id) => write(id)));
      const reads = Promise.all(Array.from({ length: CALLS_UNDER_WAY / 2 }, (_, id) => read(id)));
      await turns(TURNS_TO_SEND);
      A.thaw();
      B.thaw();
      block(BLOCKED_FOR_MS);
      const [answers] = await Promise.all([receipts, reads]);
      const calls = answers.map((receipt, id) => ({ id, beganMs: 0, tookMs: 0, receipt: receipt! }));
      await expectUnhurt('blocked for 6 s', application.helix, table, calls, alarms);
    });

    if (withReadsAtOnce) {
      it('for 6,000 reads at once', async () => {
        const { application, table, alarms } = await start();
        const read = reading(application);
        await read(0);
        const stall = new LongestStall();
        const results = await Promise.allSettled(Array.from({ length: READS_AT_ONCE }, (_, id) => read(id)));
        const refused = results.flatMap((result) =>
          result.status === 'rejected' ? [result.reason as unknown] : [],
        );
        const answered = `${READS_AT_ONCE - refused.length} of ${READS_AT_ONCE} reads answered`;
        tell('6,000 reads at once', answered, `a stall of ${ms(stall.end())}`, alarms.text);
        expect(refused.every((error) => error instanceof OverloadedError)).toBe(true);
        await ground.expectNothingLost(application.helix, table, []);
        alarms.expectNone();
      });
    }

    async function expectUnhurt(
      what: string,
      helix: HelixService,
      table: string,
      calls: readonly Call[],
      alarms: Alarms,
    ): Promise<void> {
      tell(
        what,
        `${calls.length} calls, the longest ${ms(longest(calls))}`,
        `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}`,
        alarms.text,
      );
      expect(calls).toAllHaveSucceeded();
      await ground.expectNothingLost(helix, table, calls);
      alarms.expectNone();
    }
  });
}
