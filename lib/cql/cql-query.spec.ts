import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { FIRST_TIMESTAMP_US, READ_TIMEOUT_MS, setUpCql, WRITE_TIMEOUT_MS } from '../../test/support/cql.js';
import {
  columns,
  type Executed,
  type FakeCqlClient,
  invalid,
  row,
  timedOut,
  type,
  unreachable,
  listOf,
} from '../../test/support/fake-cql-client.js';
import { Watched } from '../../test/support/fake-operations.js';
import {
  ClusterError,
  DualClusterError,
  HelixConfigError,
  HelixUsageError,
  SchemaMismatchError,
  SessionClosedError,
} from '../core/index.js';
import type { Column } from './driver/driver-internals.js';
import type { CqlQuery } from './index.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const SELECT = 'SELECT id, name FROM users WHERE id = ?';
const USER = columns({ id: type('int'), name: type('text') });

async function setUp(options?: Parameters<typeof setUpCql>[0]) {
  const fixture = await setUpCql(options);
  fixture.knows(INSERT, USER);
  fixture.hasTable('users', USER);
  return fixture;
}

const lastOf = (client: FakeCqlClient): Executed => {
  const executed = client.executed.at(-1);
  if (!executed) throw new Error('nothing was executed');
  return executed;
};
const paramsOf = (client: FakeCqlClient): unknown[] => lastOf(client).params as unknown[];
const int = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
};
/** A client of the user's own that does not keep to answering by a promise. */
const throwing = (): never => {
  throw new Error('broken client');
};
const caught = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('was expected to fail');
};

describe('a query', () => {
  const calls: [call: string, text: string, run: (query: CqlQuery) => Promise<unknown>][] = [
    ['exec', INSERT, (query) => query.exec()],
    ['one', SELECT, (query) => query.one()],
    ['values', SELECT, (query) => query.values()],
    ['all', SELECT, (query) => query.all()],
  ];

  it.each(calls)('can be run once: a second %s() sends nothing', async (_call, text, run) => {
    const { helix, clients } = await setUp();
    const query = helix.query(text, [1, 'Ada']);
    await run(query);
    const executed = clients.A.executed.length;
    const error = await caught(run(query));
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('query()');
    expect(clients.A.executed).toHaveLength(executed);
  });

  it('is used up by a call of another kind too', async () => {
    const { helix } = await setUp();
    const query = helix.query(INSERT, [1, 'Ada']);
    await expect(query.one()).rejects.toThrow('use exec() to write');
    await expect(query.exec()).rejects.toThrow(HelixUsageError);
  });

  it.each(calls.slice(1))('refuses to write by %s() and names exec()', async (call, _text, run) => {
    const { helix, clients } = await setUp();
    const error = await caught(run(helix.query(INSERT, [1, 'Ada'])));
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain(`${call}() is for SELECT; use exec()`);
    expect(clients.A.executed).toEqual([]);
  });

  it('refuses to read by exec() and names the calls that read', async () => {
    const { helix, clients } = await setUp();
    const error = await caught(helix.query(SELECT, [1]).exec());
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('use one(), values(), all(), page() or iter()');
    expect(clients.A.executed).toEqual([]);
  });
});

