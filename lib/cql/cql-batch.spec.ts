import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { FIRST_TIMESTAMP_US, setUpCql, WRITE_TIMEOUT_MS } from '../../test/support/cql.js';
import {
  columns,
  type ExecutedBatch,
  type FakeCqlClient,
  row,
  timedOut,
  type,
  unreachable,
} from '../../test/support/fake-cql-client.js';
import { Watched } from '../../test/support/fake-operations.js';
import {
  ClusterError,
  DualClusterError,
  HazardousStatementError,
  HelixConfigError,
  HelixUsageError,
  SchemaMismatchError,
  SessionClosedError,
} from '../core/index.js';
import type { BatchKind, CqlBatch } from './index.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const DELETE = 'DELETE FROM users WHERE id = ?';
const COUNT = 'UPDATE hits SET n = n + ? WHERE id = ?';
const ID = type('int');
const USER = columns({ id: ID, name: type('text') });

async function setUp(options?: Parameters<typeof setUpCql>[0]) {
  const fixture = await setUpCql(options);
  fixture.knows(INSERT, USER);
  fixture.knows(DELETE, columns({ id: ID }));
  fixture.knows(COUNT, columns({ n: type('counter'), id: ID }));
  fixture.hasTable('users', USER);
  fixture.hasTable('hits', columns({ id: ID, n: type('counter') }));
  return fixture;
}

const lastOf = (client: FakeCqlClient): ExecutedBatch => {
  const batch = client.batches.at(-1);
  if (!batch) throw new Error('no batch was executed');
  return batch;
};
const caught = (batch: CqlBatch): Promise<Error> =>
  batch.exec().then(
    () => {
      throw new Error('was expected to fail');
    },
    (error: unknown) => error as Error,
  );

