import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterId, HelixService } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { createKeyspace } from './support/clusters.js';
import { Load, type WriteResult } from './support/load.js';
import { startThreeNodePair, type ThreeNodePair } from './support/three-nodes.js';

const keyspace = 'three_nodes';
const WRITE_TIMEOUT_MS = 2_000;
let pair: ThreeNodePair;
let tables = 0;

beforeAll(async () => {
  pair = await startThreeNodePair();
  await createKeyspace(pair, keyspace, [], 3);
}, 240_000);

afterEach(async () => {
  await stopApplications();
  await Promise.all([pair.A.heal(), pair.B.heal()]);
});

afterAll(() => pair.stop());

interface Writing {
  readonly helix: HelixService;
  readonly table: string;
  readonly load: Load;
  /** Of all calls so far, in ms. */
  longestMs: number;
}

/** An application that writes without end, one row each, at the default consistency. */
async function writing(): Promise<Writing> {
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    writeTimeoutMs: WRITE_TIMEOUT_MS,
  });
  const table = `users_${++tables}`;
  const made = await cql.onBoth(`CREATE TABLE ${table} (id int PRIMARY KEY, name text, age int)`);
  expect(made).toEqual({ A: { ok: true }, B: { ok: true } });
  const insert = `INSERT INTO ${table} (id, name, age) VALUES (?, ?, ?)`;
  const write = async (id: number) => {
    const startMs = performance.now();
    try {
      return await cql.query(insert, [id, `name ${id}`, id % 90]).exec();
    } finally {
      run.longestMs = Math.max(run.longestMs, performance.now() - startMs);
    }
  };
  const load = new Load(write, { total: Infinity, inFlight: 16, pauseMs: 100 });
  const run: Writing = { helix, table, load, longestMs: 0 };
  return run;
}

/** The share of these writes that a cluster applied itself, without replay. */
function shareApplied(results: readonly WriteResult[], cluster: ClusterId): number {
  const applied = results.filter((result) => 'receipt' in result && result.receipt[cluster] === 'applied');
  return applied.length / results.length;
}

/** No call failed or hung, and what each side missed, and nothing else, has been replayed to it. */
async function expectNothingLost(run: Writing): Promise<void> {
  const { helix, table, load } = run;
  load.stop();
  const results = await load.done();
  expect(results).toAllHaveSucceeded();
  expect(run.longestMs).toBeLessThan(2 * WRITE_TIMEOUT_MS);
  await helix.syncPoint({ timeoutMs: 60_000 });
  await expect(pair).toBeEqualCellByCell(keyspace, table, results.length);
  const { replay, lost } = helix.status();
  expect(replay).toAddUp();
  for (const cluster of ['A', 'B'] as const) {
    const { length } = results.filter(
      (result) => 'receipt' in result && result.receipt[cluster] === 'queued',
    );
    expect(replay[cluster]).toMatchObject({ enqueued: length, applied: length, deadLettered: 0 });
  }
  expect(lost).toBe(0);
}

// A node that starts beside five others under load needs its time on two cores.
describe('a load of writes at LOCAL_QUORUM while one of three nodes of B', { timeout: 240_000 }, () => {
  it('is killed and restarted: most go to B all the time, and both clusters end up equal', async () => {
    const run = await writing();
    const { load } = run;
    const [node] = pair.B.cluster.nodes;
    await load.more(300);
    await node!.kill();
    expect(shareApplied(await load.more(600), 'B')).toBeGreaterThan(0.5);
    await node!.restart();
    expect(shareApplied(await load.more(300), 'B')).toBeGreaterThan(0.5);
    await expectNothingLost(run);
  });

  it('is frozen and thawed: every write succeeds, and both clusters end up equal', async () => {
    const run = await writing();
    const { load } = run;
    const [node] = pair.B.cluster.nodes;
    await load.more(300);
    node!.freeze();
    await load.more(600);
    node!.thaw();
    await pair.B.cluster.united();
    await load.more(300);
    await expectNothingLost(run);
  });
});
