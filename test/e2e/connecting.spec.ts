import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import request from 'supertest';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/core/index.js';
import { CqlSession, loadDriver } from '../../lib/cql/driver/index.js';
import { HelixConfigError, NoAvailableClusterError } from '../../lib/index.js';
import { type CassandraServer, startCassandra } from '../servers/index.js';
import { startApplication, startHttpApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';
import { leavesNothingBehind } from './support/outages.js';
import { Load } from './support/load.js';
import {
  expectNothingLeft,
  type FailedConnects,
  failedConnects,
  failToConnect,
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

it.each(['cassandra-driver', 'cassandra-driver-4.9'])(
  'failing to connect with %s leaves nothing in a process, which ends by itself, and says why',
  async (driver) => {
    const { code, left } = await failToConnect(kinds.ways, 4, driver);
    expect(code).toBe(0);
    await expectNothingLeft(kinds.ways, left);
  },
);

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

const wayTo = (name: string) => kinds.ways.find((each) => each.name === name)!;

describe('an application of which one cluster can never be connected', () => {
  it.each([
    ['a wrong data centre', 'wrongDataCenter'],
    ['no such keyspace', 'noKeyspace'],
    ['a wrong password', 'unauthorized'],
    ['no credentials', 'unauthorized'],
  ])('says so in health: %s', async (name, blocked) => {
    const { app } = await startHttpApplication({
      cql: { A: pair.A.options(keyspace), B: wayTo(name).options },
    });
    const server = app.getHttpServer() as never;
    await expect
      .poll(async () => ((await request(server).get('/health')).body as { error: object }).error, {
        timeout: 10_000,
      })
      .toEqual({
        'helix:default:B': {
          status: 'down',
          name: 'B',
          state: 'blocked',
          error: 'NotConnectedError',
          blocked,
        },
      });
    expect(await request(server).get('/health/ready')).toMatchObject({ status: 200 });
  });
});

it('does not wait when neither cluster can ever be connected', async () => {
  const startMs = performance.now();
  const [A, B] = ['a wrong data centre', 'no such keyspace'].map((name) => wayTo(name).options);
  const failure: unknown = await startApplication({ cql: { A: A!, B: B! } }).catch((error: unknown) => error);
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect(failure).toBeInstanceOf(NoAvailableClusterError);
  expect((failure as Error).message).toMatch(
    /cannot start until somebody acts.*dc_typo.*'nope' does not exist/,
  );
});

describe('a pair that is one cluster', () => {
  const twice = (allowSameCluster = false) => ({
    cql: { A: pair.A.options(keyspace), B: { ...pair.A.server.clientOptions, keyspace }, allowSameCluster },
  });

  it('does not start, whatever addresses it was found at', async () => {
    const failure: unknown = await startApplication(twice()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HelixConfigError);
    expect((failure as Error).message).toContain('lead to one cluster');
  });

  it('starts if it is allowed to be', async () => {
    const { cql } = await startApplication(twice(true));
    const receipt = await cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [1, 'x']).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('is not used twice any more when it becomes one while it runs', async () => {
    const switching = await startSwitch(pair.B.server);
    try {
      const { cql, helix } = await startApplication({
        cql: {
          A: pair.A.options(keyspace),
          B: {
            ...pair.B.options(keyspace),
            contactPoints: ['127.0.0.1'],
            protocolOptions: { port: switching.port },
          },
        },
      });
      const write = (id: number) => cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, 'x']).exec();
      expect(await write(1)).toMatchObject({ A: 'applied', B: 'applied' });
      switching.to(pair.A.server);
      await expect.poll(() => helix.status().B?.blocked, { timeout: 20_000 }).toBe('sameCluster');
      expect(await write(2)).toMatchObject({ A: 'applied', B: 'queued' });
      expect(helix.status().A.blocked).toBeUndefined();
      switching.to(pair.B.server);
      await expect.poll(async () => (await write(3)).B, { timeout: 60_000, interval: 200 }).toBe('applied');
    } finally {
      await switching.stop();
    }
  });
});

it('gives up an attempt to connect when it is closed', async () => {
  const { options, connections } = wayTo('nobody who answers');
  const patient = { ...options, socketOptions: { connectTimeout: 60_000, readTimeout: 60_000 } };
  const session = new CqlSession(await loadDriver(), 'B', 'B', patient, systemClock);
  const failed = session.connect().catch((error: unknown) => error);
  await expect.poll(connections).toBe(1);
  const startMs = performance.now();
  await session.close();
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect(await failed).toBeInstanceOf(Error);
  await expect.poll(connections).toBe(0);
});

/** An address that leads to one server or another; whoever is connected is cut off when it changes. */
async function startSwitch(first: { host: string; port: number }) {
  let target = first;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cutOff = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    to: (next: { host: string; port: number }): void => {
      target = next;
      cutOff();
    },
    stop: () => {
      cutOff();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
