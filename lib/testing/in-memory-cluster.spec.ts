import { Test, type TestingModule } from '@nestjs/testing';
import cassandra from 'cassandra-driver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HelixCqlService } from '../index.js';
import { FakeClock, HelixTestingClusters, HelixTestingModule } from './index.js';

const { errors, types } = cassandra;
const SCHEMA = `
  CREATE TABLE users (id int PRIMARY KEY, name text, tags set<text>, notes map<text, int>);
  CREATE TABLE events (device uuid, at timestamp, value double, PRIMARY KEY (device, at))
    WITH CLUSTERING ORDER BY (at DESC);
  CREATE TABLE sessions (id int PRIMARY KEY, token text) WITH default_time_to_live = 60;
`;
const DEVICE = types.Uuid.fromString('c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11');

let app: TestingModule;
let clock: FakeClock;
let cql: HelixCqlService;
let clusters: HelixTestingClusters;

beforeEach(async () => {
  clock = new FakeClock();
  app = await Test.createTestingModule({
    imports: [HelixTestingModule.forRoot({ schema: SCHEMA, clock })],
  }).compile();
  app.useLogger(false);
  await app.init();
  cql = app.get(HelixCqlService);
  clusters = app.get(HelixTestingClusters);
});

afterEach(() => app.close());

/** Reads go to one of the two. */
const executed = () => [...clusters.A.executed, ...clusters.B.executed];

describe('parameters', () => {
  it('by position and by name, null and unset do what they do on a server', async () => {
    await cql.query('INSERT INTO users (id, name, notes) VALUES (?, ?, ?)', [1, 'a', { x: 1 }]).exec();
    await cql.query('UPDATE users SET name = :name WHERE id = :ID', { name: 'b', id: 1 }).exec();
    await cql.query('INSERT INTO users (id, name, notes) VALUES (?, ?, ?)', [1, undefined, null]).exec();
    expect(clusters.B.rows('users')).toEqual([{ id: 1, name: 'b', notes: null, tags: null }]);
    await expect(cql.query('SELECT name FROM users WHERE id = :id', { id: 1 }).one()).resolves.toEqual({
      name: 'b',
    });
  });

  it('of the wrong type fail as the driver’s encoder does, and change nothing', async () => {
    const insert = cql.query('INSERT INTO users (id, name) VALUES (?, ?)', ['one', 'a']).exec();
    await expect(insert).rejects.toMatchObject({
      code: 'HELIX_CLUSTER',
      outcome: 'notApplied',
      cause: expect.any(TypeError) as unknown,
    });
    expect(clusters.A.executed).toEqual([]);
  });

  it('in a wrong number are refused', async () => {
    await expect(cql.query('SELECT * FROM users WHERE id = ?', []).all()).rejects.toMatchObject({
      cause: { code: 0x2200 },
    });
  });
});

describe('collections', () => {
  it('are changed element by element', async () => {
    await cql.query('INSERT INTO users (id, tags) VALUES (1, ?)', [['b', 'a']]).exec();
    await cql.query('UPDATE users SET tags = tags + ?, notes[?] = ? WHERE id = 1', [['c'], 'k', 7]).exec();
    await cql.query("UPDATE users SET tags = tags - {'a'} WHERE id = 1").exec();
    expect(clusters.A.rows('users')).toEqual([{ id: 1, name: null, tags: ['b', 'c'], notes: { k: 7 } }]);
    expect(clusters.A.cells('users')).toContainEqual(
      expect.objectContaining({ column: 'notes', element: 'k', value: 7 }),
    );
    expect(clusters.differences()).toEqual([]);
  });
});

describe('time to live', () => {
  it('goes by the clock of the instance', async () => {
    await cql.query('INSERT INTO sessions (id, token) VALUES (1, ?)', ['by default']).exec();
    await cql.query('INSERT INTO sessions (id, token) VALUES (2, ?) USING TTL ?', ['longer', 90]).exec();
    await cql.query('INSERT INTO sessions (id, token) VALUES (3, ?) USING TTL 0', ['for ever']).exec();
    await clock.advance(59_000);
    const ttls = await cql.query('SELECT id, ttl(token) AS ttl FROM sessions').all();
    expect(ttls).toEqual([
      { id: 1, ttl: 1 },
      { id: 2, ttl: 31 },
      { id: 3, ttl: null },
    ]);
    await clock.advance(1_000);
    expect(clusters.A.rows('sessions').map(({ id }) => id)).toEqual([2, 3]);
    await clock.advance(30_000);
    expect(clusters.B.rows('sessions').map(({ id }) => id)).toEqual([3]);
  });
});

