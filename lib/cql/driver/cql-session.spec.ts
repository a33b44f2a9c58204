import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { CLUSTER_OPTIONS } from '../../../test/support/cql.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeCqlClient, timedOut, unreachable } from '../../../test/support/fake-cql-client.js';
import { Watched } from '../../../test/support/fake-operations.js';
import { HelixConfigError } from '../../core/index.js';
import { type CqlClient } from '../cql-client.js';
import { type CqlClusterOptions, CqlSession, type Driver, loadDriver } from './index.js';

const { consistencies } = cassandra.types;

async function session(options: CqlClusterOptions | CqlClient, clock = new FakeClock()) {
  return new CqlSession(await loadDriver(), 'A', 'us_east', options, clock);
}

const failure = (client: FakeCqlClient, error: Error): void => {
  client.connectError = error;
};

describe('connecting', () => {
  it('does not happen by itself', async () => {
    const client = new FakeCqlClient();
    const made = await session(client);
    expect(client.connects).toBe(0);
    expect(made.hasConnected).toBe(false);
    expect(made.isConnected).toBe(false);
  });

  it('happens once, however many ask', async () => {
    const client = new FakeCqlClient();
    const made = await session(client);
    await Promise.all([made.connect(), made.connect()]);
    await made.connect();
    expect(client.connects).toBe(1);
    expect(made.hasConnected).toBe(true);
  });

  it('fails with an error that names the hosts and has the cause', async () => {
    const client = new FakeCqlClient();
    const cause = unreachable();
    failure(client, cause);
    const made = await session(client);
    await expect(made.connect()).rejects.toMatchObject({
      message: 'Cannot connect to A at 10.0.0.1:9042',
      cause,
    });
    expect(made.connectError).toMatchObject({ cause });
    expect(made.notConnected()).toMatchObject({ name: 'NotConnectedError', cause: made.connectError });
  });

  it('goes on until it succeeds, at growing intervals, and tells of every failure', async () => {
    const clock = new FakeClock();
    const client = new FakeCqlClient();
    failure(client, unreachable());
    const made = await session(client, clock);
    const failedAtMs: number[] = [];
    let connectedAtMs: number | undefined;
    made.keepConnecting(
      () => (connectedAtMs = clock.monotonicMs()),
      () => failedAtMs.push(clock.monotonicMs()),
    );
    await clock.advance(8_000);
    expect(failedAtMs).toEqual([0, 250, 750, 1_750, 3_750, 5_750, 7_750]);
    client.connectError = undefined;
    await clock.advance(2_000);
    expect(connectedAtMs).toBe(9_750);
    expect(made.connectError).toBeUndefined();
    await clock.advance(60_000);
    expect(client.connects).toBe(8);
  });

  it('ends when the session is closed', async () => {
    const clock = new FakeClock();
    const client = new FakeCqlClient();
    failure(client, unreachable());
    const made = await session(client, clock);
    made.keepConnecting(
      () => undefined,
      () => undefined,
    );
    await clock.advance(100);
    await made.close();
    await clock.advance(60_000);
    expect(client.connects).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a ping', () => {
  it('asks the cluster with a statement of its own', async () => {
    const client = new FakeCqlClient();
    const made = await session(client);
    await made.connect();
    await made.ping(500);
    expect(client.unprepared).toMatchObject([
      {
        query: 'SELECT key FROM system.local',
        options: { consistency: consistencies.one, readTimeout: 500 },
      },
    ]);
  });

  it('fails when there is no answer in time, and leaves no timer', async () => {
    const clock = new FakeClock();
    const client = new FakeCqlClient();
    const made = await session(client, clock);
    await made.connect();
    client.pingError = 'never';
    const ping = new Watched(made.ping(500));
    await clock.advance(499);
    expect(ping.isSettled).toBe(false);
    await clock.advance(1);
    expect(ping.error).toMatchObject({ message: 'No answer to a ping within 500 ms' });
    client.pingError = timedOut();
    await expect(made.ping(500)).rejects.toThrow();
    expect(clock.pendingTimers).toBe(0);
  });

  it('fails at once before the first connection', async () => {
    const made = await session(new FakeCqlClient());
    await expect(made.ping(500)).rejects.toMatchObject({ name: 'NotConnectedError' });
  });
});

describe('closing', () => {
  it("leaves the user's own client alone", async () => {
    const client = new FakeCqlClient();
    const made = await session(client);
    await made.connect();
    await made.close();
    expect(client.shutdowns).toBe(0);
    expect(made.client).toBe(client);
  });

  it('ends a client that Helix has made', async () => {
    const client = new FakeCqlClient();
    const Client = function () {
      return client;
    } as unknown as Driver['Client'];
    const driver = { ...(await loadDriver()), Client };
    const made = new CqlSession(driver, 'A', 'us_east', CLUSTER_OPTIONS, new FakeClock());
    await made.connect();
    await made.close();
    expect(client.shutdowns).toBe(1);
  });
});

describe('consistency', () => {
  it('is LOCAL_QUORUM unless said otherwise', async () => {
    expect((await session(CLUSTER_OPTIONS)).consistency).toBe(consistencies.localQuorum);
    expect((await session(new FakeCqlClient())).consistency).toBe(consistencies.localQuorum);
    expect((await session(CLUSTER_OPTIONS)).serialConsistency).toBeUndefined();
  });

  it("comes from Helix's options, else from the driver's", async () => {
    const byDriver = {
      queryOptions: { consistency: consistencies.two, serialConsistency: consistencies.serial },
    };
    const driver = await session({ ...CLUSTER_OPTIONS, ...byDriver });
    expect([driver.consistency, driver.serialConsistency]).toEqual([consistencies.two, consistencies.serial]);
    const helix = await session({
      ...CLUSTER_OPTIONS,
      ...byDriver,
      consistency: 'ALL',
      serialConsistency: 'LOCAL_SERIAL',
    });
    expect([helix.consistency, helix.serialConsistency]).toEqual([
      consistencies.all,
      consistencies.localSerial,
    ]);
  });

  it.each<[option: string, options: CqlClusterOptions]>([
    ['cql.A.consistency', { consistency: 'MOST' as 'ALL' }],
    ['cql.A.consistency', { consistency: 17 }],
    ['cql.A.serialConsistency', { serialConsistency: 'MOST' as 'ALL' }],
  ])('must exist: %s', async (option, options) => {
    const made = session({ ...CLUSTER_OPTIONS, ...options });
    await expect(made).rejects.toThrow(HelixConfigError);
    await expect(made).rejects.toThrow(option);
  });
});

describe('options of the driver', () => {
  const optionsOf = (made: CqlSession): Record<string, never> =>
    (made.client as unknown as { options: Record<string, never> }).options;

  it('reach the driver, those of Helix do not', async () => {
    const made = await session({
      ...CLUSTER_OPTIONS,
      keyspace: 'shop',
      consistency: 'ALL',
      pooling: { heartBeatInterval: 1_234 },
    });
    expect(optionsOf(made)).toMatchObject({ localDataCenter: 'dc1', pooling: { heartBeatInterval: 1_234 } });
    expect(optionsOf(made)).not.toHaveProperty('consistency');
    expect(made.keyspace).toBe('shop');
  });

  it('have hosts asked again every second, unless the user has a policy of his own', async () => {
    const delayOf = (made: CqlSession): unknown => {
      const { reconnection } = (
        optionsOf(made) as unknown as {
          policies: { reconnection: { newSchedule(): Iterator<number> } };
        }
      ).policies;
      return reconnection.newSchedule().next().value;
    };
    expect(delayOf(await session(CLUSTER_OPTIONS))).toBe(1_000);
    const own = new cassandra.policies.reconnection.ConstantReconnectionPolicy(77);
    expect(delayOf(await session({ ...CLUSTER_OPTIONS, policies: { reconnection: own } }))).toBe(77);
  });

  it('that the driver refuses are a HelixConfigError with its cause', async () => {
    const made = session({ localDataCenter: 'dc1' });
    await expect(made).rejects.toThrow(HelixConfigError);
    await expect(made).rejects.toMatchObject({ cause: expect.any(Error) as Error });
  });

  it('are not changed', async () => {
    const policies = {};
    const options = { ...CLUSTER_OPTIONS, policies };
    await session(options);
    expect(options).toEqual({ ...CLUSTER_OPTIONS, policies: {} });
  });
});

describe('encoding', () => {
  it('gives the bytes the driver would send', async () => {
    const made = await session(new FakeCqlClient());
    const encoder = new (cassandra as unknown as { Encoder: new (v: number, o: object) => Encoding }).Encoder(
      4,
      {},
    );
    const { int, varchar, boolean } = cassandra.types.dataTypes;
    for (const [value, code] of [
      [7, int],
      ['Ada', varchar],
      [true, boolean],
    ] as const) {
      const type = { code, info: null };
      expect(made.encode(value, { name: 'c', type })).toEqual(encoder.encode(value, type));
    }
  });

  it('passes null through and makes undefined the unset of the driver', async () => {
    const made = await session(new FakeCqlClient());
    const column = { name: 'c', type: { code: cassandra.types.dataTypes.int } };
    expect(made.encode(null, column)).toBeNull();
    expect(made.encode(undefined, column)).toBe(cassandra.types.unset);
    expect(made.encode(cassandra.types.unset, column)).toBe(cassandra.types.unset);
  });
});

interface Encoding {
  encode(value: unknown, type: object): unknown;
}