describe('a write', () => {
  it('sends the same bytes with the same write time to both clusters', async () => {
    const { helix, clients } = await setUp();
    const receipt = await helix.query(INSERT, [7, 'Ada']).exec();
    expect(receipt).toMatchObject({ timestamp: FIRST_TIMESTAMP_US, A: 'applied', B: 'applied' });
    expect(paramsOf(clients.A)).toEqual([int(7), Buffer.from('Ada')]);
    expect(paramsOf(clients.B)).toEqual(paramsOf(clients.A));
    expect(lastOf(clients.A).options['timestamp']).toBe(FIRST_TIMESTAMP_US);
    expect(lastOf(clients.B).options['timestamp']).toBe(FIRST_TIMESTAMP_US);
  });

  it('keeps these bytes and this write time for the side that missed it', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    const receipt = await helix.query(INSERT, [7, null]).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    expect(replayer.enqueued.flat()).toMatchObject([
      {
        cluster: 'B',
        operationId: receipt.id,
        namespace: 'default',
        generation: 0,
        class: 'idempotent',
        priority: 'high',
        timestampUs: FIRST_TIMESTAMP_US,
        createdAtMs: Math.floor(FIRST_TIMESTAMP_US / 1_000),
        keyspace: 'shop',
        consistency: cassandra.types.consistencies.localQuorum,
        batch: undefined,
        statements: [{ text: INSERT, params: [int(7), null] }],
      },
    ]);
  });

  it('never lets the driver try again by itself', async () => {
    const { helix, clients } = await setUp();
    await helix.query(INSERT, [7, 'Ada']).exec();
    const { isIdempotent, prepare, retry } = lastOf(clients.A).options;
    expect({ isIdempotent, prepare }).toEqual({ isIdempotent: false, prepare: true });
    const policy = retry as Record<string, () => { decision: number }>;
    const { decision: rethrow } = new cassandra.policies.retry.RetryPolicy().rethrowResult() as {
      decision: number;
    };
    for (const decide of ['onReadTimeout', 'onRequestError', 'onUnavailable', 'onWriteTimeout']) {
      expect(policy[decide]?.().decision).toBe(rethrow);
    }
  });

  it('has an id of its own', async () => {
    const { helix } = await setUp();
    const first = await helix.query(INSERT, [1, 'Ada']).exec();
    const second = await helix.query(INSERT, [1, 'Ada']).exec();
    expect(first.id).not.toBe(second.id);
    expect(second.timestamp).toBeGreaterThan(first.timestamp);
  });

  it('is prepared once, and then no more', async () => {
    const { helix, clients } = await setUp();
    for (let i = 0; i < 3; i++) await helix.query(INSERT, [i, 'Ada']).exec();
    expect(clients.A.preparedTexts).toEqual([INSERT]);
    expect(clients.B.preparedTexts).toEqual([INSERT]);
  });

  it('passes null as a deletion and undefined as unset, on both clusters and in the envelope', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut(), timedOut());
    await helix.query(INSERT, [1, null]).exec();
    expect(paramsOf(clients.A)[1]).toBeNull();
    await helix.query(INSERT, [1, undefined]).exec();
    expect(paramsOf(clients.A)[1]).toBe(cassandra.types.unset);
    expect(paramsOf(clients.B)[1]).toBe(cassandra.types.unset);
    expect(replayer.enqueued.flat().map(({ statements }) => statements[0]?.params[1])).toEqual([
      null,
      undefined,
    ]);
  });

  it('keeps its bytes as they were when the caller uses a buffer again', async () => {
    const { helix, clients, knows, hasTable, replayer } = await setUp();
    const file = columns({ id: type('int'), data: type('blob') });
    hasTable('files', file);
    clients.B.answers.push(timedOut());
    const data = Buffer.from('first');
    await helix.query(knows('INSERT INTO files (id, data) VALUES (?, ?)', file), [1, data]).exec();
    data.write('other');
    expect(replayer.enqueued.flat()).toMatchObject([
      { statements: [{ params: [int(1), Buffer.from('first')] }] },
    ]);
  });

  it.each<[what: string, text: string, params: () => unknown[] | Record<string, unknown>]>([
    ['an array', INSERT, () => [1, 'Ada']],
    ['an object', 'INSERT INTO users (id, name) VALUES (:id, :name)', () => ({ id: 1, name: 'Ada' })],
  ])('takes its parameters when it is run: changing %s while it is prepared', async (_what, text, make) => {
    const { helix, knows, clients } = await setUp();
    const params = make();
    const written = helix.query(knows(text, USER), params).exec();
    Object.assign(params, Array.isArray(params) ? [2, 'Bob'] : { id: 2, name: 'Bob' });
    await written;
    expect(paramsOf(clients.A)).toEqual([int(1), Buffer.from('Ada')]);
    expect(paramsOf(clients.B)).toEqual([int(1), Buffer.from('Ada')]);
  });

  it('takes a buffer as it is when the statement is run: writing to it while it is prepared', async () => {
    const { helix, clients, knows, hasTable } = await setUp();
    const file = columns({ id: type('int'), data: type('blob') });
    hasTable('files', file);
    const data = Buffer.from('first');
    const written = helix.query(knows('INSERT INTO files (id, data) VALUES (?, ?)', file), [1, data]).exec();
    data.write('other');
    await written;
    expect(paramsOf(clients.A)).toEqual([int(1), Buffer.from('first')]);
  });

  it("passes the driver's unset through", async () => {
    const { helix, clients } = await setUp();
    await helix.query(INSERT, [1, cassandra.types.unset]).exec();
    expect(paramsOf(clients.A)[1]).toBe(cassandra.types.unset);
  });
});

describe('the number of parameters', () => {
  it.each([
    ['too few', [1]],
    ['too many', [1, 'Ada', 2]],
    ['none', []],
  ])('must be right: %s', async (_what, params) => {
    const { helix, clients } = await setUp();
    const error = await caught(helix.query(INSERT, params).exec());
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain(`has 2 parameters, received ${params.length}`);
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });

  it('may be none if the statement has none', async () => {
    const { helix, knows, clients } = await setUp();
    await helix.query(knows('DELETE FROM users WHERE id = 1', [])).exec();
    expect(paramsOf(clients.B)).toEqual([]);
  });

  it('is asked for when there are no parameters at all', async () => {
    const { helix } = await setUp();
    await expect(helix.query(INSERT).exec()).rejects.toThrow('No value for parameter "id"');
  });
});

