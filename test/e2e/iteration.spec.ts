import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import cassandra, { type Client } from 'cassandra-driver';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  CircuitBreaker,
  ClusterError,
  type CqlPage,
  getHelixToken,
  HelixCqlService,
  HelixModule,
  PageStateError,
  StickyReadStrategy,
} from '../../lib/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'iteration';
const BUCKETS = 50;
const PER_BUCKET = 1_000;
const TOTAL = BUCKETS * PER_BUCKET;
const SELECT = 'SELECT bucket, id, home FROM items';
const TYPED = `${keyspace}.typed`;

interface Item {
  readonly bucket: number;
  readonly id: number;
  readonly home: string;
}

let pair: TestPair;
/** Keys in the order in which a cluster gives them, the same on both. */
let order: string[];

const keyOf = ({ bucket, id }: Pick<Item, 'bucket' | 'id'>): string => `${bucket}:${id}`;

/** What a row says tells which cluster answered. */
async function fill(cluster: 'A' | 'B'): Promise<void> {
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    for (let first = 0; first < PER_BUCKET; first += 250) {
      const inserts = Array.from(
        { length: 250 },
        (_, i) =>
          `INSERT INTO ${keyspace}.items (bucket, id, home) VALUES (${bucket}, ${first + i}, '${cluster}');`,
      );
      await pair[cluster].run(`BEGIN UNLOGGED BATCH ${inserts.join(' ')} APPLY BATCH`);
    }
  }
}

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, [
    'CREATE TABLE $ks.items (bucket int, id int, home text, PRIMARY KEY (bucket, id))',
    'CREATE TYPE $ks.address (street text, zip int)',
    `CREATE TABLE $ks.typed (id uuid PRIMARY KEY, tags set<text>, prices map<text, decimal>,
      home frozen<address>, seen timestamp, big bigint, pair tuple<int, text>)`,
  ]);
  await Promise.all([fill('A'), fill('B')]);
  const { rows } = await pair.A.run(`SELECT bucket, id FROM ${keyspace}.items`);
  order = (rows as unknown as Item[]).map(keyOf);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

const clusters = () => ({ A: pair.A.options(keyspace), B: pair.B.options(keyspace) });
const start = (preferred: 'A' | 'B') =>
  startApplication({ cql: clusters(), readStrategy: new StickyReadStrategy({ preferred }) });

