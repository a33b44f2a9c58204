import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CassandraServer, startCassandra } from '../servers/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';
import { leavesNothingBehind } from './support/outages.js';
import { Load } from './support/load.js';
import {
  type FailedConnects,
  failedConnects,
  failToConnect,
  type LeftBehind,
} from './support/failed-connects.js';

const keyspace = 'connecting';
let pair: TestPair;
let secured: CassandraServer;
let kinds: FailedConnects;

beforeAll(async () => {
  [pair, secured] = await Promise.all([clusterPair(), startCassandra({ asksForPassword: true })]);
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
  kinds = await failedConnects(pair.B.server, secured);
});

afterEach(stopApplications);

afterAll(async () => {
  await kinds.stop();
  await secured.stop();
});

describe.each(['cassandra-driver', 'cassandra-driver-4.9'])('failing to connect with %s', (driver) => {
  let left: readonly LeftBehind[];

  it('leaves a process that ends by itself', async () => {
    const ended = await failToConnect(kinds.ways, 4, driver);
    ({ left } = ended);
    expect(ended).toMatchObject({ code: 0 });
    expect(left.map(({ name }) => name)).toEqual(kinds.ways.map(({ name }) => name));
    for (const { name, message, blocked, before, after } of left) {
      const way = kinds.ways.find((each) => each.name === name)!;
      expect.soft({ name, ...after }).toEqual({ name, ...before });
      expect.soft({ name, blocked }).toEqual({ name, blocked: way.blocked });
      expect.soft(message).toMatch(way.says);
      await expect.poll(() => ({ name, connections: way.connections() })).toEqual({ name, connections: 0 });
    }
  });
});

it('leaves no connection, listener or timer behind when a cluster is killed', async () => {
  const side = 'B';
  const application = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
  });
  const { host, port } = pair[side].proxy;
  await leavesNothingBehind(application, {
    side,
    endpoints: [`${host}:${port}`],
    times: 1,
    outage: async () => {
      const load = new Load(
        (id) => application.cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id % 100, 'x']).exec(),
        { total: Infinity, inFlight: 8, pauseMs: 5 },
      );
      await load.more(50);
      await pair[side].kill();
      await load.more(50);
      await pair[side].heal();
      await load.more(50);
      load.stop();
      await load.done();
      await application.helix.syncPoint({ timeoutMs: 30_000 });
    },
  });
  expect(pair[side].proxy.connections).toBe(1);
});
