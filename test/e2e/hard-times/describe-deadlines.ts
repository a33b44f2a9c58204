import { Injectable } from '@nestjs/common';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type CqlQuery,
  DualWrite,
  HelixCqlService,
  OperationAbortedError,
  type PartialWriteError,
  type WriteReceipt,
} from '../../../lib/index.js';
import type { TestApplication } from '../support/application.js';
import { block, turns } from './event-loop.js';
import { longest, ms, statuses, tell } from './figures.js';
import { Ground, writes, writing } from './ground.js';
import { type Call, SteadyLoad, type Work } from './steady-load.js';

const DEADLINE_MS = 1_000;
const CALLS_PER_S = 20;
const HANGS_FOR_MS = 2_000;
const BLOCKED_FOR_MS = 1_500;
const CALLS_AT_ONCE = 20;
/** The driver hands what it is given to its sockets within a few. */
const TURNS_TO_SEND = 20;

/** A service as the documentation writes it. */
@Injectable()
class Users {
  constructor(readonly cql: HelixCqlService) {}

  @DualWrite({ timeoutMs: DEADLINE_MS })
  async save(table: string, id: number): Promise<WriteReceipt> {
    return writes(this, table)(id).exec();
  }

  @DualWrite({ timeoutMs: DEADLINE_MS, ack: 'both' })
  async saveOnBoth(table: string, id: number): Promise<WriteReceipt> {
    return writes(this, table)(id).exec();
  }
}

const within = (application: TestApplication, table: string, limit: (query: CqlQuery) => CqlQuery): Work => {
  const write = writes(application, table);
  return (id) => limit(write(id)).exec();
};

type Limited = (application: TestApplication, table: string) => Work;

const limits: readonly (readonly [how: string, any: Limited, both: Limited])[] = [
  [
    'withTimeout(1000)',
    (application, table) => within(application, table, (query) => query.withTimeout(DEADLINE_MS)),
    (application, table) => within(application, table, (query) => query.withTimeout(DEADLINE_MS).ack('both')),
  ],
  [
    'withSignal(AbortSignal.timeout(1000))',
    (application, table) =>
      within(application, table, (query) => query.withSignal(AbortSignal.timeout(DEADLINE_MS))),
    (application, table) =>
      within(application, table, (query) => query.withSignal(AbortSignal.timeout(DEADLINE_MS)).ack('both')),
  ],
  [
    '@DualWrite({ timeoutMs: 1000 })',
    ({ app }, table) => {
      const users = app.get(Users);
      return (id) => users.save(table, id);
    },
    ({ app }, table) => {
      const users = app.get(Users);
      return (id) => users.saveOnBoth(table, id);
    },
  ],
];

export function describeDeadlines(keyspace: string): void {
  describe('a deadline never turns what is known to be applied into an abort', () => {
    let ground: Ground;

    beforeAll(async () => {
      ground = await Ground.prepare(keyspace);
    });

    afterEach(() => ground.leave());

    const start = async (options = {}) => {
      const application = await ground.start(options, [Users]);
      const table = await ground.table();
      // From here on everything is prepared.
      await writing(application, table)(-1);
      return { application, table };
    };

    /** Calls at a steady rate, from just after the clusters froze. */
    const play = async (work: Work): Promise<readonly Call[]> => {
      const load = new SteadyLoad({ callsPerS: CALLS_PER_S }, work);
      await load.at(HANGS_FOR_MS);
      return load.stop();
    };

    it.each(limits)('%s, B frozen: a receipt says what A has applied', async (how, any) => {
      const { application, table } = await start();
      ground.pair.B.freeze();
      const calls = await play(any(application, table));
      tellOf(`${how}, B frozen`, calls);
      expect(calls).toAllHaveSucceeded();
      expectAppliedOnAOnly(calls);
      await ground.expectNothingLost(application.helix, table, calls);
    });

    it.each(limits)(
      "%s, ack: 'both', B frozen: a PartialWriteError with such a receipt",
      async (how, _, both) => {
        const { application, table } = await start();
        ground.pair.B.freeze();
        const calls = await play(both(application, table));
        tellOf(`${how}, ack: 'both', B frozen`, calls);
        expect(errorsOf(calls)).toEqual(['PartialWriteError']);
        const withReceipts = calls.map((call) => ({
          ...call,
          receipt: (call.error as PartialWriteError).receipt,
        }));
        expectAppliedOnAOnly(withReceipts);
        await ground.expectNothingLost(application.helix, table, withReceipts);
      },
    );

    it('both frozen: nothing is known to be applied, and every call is aborted', async () => {
      const { application, table } = await start();
      const all = limits.map(([, any]) => any(application, table));
      ground.pair.A.freeze();
      ground.pair.B.freeze();
      const calls = await play((id) => all[id % all.length]!(id));
      tellOf('both frozen', calls);
      expect(calls.every(({ error }) => error instanceof OperationAbortedError)).toBe(true);
      await ground.expectNothingLost(application.helix, table, calls);
    });

    it.each(limits)(
      '%s, an event loop that is blocked for 1.5 s after sending: a receipt',
      async (how, any) => {
        const { application, table } = await start({ cql: ground.direct });
        const work = any(application, table);
        const { A, B } = ground.pair;
        A.freeze();
        B.freeze();
        const receipts = Promise.all(Array.from({ length: CALLS_AT_ONCE }, (_, id) => work(id)));
        await turns(TURNS_TO_SEND);
        A.thaw();
        B.thaw();
        block(BLOCKED_FOR_MS);

        const calls = (await receipts).map((receipt, id) => ({
          id,
          beganMs: 0,
          tookMs: 0,
          receipt: receipt!,
        }));
        tell(`${how}, blocked for 1.5 s`, `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}`);
        await ground.expectNothingLost(application.helix, table, calls);
      },
    );
  });
}

/** Nothing but names: what was thrown, each once. */
const errorsOf = (calls: readonly Call[]): string[] => [
  ...new Set(calls.map(({ error }) => (error instanceof Error ? error.constructor.name : 'none'))),
];

function tellOf(title: string, calls: readonly Call[]): void {
  tell(
    title,
    `${calls.length} writes, the longest ${ms(longest(calls))}`,
    `errors: ${errorsOf(calls).join(', ')}`,
    `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}`,
  );
}

function expectAppliedOnAOnly(calls: readonly Call[]): void {
  const others = calls.filter(({ receipt }) => {
    return receipt?.A !== 'applied' || !['pending', 'queued'].includes(receipt.B);
  });
  expect(others.map(({ receipt }) => receipt)).toEqual([]);
}