describe('named parameters', () => {
  const NAMED = 'INSERT INTO users (id, name) VALUES (:Id, :userName)';
  const named = columns({ id: type('int'), username: type('text') });

  it.each([
    ['as they are written', { Id: 1, userName: 'Ada' }],
    ['in lower case', { id: 1, username: 'Ada' }],
    ['in upper case', { ID: 1, USERNAME: 'Ada' }],
    ['in another order, with some too many', { more: 9, username: 'Ada', id: 1 }],
  ])('are found %s', async (_how, params) => {
    const { helix, knows, clients } = await setUp();
    await helix.query(knows(NAMED, named), params).exec();
    expect(paramsOf(clients.A)).toEqual([int(1), Buffer.from('Ada')]);
    expect(paramsOf(clients.B)).toEqual([int(1), Buffer.from('Ada')]);
  });

  it('are found when the statement has them in quotes', async () => {
    const { helix, knows, clients } = await setUp();
    const quoted = 'INSERT INTO users (id, name) VALUES (:id, :"userName")';
    const params = columns({ id: type('int'), userName: type('text') });
    await helix.query(knows(quoted, params), { id: 1, username: 'Ada' }).exec();
    expect(paramsOf(clients.A)[1]).toEqual(Buffer.from('Ada'));
  });

  it('are asked for by name when one is missing', async () => {
    const { helix, knows, clients } = await setUp();
    const error = await caught(helix.query(knows(NAMED, named), { id: 1 }).exec());
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('No value for parameter "username"');
    expect(clients.A.executed).toEqual([]);
  });

  it.each(['constructor', 'valueOf'])('are not found among what every object has: %s', async (name) => {
    const { helix, knows, hasTable, clients } = await setUp();
    const thing: Column[] = [
      { name: 'id', type: type('int') },
      { name, type: type('text') },
    ];
    hasTable('things', thing);
    const text = knows(`INSERT INTO things (id, "${name}") VALUES (:id, :"${name}")`, thing);
    const error = await caught(helix.query(text, { id: 1 }).exec());
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain(`No value for parameter "${name}"`);
    expect(clients.A.executed).toEqual([]);
  });

  it('may be undefined, which is unset', async () => {
    const { helix, knows, clients } = await setUp();
    await helix.query(knows(NAMED, named), { id: 1, userName: undefined }).exec();
    expect(paramsOf(clients.A)[1]).toBe(cassandra.types.unset);
  });
});

describe('a parameter that does not fit its type', () => {
  it('is a ClusterError with the cause, and nothing is sent', async () => {
    const { helix, clients, replayer } = await setUp();
    const error = await caught(helix.query(INSERT, ['not a number', 'Ada']).exec());
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', operation: 'write', outcome: 'notApplied' });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
    expect(replayer.enqueued).toEqual([]);
  });

  it('names the cluster whose types it does not fit', async () => {
    const { helix } = await setUp({ connected: ['B'] });
    const error = await caught(helix.query(INSERT, ['x', 'Ada']).exec());
    expect(error).toMatchObject({ cluster: 'B' });
    expect(error.message).toContain('cluster B ("us_west")');
  });

  it('fails in the same way when the statement is known already', async () => {
    const { helix } = await setUp();
    await helix.query(INSERT, [1, 'Ada']).exec();
    expect(await caught(helix.query(INSERT, [1, 2]).exec())).toBeInstanceOf(ClusterError);
  });
});