describe('a batch', () => {
  it('goes to both clusters as one operation: same statements, bytes and write time', async () => {
    const { helix, clients } = await setUp();
    const receipt = await helix.batch().add(INSERT, [1, 'Ada']).add(DELETE, [2]).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'applied', timestamp: FIRST_TIMESTAMP_US });
    expect(lastOf(clients.A).queries).toEqual([
      { query: INSERT, params: [Buffer.from([0, 0, 0, 1]), Buffer.from('Ada')] },
      { query: DELETE, params: [Buffer.from([0, 0, 0, 2])] },
    ]);
    expect(lastOf(clients.B).queries).toEqual(lastOf(clients.A).queries);
    for (const client of [clients.A, clients.B]) {
      expect(client.batches).toHaveLength(1);
      expect(lastOf(client).options).toMatchObject({
        timestamp: FIRST_TIMESTAMP_US,
        consistency: cassandra.types.consistencies.localQuorum,
        isIdempotent: false,
        prepare: true,
      });
    }
  });

  it('takes no more statements than the protocol can count', async () => {
    const { helix } = await setUp();
    const batch = helix.batch('unlogged');
    for (let id = 0; id < 65_535; id++) batch.add(DELETE, [id]);
    expect(() => batch.add(DELETE, [65_535])).toThrow(
      new HelixUsageError(
        'batch.add(): a batch holds 65535 statements at most; a cluster takes far fewer: split it',
      ),
    );
    expect(batch.size).toBe(65_535);
  });

  it.each<[kind: BatchKind | undefined, logged: boolean]>([
    [undefined, true],
    ['logged', true],
    ['unlogged', false],
  ])('of kind %s is logged: %s', async (kind, logged) => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    await helix.batch(kind).add(DELETE, [1]).exec();
    expect(lastOf(clients.A).options).toMatchObject({ logged, counter: false });
    expect(replayer.enqueued.flat()).toMatchObject([{ batch: kind ?? 'logged' }]);
  });

  it('is one envelope with all statements', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    const receipt = await helix.batch('unlogged').add(INSERT, [1, null]).add(DELETE, [2]).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    expect(replayer.enqueued.flat()).toMatchObject([
      {
        cluster: 'B',
        operationId: receipt.id,
        batch: 'unlogged',
        statements: [
          { text: INSERT, params: [Buffer.from([0, 0, 0, 1]), null] },
          { text: DELETE, params: [Buffer.from([0, 0, 0, 2])] },
        ],
      },
    ]);
  });

  it('knows its size', async () => {
    const { helix } = await setUp();
    const batch = helix.batch();
    expect(batch.size).toBe(0);
    expect(batch.add(INSERT, [1, 'Ada']).add(DELETE, [1]).size).toBe(2);
  });

  it('takes settings like a query', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    const batch = helix.batch().add(DELETE, [1]);
    await batch.consistency('ALL').serialConsistency('SERIAL').withTimestamp(77).withPriority('low').exec();
    const { all, serial } = cassandra.types.consistencies;
    expect(lastOf(clients.A).options).toMatchObject({
      consistency: all,
      serialConsistency: serial,
      timestamp: 77,
    });
    expect(replayer.enqueued.flat()).toMatchObject([{ priority: 'low', timestampUs: 77, consistency: all }]);
  });

  it.each<[what: string, text: string, params: () => unknown[] | Record<string, unknown>]>([
    ['an array', INSERT, () => [1, 'Ada']],
    ['an object', 'INSERT INTO users (id, name) VALUES (:id, :name)', () => ({ id: 1, name: 'Ada' })],
  ])('takes parameters when they are added: changing %s afterwards', async (_what, text, make) => {
    const { helix, knows, clients } = await setUp();
    const params = make();
    const batch = helix.batch().add(knows(text, USER), params);
    Object.assign(params, Array.isArray(params) ? [2, 'Bob'] : { id: 2, name: 'Bob' });
    await batch.exec();
    expect(lastOf(clients.A).queries).toMatchObject([
      { params: [Buffer.from([0, 0, 0, 1]), Buffer.from('Ada')] },
    ]);
    expect(lastOf(clients.B).queries).toEqual(lastOf(clients.A).queries);
  });

  it('can be run once', async () => {
    const { helix, clients } = await setUp();
    const batch = helix.batch().add(DELETE, [1]);
    await batch.exec();
    const error = await caught(batch);
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('batch()');
    expect(clients.A.batches).toHaveLength(1);
  });

  it('must not be empty', async () => {
    const { helix } = await setUp();
    const error = await caught(helix.batch());
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('add()');
  });

  it.each(['both', '', 'LOGGED', null])('must be of a kind there is, not %s', async (kind) => {
    const { helix } = await setUp();
    expect(() => helix.batch(kind as BatchKind)).toThrow(HelixConfigError);
    expect(() => helix.batch(kind as BatchKind)).toThrow("'logged', 'unlogged' or 'counter'");
  });

  it.each([
    'SELECT * FROM users',
    'TRUNCATE users',
    'CREATE TABLE t (id int PRIMARY KEY)',
    'BEGIN BATCH DELETE FROM users WHERE id = 1 APPLY BATCH',
    'USE shop',
    'nonsense',
    'DELETE FROM users',
    '',
  ])('holds no other statement: %s', async (text) => {
    const { helix } = await setUp();
    expect(() => helix.batch().add(text)).toThrow(HelixUsageError);
  });

  it.each<[what: string, text: string, params: unknown[], hazard: string]>([
    ['a condition', `${INSERT} IF NOT EXISTS`, [1, 'Ada'], 'lwt'],
    ['a function that differs', 'UPDATE users SET at = now() WHERE id = 1', [], 'nondeterministic'],
    ['a counter', COUNT, [1, 1], 'counter'],
  ])('is refused on two clusters with %s, and nothing is sent', async (_what, text, params, hazard) => {
    const { helix, clients } = await setUp();
    const error = await caught(helix.batch().add(DELETE, [1]).add(text, params));
    expect(error).toBeInstanceOf(HazardousStatementError);
    expect(error).toMatchObject({ hazard });
    expect([...clients.A.batches, ...clients.B.batches]).toEqual([]);
  });

  it('of counters passes on a single cluster', async () => {
    const { helix, clients } = await setUp({ single: true });
    await helix.batch('counter').add(COUNT, [1, 1]).exec();
    expect(lastOf(clients.A).options).toMatchObject({ logged: false, counter: true });
  });

  it('is queued for a side that cannot prepare one of its statements', async () => {
    const { helix, clients, replayer } = await setUp();
    clients.B.statements.set(DELETE, unreachable());
    expect(await helix.batch().add(INSERT, [1, 'Ada']).add(DELETE, [1]).exec()).toMatchObject({
      A: 'applied',
      B: 'queued',
    });
    expect(clients.B.batches).toEqual([]);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('is queued for a side that cannot prepare one of them any more', async () => {
    const { helix, clients } = await setUp();
    clients.B.statements.set(DELETE, unreachable());
    await helix.batch().add(DELETE, [1]).exec();
    await helix.batch().add(INSERT, [1, 'Ada']).exec();
    expect(clients.B.batches).toHaveLength(1);
    expect(await helix.batch().add(INSERT, [1, 'Ada']).add(DELETE, [1]).exec()).toMatchObject({
      B: 'queued',
    });
    expect(clients.B.batches).toHaveLength(1);
  });

  it('is refused when the types of one statement differ', async () => {
    const { helix, clients } = await setUp();
    clients.B.statements.set(DELETE, columns({ id: type('bigint') }));
    expect(await caught(helix.batch().add(INSERT, [1, 'Ada']).add(DELETE, [1]))).toBeInstanceOf(
      SchemaMismatchError,
    );
    expect([...clients.A.batches, ...clients.B.batches]).toEqual([]);
  });

  it('is not sent when one parameter does not fit', async () => {
    const { helix, clients } = await setUp();
    const error = await caught(helix.batch().add(DELETE, [1]).add(INSERT, ['x', 'Ada']));
    expect(error).toBeInstanceOf(ClusterError);
    expect([...clients.A.batches, ...clients.B.batches]).toEqual([]);
  });

  it.each<[what: string, build: (batch: CqlBatch) => CqlBatch, outcome: string]>([
    ['one statement on one partition', (batch) => batch.add(DELETE, [1]), 'notApplied'],
    ['several statements', (batch) => batch.add(DELETE, [1]).add(DELETE, [1]), 'unknown'],
  ])('of %s is classified as what it may have left behind', async (_what, build, outcome) => {
    const { helix, clients } = await setUp();
    for (const client of [clients.A, clients.B]) {
      client.answers.push(new cassandra.errors.ResponseError(0x1000, 'unavailable'));
    }
    expect(await caught(build(helix.batch()))).toMatchObject({ outcome });
  });

  it('leaves half of the time of its caller to the cluster that has prepared it', async () => {
    const { clock, helix, clients } = await setUp();
    clients.B.statements.set(DELETE, 'never');
    const answer = new Watched(helix.batch().add(DELETE, [1]).withTimeout(400).exec());
    await clock.advance(199);
    expect(clients.A.batches).toEqual([]);
    await clock.advance(1);
    expect(clients.A.batches).toHaveLength(1);
    await clock.advance(200);
    expect(answer.value).toMatchObject({ A: 'applied', B: 'pending' });
  });

  it('counts as accepted while it is prepared: what is settled waits for it', async () => {
    const { clock, helix, clients, context } = await setUp();
    clients.B.statements.set(DELETE, 'never');
    const answer = new Watched(helix.batch().add(DELETE, [1]).exec());
    const settled = new Watched(context.writePath.settled());
    await clock.settle();
    expect(settled.isSettled).toBe(false);
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(answer.isSettled).toBe(true);
    expect(settled.isSettled).toBe(true);
  });

  it('is refused after the end, and nothing is prepared', async () => {
    const { helix, clients, context } = await setUp();
    context.writePath.close();
    expect(await caught(helix.batch().add(DELETE, [1]))).toBeInstanceOf(SessionClosedError);
    expect([...clients.A.preparedTexts, ...clients.B.preparedTexts]).toEqual([]);
  });

  it('shows its kind, its size and a masked statement in messages', async () => {
    const { helix, clients } = await setUp();
    for (const client of [clients.A, clients.B]) client.answers.push(unreachable());
    const error = await caught(helix.batch('unlogged').add(DELETE, [1]).add(DELETE, [2]));
    expect(error.message).toContain(`unlogged batch of 2: ${DELETE} …`);
  });

  it("is not queued when neither cluster has told its types, also with whenBothFail: 'queue'", async () => {
    const { clock, helix, clients, replayer } = await setUp({ whenBothFail: 'queue' });
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, 'never');
    const error = caught(helix.batch().add(INSERT, [1, 'Ada']).add(DELETE, [2]));
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(await error).toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' });
    expect(replayer.enqueued).toEqual([]);
  });
});