describe('reads', () => {
  const at = (second: number): Date => new Date(Date.UTC(2024, 0, 1, 0, 0, second));

  beforeEach(() => {
    clusters.seed(
      'events',
      Array.from({ length: 25 }, (_, i) => ({ device: DEVICE, at: at(i), value: i / 2 })),
    );
  });

  it('come in the order of the table, or the other way round', async () => {
    const select = 'SELECT at FROM events WHERE device = ? AND at >= ?';
    const latest = await cql.query(`${select} LIMIT 2`, [DEVICE, at(0)]).all();
    expect(latest).toEqual([{ at: at(24) }, { at: at(23) }]);
    const first = await cql.query(`${select} ORDER BY at ASC LIMIT 1`, [DEVICE, at(3)]).one();
    expect(first).toEqual({ at: at(3) });
  });

  it('come page by page, in both directions, each row once', async () => {
    for (const order of ['ASC', 'DESC']) {
      const select = `SELECT at FROM events WHERE device = ? ORDER BY at ${order}`;
      const all = await cql.query(select, [DEVICE]).pageSize(4).all();
      expect(new Set(all.map((row) => String(row['at']))).size).toBe(25);
      expect(executed().filter((each) => each.cql === select)).toHaveLength(7);
    }
  });

  it('of pages go on behind the last row although it was deleted in the meantime', async () => {
    const { client } = clusters.A;
    const select = 'SELECT at FROM events WHERE device = ?';
    const options = { prepare: true, fetchSize: 3 };
    const page = await client.execute(select, [DEVICE], options);
    await client.execute('DELETE FROM events WHERE device = ? AND at = ?', [DEVICE, at(22)]);
    const next = await client.execute(select, [DEVICE], { ...options, pageState: page.pageState });
    expect(next.rows).toMatchObject([{ at: at(21) }, { at: at(20) }, { at: at(19) }]);
  });

  it('count', async () => {
    const counted = await cql.query('SELECT count(*) FROM events').one();
    expect(String(counted?.['count'])).toBe('25');
  });
});

describe('batches', () => {
  it('write all of their statements with one write time, or nothing', async () => {
    const batch = cql.batch('unlogged');
    batch.add('INSERT INTO users (id, name) VALUES (?, ?)', [1, 'a']);
    batch.add('DELETE name FROM users WHERE id = ?', [2]);
    const receipt = await batch.exec();
    expect(clusters.B.executed).toEqual([
      {
        cql: 'INSERT INTO users (id, name) VALUES (?, ?)',
        params: [1, 'a'],
        batch: 'unlogged',
        timestampUs: receipt.timestamp,
      },
      {
        cql: 'DELETE name FROM users WHERE id = ?',
        params: [2],
        batch: 'unlogged',
        timestampUs: receipt.timestamp,
      },
    ]);
    const refused = clusters.A.client.batch([
      { query: 'INSERT INTO users (id) VALUES (9)' },
      { query: 'INSERT INTO users (id) VALUES (?)', params: [null] },
    ]);
    await expect(refused).rejects.toMatchObject({ code: 0x2200 });
    expect(clusters.A.rows('users').map(({ id }) => id)).toEqual([1]);
  });
});