describe('a statement that one cluster cannot prepare', () => {
  it('is queued for it when it is not reachable', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.statements.set(INSERT, unreachable());
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    expect(clients.B.executed).toEqual([]);
    expect(clients.B.preparedTexts).toHaveLength(1);
    expect(replayer.enqueued.flat()).toMatchObject([
      { cluster: 'B', statements: [{ params: [int(1), Buffer.from('Ada')] }] },
    ]);
  });

  it('is queued for it even after a time-out: preparing writes nothing', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.A.statements.set(INSERT, timedOut());
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'queued', B: 'applied' });
    expect(replayer.enqueuedFor).toEqual([['A']]);
  });

  it('goes on to be queued while it is so, and is written to both afterwards', async () => {
    const { helix, clients } = await setUp();
    clients.B.statements.set(INSERT, unreachable());
    await helix.query(INSERT, [1, 'Ada']).exec();
    expect(await helix.query(INSERT, [2, 'Ada']).exec()).toMatchObject({ B: 'queued' });
    clients.B.statements.set(INSERT, USER);
    expect(await helix.query(INSERT, [3, 'Ada']).exec()).toMatchObject({ B: 'applied' });
  });

  it('is queued for it when it was never connected', async () => {
    const { helix, clients } = await setUp({ connected: ['A'] });
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    expect(clients.B.preparedTexts).toEqual([]);
  });

  it('holds the other up for no longer than a second, and is queued', async () => {
    const { clock, helix, clients, replayer } = await setUp();
    clients.B.statements.set(INSERT, 'never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.advance(999);
    expect(clients.A.executed).toEqual([]);
    await clock.advance(1);
    expect(clients.A.executed).toHaveLength(1);
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(answer.value).toMatchObject({ A: 'applied', B: 'pending' });
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('does not hold the other up at all while it is avoided', async () => {
    const { clock, helix, clients, policy } = await setUp();
    clients.B.statements.set(INSERT, 'never');
    policy.unavailable.add('B');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.settle();
    expect(clients.A.executed).toHaveLength(1);
    expect(answer.value).toMatchObject({ A: 'applied', B: 'queued' });
  });

  it('is not sent to it when it can prepare only after its time was over', async () => {
    const { clock, helix, clients, replayer } = await setUp();
    clients.B.statements.set(INSERT, 'never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(answer.value).toMatchObject({ B: 'pending' });
    expect(replayer.enqueuedFor).toEqual([['B']]);
    clients.B.statements.set(INSERT, USER);
    clients.B.answerPrepares();
    await clock.settle();
    expect(clients.B.executed).toEqual([]);
  });

  it('diverges when one refuses what the other takes', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.statements.set(INSERT, invalid());
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'rejected' });
    expect(replayer.buried).toMatchObject([{ envelope: { cluster: 'B' }, reason: 'rejected' }]);
  });

  it('fails safely when neither can be reached', async () => {
    const { helix, clients, replayer } = await setUp();
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, timedOut());
    const error = await caught(helix.query(INSERT, [1, 'Ada']).exec());
    expect(error).toBeInstanceOf(DualClusterError);
    expect(error).toMatchObject({ outcome: 'notApplied' });
    expect(replayer.enqueued).toEqual([]);
  });

  it('fails safely within writeTimeoutMs when neither answers', async () => {
    const { clock, helix, clients, replayer } = await setUp();
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, 'never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.advance(WRITE_TIMEOUT_MS - 1);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(answer.error).toBeInstanceOf(DualClusterError);
    expect(answer.error).toMatchObject({
      outcome: 'notApplied',
      errors: { A: { name: 'TimeoutError' }, B: { name: 'TimeoutError' } },
    });
    expect(replayer.enqueued).toEqual([]);
  });

  it("is not queued when neither has told its types, also with whenBothFail: 'queue'", async () => {
    const { clock, helix, clients, replayer } = await setUp({ whenBothFail: 'queue' });
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, 'never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(answer.error).toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' });
    expect(replayer.enqueued).toEqual([]);
  });

  it('leaves half of the time of its caller to the cluster that has prepared it', async () => {
    const { clock, helix, clients } = await setUp();
    clients.B.statements.set(INSERT, 'never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).withTimeout(400).exec());
    await clock.advance(199);
    expect(clients.A.executed).toEqual([]);
    await clock.advance(1);
    expect(clients.A.executed).toHaveLength(1);
    await clock.advance(200);
    expect(answer.value).toMatchObject({ A: 'applied', B: 'pending' });
  });

  it('counts as accepted while it is prepared: what is settled waits for it', async () => {
    const { clock, helix, clients, context } = await setUp();
    clients.B.statements.set(INSERT, 'never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    const settled = new Watched(context.writePath.settled());
    await clock.settle();
    expect(settled.isSettled).toBe(false);
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(answer.isSettled).toBe(true);
    expect(settled.isSettled).toBe(true);
  });

  it('is refused when both refuse it', async () => {
    const { helix } = await setUp();
    const error = await caught(helix.query('INSERT INTO nowhere (id) VALUES (?)', [1]).exec());
    expect(error).toBeInstanceOf(ClusterError);
    expect(error.cause).toMatchObject({ name: 'ResponseError', code: 0x2200 });
  });
});

