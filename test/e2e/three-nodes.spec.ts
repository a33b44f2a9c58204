import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterId, HelixService, SideStatus } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications, type TestApplication } from './support/application.js';
import { CqlConnection } from '../servers/index.js';
import { workAsAnother } from './schema-changes/another-client.js';
import { toldOfChanges } from './schema-changes/heard.js';
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

function start(): Promise<TestApplication> {
  return startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    writeTimeoutMs: WRITE_TIMEOUT_MS,
  });
}

async function createTable({ cql }: TestApplication, columns: string): Promise<string> {
  const table = `users_${++tables}`;
  const made = await cql.onBoth(`CREATE TABLE ${table} (id int PRIMARY KEY, ${columns})`);
  expect(made).toEqual({ A: { ok: true }, B: { ok: true } });
  return table;
}

/** An application that writes without end, one row each, at the default consistency. */
async function writing(): Promise<Writing> {
  const application = await start();
  const table = await createTable(application, 'name text, age int');
  return writingTo(application, table, `INSERT INTO ${table} (id, name, age) VALUES (?, ?, ?)`, (id) => [
    id,
    `name ${id}`,
    id % 90,
  ]);
}

function writingTo(
  { cql, helix }: TestApplication,
  table: string,
  insert: string,
  paramsOf: (id: number) => readonly unknown[],
): Writing {
  const write = async (id: number) => {
    const startMs = performance.now();
    try {
      return await cql.query(insert, paramsOf(id)).exec();
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
    const told = (status: SideStatus): number =>
      results.filter((result) => 'receipt' in result && result.receipt[cluster] === status).length;
    const { enqueued, applied, deadLettered } = replay[cluster];
    // Some of what was pending when its call was answered was queued afterwards.
    expect(enqueued).toBeGreaterThanOrEqual(told('queued'));
    expect(enqueued).toBeLessThanOrEqual(told('queued') + told('pending'));
    expect([applied, deadLettered]).toEqual([enqueued, 0]);
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

/** What a node alone answers: the rows of a text that has no parameters. */
async function askNode(node: { host: string; port: number }, cql: string): Promise<(Buffer | null)[][]> {
  const connection = await CqlConnection.open(node);
  try {
    return await connection.rows(cql);
  } finally {
    connection.close();
  }
}

async function knowsText(node: { host: string; port: number }, text: string): Promise<boolean> {
  const rows = await askNode(node, 'SELECT query_string FROM system.prepared_statements');
  // Helix adds a comment.
  return rows.some(([query]) => query?.toString().startsWith(text));
}

/** When it starts the next time it has no statement prepared. TRUNCATE would want all nodes for that. */
async function forgetPrepared(node: { host: string; port: number }): Promise<void> {
  const rows = await askNode(node, 'SELECT prepared_id FROM system.prepared_statements');
  const ids = rows.map(([id]) => `0x${id!.toString('hex')}`);
  await askNode(node, `DELETE FROM system.prepared_statements WHERE prepared_id IN (${ids.join(', ')})`);
}

describe('a table made again with float instead of int by somebody who goes on using the same text', () => {
  it('stores 42 as 42 through every node: one that was down, and one that has forgotten everything', async () => {
    const application = await start();
    const table = await createTable(application, 'v int');
    const insert = `INSERT INTO ${table} (id, v) VALUES (?, ?)`;
    const [down, forgetful, third] = pair.B.cluster.nodes;
    for (let id = 0; id < 60; id++) await application.cql.query(insert, [id, 42]).exec();
    for (const node of pair.B.cluster.nodes) {
      await expect.poll(() => knowsText(node, insert), { message: `${node.name} knows the text` }).toBe(true);
    }

    await down!.kill();
    for (const side of ['A', 'B'] as const) {
      await workAsAnother({
        options: {
          ...pair[side].options(keyspace),
          contactPoints: pair[side].cluster.nodes.filter(({ running }) => running).map(({ host }) => host),
        },
        changes: [`DROP TABLE ${table}`, `CREATE TABLE ${table} (id int PRIMARY KEY, v float)`],
        texts: [{ text: insert, params: [0, null] }],
      });
    }
    await Promise.all([
      ...pair.A.cluster.nodes.map((node) =>
        toldOfChanges(node, pair.A, keyspace, `told_${node.name.replaceAll('-', '_')}`),
      ),
      ...[forgetful!, third!].map((node) =>
        toldOfChanges(node, pair.B, keyspace, `told_${node.name.replaceAll('-', '_')}`),
      ),
    ]);

    const run = writingTo(application, table, insert, (id) => [id, 42]);
    await run.load.more(100);
    await forgetPrepared(forgetful!);
    await forgetful!.restart();
    await run.load.more(200);
    await down!.restart();
    await run.load.more(300);
    await expectNothingLost(run);
    for (const side of [pair.A, pair.B]) {
      const { rows } = await side.run(`SELECT v FROM ${keyspace}.${table}`);
      expect(new Set(rows.map(({ v }) => v as number))).toEqual(new Set([42]));
    }
  }, 240_000);
});
