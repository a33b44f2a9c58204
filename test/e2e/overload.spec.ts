import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import cassandra from 'cassandra-driver';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { type ClusterId, OverloadedError, type WriteReceipt } from '../../lib/index.js';
import '../matchers/index.js';
import { AlwaysFirst } from './support/always-first.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'overload';
const MB = 1_048_576;
let pair: TestPair;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
});

afterEach(async () => {
  await stopApplications();
  await Promise.all([pair.A.heal(), pair.B.heal()]);
});

/** A client that knows how many executions it has not answered. */
class CountingClient extends cassandra.Client {
  most = 0;
  #now = 0;

  override async execute(...args: never[]): Promise<cassandra.types.ResultSet> {
    this.most = Math.max(this.most, ++this.#now);
    try {
      return await (super.execute as (...all: never[]) => Promise<cassandra.types.ResultSet>)(...args);
    } finally {
      this.#now--;
    }
  }
}

it('bounds what 5,000 writes at once put on the wire of a slow pair, and loses none that it accepted', async () => {
  const clients = {
    A: new CountingClient(pair.A.options(keyspace)),
    B: new CountingClient(pair.B.options(keyspace)),
  };
  const { cql, helix } = await startApplication({ cql: clients, maxInFlight: 256 });
  const insert = 'INSERT INTO users (id, name) VALUES (?, ?)';
  await cql.query(insert, [-1, 'warm']).exec();
  pair.A.proxy.latency(150);
  pair.B.proxy.latency(60);

  collectGarbage();
  const baseline = process.memoryUsage().heapUsed;
  let peak = baseline;
  const sample = setInterval(() => (peak = Math.max(peak, process.memoryUsage().heapUsed)), 5);
  const results = await Promise.allSettled(
    Array.from({ length: 5_000 }, (_, id) => cql.query(insert, [id, `n${id}`]).exec()),
  );
  peak = Math.max(peak, process.memoryUsage().heapUsed);
  clearInterval(sample);

  const accepted = results.flatMap((result, id) =>
    result.status === 'fulfilled' ? [{ id, receipt: result.value }] : [],
  );
  const refusals = results.filter((result) => result.status === 'rejected');
  expect(accepted.length).toBeGreaterThanOrEqual(256);
  expect(refusals.length).toBeGreaterThan(0);
  for (const { reason } of refusals) {
    expect(reason).toBeInstanceOf(OverloadedError);
    expect(reason).toMatchObject({ code: 'HELIX_OVERLOADED', outcome: 'notApplied' });
  }
  expect(clients.A.most).toBeLessThanOrEqual(256);
  expect(clients.B.most).toBeLessThanOrEqual(256);
  expect((peak - baseline) / MB).toBeLessThanOrEqual(50);

  await helix.syncPoint({ timeoutMs: 60_000 });
  await expect(pair).toBeEqualCellByCell(keyspace, 'users', accepted.length + 1);
  await Promise.all([clients.A.shutdown(), clients.B.shutdown()]);
});

it('leaves the slower side out while it is at its limit, and replays to it what it has missed', async () => {
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    maxInFlight: 32,
  });
  await cql.onBoth('CREATE TABLE bursts (id int PRIMARY KEY, name text)');
  const insert = 'INSERT INTO bursts (id, name) VALUES (?, ?)';
  await cql.query(insert, [-1, 'warm']).exec();
  pair.A.proxy.latency(200);
  const most: Record<ClusterId, number> = { A: 0, B: 0 };
  const answers: Promise<WriteReceipt | OverloadedError>[] = [];
  for (let id = 0; id < 600; id++) {
    const write = cql.query(insert, [id, `n${id}`]).exec();
    answers.push(
      write.catch((error: unknown) => {
        if (error instanceof OverloadedError) return error;
        throw error;
      }),
    );
    const { A, B } = helix.status();
    most.A = Math.max(most.A, A.inFlight);
    most.B = Math.max(most.B, B?.inFlight ?? 0);
    if (id % 8 === 7) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const receipts = (await Promise.all(answers)).filter((each): each is WriteReceipt => 'id' in each);
  const queued = receipts.filter(({ A }) => A === 'queued');
  expect(queued.length).toBeGreaterThan(50);
  expect(receipts.every(({ B }) => B === 'applied')).toBe(true);
  expect(most.A).toBeLessThanOrEqual(32);
  expect(most.B).toBeLessThanOrEqual(32);
  expect(helix.status().replay.A.enqueued).toBe(queued.length);
  pair.A.proxy.pass();
  await helix.syncPoint({ timeoutMs: 60_000 });
  await expect(pair).toBeEqualCellByCell(keyspace, 'bursts', receipts.length + 1);
  expect(helix.status().replay).toAddUp();
});

it('answers as many of 6,000 reads at once as both sides may have, and refuses the others by name', async () => {
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    readStrategy: new AlwaysFirst('A'),
  });
  const breakers: unknown[] = [];
  helix.events$.subscribe((event) => breakers.push(event));
  await cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [10_000, 'read']).exec();
  const select = 'SELECT name FROM users WHERE id = ?';
  expect(await cql.query(select, [10_000]).one()).toEqual({ name: 'read' });
  pair.A.proxy.latency(50);
  pair.B.proxy.latency(50);

  const results = await Promise.allSettled(
    Array.from({ length: 6_000 }, () => cql.query<{ name: string }>(select, [10_000]).one()),
  );
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(answers).toHaveLength(2 * 1_024);
  expect(new Set(answers.map((row) => row?.name))).toEqual(new Set(['read']));
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    expect(result.reason).toBeInstanceOf(OverloadedError);
    expect(result.reason).toMatchObject({ code: 'HELIX_OVERLOADED', outcome: 'notApplied' });
  }
  expect([breakers, helix.status().A.breaker, helix.status().B?.breaker]).toEqual([[], 'closed', 'closed']);
});

it('refuses the next page of an iteration while its side is full, and says how far it had come', async () => {
  const { cql } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    readStrategy: new AlwaysFirst('A'),
    maxReadsInFlight: 4,
  });
  await cql.onBoth('CREATE TABLE pages (a int, b int, PRIMARY KEY (a, b))');
  for (let b = 0; b < 20; b++) await cql.query('INSERT INTO pages (a, b) VALUES (?, ?)', [1, b]).exec();
  const select = 'SELECT b FROM pages WHERE a = ?';
  const rows = cql.query<{ b: number }>(select, [1]).pageSize(5).iter();
  const iterator = rows[Symbol.asyncIterator]();
  for (let b = 0; b < 5; b++) expect((await iterator.next()).value).toEqual({ b });
  const { pageState } = rows;
  pair.A.proxy.latency(50);
  const others = Array.from({ length: 4 }, () => cql.query(select, [1]).all());
  await expect(iterator.next()).rejects.toMatchObject({
    code: 'HELIX_OVERLOADED',
    outcome: 'notApplied',
    rowsDelivered: 5,
  });
  await Promise.all(others);
  expect((await cql.query(select, [1]).pageState(pageState).page()).rowCount).toBe(15);
});