describe('clusters with other parameter types', () => {
  it('are a SchemaMismatchError, and nothing is sent to either', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.statements.set(INSERT, columns({ id: type('bigint'), name: type('text') }));
    for (let i = 0; i < 2; i++) {
      const error = await caught(helix.query(INSERT, [1, 'Ada']).exec());
      expect(error).toBeInstanceOf(SchemaMismatchError);
      expect(error).toMatchObject({ code: 'HELIX_SCHEMA_MISMATCH', hazard: 'schemaMismatch' });
      expect(error.message).toContain('parameter id');
    }
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
    expect(replayer.enqueued).toEqual([]);
  });

  it('are refused also when the schema tables answer too late', async () => {
    const { clock, helix, clients } = await setUp();
    clients.B.statements.set(INSERT, columns({ id: type('bigint'), name: type('text') }));
    for (const client of [clients.A, clients.B]) client.tables.set('users', 'never');
    const write = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.advance(20_000);
    expect(write.error).toBeInstanceOf(SchemaMismatchError);
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });

  it('never get bytes of the wrong type when it shows only later', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.statements.set(INSERT, unreachable());
    await helix.query(INSERT, [1, 'Ada']).exec();
    clients.B.statements.set(INSERT, columns({ id: type('bigint'), name: type('text') }));
    expect(await helix.query(INSERT, [2, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'rejected' });
    expect(clients.B.executed).toEqual([]);
    expect(replayer.buried).toMatchObject([{ reason: 'rejected', error: { name: 'SchemaMismatchError' } }]);
  });
});

