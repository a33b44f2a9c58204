import { Injectable } from '@nestjs/common';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type CqlQuery,
  DualWrite,
  HelixCqlService,
  type PartialWriteError,
  type WriteReceipt,
} from '../../../lib/index.js';
import type { TestApplication } from '../support/application.js';
import { block, turns } from './event-loop.js';
import { longest, ms, statuses, tell } from './figures.js';
import { Ground, writes, writing } from './ground.js';
import { type Call, SteadyLoad, type Work } from './steady-load.js';

const DEADLINE_MS = 1_000;
const CALLS_PER_S = 60;
const HANGS_FOR_MS = 2_000;
const BLOCKED_FOR_MS = 1_500;
const CALLS_AT_ONCE = 21;
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

type Limited = (application: TestApplication, table: string) => Work;

/** A query of the caller's own, with a limit set on it. */
const query =
  (limit: (query: CqlQuery) => CqlQuery): Limited =>
  (application, table) => {
    const write = writes(application, table);
    return (id) => limit(write(id)).exec();
  };

const method =
  (name: 'save' | 'saveOnBoth'): Limited =>
  ({ app }, table) => {
    const users = app.get(Users);
    return (id) => users[name](table, id);
  };

/** The ways to say how long one waits, for `ack: 'any'` and `ack: 'both'`. */
const limits: readonly { readonly how: string; readonly any: Limited; readonly both: Limited }[] = [
  {
    how: 'withTimeout(1000)',
    any: query((write) => write.withTimeout(DEADLINE_MS)),
    both: query((write) => write.withTimeout(DEADLINE_MS).ack('both')),
  },
  {
    how: 'withSignal(AbortSignal.timeout(1000))',
    any: query((write) => write.withSignal(AbortSignal.timeout(DEADLINE_MS))),
    both: query((write) => write.withSignal(AbortSignal.timeout(DEADLINE_MS)).ack('both')),
  },
  { how: '@DualWrite({ timeoutMs: 1000 })', any: method('save'), both: method('saveOnBoth') },
];

/** Every way in turn. */
function inTurn(ack: 'any' | 'both', application: TestApplication, table: string): Work {
  const works = limits.map((limit) => limit[ack](application, table));
  return (id) => works[id % works.length]!(id);
}

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

    it('with B frozen: a receipt says what A has applied', async () => {
      const { application, table } = await start();
      const work = inTurn('any', application, table);
      ground.pair.B.freeze();
      const calls = await play(work);
      tellOf('B frozen', calls);
      expect(calls).toAllHaveSucceeded();
      expectAppliedOnAOnly(calls);
      await ground.expectNothingLost(application.helix, table, calls);
    });

    it("with B frozen and ack: 'both': a PartialWriteError with such a receipt", async () => {
      const { application, table } = await start();
      const work = inTurn('both', application, table);
      ground.pair.B.freeze();
      const calls = await play(work);
      tellOf("B frozen, ack: 'both'", calls);
      expect(errorsOf(calls)).toEqual(['PartialWriteError']);
      const withReceipts = calls.map((call) => ({
        ...call,
        receipt: (call.error as PartialWriteError).receipt,
      }));
      expectAppliedOnAOnly(withReceipts);
      await ground.expectNothingLost(application.helix, table, withReceipts);
    });

    it('with both frozen: nothing is known to be applied, and every call is aborted', async () => {
      const { application, table } = await start();
      const work = inTurn('any', application, table);
      ground.pair.A.freeze();
      ground.pair.B.freeze();
      const calls = await play(work);
      tellOf('both frozen', calls);
      expect(errorsOf(calls)).toEqual(['OperationAbortedError']);
      await ground.expectNothingLost(application.helix, table, calls);
    });

    it('with an event loop that is blocked for 1.5 s after sending: a receipt', async () => {
      const { application, table } = await start({ cql: ground.direct });
      const work = inTurn('any', application, table);
      const { A, B } = ground.pair;
      // They answer while this process cannot hear it.
      A.freeze();
      B.freeze();
      const answers = Promise.allSettled(Array.from({ length: CALLS_AT_ONCE }, (_, id) => work(id)));
      await turns(TURNS_TO_SEND);
      A.thaw();
      B.thaw();
      block(BLOCKED_FOR_MS);

      const calls = (await answers).map((answer, id) => ({
        ...{ id, beganMs: 0, tookMs: BLOCKED_FOR_MS },
        ...(answer.status === 'fulfilled' ? { receipt: answer.value! } : { error: answer.reason as unknown }),
      }));
      tellOf('blocked for 1.5 s', calls);
      expect(calls).toAllHaveSucceeded();
      await ground.expectNothingLost(application.helix, table, calls);
    });
  });
}

/** Nothing but names: what was thrown, each once. */
const errorsOf = (calls: readonly Call[]): string[] => [
  ...new Set(calls.map(({ error }) => (error instanceof Error ? error.constructor.name : 'none'))),
];

function tellOf(title: string, calls: readonly Call[]): void {
  const ways = limits.map(({ how }, way) => {
    const own = calls.filter(({ id }) => id % limits.length === way);
    const sides = `A ${statuses(own, 'A')}, B ${statuses(own, 'B')}`;
    return `${how} ${own.length} writes, the longest ${ms(longest(own))}, errors ${errorsOf(own).join(', ')}, ${sides}`;
  });
  tell(title, ...ways);
}

function expectAppliedOnAOnly(calls: readonly Call[]): void {
  const others = calls.filter(({ receipt }) => {
    return receipt?.A !== 'applied' || !['pending', 'queued'].includes(receipt.B);
  });
  expect(others.map(({ receipt }) => receipt)).toEqual([]);
}
