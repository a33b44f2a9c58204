import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CassandraServer, startCassandra } from '../servers/index.js';
import { stopApplications } from './support/application.js';
import { clusterPair, type TestPair } from './support/clusters.js';
import { type FailedConnects, failedConnects, failToConnect, type LeftBehind } from './support/failed-connects.js';

let pair: TestPair;
let secured: CassandraServer;
let kinds: FailedConnects;

beforeAll(async () => {
  [pair, secured] = await Promise.all([clusterPair(), startCassandra({ asksForPassword: true })]);
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