describe('a list that is frozen on A only', () => {
  const TAGS = 'INSERT INTO t (id, tags) VALUES (?, ?)';

  async function setUpTags() {
    const fixture = await setUp();
    const { clients, knows } = fixture;
    knows(TAGS, columns({ id: type('int'), tags: listOf(type('text')) }));
    clients.A.tables.set('t', columns({ id: type('int'), tags: listOf(type('text'), true) }));
    clients.B.tables.set('t', columns({ id: type('int'), tags: listOf(type('text')) }));
    return fixture;
  }

  it('is refused on both: replaying it on B would double it', async () => {
    const { helix, clients } = await setUpTags();
    expect(await caught(helix.query(TAGS, [1, ['a']]).exec())).toMatchObject({ hazard: 'list' });
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });

  it('becomes a dead letter for B when B shows it only later, and is refused from then on', async () => {
    const { helix, clients, replayer } = await setUpTags();
    clients.B.statements.set(TAGS, unreachable());
    expect(await helix.query(TAGS, [1, ['a']]).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    clients.B.statements.set(TAGS, columns({ id: type('int'), tags: listOf(type('text')) }));
    expect(await helix.query(TAGS, [2, ['a']]).exec()).toMatchObject({ A: 'applied', B: 'rejected' });
    expect(replayer.buried).toMatchObject([{ reason: 'rejected' }]);
    expect(await caught(helix.query(TAGS, [3, ['a']]).exec())).toMatchObject({ hazard: 'list' });
    expect(clients.B.executed).toEqual([]);
  });
});

describe('a statement refused for other parameter types', () => {
  /** B has another type for the id; `mend` brings it into line. */
  async function refused() {
    const fixture = await setUp();
    const { clients, helix } = fixture;
    clients.B.statements.set(INSERT, columns({ id: type('bigint'), name: type('text') }));
    expect(await caught(helix.query(INSERT, [1, 'Ada']).exec())).toBeInstanceOf(SchemaMismatchError);
    const mend = () => clients.B.statements.set(INSERT, USER);
    return { ...fixture, mend };
  }

  it('is written again at once after onBoth() has brought the schemas into line', async () => {
    const { helix, mend } = await refused();
    mend();
    await helix.onBoth('ALTER TABLE users ALTER id TYPE int');
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('is written again after a second when somebody else has brought them into line', async () => {
    const { clock, helix, mend } = await refused();
    mend();
    await clock.advance(1_000);
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('is refused until then without asking the clusters again', async () => {
    const { clock, helix, clients, mend } = await refused();
    mend();
    await clock.advance(999);
    expect(await caught(helix.query(INSERT, [1, 'Ada']).exec())).toBeInstanceOf(SchemaMismatchError);
    // Each was looked at twice before it was said that they differ.
    expect([clients.A.preparedTexts, clients.B.preparedTexts]).toEqual([
      [INSERT, INSERT],
      [INSERT, INSERT],
    ]);
  });

  it('has both clusters asked again after that', async () => {
    const { clock, helix, clients } = await refused();
    await clock.advance(1_000);
    expect(await caught(helix.query(INSERT, [1, 'Ada']).exec())).toBeInstanceOf(SchemaMismatchError);
    expect([clients.A.preparedTexts.length, clients.B.preparedTexts.length]).toEqual([3, 3]);
  });

  it('is not refused for a difference that is no more when both are looked at again', async () => {
    const { helix, clients } = await setUp();
    await helix.query(INSERT, [1, 'Ada']).exec();
    const BIG = columns({ id: type('bigint'), name: type('text') });
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, BIG);
    clients.A.forgetPrepared();
    expect(await helix.query(INSERT, [2, 'Bob']).exec()).toMatchObject({ A: 'applied', B: 'applied' });
    const [onA, onB] = [clients.A, clients.B].map(({ executed }) => executed.at(-1)?.params);
    expect(onA).toEqual([Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]), Buffer.from('Bob')]);
    expect(onB).toEqual([Buffer.from([0, 0, 0, 2]), Buffer.from('Bob')]);
  });
});

describe('outcomes of the execution', () => {
  it.each<[what: string, error: () => Error, receipt: object]>([
    ['not reached', unreachable, { B: 'queued' }],
    ['not answered', timedOut, { B: 'queued' }],
    ['refused', () => invalid(), { B: 'rejected' }],
    ['not permitted', () => new cassandra.errors.ResponseError(0x2100, 'no'), { B: 'rejected' }],
  ])('B %s', async (_what, error, receipt) => {
    const { helix, clients } = await setUp();
    clients.B.answers.push(error());
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', ...receipt });
  });

  it.each<[where: string, outcome: string, text: string]>([
    ['one partition', 'notApplied', 'DELETE FROM users WHERE id = ?'],
    ['several partitions', 'unknown', 'DELETE FROM users WHERE id IN (?)'],
  ])('Unavailable for %s leaves the outcome %s', async (_where, outcome, text) => {
    const { helix, clients, knows } = await setUp();
    knows(text, columns({ id: type('int') }));
    for (const client of [clients.A, clients.B]) {
      client.answers.push(new cassandra.errors.ResponseError(0x1000, 'unavailable'));
    }
    expect(await caught(helix.query(text, [1]).exec())).toMatchObject({ outcome });
  });

  it('a client that throws instead of answering leaves its side in doubt, and nothing hangs', async () => {
    const { clock, helix, clients, context } = await setUp();
    await helix.query(INSERT, [1, 'Ada']).exec();
    clients.B.execute = throwing;
    expect(await helix.query(INSERT, [2, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    expect(context.writePath.wire.inFlight).toEqual({ A: 0, B: 0 });
    const settled = new Watched(context.writePath.settled());
    await clock.settle();
    expect(settled.isSettled).toBe(true);
  });

  it('a sent write that is not answered within writeTimeoutMs is ambiguous', async () => {
    const { clock, helix, clients, replayer } = await setUp();
    clients.A.answers.push('never');
    clients.B.answers.push('never');
    const answer = new Watched(helix.query(INSERT, [1, 'Ada']).exec());
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(answer.error).toMatchObject({ outcome: 'unknown' });
    expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
  });
});

describe('settings', () => {
  const { consistencies } = cassandra.types;

  it('consistency is LOCAL_QUORUM unless said otherwise', async () => {
    const { helix, clients } = await setUp();
    await helix.query(INSERT, [1, 'Ada']).exec();
    await helix.query(SELECT, [1]).one();
    for (const { options } of clients.A.executed) {
      expect(options['consistency']).toBe(consistencies.localQuorum);
      expect(options['serialConsistency']).toBeUndefined();
    }
  });

  it.each([
    ['ALL', consistencies.all],
    ['LOCAL_ONE', consistencies.localOne],
    ['EACH_QUORUM', consistencies.eachQuorum],
    [consistencies.two, consistencies.two],
    [consistencies.any, consistencies.any],
  ] as const)('consistency(%s) goes to both clusters and into the envelope', async (given, code) => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    await helix.query(INSERT, [1, 'Ada']).consistency(given).serialConsistency('LOCAL_SERIAL').exec();
    for (const client of [clients.A, clients.B]) {
      expect(lastOf(client).options).toMatchObject({
        consistency: code,
        serialConsistency: consistencies.localSerial,
      });
    }
    expect(replayer.enqueued.flat()).toMatchObject([
      { consistency: code, serialConsistency: consistencies.localSerial },
    ]);
  });

  it('apply to reads too', async () => {
    const { helix, clients } = await setUp();
    await helix.query(SELECT, [1]).consistency('ONE').serialConsistency('SERIAL').pageSize(17).all();
    expect(lastOf(clients.A).options).toMatchObject({
      consistency: consistencies.one,
      serialConsistency: consistencies.serial,
      fetchSize: 17,
      isIdempotent: true,
    });
  });

  it.each<[call: string, set: (query: CqlQuery) => unknown]>([
    ['consistency', (query) => query.consistency('MOST' as 'ALL')],
    ['consistency', (query) => query.consistency(99)],
    ['consistency', (query) => query.consistency('toString' as 'ALL')],
    ['serialConsistency', (query) => query.serialConsistency('MOST' as 'ALL')],
  ])('%s() refuses what does not exist and lists what does', async (call, set) => {
    const { helix } = await setUp();
    const error = await caught(Promise.resolve().then(() => set(helix.query(INSERT, [1, 'Ada']))));
    expect(error).toBeInstanceOf(HelixConfigError);
    expect(error.message).toContain(`query.${call}()`);
    expect(error.message).toContain('LOCAL_QUORUM');
  });

  it.each([1, 0, -5, FIRST_TIMESTAMP_US - 1])('withTimestamp(%i) is the write time on both', async (us) => {
    const { helix, clients } = await setUp();
    const receipt = await helix.query(INSERT, [1, 'Ada']).withTimestamp(us).exec();
    expect(receipt.timestamp).toBe(us);
    for (const client of [clients.A, clients.B]) expect(lastOf(client).options['timestamp']).toBe(us);
  });

  it.each([1.5, NaN, Infinity, 2 ** 53, '5' as never, 5n as never])(
    'withTimestamp(%s) is refused',
    async (us) => {
      const { helix } = await setUp();
      expect(() => helix.query(INSERT, [1, 'Ada']).withTimestamp(us)).toThrow(HelixUsageError);
    },
  );

  it('the age of an operation with a timestamp of its own counts from now', async () => {
    const { clock, helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    await clock.advance(1_234);
    await helix.query(INSERT, [1, 'Ada']).withTimestamp(5).exec();
    expect(replayer.enqueued.flat()).toMatchObject([{ timestampUs: 5, createdAtMs: clock.nowMs() }]);
  });

  it.each([0, -1, 1.5, NaN])('pageSize(%s) is refused', async (rows) => {
    const { helix } = await setUp();
    expect(() => helix.query(SELECT, [1]).pageSize(rows)).toThrow(HelixUsageError);
  });

  it.each(['urgent', '', 'HIGH', 1, null, undefined])('withPriority(%s) is refused', async (priority) => {
    const { helix } = await setUp();
    const set = () => helix.query(INSERT, [1, 'Ada']).withPriority(priority as 'high');
    expect(set).toThrow(HelixUsageError);
    expect(set).toThrow("query.withPriority(): expected 'high' or 'low'");
  });

  it('withPriority() is in the envelope', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    await helix.query(INSERT, [1, 'Ada']).withPriority('low').exec();
    expect(replayer.enqueued.flat()).toMatchObject([{ priority: 'low' }]);
  });

  it('a TTL in the text is in the envelope, a bound one is a parameter', async () => {
    const { helix, clients, knows, replayer } = await setUp();
    clients.B.answers.push(timedOut(), timedOut());
    await helix.query(knows(`${INSERT} USING TTL 60`, USER), [1, 'Ada']).exec();
    const bound = knows(`${INSERT} USING TTL ?`, [...USER, { name: '[ttl]', type: type('int') }]);
    await helix.query(bound, [1, 'Ada', 30]).exec();
    expect(replayer.enqueued.flat().map(({ ttlSeconds }) => ttlSeconds)).toEqual([60, undefined]);
  });
});

describe('a read', () => {
  const ada = { id: 1, name: 'Ada' };
  const bob = { id: 2, name: 'Bob' };

  it('one() is the first row, or undefined', async () => {
    const { helix, clients } = await setUp();
    clients.A.answers.push({ rows: [row(ada), row(bob)] });
    expect(await helix.query(SELECT, [1]).one()).toMatchObject(ada);
    expect(await helix.query(SELECT, [1]).one()).toBeUndefined();
  });

  it.each(['one', 'values', 'all', 'page'] as const)(
    '%s() reads what it was asked for, whatever becomes of the parameters of the caller',
    async (terminal) => {
      const { helix, clients } = await setUp();
      const [id, bytes] = [[1], Buffer.from([1])];
      void helix.query(SELECT, id)[terminal]();
      void helix.query(SELECT, [bytes])[terminal]();
      id[0] = 2;
      bytes[0] = 2;
      await new Promise((resolve) => setImmediate(resolve));
      expect(clients.A.executed.map(({ params }) => params)).toEqual([[1], [Buffer.from([1])]]);
    },
  );

  it('values() is the first row by position, or undefined', async () => {
    const { helix, clients } = await setUp();
    clients.A.answers.push({ rows: [row(ada), row(bob)] });
    expect(await helix.query(SELECT, [1]).values()).toEqual([1, 'Ada']);
    expect(await helix.query(SELECT, [1]).values()).toBeUndefined();
  });

  it('all() reads every page', async () => {
    const { helix, clients } = await setUp();
    clients.A.answers.push(
      { rows: [row(ada)], pageState: 'p1' },
      { rows: [], pageState: 'p2' },
      { rows: [row(bob)] },
    );
    expect(await helix.query(SELECT, [1]).all()).toMatchObject([ada, bob]);
    expect(clients.A.executed.map(({ options }) => options['pageState'])).toEqual([undefined, 'p1', 'p2']);
    expect(clients.B.executed).toEqual([]);
  });

  it('all() starts over on the other cluster when a page fails, without the pages it had', async () => {
    const { helix, clients } = await setUp();
    clients.A.answers.push({ rows: [row(ada)], pageState: 'a1' }, timedOut());
    clients.B.answers.push({ rows: [row(ada)], pageState: 'b1' }, { rows: [row(bob)] });
    expect(await helix.query(SELECT, [1]).all()).toMatchObject([ada, bob]);
    expect(clients.B.executed.map(({ options }) => options['pageState'])).toEqual([undefined, 'b1']);
  });

  it('all() asks no more pages of a cluster it has left', async () => {
    const { clock, helix, clients } = await setUp();
    clients.A.answers.push('never');
    clients.B.answers.push({ rows: [row(bob)] });
    const answer = new Watched(helix.query(SELECT, [1]).all());
    await clock.advance(READ_TIMEOUT_MS);
    expect(answer.value).toMatchObject([bob]);
    expect(clients.A.executed).toHaveLength(1);
  });

  it('fails over when a cluster was never connected', async () => {
    const { helix, clients } = await setUp({ connected: ['B'] });
    clients.B.answers.push({ rows: [row(bob)] });
    expect(await helix.query(SELECT, [1]).one()).toMatchObject(bob);
    expect(clients.A.executed).toEqual([]);
  });

  it('fails over when a client throws instead of answering', async () => {
    const { helix, clients, context } = await setUp();
    clients.A.execute = throwing;
    clients.B.answers.push({ rows: [row(bob)] });
    expect(await helix.query(SELECT, [1]).one()).toMatchObject(bob);
    expect(context.readPath.wire.inFlight).toEqual({ A: 0, B: 0 });
  });

  it.each(['one', 'all'] as const)(
    '%s() fails when both clients throw instead of answering',
    async (call) => {
      const { helix, clients, context } = await setUp();
      clients.A.execute = clients.B.execute = throwing;
      expect(await caught(helix.query(SELECT, [1])[call]())).toBeInstanceOf(DualClusterError);
      expect(context.readPath.wire.inFlight).toEqual({ A: 0, B: 0 });
    },
  );

  it('does not fail over when a cluster refuses it', async () => {
    const { helix, clients } = await setUp();
    clients.A.answers.push(invalid());
    expect(await caught(helix.query(SELECT, [1]).one())).toBeInstanceOf(ClusterError);
    expect(clients.B.executed).toEqual([]);
  });

  it('hands its parameters to the driver under their names', async () => {
    const { helix, clients } = await setUp();
    const params = { id: 1 };
    await helix.query('SELECT * FROM users WHERE id = :id', params).one();
    expect(lastOf(clients.A).params).toEqual(params);
  });
});

describe('after the end', () => {
  it('writes are refused and nothing is sent', async () => {
    const { helix, clients, context } = await setUp();
    await helix.query(INSERT, [1, 'Ada']).exec();
    context.writePath.close();
    expect(await caught(helix.query(INSERT, [2, 'Bob']).exec())).toBeInstanceOf(SessionClosedError);
    expect(clients.A.executed).toHaveLength(1);
  });

  it('writes of unknown statements are refused, and nothing is prepared', async () => {
    const { helix, clients, context } = await setUp();
    context.writePath.close();
    expect(await caught(helix.query(INSERT, [1, 'Ada']).exec())).toBeInstanceOf(SessionClosedError);
    expect([...clients.A.preparedTexts, ...clients.B.preparedTexts]).toEqual([]);
  });

  it('reads are refused and nothing is asked', async () => {
    const { helix, clients, context } = await setUp();
    context.readPath.close();
    expect(await caught(helix.query(SELECT, [1]).one())).toBeInstanceOf(SessionClosedError);
    expect(clients.A.executed).toEqual([]);
  });
});

describe('in single-cluster mode', () => {
  it('writes go to A only', async () => {
    const { helix, clients } = await setUp({ single: true });
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'absent' });
    expect(paramsOf(clients.A)).toEqual([int(1), Buffer.from('Ada')]);
    expect(clients.B.executed).toEqual([]);
  });

  it('a failure is a ClusterError with its outcome', async () => {
    const { helix, clients, replayer } = await setUp({ single: true });
    clients.A.answers.push(timedOut());
    expect(await caught(helix.query(INSERT, [1, 'Ada']).exec())).toMatchObject({
      code: 'HELIX_CLUSTER',
      cluster: 'A',
      outcome: 'unknown',
    });
    expect(replayer.enqueued).toEqual([]);
  });
});
