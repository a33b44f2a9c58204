import cassandra from 'cassandra-driver';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  decodeEnvelope,
  encodeEnvelope,
  type Envelope,
  HazardousStatementError,
  MemoryReplayer,
  SchemaMismatchError,
  SyncDualWriteStrategy,
} from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications, type TestApplication } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const { types } = cassandra;
const keyspace = 'statements';
let pair: TestPair;
let application: TestApplication;

/** Keeps envelopes as a durable queue would: as bytes. */
class EncodingReplayer extends MemoryReplayer {
  override enqueue(envelopes: readonly Envelope[]): Promise<'queued'> {
    return super.enqueue(envelopes.map((envelope) => decodeEnvelope(encodeEnvelope(envelope))));
  }
}

const scalars: readonly [type: string, value: unknown][] = [
  ['ascii', 'plain'],
  ['bigint', types.Long.fromString('-9007199254740993')],
  ['blob', Buffer.from([0, 255, 16])],
  ['boolean', false],
  ['date', types.LocalDate.fromString('2024-02-29')],
  ['decimal', types.BigDecimal.fromString('-123456789012345678901.234567')],
  ['double', -0.1],
  ['duration', types.Duration.fromString('1y2mo3w4d5h6m7s8ms9us10ns')],
  ['float', 1.5],
  ['inet', types.InetAddress.fromString('2001:db8::1')],
  ['int', -2_147_483_648],
  ['smallint', -5],
  ['text', 'ünï — 日本'],
  ['time', types.LocalTime.fromString('23:59:59.123456789')],
  ['timestamp', new Date(1_700_000_000_123)],
  ['timeuuid', types.TimeUuid.fromString('30821634-13ad-11eb-adc1-0242ac120002')],
  ['tinyint', 127],
  ['uuid', types.Uuid.fromString('c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11')],
  ['varint', types.Integer.fromString('-170141183460469231731687303715884105729')],
  ['set<text>', ['a', 'b']],
  ['map<int, uuid>', { 1: types.Uuid.fromString('c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11') }],
  ['map<text, frozen<set<bigint>>>', { x: [types.Long.fromNumber(1), types.Long.fromNumber(2)] }],
  ['frozen<list<uuid>>', [types.Uuid.fromString('c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11')]],
  ['tuple<int, text, blob>', types.Tuple.fromArray([1, null, Buffer.alloc(0)])],
  ['frozen<address>', { street: 'Main', zip: 4 }],
  ['vector<float, 3>', new types.Vector([0.5, 1, -2], 'float')],
];

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, [
    'CREATE TYPE $ks.address (street text, zip int)',
    `CREATE TABLE $ks.everything (id int PRIMARY KEY, ${scalars.map(([type], i) => `c${i} ${type}`).join(', ')})`,
    'CREATE TABLE $ks.users (id int PRIMARY KEY, name text, age int, tags set<text>, notes map<text, text>)',
    'CREATE TABLE $ks.lists (id int PRIMARY KEY, name text, items list<int>, fixed frozen<list<int>>)',
    'CREATE TABLE $ks.hits (id int PRIMARY KEY, hits counter)',
    'CREATE TABLE $ks.expiring (id int PRIMARY KEY, name text)',
  ]);
});

beforeEach(async () => {
  application = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    replayer: new EncodingReplayer(),
    writeTimeoutMs: 1_000,
  });
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

describe('parameters', () => {
  it('of every type, null and unset reach both clusters, and the replayed one, as the same bytes', async () => {
    const { cql, helix } = application;
    const columns = scalars.map((_, i) => `c${i}`);
    const insert = `INSERT INTO everything (id, ${columns.join(', ')}) VALUES (?, ${columns.map(() => '?').join(', ')})`;
    const values = scalars.map(([, value]) => value);
    const write = (id: number, row: readonly unknown[]) => cql.query(insert, [id, ...row]).exec();
    await write(1, values);
    pair.B.proxy.refuse();
    expect(await write(2, values)).toMatchObject({ A: 'applied', B: 'queued' });
    await write(
      1,
      values.map((_, i) => (i % 3 === 0 ? null : undefined)),
    );
    await write(
      3,
      values.map((value, i) => (i % 2 === 0 ? types.unset : value)),
    );
    pair.B.proxy.pass();
    await helix.syncPoint({ timeoutMs: 30_000 });

    for (const cluster of [pair.A, pair.B]) {
      const { rows } = await cluster.run(
        `SELECT ${columns.join(', ')} FROM ${keyspace}.everything WHERE id = 2`,
      );
      expect(JSON.stringify(rows[0]?.values())).toBe(JSON.stringify(values));
    }
    const bytes = async (cluster: typeof pair.A) =>
      (await cluster.run(`SELECT JSON * FROM ${keyspace}.everything`)).rows
        .map((row) => JSON.stringify(row))
        .sort();
    expect(await bytes(pair.A)).toEqual(await bytes(pair.B));
    expect(helix.status().replay).toAddUp();
    expect(helix.status().replay.B.deadLettered).toBe(0);
  });

  it('that do not fit change nothing and are not repeated in the message', async () => {
    const { cql, helix } = application;
    const insert = 'INSERT INTO users (id, name) VALUES (?, ?)';
    await expect(cql.query(insert, [1, 4711]).exec()).rejects.toMatchObject({
      code: 'HELIX_CLUSTER',
      outcome: 'notApplied',
      message: expect.not.stringContaining('4711') as unknown,
    });
    await expect(cql.query(insert, [1]).exec()).rejects.toMatchObject({ code: 'HELIX_USAGE' });
    await expect(pair).toBeEqualCellByCell(keyspace, 'users', 0);
    expect(helix.status().replay.B.enqueued).toBe(0);
  });
});

