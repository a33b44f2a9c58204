import cassandra from 'cassandra-driver';
import { describe, expect, it, vi } from 'vitest';
import { setUpCql, WRITE_TIMEOUT_MS } from '../../test/support/cql.js';
import { columns, row, timedOut, type, unprepared, unreachable } from '../../test/support/fake-cql-client.js';
import { Watched } from '../../test/support/fake-operations.js';
import {
  CallContext,
  type CallSettings,
  HelixUsageError,
  OperationAbortedError,
  PartialWriteError,
  type WriteReceipt,
} from '../core/index.js';
import { type CqlBatch, type CqlQuery, HelixCqlService } from './index.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const SELECT = 'SELECT name FROM users WHERE id = ?';
const USER = columns({ id: type('int'), name: type('text') });
const { consistencies } = cassandra.types;

async function setUp(options?: Parameters<typeof setUpCql>[0]) {
  const fixture = await setUpCql(options);
  fixture.knows(INSERT, USER);
  fixture.hasTable('users', USER);
  const { helix, context } = fixture;
  return {
    ...fixture,
    insert: () => helix.query(INSERT, [1, 'Ada']),
    batch: () => helix.batch().add(INSERT, [1, 'Ada']),
    /** Runs a call as if it stood inside a method with `@DualWrite(settings)`. */
    inDualWrite: <T>(settings: CallSettings, call: () => T): T =>
      context.contexts.run(CallContext.dualWrite(settings, context.contexts.getStore()), call),
    inStickyRead: <T>(settings: Parameters<typeof CallContext.stickyRead>[0], call: () => T): T =>
      context.contexts.run(CallContext.stickyRead(settings, context.contexts.getStore()), call),
  };
}

type Fixture = Awaited<ReturnType<typeof setUp>>;
type Write = CqlQuery | CqlBatch;

/** What a query and a batch have in common is shown with both. */
const writes: [kind: string, build: (fixture: Fixture) => Write][] = [
  ['a query', ({ insert }) => insert()],
  ['a batch', ({ batch }) => batch()],
];

const caught = async (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('was expected to fail');
    },
    (error: unknown) => error as Error,
  );
const ended = (promise: Promise<WriteReceipt>): Promise<Error | WriteReceipt> =>
  promise.catch((error: unknown) => error as Error);
const sentTo = ({ clients }: Fixture): number[] =>
  [clients.A, clients.B].map(({ executed, batches }) => executed.length + batches.length);

