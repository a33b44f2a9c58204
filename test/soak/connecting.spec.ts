import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterId } from '../../lib/index.js';
import { startApplication, stopApplications, type TestApplication } from '../e2e/support/application.js';
import { clusterPair, createKeyspace, type TestPair } from '../e2e/support/clusters.js';
import {
  expectNothingLeft,
  type FailedConnects,
  failedConnects,
  failToConnect,
} from '../e2e/support/failed-connects.js';
import { Load } from '../e2e/support/load.js';
import { leavesNothingBehind } from '../e2e/support/outages.js';
import { startThreeNodePair, type ThreeNodePair } from '../e2e/support/three-nodes.js';
import { type CassandraServer, startCassandra } from '../servers/index.js';

const keyspace = 'connecting_soak';
const TABLE = 'CREATE TABLE $ks.users (id int PRIMARY KEY, name text)';

afterEach(stopApplications);

/** Does something while writes go on, and ends with both clusters level. */
async function underLoad({ cql, helix }: TestApplication, act: () => Promise<void>): Promise<void> {
  const load = new Load(
    (id) => cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id % 100, 'x']).exec(),
    { total: Infinity, inFlight: 8, pauseMs: 5 },
  );
  await load.more(50);
  await act();
  await load.more(50);
  load.stop();
  await load.done();
  await helix.syncPoint({ timeoutMs: 60_000 });
}

describe('twenty attempts', () => {
  let pair: TestPair;
  let secured: CassandraServer;
  let kinds: FailedConnects;

  beforeAll(async () => {
    [pair, secured] = await Promise.all([clusterPair(), startCassandra({ asksForPassword: true })]);
    kinds = await failedConnects(pair.B.server, secured);
    await createKeyspace(pair, keyspace, [TABLE]);
  });

  afterAll(async () => {
    await kinds.stop();
    await secured.stop();
  });

  it.each(['cassandra-driver', 'cassandra-driver-4.9'])(
    'each in a process that ends by itself, %s',
    async (driver) => {
      for (const way of kinds.ways) {
        const { code, left } = await failToConnect([way], 20, driver);
        for (const { after, message } of left) {
          process.stdout.write(`${driver}, ${way.name}: ${JSON.stringify(after)}, ${message}\n`);
        }
        expect.soft({ name: way.name, code }).toEqual({ name: way.name, code: 0 });
        await expectNothingLeft([way], left);
      }
    },
  );

  it('of a server that has been stopped, before its connections are there', async () => {
    const way = { ...kinds.ways.find(({ name }) => name === 'a wrong password')!, says: /did not reply/ };
    const hasty = { ...way.options, socketOptions: { connectTimeout: 200, readTimeout: 200 } };
    secured.freeze();
    try {
      const { code, left } = await failToConnect([{ ...way, options: hasty }], 20);
      expect(code).toBe(0);
      expect(left[0]?.after).toEqual(left[0]?.before);
      expect(left[0]?.message).toMatch(way.says);
    } finally {
      secured.thaw();
    }
    await expect.poll(way.connections, { timeout: 20_000 }).toBe(0);
  });

  it.each(['A', 'B'] as const)('five kills of %s leave nothing behind', async (side) => {
    const application = await startApplication({
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    });
    const { host, port } = pair[side].proxy;
    await leavesNothingBehind(application, {
      side,
      endpoints: [`${host}:${port}`],
      times: 5,
      outage: () =>
        underLoad(application, async () => {
          await pair[side].kill();
          await pair[side].heal();
        }),
    });
    expect(pair[side].proxy.connections).toBe(1);
  });
});

describe('of three nodes each', () => {
  let pair: ThreeNodePair;

  beforeAll(async () => {
    pair = await startThreeNodePair();
    await createKeyspace(pair, keyspace, [TABLE], 3);
  });

  afterAll(() => pair.stop());

  const kills: readonly [what: string, nodes: (round: number) => number[]][] = [
    ['kills of one node after the other', (round) => [round % 3]],
    ['kills of all nodes at once', () => [0, 1, 2]],
  ];
  it.each(kills)('five %s leave nothing behind', async (_what, nodesOf) => {
    const side: ClusterId = 'B';
    const { nodes } = pair[side].cluster;
    const application = await startApplication({
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    });
    await leavesNothingBehind(application, {
      side,
      endpoints: nodes.map(({ host, port }) => `${host}:${port}`),
      times: 5,
      outage: (round) =>
        underLoad(application, async () => {
          await Promise.all(nodesOf(round).map((node) => nodes[node]!.kill()));
          await pair[side].heal();
        }),
    });
  });
});