describe('what is outside the subset', () => {
  it.each([
    'SELECT token(id) FROM users',
    "INSERT INTO users JSON '{}'",
    'SELECT id FROM users GROUP BY id',
    'SELECT max(id) FROM users',
    "SELECT id FROM users WHERE name LIKE 'a%'",
  ])('is refused with what to do about it: %s', async (text) => {
    await expect(clusters.A.client.execute(text)).rejects.toMatchObject({
      name: 'ResponseError',
      code: 0x2200,
      message: expect.stringMatching(
        /^Outside what the in-memory cluster understands: .*respond\(/,
      ) as unknown,
    });
  });

  it('is answered by respond(), parameters included', async () => {
    clusters.respond('SELECT max(id)', [{ highest: 7 }]);
    clusters.respond(/LIKE/, ({ params }) => [{ id: 1, name: params[0] }]);
    await expect(cql.query('SELECT max(id) AS highest FROM users').one()).resolves.toEqual({ highest: 7 });
    const like = cql.query('SELECT id, name FROM users WHERE name LIKE ? AND id = ?', ['a%', 5]);
    await expect(like.all()).resolves.toEqual([{ id: 1, name: 'a%' }]);
    expect(executed().at(-1)?.params).toEqual(['a%', 5]);
  });

  it('is taken in writes too: the function sees what was written, or throws for the server', async () => {
    const seen: unknown[] = [];
    clusters.B.respond('JSON', ({ params }) => void seen.push(params));
    clusters.A.respond('JSON', () => {
      throw new errors.ResponseError(0x2200, 'no');
    });
    const receipt = await cql.query('INSERT INTO users JSON ?', ['{"id": 1}']).exec();
    expect(receipt).toMatchObject({ A: 'rejected', B: 'applied' });
    expect(seen).toEqual([['{"id": 1}']]);
  });

  it('does not take the place of statements that fit no pattern', async () => {
    clusters.respond('FROM users WHERE id = 1', []);
    clusters.seed('users', [{ id: 1 }, { id: 2 }]);
    await expect(cql.query('SELECT id FROM users WHERE id = 1').all()).resolves.toEqual([]);
    await expect(cql.query('SELECT id FROM users WHERE id = 2').all()).resolves.toEqual([{ id: 2 }]);
  });
});

describe('looking at a cluster', () => {
  it('shows rows by key as plain objects, numbers by value', () => {
    clusters.A.seed('users', [{ id: 10 }, { id: -2, name: 'x' }, { id: 9 }]);
    const rows = clusters.A.rows('users');
    expect(rows.map(({ id }) => id)).toEqual([-2, 9, 10]);
    expect(Object.getPrototypeOf(rows[0])).toBe(Object.prototype);
  });

  it('shows differences in values and in write times', () => {
    clusters.seed('users', [{ id: 1, name: 'a' }], { writeTimeUs: 5 });
    expect(clusters.differences()).toEqual([]);
    clusters.A.seed('users', [{ id: 1, name: 'a' }], { writeTimeUs: 6 });
    clusters.B.seed('users', [{ id: 1, name: 'b' }], { writeTimeUs: 7 });
    expect(clusters.differences('users')).toMatchObject([
      { A: { key: { id: 1 }, column: undefined, writeTimeUs: 6 }, B: { column: undefined, writeTimeUs: 7 } },
      {
        A: { key: { id: 1 }, column: 'name', value: 'a' },
        B: { column: 'name', value: 'b', writeTimeUs: 7 },
      },
    ]);
  });

  it('seeds what is older than whatever the test writes', async () => {
    clusters.A.seed('users', [{ id: 1, name: 'zzz' }]);
    clusters.seed('users', [{ id: 2, name: 'zzz' }]);
    for (const id of [1, 2]) await cql.query('UPDATE users SET name = ? WHERE id = ?', ['a', id]).exec();
    expect(clusters.A.rows('users')).toMatchObject([{ name: 'a' }, { name: 'a' }]);
  });

  it('of an unknown table or column says so', () => {
    expect(() => clusters.A.rows('nobody')).toThrow('table nobody does not exist');
    expect(() => clusters.seed('users', [{ id: 1, nam: 'x' }])).toThrow('Undefined column name nam');
  });

  it('forgets with clear(), schema and faults stay', async () => {
    clusters.seed('users', [{ id: 1 }]);
    await cql.query('SELECT * FROM users').all();
    clusters.B.goDown();
    clusters.clear();
    expect([clusters.A.rows('users'), executed()]).toEqual([[], []]);
    expect(await cql.query('INSERT INTO users (id) VALUES (1)').exec()).toMatchObject({ B: 'queued' });
  });
});