describe('ack()', () => {
  /** B will miss the write. */
  const half = async (): Promise<Fixture> => {
    const fixture = await setUp();
    fixture.clients.B.answers.push(timedOut());
    return fixture;
  };

  it.each(writes)("'any' of %s is done with one side, and is the default", async (_kind, build) => {
    expect(await build(await half()).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    const write = build(await half()).ack('any');
    expect(await write.exec()).toMatchObject({ A: 'applied', B: 'queued' });
  });

  it.each(writes)("'both' of %s throws with the receipt unless both applied it", async (_kind, build) => {
    const error = await caught(
      build(await half())
        .ack('both')
        .exec(),
    );
    expect(error).toBeInstanceOf(PartialWriteError);
    expect(error).toMatchObject({ receipt: { A: 'applied', B: 'queued' } });
    expect(
      await build(await setUp())
        .ack('both')
        .exec(),
    ).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it.each<
    [what: string, own: 'any' | 'both' | undefined, method: 'any' | 'both' | undefined, throws: boolean]
  >([
    ['of the instance', undefined, undefined, true],
    ['of the method wins over the instance', undefined, 'any', false],
    ['of the query wins over the method', 'both', 'any', true],
    ['of the query wins over the instance', 'any', undefined, false],
  ])('%s', async (_what, own, method, throws) => {
    const fixture = await half();
    const helix = new HelixCqlService({ ...fixture.context, ack: 'both' }, () => Promise.resolve());
    const query = helix.query(INSERT, [1, 'Ada']);
    if (own) query.ack(own);
    const result = await ended(fixture.inDualWrite({ ack: method }, () => query.exec()));
    expect(result instanceof PartialWriteError).toBe(throws);
  });

  it.each(['most', '', 'BOTH', null, undefined, true])('(%s) is refused', async (ack) => {
    const { insert, batch } = await setUp();
    expect(() => insert().ack(ack as 'any')).toThrow(HelixUsageError);
    expect(() => insert().ack(ack as 'any')).toThrow("query.ack(): expected 'any' or 'both'");
    expect(() => batch().ack(ack as 'any')).toThrow('batch.ack()');
  });
});

describe('settings of a decorated method', () => {
  it.each(writes)('reach %s: priority and consistency', async (_kind, build) => {
    const fixture = await setUp();
    fixture.clients.B.answers.push(timedOut());
    const settings = { priority: 'low', consistency: consistencies.all } as const;
    await fixture.inDualWrite(settings, () => build(fixture).exec());
    expect(fixture.replayer.enqueued.flat()).toMatchObject([settings]);
  });

  it.each(writes)('give way to those of %s itself', async (_kind, build) => {
    const fixture = await setUp();
    fixture.clients.B.answers.push(timedOut());
    const settings = { priority: 'low', consistency: consistencies.all } as const;
    const write = build(fixture).withPriority('high').consistency('TWO');
    await fixture.inDualWrite(settings, () => write.exec());
    expect(fixture.replayer.enqueued.flat()).toMatchObject([
      { priority: 'high', consistency: consistencies.two },
    ]);
  });

  it('reach reads: the consistency, unless the query has one of its own', async () => {
    const { helix, clients, inStickyRead } = await setUp();
    const settings = { consistency: consistencies.one };
    await inStickyRead(settings, () => helix.query(SELECT, [1]).one());
    await inStickyRead(settings, () => helix.query(SELECT, [1]).consistency('ALL').all());
    expect(clients.A.executed.map(({ options }) => options['consistency'])).toEqual([
      consistencies.one,
      consistencies.all,
    ]);
  });

  it('are those of the moment in which the query is run, not built', async () => {
    const { insert, clients, inDualWrite } = await setUp();
    const settings = { consistency: consistencies.all };
    const built = inDualWrite(settings, insert);
    await built.exec();
    await inDualWrite(settings, () => insert().exec());
    expect(clients.A.executed.map(({ options }) => options['consistency'])).toEqual([
      consistencies.localQuorum,
      consistencies.all,
    ]);
  });

  it('include the hedge: the other side is asked too', async () => {
    const { helix, clients, clock, inStickyRead } = await setUp();
    clients.A.answers.push('never');
    clients.B.answers.push({ rows: [row({ name: 'Bob' })] });
    const answer = new Watched(inStickyRead({ hedgeAfterMs: 20 }, () => helix.query(SELECT, [1]).one()));
    await clock.advance(20);
    expect(answer.value).toMatchObject({ name: 'Bob' });
  });

  it('do not hide from the side that was asked first that it does not know the statement any more', async () => {
    const { helix, clients, clock, inStickyRead } = await setUp();
    for (const cluster of ['A', 'B'] as const) {
      await inStickyRead({ cluster }, () => helix.query(SELECT, [1]).one());
    }
    const execute = clients.A.execute.bind(clients.A);
    let answerA: (error: Error) => void = () => undefined;
    clients.A.execute = () => new Promise((_, reject) => (answerA = reject));
    clients.B.answers.push('never');
    clients.A.answers.push({ rows: [row({ name: 'Ada' })] });
    const answer = new Watched(inStickyRead({ hedgeAfterMs: 20 }, () => helix.query(SELECT, [1]).one()));
    await clock.advance(20);
    clients.A.execute = execute;
    clients.A.forgetPrepared();
    answerA(unprepared());
    await clock.settle();
    expect(answer.value).toMatchObject({ name: 'Ada' });
    expect(clients.A.preparedTexts).toEqual([SELECT, SELECT]);
  });

  it('bind its reads to one side', async () => {
    const { helix, clients, inStickyRead } = await setUp();
    await inStickyRead({ cluster: 'B' }, async () => {
      await helix.query(SELECT, [1]).one();
      await helix.query(SELECT, [1]).values();
      await helix.query(SELECT, [1]).all();
      await helix.query(SELECT, [1]).page();
    });
    expect([clients.A.executed.length, clients.B.executed.length]).toEqual([0, 4]);
  });

  it.each(writes)(
    'have it read what it has written by %s, from the side that applied it',
    async (_kind, build) => {
      const fixture = await setUp();
      fixture.clients.A.answers.push(timedOut());
      fixture.clients.B.answers.push({}, { rows: [row({ name: 'Ada' })] });
      await fixture.inDualWrite({}, async () => {
        expect(await build(fixture).exec()).toMatchObject({ A: 'queued', B: 'applied' });
        expect(await fixture.helix.query(SELECT, [1]).one()).toMatchObject({ name: 'Ada' });
      });
    },
  );
});

describe('a write inside @StickyRead', () => {
  it.each(writes)('is refused for %s, and nothing is sent', async (_kind, build) => {
    const fixture = await setUp();
    const error = await caught(fixture.inStickyRead({}, () => build(fixture).exec()));
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('inside @StickyRead');
    expect(error.message).toContain('@DualWrite');
    expect(sentTo(fixture)).toEqual([0, 0]);
  });

  it.each(writes)('is let through for %s inside a nested @DualWrite', async (_kind, build) => {
    const fixture = await setUp();
    await fixture.inStickyRead({}, () => fixture.inDualWrite({}, () => build(fixture).exec()));
    expect(sentTo(fixture)).toEqual([1, 1]);
  });
});

describe('withTimeout()', () => {
  it.each(writes)(
    'answers for %s with what one cluster has applied; the write goes on',
    async (_kind, build) => {
      const fixture = await setUp();
      const { clients, clock, replayer } = fixture;
      await fixture.insert().exec();
      clients.A.answers.push('never');
      const answer = new Watched(build(fixture).withTimeout(100).exec());
      await clock.advance(99);
      expect(answer.isSettled).toBe(false);
      await clock.advance(1);
      expect(answer.value).toMatchObject({ A: 'pending', B: 'applied' });
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(replayer.enqueuedFor).toEqual([['A']]);
    },
  );

  it.each(writes)(
    'ends the wait for %s that no cluster has applied; the write goes on',
    async (_kind, build) => {
      const fixture = await setUp();
      const { clients, clock, replayer } = fixture;
      await fixture.insert().exec();
      clients.A.answers.push('never');
      clients.B.answers.push('never');
      const answer = new Watched(build(fixture).withTimeout(100).exec());
      await clock.advance(100);
      expect(answer.error).toBeInstanceOf(OperationAbortedError);
      expect(answer.error).toMatchObject({
        outcome: 'unknown',
        cause: { name: 'TimeoutError' },
        receipt: { A: 'pending', B: 'pending' },
      });
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
    },
  );

  it('ends the wait for a read', async () => {
    const { helix, clients, clock } = await setUp();
    clients.A.answers.push('never');
    const answer = new Watched(helix.query(SELECT, [1]).withTimeout(100).one());
    await clock.advance(100);
    expect(answer.error).toBeInstanceOf(OperationAbortedError);
  });

  it.each<[what: string, own: number | undefined, afterMs: number]>([
    ['of the method', undefined, 100],
    ['of the query wins over it', 300, 300],
  ])('%s', async (_what, own, afterMs) => {
    const { helix, clients, clock, inStickyRead } = await setUp();
    clients.A.answers.push('never');
    const query = helix.query(SELECT, [1]);
    if (own !== undefined) query.withTimeout(own);
    const answer = new Watched(inStickyRead({ timeoutMs: 100 }, () => query.one()));
    await clock.advance(afterMs - 1);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(answer.error).toBeInstanceOf(OperationAbortedError);
  });

  it.each([0, -1, NaN, Infinity, 2 ** 31, '5', null, undefined])('(%s) is refused', async (timeoutMs) => {
    const { insert, batch } = await setUp();
    expect(() => insert().withTimeout(timeoutMs as number)).toThrow(HelixUsageError);
    expect(() => insert().withTimeout(timeoutMs as number)).toThrow(
      'query.withTimeout(): expected milliseconds from 1 to 2147483647',
    );
    expect(() => batch().withTimeout(timeoutMs as number)).toThrow('batch.withTimeout()');
  });
});

describe('withSignal()', () => {
  it.each(writes)('that has aborted sends nothing of %s', async (_kind, build) => {
    const fixture = await setUp();
    const error = await caught(build(fixture).withSignal(AbortSignal.abort()).exec());
    expect(error).toBeInstanceOf(OperationAbortedError);
    expect(error).toMatchObject({ outcome: 'notApplied' });
    expect(sentTo(fixture)).toEqual([0, 0]);
  });

  it.each(writes)('that aborts while %s is prepared sends nothing, ever', async (_kind, build) => {
    const fixture = await setUp();
    const { clients, clock, replayer } = fixture;
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, 'never');
    const controller = new AbortController();
    const answer = new Watched(build(fixture).withSignal(controller.signal).exec());
    await clock.settle();
    controller.abort();
    await clock.settle();
    expect(answer.error).toMatchObject({ name: 'AbortError', outcome: 'notApplied' });
    for (const client of [clients.A, clients.B]) {
      client.statements.set(INSERT, USER);
      client.answerPrepares();
    }
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(sentTo(fixture)).toEqual([0, 0]);
    expect(replayer.enqueued).toEqual([]);
  });

  it.each(writes)('that aborts after %s was sent ends the wait; the write goes on', async (_kind, build) => {
    const fixture = await setUp();
    const { clients, clock, replayer } = fixture;
    await fixture.insert().exec();
    clients.B.answers.push('never');
    const controller = new AbortController();
    const answer = new Watched(build(fixture).withSignal(controller.signal).exec());
    await clock.settle();
    controller.abort(new Error('user has gone'));
    await clock.settle();
    expect(answer.error).toMatchObject({ outcome: 'unknown', cause: { message: 'user has gone' } });
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('ends the wait for a read', async () => {
    const { helix, clients, clock } = await setUp();
    clients.A.answers.push('never');
    const controller = new AbortController();
    const answer = new Watched(helix.query(SELECT, [1]).withSignal(controller.signal).all());
    await clock.settle();
    controller.abort();
    await clock.settle();
    expect(answer.error).toMatchObject({ name: 'AbortError' });
  });

  it.each([undefined, null, 5, {}, new AbortController()])('(%s) is refused', async (signal) => {
    const { insert } = await setUp();
    expect(() => insert().withSignal(signal as AbortSignal)).toThrow(HelixUsageError);
    expect(() => insert().withSignal(signal as AbortSignal)).toThrow(
      'query.withSignal(): expected an AbortSignal',
    );
  });
});

describe('a call that sets nothing, outside of decorated methods', () => {
  it('asks nothing more of the paths', async () => {
    const { insert, batch, helix, context } = await setUp();
    await insert().exec();
    const write = vi.spyOn(context.writePath, 'run');
    const prepared = vi.spyOn(context.writePath, 'runPrepared');
    const read = vi.spyOn(context.readPath, 'run');
    await insert().consistency('ONE').exec();
    await batch().exec();
    await helix.query(SELECT, [1]).one();
    await helix.query(SELECT, [1]).all();
    expect(write.mock.calls.map(([, call]) => call)).toEqual([undefined]);
    expect(prepared.mock.calls.map(([, , call]) => call)).toEqual([undefined]);
    expect(read.mock.calls.map(([, call]) => call)).toEqual([undefined, undefined]);
  });
});

describe('a write that is cancelled', () => {
  /** The operation that the path is given. */
  const operation = async (fixture: Fixture) => {
    await fixture.insert().exec();
    const run = vi.spyOn(fixture.context.writePath, 'run');
    await fixture.insert().exec();
    const [given] = run.mock.calls[0]!;
    run.mockRestore();
    return given;
  };

  it('is not cancelled once it was sent to a side', async () => {
    const fixture = await setUp();
    const sent = await operation(fixture);
    expect(sent.cancel()).toBe(false);
    expect(sent.isCancelled).toBe(false);
  });

  it('is sent to neither side any more, certainly not applied, and says so', async () => {
    const fixture = await setUp();
    await fixture.insert().exec();
    const run = vi.spyOn(fixture.context.writePath, 'run').mockResolvedValue({} as WriteReceipt);
    await fixture.insert().exec();
    const [write] = run.mock.calls[0]!;
    const before = sentTo(fixture);
    expect(write.isCancelled).toBe(false);
    expect(write.cancel()).toBe(true);
    expect(write.isCancelled).toBe(true);
    for (const cluster of ['A', 'B'] as const) {
      const error = await caught(write.attempt(cluster));
      expect(write.classify(error, cluster)).toMatchObject({ kind: 'unreached', error });
    }
    expect(sentTo(fixture)).toEqual(before);
  });

  it('can still be cancelled while one side has failed to prepare it', async () => {
    const fixture = await setUp();
    fixture.clients.A.statements.set(INSERT, unreachable());
    const run = vi.spyOn(fixture.context.writePath, 'runPrepared').mockResolvedValue({} as WriteReceipt);
    await fixture.insert().exec();
    const [prepare] = run.mock.calls[0]!;
    const write = await prepare();
    await caught(write.attempt('A'));
    expect(write.cancel()).toBe(true);
    await caught(write.attempt('B'));
    expect(sentTo(fixture)).toEqual([0, 0]);
  });
});
