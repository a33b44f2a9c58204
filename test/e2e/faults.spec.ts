import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterId, DualClusterError, type SideStatus } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications, type TestApplication } from './support/application.js';
import { cellsOfBoth } from './support/cells.js';
import { clusterPair, createKeyspace, type TestCluster, type TestPair } from './support/clusters.js';
import { Load, type WriteResult } from './support/load.js';

const keyspace = 'faults';
const total = 2_000;
let pair: TestPair;
let table = '';
let tables = 0;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, []);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

async function start(): Promise<TestApplication> {
  const application = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    writeTimeoutMs: 500,
  });
  table = `users_${++tables}`;
  const made = await application.cql.onBoth(`CREATE TABLE ${table} (id int PRIMARY KEY, name text, age int)`);
  expect(made).toEqual({ A: { ok: true }, B: { ok: true } });
  return application;
}

function load({ cql }: TestApplication): Load {
  const insert = `INSERT INTO ${table} (id, name, age) VALUES (?, ?, ?)`;
  return new Load((id) => cql.query(insert, [id, `name ${id}`, id % 90]).exec(), { total, inFlight: 64 });
}

/** Every side a receipt calls `applied` has the row, with the receipt's write time. */
async function expectReceiptsToHold(results: readonly WriteResult[]): Promise<void> {
  const { A, B } = await cellsOfBoth(pair, keyspace, table);
  const sides: Record<ClusterId, Set<string>> = { A: new Set(A), B: new Set(B) };
  for (const result of results) {
    if ('error' in result) continue;
    const { id, receipt } = result;
    const row = JSON.stringify({
      id,
      age: id % 90,
      'writetime(age)': String(receipt.timestamp),
      name: `name ${id}`,
      'writetime(name)': String(receipt.timestamp),
    });
    for (const cluster of ['A', 'B'] as const) {
      if (receipt[cluster] === 'applied') expect(sides[cluster]).toContain(row);
    }
  }
}

const resetFiveTimes = async (cluster: TestCluster, running: Load): Promise<void> => {
  for (const share of [0.35, 0.45, 0.55, 0.65, 0.75]) {
    cluster.proxy.reset();
    await running.reached(share);
  }
};

describe('64 writes in flight while', () => {
  it.each<[name: string, hurt: ClusterId, fault: (cluster: TestCluster, running: Load) => unknown]>([
    ['B is killed', 'B', (cluster) => cluster.kill()],
    ['A is killed', 'A', (cluster) => cluster.kill()],
    ['B is frozen', 'B', (cluster) => cluster.freeze()],
    ['B is black-holed', 'B', (cluster) => cluster.proxy.blackHole()],
    ['the connections of B are reset five times', 'B', resetFiveTimes],
  ])('%s: every write succeeds and both clusters end up equal', async (_, hurt, fault) => {
    const application = await start();
    const { helix } = application;
    const running = load(application);
    await running.reached(0.25);
    await fault(pair[hurt], running);
    await running.reached(0.75);
    await pair[hurt].heal();
    const results = await running.done();

    expect(results).toAllHaveSucceeded();
    await helix.syncPoint({ timeoutMs: 60_000 });
    await expectReceiptsToHold(results);
    await expect(pair).toBeEqualCellByCell(keyspace, table, total);
    const { replay, lost } = helix.status();
    expect(replay).toAddUp();
    const told = (status: SideStatus): number =>
      results.filter((result) => 'receipt' in result && result.receipt[hurt] === status).length;
    const { enqueued, applied, deadLettered } = replay[hurt];
    expect(told('queued')).toBeGreaterThan(0);
    // Some of what was pending when its call was answered was queued afterwards.
    expect(enqueued).toBeGreaterThanOrEqual(told('queued'));
    expect(enqueued).toBeLessThanOrEqual(told('queued') + told('pending'));
    expect([applied, deadLettered]).toEqual([enqueued, 0]);
    expect(lost).toBe(0);
  });

  it('both are killed: failures say whether a retry is safe, and both clusters end up equal', async () => {
    const application = await start();
    const running = load(application);
    await running.reached(0.25);
    await Promise.all([pair.A.kill(), pair.B.kill()]);
    const results = await running.done();
    await Promise.all([pair.A.heal(), pair.B.heal()]);
    await application.helix.syncPoint({ timeoutMs: 60_000 });

    const notApplied: number[] = [];
    for (const result of results) {
      if (!('error' in result)) continue;
      expect(result.error).toBeInstanceOf(DualClusterError);
      if ((result.error as DualClusterError).outcome === 'notApplied') notApplied.push(result.id);
    }
    expect(notApplied.length).toBeGreaterThan(0);
    await expect(pair).toBeEqualCellByCell(keyspace, table, total - notApplied.length);
    const { rows } = await pair.A.run(`SELECT id FROM ${keyspace}.${table}`);
    const present = new Set(rows.map((row) => row['id'] as number));
    expect(notApplied.filter((id) => present.has(id))).toEqual([]);
    await expectReceiptsToHold(results);
    expect(application.helix.status().replay).toAddUp();
  });
});