describe('iter()', () => {
  it('gives all rows of a large table, each once, in the order of the cluster', async () => {
    const { cql } = await start('A');
    const seen: string[] = [];
    for await (const item of cql.query<Item>(SELECT).pageSize(1_000).iter()) {
      seen.push(keyOf(item));
      if (item.home !== 'A') throw new Error(`row of ${item.home}`);
    }
    expect(seen).toHaveLength(TOTAL);
    expect(seen).toEqual(order);
  });

  it('says how many rows it gave when its cluster is killed in the middle; they are right and unrepeated', async () => {
    const { cql } = await start('A');
    const seen: string[] = [];
    const homes = new Set<string>();
    const iterate = async (): Promise<void> => {
      for await (const item of cql.query<Item>(SELECT).pageSize(1_000).iter()) {
        seen.push(keyOf(item));
        homes.add(item.home);
        if (seen.length === 20_500) await pair.A.kill();
      }
    };
    const error = await iterate().then(undefined, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', operation: 'read', rowsDelivered: seen.length });
    expect((error as Error).message).toContain('With 21000 rows delivered, cluster A failed the read');
    expect(seen).toEqual(order.slice(0, 21_000));
    expect(homes).toEqual(new Set(['A']));

    // The next read is another matter.
    expect(await cql.query<Item>(SELECT).one()).toMatchObject({ home: 'B' });
  });

  it('starts on the other cluster when the first page fails', async () => {
    const { cql } = await start('A');
    pair.A.proxy.refuse();
    let count = 0;
    for await (const { home } of cql.query<Item>(SELECT).pageSize(5_000).iter()) {
      if (home !== 'B') throw new Error(`row of ${home}`);
      count++;
    }
    expect(count).toBe(TOTAL);
  });
});

describe('a page state', () => {
  const firstPageOfA = async (): Promise<CqlPage<Item>> => {
    const { cql } = await start('A');
    const page = await cql.query<Item>(SELECT).pageSize(10).page();
    expect(page).toMatchObject({ cluster: 'A', rowCount: 10 });
    return page;
  };

  it('goes on where the page ended, on its own cluster, in another process too', async () => {
    const { pageState } = await firstPageOfA();
    const { cql } = await start('B');
    expect(await cql.query<Item>(SELECT).one()).toMatchObject({ home: 'B' });
    const next = await cql.query<Item>(SELECT).pageSize(10).pageState(pageState).page();
    expect(next.cluster).toBe('A');
    expect(next.rows.map(keyOf)).toEqual(order.slice(10, 20));
    expect(next.rows.map(({ home }) => home)).toEqual(Array<string>(10).fill('A'));
  });

  it('is not taken to the other cluster when its own is down', async () => {
    const { pageState } = await firstPageOfA();
    const { cql } = await start('B');
    pair.A.proxy.refuse();
    const error = await cql
      .query<Item>(SELECT)
      .pageState(pageState)
      .all()
      .then(undefined, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A' });
    expect((error as Error).message).toContain('The other cluster was not asked');
  });

  it('is refused for another statement', async () => {
    const { pageState } = await firstPageOfA();
    const { cql } = await start('A');
    const other = cql.query('SELECT bucket, id FROM items').pageState(pageState);
    await expect(other.page()).rejects.toThrow(PageStateError);
  });

  it('is refused by another instance', async () => {
    const { pageState } = await firstPageOfA();
    @Module({ imports: [HelixModule.forRoot({ name: 'analytics', cql: clusters() })] })
    class AnalyticsModule {}
    const app = await NestFactory.createApplicationContext(AnalyticsModule, { logger: false });
    try {
      const analytics = app.get<HelixCqlService>(getHelixToken(HelixCqlService, 'analytics'));
      await expect(analytics.query(SELECT).pageState(pageState).page()).rejects.toThrow(PageStateError);
    } finally {
      await app.close();
    }
  });

  it('that the cluster itself cannot read says nothing against the cluster', async () => {
    const failoverPolicy = new CircuitBreaker({ threshold: 3 });
    const readStrategy = new StickyReadStrategy({ preferred: 'A' });
    const { cql, helix } = await startApplication({ cql: clusters(), readStrategy, failoverPolicy });
    const { pageState } = await cql.query<Item>(SELECT).pageSize(10).page();
    const client = cql.session('A');
    const asked = client.execute.bind(client);
    // As after an upgrade that changes the server's format: ours is whole, what it carries is not understood.
    client.execute = (text, params, options) => asked(text, params, { ...options, pageState: 'ff00ff00' });
    for (let i = 0; i < 10; i++) {
      await expect(cql.query(SELECT).pageState(pageState).page()).rejects.toMatchObject({
        code: 'HELIX_CLUSTER',
        cluster: 'A',
        cause: { code: 0x000a },
      });
    }
    expect(helix.status()).toMatchObject({ A: { breaker: 'closed' } });
  });
});

describe('execute()', () => {
  const INSERT = `INSERT INTO ${TYPED} (id, tags, prices, home, seen, big, pair) VALUES (?, ?, ?, ?, ?, ?, ?)`;
  const ID = '11111111-2222-4333-8444-555555555555';

  it('gives what the driver itself gives', async () => {
    const { cql } = await start('A');
    const driver = cql.session('A') as Client;
    const params = [
      ID,
      ['a', 'b'],
      { book: '12.50' },
      { street: 'Main', zip: 4_711 },
      new Date(0),
      '9007199254740993',
      new cassandra.types.Tuple(1, 'x'),
    ];
    const own = await driver.execute(INSERT, params, { prepare: true });
    const written = await cql.execute(INSERT, params, { prepare: true });
    expect(written.receipt).toMatchObject({ A: 'applied', B: 'applied' });
    const shape = ({ rows, rowLength, columns, pageState }: typeof own | typeof written) => ({
      rows,
      rowLength,
      columns,
      pageState,
    });
    expect(shape(written)).toEqual(shape(own));
    expect([written.first(), written.wasApplied(), [...written]]).toEqual([
      own.first(),
      own.wasApplied(),
      [...own],
    ]);
    expect(written.info.warnings).toEqual(own.info.warnings);

    const select = `SELECT * FROM ${TYPED} WHERE id = ?`;
    const expected = await driver.execute(select, [ID], { prepare: true });
    const read = await cql.execute(select, [ID], { prepare: true });
    expect(shape(read)).toEqual(shape(expected));
    expect(read.first()).toEqual(expected.first());
    expect(read.columns?.map(({ name }) => name)).toEqual([
      'id',
      'big',
      'home',
      'pair',
      'prices',
      'seen',
      'tags',
    ]);
    const { queriedHost, achievedConsistency } = read.info;
    expect({ queriedHost, achievedConsistency }).toEqual({
      queriedHost: expected.info.queriedHost,
      achievedConsistency: 6,
    });
  });

  it('is iterated over all pages as the driver is', async () => {
    const { cql } = await start('B');
    const seen: string[] = [];
    const result = await cql.execute<Item>(SELECT, [], { fetchSize: 5_000 });
    expect(result.rowLength).toBe(5_000);
    for await (const item of result) seen.push(keyOf(item));
    expect(seen).toEqual(order);
  });
});

describe('warnings of the server', () => {
  const AGGREGATION = `SELECT count(*) FROM ${TYPED}`;

  it('come with a page, an iteration and a result', async () => {
    const { cql } = await start('A');
    const warning = expect.stringContaining('Aggregation query used without partition key') as string;
    expect((await cql.query(AGGREGATION).page()).warnings).toEqual([warning]);
    expect((await cql.execute(AGGREGATION)).info.warnings).toEqual([warning]);
    const iter = cql.query(AGGREGATION).iter();
    for await (const row of iter) expect(row).toHaveProperty('count');
    expect(iter.warnings).toEqual([warning]);
  });

  it('come with a batch over many partitions', async () => {
    const { cql } = await start('A');
    const batch = cql.batch('unlogged');
    for (let bucket = 1_000; bucket < 1_020; bucket++) {
      batch.add('INSERT INTO items (bucket, id, home) VALUES (?, ?, ?)', [bucket, 0, 'both']);
    }
    const iter = batch.iter();
    const rows: unknown[] = [];
    for await (const row of iter) rows.push(row);
    expect(rows).toEqual([]);
    expect(iter.warnings).toEqual([expect.stringContaining('Unlogged batch covering 20 partitions')]);
  });
});
