import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ClusterId, HelixService } from '../../lib/index.js';
import { startApplication, stopApplications } from '../e2e/support/application.js';
import { clusterPair, createKeyspace, type TestCluster, type TestPair } from '../e2e/support/clusters.js';
import { Load } from '../e2e/support/load.js';
import '../matchers/index.js';

/** How long to go on, in minutes: `HELIX_SOAK_MINUTES`, default 5. */
const minutes = Number(process.env['HELIX_SOAK_MINUTES'] ?? 5);
const keyspace = 'soak';
const total = 3_000;
let pair: TestPair;
let rounds = 0;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, []);
});

afterEach(stopApplications);

afterAll(() => {
  process.stdout.write(`${rounds} rounds of ${total} writes, each with faults on one side at a time\n`);
});

const faults: readonly ((cluster: TestCluster) => unknown)[] = [
  (cluster) => cluster.kill(),
  (cluster) => cluster.freeze(),
  (cluster) => cluster.proxy.blackHole(),
  (cluster) => cluster.proxy.refuse(),
  (cluster) => cluster.proxy.reset(),
  (cluster) => cluster.proxy.latency(50),
];
/** The other side may fail only when this one is back and has caught up: a pair survives one fault at a time. */
async function isWhole(helix: HelixService): Promise<void> {
  for (const cluster of ['A', 'B'] as const) {
    const answers = (): Promise<boolean> =>
      helix.ping(cluster).then(
        () => true,
        () => false,
      );
    await expect.poll(answers, { timeout: 60_000 }).toBe(true);
  }
  await helix.syncPoint({ timeoutMs: 60_000 });
}

const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;

it(`stays equal through ${minutes} minutes of random faults on one side at a time`, async () => {
  const endMs = Date.now() + minutes * 60_000;
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    writeTimeoutMs: 1_000,
  });
  while (Date.now() < endMs) {
    const table = `users_${++rounds}`;
    const made = await cql.onBoth(`CREATE TABLE ${table} (id int PRIMARY KEY, name text, age int)`);
    expect(made).toEqual({ A: { ok: true }, B: { ok: true } });
    const load = new Load(
      (id) =>
        cql.query(`INSERT INTO ${table} (id, name, age) VALUES (?, ?, ?)`, [id % 1_000, `n${id}`, id]).exec(),
      { total, inFlight: 64 },
    );
    for (const share of [0.2, 0.5, 0.8]) {
      await load.reached(share);
      const hurt = pick<ClusterId>(['A', 'B']);
      await pick(faults)(pair[hurt]);
      await load.reached(share + 0.15);
      await pair[hurt].heal();
      await isWhole(helix);
    }
    expect(await load.done()).toAllHaveSucceeded();
    await isWhole(helix);
    await expect(pair).toBeEqualCellByCell(keyspace, table, 1_000);
    expect(helix.status().replay).toAddUp();
    expect(helix.status().lost).toBe(0);
  }
});
