import { afterEach, beforeAll, expect, it } from 'vitest';
import {
  CircuitBreaker,
  type ClusterId,
  type HelixCqlService,
  type HelixEvent,
  type HelixService,
} from '../../lib/index.js';
import '../matchers/index.js';
import { AlwaysFirst } from './support/always-first.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'breaker';
const READ_TIMEOUT_MS = 300;
const RESET_MS = 250;
const SELECT = 'SELECT name FROM users WHERE id = ?';
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
  for (const cluster of ['A', 'B'] as const) {
    for (let id = 0; id < 50; id++) {
      await pair[cluster].run(`INSERT INTO ${keyspace}.users (id, name) VALUES (${id}, 'n${id}')`);
    }
  }
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

function breakerOf(helix: HelixService, cluster: ClusterId) {
  return () => helix.status()[cluster]?.breaker;
}

/** When pings arrived at the proxy of A, in ms. */
function pingsAtA(): number[] {
  const arrivals: number[] = [];
  pair.A.proxy.watch((chunk) => {
    if (chunk.includes('SELECT schema_version FROM system.local')) arrivals.push(performance.now());
  });
  return arrivals;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Times reads through both, in turn, for so long; answers with median of the first over that of the second. */
async function ratioOfMedians(
  first: HelixCqlService,
  second: HelixCqlService,
  forMs: number,
): Promise<number> {
  const timed = async (cql: HelixCqlService, id: number): Promise<number> => {
    const startMs = performance.now();
    expect(await cql.query(SELECT, [id % 50]).one()).toEqual({ name: `n${id % 50}` });
    return performance.now() - startMs;
  };
  const times: [number[], number[]] = [[], []];
  const endMs = performance.now() + forMs;
  for (let i = 0; performance.now() < endMs; i++) {
    times[0].push(await timed(first, i));
    times[1].push(await timed(second, i));
  }
  return median(times[0]) / median(times[1]);
}

it('reads as fast as from B alone once A, black-holed, is known to be bad', async () => {
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    readStrategy: new AlwaysFirst('A'),
    readTimeoutMs: READ_TIMEOUT_MS,
    failoverPolicy: new CircuitBreaker({ threshold: 3, resetTimeoutMs: RESET_MS }),
  });
  const alone = await startApplication({ cql: { A: pair.B.options(keyspace) } });
  pair.A.proxy.blackHole();
  while (breakerOf(helix, 'A')() === 'closed') {
    expect(await cql.query(SELECT, [1]).one()).toEqual({ name: 'n1' });
  }

  const arrivals = pingsAtA();
  // Anybody may ask for a sign of life meanwhile: they share the ping that is under way.
  const asking = setInterval(() => void helix.ping('A', 1_000).catch(() => undefined), 20);
  expect(await ratioOfMedians(cql, alone.cql, 8_000)).toBeLessThanOrEqual(1.2);
  clearInterval(asking);
  expect(['open', 'half-open']).toContain(breakerOf(helix, 'A')());
  // Each is given up after its time: the next one never overtakes it.
  expect(arrivals.length).toBeGreaterThan(1);
  const gaps = arrivals.slice(1).map((at, i) => at - arrivals[i]!);
  for (const gap of gaps) expect(gap).toBeGreaterThan(800);

  pair.A.proxy.pass();
  await expect.poll(breakerOf(helix, 'A'), { timeout: 20_000 }).toBe('closed');
});

it('reads as fast as from B alone when A was black-holed before the start, and uses A once it is there', async () => {
  pair.A.proxy.blackHole();
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    readStrategy: new AlwaysFirst('A'),
  });
  const alone = await startApplication({ cql: { A: pair.B.options(keyspace) } });
  expect(await ratioOfMedians(cql, alone.cql, 2_000)).toBeLessThanOrEqual(1.2);
  pair.A.proxy.pass();
  await expect.poll(() => helix.status().A.connected, { timeout: 30_000 }).toBe(true);
  await pair.A.run(`INSERT INTO ${keyspace}.users (id, name) VALUES (-1, 'only on A')`);
  expect(await cql.query(SELECT, [-1]).one()).toEqual({ name: 'only on A' });
});

it('closes by itself when A is back, even when no call ever goes to A', async () => {
  const breaker = new CircuitBreaker({ threshold: 3, resetTimeoutMs: RESET_MS });
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    readStrategy: new AlwaysFirst('B'),
    writeTimeoutMs: READ_TIMEOUT_MS,
    failoverPolicy: breaker,
  });
  const events: HelixEvent[] = [];
  helix.events$.subscribe((event) => {
    if (event.type === 'breaker') events.push(event);
  });
  pair.A.proxy.blackHole();
  const write = (id: number) =>
    cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, `new ${id}`]).exec();
  for (let id = 100; breakerOf(helix, 'A')() === 'closed'; id++) {
    expect(await write(id)).toMatchObject({ A: 'queued', B: 'applied' });
  }
  const startMs = performance.now();
  expect(await write(200)).toMatchObject({ A: 'queued', B: 'applied' });
  // A side that is known to be bad is not waited for.
  expect(performance.now() - startMs).toBeLessThan(READ_TIMEOUT_MS / 2);
  expect(helix.status().replay.A.open).toBe(false);

  pair.A.proxy.pass();
  await expect.poll(breakerOf(helix, 'A'), { timeout: 20_000 }).toBe('closed');
  await helix.syncPoint({ timeoutMs: 20_000 });
  const rows = await pair.A.run(`SELECT name FROM ${keyspace}.users WHERE id = 200`);
  expect(rows.rows[0]?.['name']).toBe('new 200');
  expect(events[0]).toMatchObject({ type: 'breaker', cluster: 'A', state: 'open' });
  expect(events.at(-1)).toMatchObject({ type: 'breaker', cluster: 'A', state: 'closed' });
});

it('takes a connection that drops with 64 calls on it for one failure', async () => {
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    failoverPolicy: new CircuitBreaker({ threshold: 3, resetTimeoutMs: RESET_MS }),
  });
  const write = (id: number) =>
    cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, `new ${id}`]).exec();
  await write(1_000);
  pair.A.proxy.latency(100);
  const writes = Array.from({ length: 64 }, (_, i) => write(1_001 + i));
  await expect.poll(() => helix.status().A.inFlight).toBe(64);
  const states = new Set<unknown>();
  helix.events$.subscribe((event) => {
    if (event.type === 'breaker') states.add(event.state);
  });
  pair.A.proxy.reset();
  pair.A.proxy.pass();
  const receipts = await Promise.all(writes);
  expect(receipts.filter(({ A }) => A === 'queued').length).toBe(64);
  expect([...states]).toEqual([]);
  await helix.syncPoint({ timeoutMs: 20_000 });
});

it('keeps a side that was isolated by hand out until it is reset', async () => {
  const breaker = new CircuitBreaker({ threshold: 3, resetTimeoutMs: 50 });
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    failoverPolicy: breaker,
  });
  breaker.isolate('B');
  const insert = 'INSERT INTO users (id, name) VALUES (?, ?)';
  expect(await cql.query(insert, [2_000, 'isolated']).exec()).toMatchObject({ A: 'applied', B: 'queued' });
  expect(breakerOf(helix, 'B')()).toBe('open');
  breaker.reset('B');
  await helix.syncPoint({ timeoutMs: 20_000 });
  const rows = await pair.B.run(`SELECT name FROM ${keyspace}.users WHERE id = 2000`);
  expect(rows.rows[0]?.['name']).toBe('isolated');
});