describe('batch().iter()', () => {
  const drain = async (iter: AsyncIterable<unknown>): Promise<unknown[]> => {
    const rows: unknown[] = [];
    for await (const each of iter) rows.push(each);
    return rows;
  };

  it('writes the batch to both clusters at once, and has no rows', async () => {
    const { clock, helix, clients } = await setUp();
    const iter = helix.batch().add(DELETE, [1]).iter();
    await clock.settle();
    expect([clients.A.batches.length, clients.B.batches.length]).toEqual([1, 1]);
    expect(await drain(iter)).toEqual([]);
    expect(iter).toMatchObject({ rowCount: 0, pageState: undefined, columns: [], warnings: [] });
    expect([clients.A.batches.length, clients.B.batches.length]).toEqual([1, 1]);
  });

  it('has the warnings of both clusters', async () => {
    const { helix, clients } = await setUp();
    clients.A.answers.push({ warnings: ['large'] });
    clients.B.answers.push({ warnings: ['large', 'slow'] });
    const iter = helix.batch('unlogged').add(DELETE, [1]).iter();
    await drain(iter);
    expect(iter.warnings).toEqual(['large', 'slow']);
  });

  it('iterates what a condition on a single cluster was answered with', async () => {
    const { helix, clients, knows } = await setUp({ single: true });
    const conditional = knows(`${INSERT} IF NOT EXISTS`, USER);
    clients.A.answers.push({ rows: [row({ '[applied]': true })] });
    const iter = helix.batch().add(conditional, [1, 'Ada']).iter();
    expect(await drain(iter)).toMatchObject([{ '[applied]': true }]);
    expect(iter.rowCount).toBe(1);
  });

  it('throws what the batch fails with when it is iterated', async () => {
    const { clock, helix, clients } = await setUp();
    for (const client of [clients.A, clients.B]) client.answers.push(unreachable());
    const iter = helix.batch().add(DELETE, [1]).iter();
    // Nobody has looked at it yet.
    await clock.settle();
    await expect(drain(iter)).rejects.toThrow(DualClusterError);
  });

  it('throws at once for a batch that cannot be written', async () => {
    const { helix } = await setUp();
    expect(() => helix.batch().iter()).toThrow('batch.iter(): the batch is empty');
    const conditional = helix.batch().add(`${INSERT} IF NOT EXISTS`, [1, 'Ada']);
    expect(() => conditional.iter()).toThrow(HazardousStatementError);
    const used = helix.batch().add(DELETE, [1]);
    await used.exec();
    expect(() => used.iter()).toThrow(HelixUsageError);
  });
});