describe('statements', () => {
  it('of every harmless kind, alone and in batches, give equal clusters with equal write times', async () => {
    const { cql, helix } = application;
    const run = async (): Promise<void> => {
      await cql
        .query('INSERT INTO users (id, name, age, tags) VALUES (?, ?, ?, ?)', [1, 'a', 1, ['x']])
        .exec();
      await cql
        .query('UPDATE users SET tags = tags + ?, notes[?] = ? WHERE id = ?', [['y'], 'k', 'v', 1])
        .exec();
      await cql.query('INSERT INTO users JSON ?', ['{"id": 2, "name": "json"}']).exec();
      await cql.query('DELETE age FROM users WHERE id = :id', { id: 1 }).exec();
      await cql
        .batch('unlogged')
        .add("UPDATE users SET name = 'b' WHERE id = 3")
        .add('DELETE FROM users WHERE id = ?', [2])
        .exec();
      await cql.batch().add('INSERT INTO users (id, age) VALUES (:id, :age)', { id: 4, age: 9 }).exec();
    };
    await run();
    pair.B.proxy.refuse();
    await run();
    pair.B.proxy.pass();
    await helix.syncPoint({ timeoutMs: 30_000 });
    const scalar = async (cluster: typeof pair.A) =>
      (
        await cluster.run(
          `SELECT id, name, writetime(name), age, writetime(age), tags, writetime(tags), notes, writetime(notes) FROM ${keyspace}.users`,
        )
      ).rows.map((row) => JSON.stringify(row));
    const [onA, onB] = [await scalar(pair.A), await scalar(pair.B)];
    expect(onA).toHaveLength(3);
    expect(onB).toEqual(onA);
  });

  it('carry the timestamp of the receipt, or the one that was asked for', async () => {
    const { cql } = application;
    const update = 'UPDATE users SET name = ? WHERE id = 50';
    const { timestamp } = await cql.query(update, ['x']).exec();
    const asked = await cql
      .query('UPDATE users SET age = ? WHERE id = 50', [3])
      .withTimestamp(1_234_567)
      .exec();
    expect(asked.timestamp).toBe(1_234_567);
    for (const cluster of [pair.A, pair.B]) {
      const { rows } = await cluster.run(
        `SELECT writetime(name) AS name, writetime(age) AS age FROM ${keyspace}.users WHERE id = 50`,
      );
      expect(rows.map((row) => [String(row['name']), String(row['age'])])).toEqual([
        [String(timestamp), '1234567'],
      ]);
    }
  });

  it('keep their TTL', async () => {
    await application.cql
      .query('INSERT INTO expiring (id, name) VALUES (1, ?) USING TTL ?', ['x', 5_000])
      .exec();
    for (const cluster of [pair.A, pair.B]) {
      const { rows } = await cluster.run(`SELECT ttl(name) AS ttl FROM ${keyspace}.expiring WHERE id = 1`);
      expect(rows[0]?.['ttl']).toBeGreaterThan(4_900);
    }
  });

  it.each([
    ['nondeterministic', 'INSERT INTO users (id, name) VALUES (7, toJson(now()))'],
    ['lwt', "UPDATE users SET name = 'x' WHERE id = 7 IF EXISTS"],
    ['counter', 'UPDATE hits SET hits = hits + 1 WHERE id = 7'],
    ['list', 'UPDATE lists SET items = items + [1] WHERE id = 7'],
    ['list', 'INSERT INTO lists (id, items) VALUES (7, ?)'],
    ['list', `INSERT INTO lists JSON '{"id": 7, "items": [1]}'`],
    ['ddl', 'CREATE TABLE t (id int PRIMARY KEY)'],
    ['truncate', 'TRUNCATE users'],
    ['use', 'USE system'],
    ['unknown', 'INSERT users'],
  ])('with a hazard (%s) are refused before anything is sent: %s', async (hazard, text) => {
    const params = text.includes('?') ? [[1]] : [];
    const failure: unknown = await application.cql
      .query(text, params)
      .exec()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HazardousStatementError);
    expect((failure as HazardousStatementError).hazard).toBe(hazard);
    for (const cluster of [pair.A, pair.B]) {
      for (const table of ['users', 'lists', 'hits']) {
        expect((await cluster.run(`SELECT id FROM ${keyspace}.${table} WHERE id = 7`)).rows).toEqual([]);
      }
    }
  });

  it('on a table with a list, but not on the list, pass', async () => {
    const { cql } = application;
    await cql.query('UPDATE lists SET name = ?, fixed = ? WHERE id = 8', ['x', [1, 2]]).exec();
    await expect(cql.query('SELECT name, fixed FROM lists WHERE id = 8').values()).resolves.toEqual([
      'x',
      [1, 2],
    ]);
  });

  it('whose parameter types differ between the clusters are refused on both', async () => {
    await pair.A.run(`CREATE TABLE ${keyspace}.drift (id int PRIMARY KEY, at timestamp)`);
    await pair.B.run(`CREATE TABLE ${keyspace}.drift (id int PRIMARY KEY, at bigint)`);
    for (let i = 0; i < 2; i++) {
      await expect(
        application.cql.query('INSERT INTO drift (id, at) VALUES (1, ?)', [new Date()]).exec(),
      ).rejects.toBeInstanceOf(SchemaMismatchError);
    }
    await expect(pair).toBeEqualCellByCell(keyspace, 'drift', 0);
  });

  it('that write a list which is frozen on one cluster only are refused on both', async () => {
    await pair.A.run(`CREATE TABLE ${keyspace}.half (id int PRIMARY KEY, tags frozen<list<int>>)`);
    await pair.B.run(`CREATE TABLE ${keyspace}.half (id int PRIMARY KEY, tags list<int>)`);
    const write = application.cql.query('INSERT INTO half (id, tags) VALUES (1, ?)', [[1]]).exec();
    await expect(write).rejects.toMatchObject({ hazard: 'list' });
    for (const cluster of [pair.A, pair.B]) {
      expect((await cluster.run(`SELECT id FROM ${keyspace}.half`)).rows).toEqual([]);
    }
  });

  it('that only one cluster refuses succeed as a divergence, with a dead letter that can be requeued', async () => {
    const { cql, helix } = application;
    await pair.A.run(`CREATE TABLE ${keyspace}.missing (id int PRIMARY KEY, name text)`);
    const receipt = await cql.query('INSERT INTO missing (id, name) VALUES (?, ?)', [1, 'secret']).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'rejected' });
    const [letter] = await helix.deadLetters.list();
    expect(letter).toMatchObject({
      operationId: receipt.id,
      cluster: 'B',
      reason: 'rejected',
      error: 'ResponseError 0x2200',
      table: 'missing',
    });
    expect(JSON.stringify(letter)).not.toContain('secret');

    await pair.B.run(`CREATE TABLE ${keyspace}.missing (id int PRIMARY KEY, name text)`);
    expect(await helix.deadLetters.requeue('all')).toBe(1);
    await helix.syncPoint({ timeoutMs: 30_000 });
    await expect(pair).toBeEqualCellByCell(keyspace, 'missing', 1);
    expect(helix.status().replay).toAddUp();
  });

  it('run on each cluster and reported for each by onBoth()', async () => {
    const { cql } = application;
    expect(await cql.onBoth('TRUNCATE users')).toEqual({ A: { ok: true }, B: { ok: true } });
    expect(await cql.onBoth('CREATE TABLE users (id int PRIMARY KEY)')).toMatchObject({
      A: { ok: false, error: { code: 0x2400 } },
      B: { ok: false, error: { code: 0x2400 } },
    });
    pair.B.proxy.refuse();
    expect(await cql.onBoth('TRUNCATE users', { timeoutMs: 5_000 })).toMatchObject({
      A: { ok: true },
      B: { ok: false },
    });
  });
});

describe('SyncDualWriteStrategy', () => {
  it('does not send to the second side what the first refuses, and goes on when the first is down', async () => {
    const { cql, helix } = await startApplication({
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
      writeStrategy: new SyncDualWriteStrategy({ first: 'B' }),
      writeTimeoutMs: 500,
    });
    await pair.A.run(`CREATE TABLE ${keyspace}.only_a (id int PRIMARY KEY, name text)`);
    await expect(cql.query("INSERT INTO only_a (id, name) VALUES (1, 'x')").exec()).rejects.toMatchObject({
      cluster: 'B',
      outcome: 'notApplied',
    });
    expect((await pair.A.run(`SELECT id FROM ${keyspace}.only_a`)).rows).toEqual([]);

    pair.B.proxy.blackHole();
    const receipt = await cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [300, 'x']).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    pair.B.proxy.pass();
    await helix.syncPoint({ timeoutMs: 30_000 });
    expect((await pair.B.run(`SELECT name FROM ${keyspace}.users WHERE id = 300`)).rows).toHaveLength(1);
  });
});
