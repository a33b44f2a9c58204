import { EventEmitter } from 'node:events';
import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { CLUSTER_OPTIONS } from '../../../test/support/cql.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeCqlClient, timedOut, unreachable } from '../../../test/support/fake-cql-client.js';
import { Watched } from '../../../test/support/fake-operations.js';
import { HelixConfigError, NotConnectedError } from '../../core/index.js';
import type { CqlClient } from '../cql-client.js';
import { type CqlClusterOptions, CqlSession, type Driver, loadDriver } from './index.js';

const { consistencies } = cassandra.types;

async function session(
  options: CqlClusterOptions | CqlClient,
  clock = new FakeClock(),
  warn?: (message: string) => void,
) {
  return new CqlSession(await loadDriver(), 'A', 'us_east', options, clock, warn);
}

/** A session whose client Helix has made itself: it is this one. */
async function sessionOfItsOwn(client: FakeCqlClient, warn?: (message: string) => void) {
  const Client = function () {
    return client;
  } as unknown as Driver['Client'];
  const driver = { ...(await loadDriver()), Client };
  return new CqlSession(driver, 'A', 'us_east', CLUSTER_OPTIONS, new FakeClock(), warn);
}

/** Connects when it is told to, and as in the driver a shutdown before that does nothing. */
class SlowClient extends FakeCqlClient {
  isEnded = false;
  #isConnected = false;
  #connected: (() => void) | undefined;

  override connect(): Promise<void> {
    return new Promise((resolve) => (this.#connected = resolve));
  }

  finishConnecting(): void {
    this.#isConnected = true;
    this.#connected?.();
  }

  override async shutdown(): Promise<void> {
    if (this.#isConnected) this.isEnded = true;
  }
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
      message: 'Cannot connect to A at 10.0.0.1:9042: All host(s) tried for query failed.',
      cause,
    });
    expect(made.connectError).toMatchObject({ cause });
    expect(made.notConnected()).toMatchObject({ name: 'NotConnectedError', cause: made.connectError });
  });

  it.each<[why: string, error: Error]>([
    [
      'credentials are wrong',
      new cassandra.errors.NoHostAvailableError({
        '10.0.0.1:9042': new cassandra.errors.AuthenticationError('Provided username and/or password wrong'),
      }),
    ],
    [
      'its data centre does not exist',
      new cassandra.errors.ArgumentError(
        "localDataCenter was configured as 'dc9', but only found hosts in data centers: [dc1]",
      ),
    ],
  ])('is blocked, and not only late, when %s', async (_why, error) => {
    const client = new FakeCqlClient();
    failure(client, error);
    const made = await session(client);
    await expect(made.connect()).rejects.toThrow();
    expect(made.notConnected().isBlocked).toBe(true);
  });

  it('is not blocked while the cluster is only not reachable', async () => {
    const client = new FakeCqlClient();
    const made = await session(client);
    expect(made.notConnected().isBlocked).toBe(false);
    failure(client, unreachable());
    await expect(made.connect()).rejects.toThrow();
    expect(made.notConnected().isBlocked).toBe(false);
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

describe('the guard of the control connection', () => {
  const refresh = () => Promise.resolve();
  const events = { _registerToConnectionEvents: () => Promise.resolve() };
  const places = () => ({
    ...events,
    _refresh: refresh,
    _initializeConnection: () => Promise.resolve(),
    _borrowFirstConnection: () => Promise.resolve(),
  });
  /** A client with all that the guard needs beside the control connection. */
  const guardable = (controlConnection: object | undefined) => {
    const client = Object.assign(new FakeCqlClient(), {
      controlConnection,
      hosts: Object.assign(new EventEmitter(), {
        values: () => [{ isUp: () => true }],
        get: () => undefined,
      }),
    });
    Object.assign(client.options, { logEmitter: () => undefined });
    return client;
  };

  it.each([
    ['is there when the driver has a place for it', places(), []],
    ['is missed when the driver has none', events, ['cannot be guarded']],
    [
      'is missed when the driver has no control connection, as is the watch for schema changes',
      undefined,
      ['cannot be guarded', 'hear of schema changes'],
    ],
  ])('%s', async (_what, controlConnection, warnings) => {
    const warned: string[] = [];
    const client = guardable(controlConnection);
    const made = await sessionOfItsOwn(client, (message) => warned.push(message));
    expect(warned).toEqual([]);
    await made.connect();
    await made.connect();
    expect(warned).toEqual(warnings.map((warning) => expect.stringContaining(warning) as string));
  });

  it('is missed when the connections of a client cannot be seen', async () => {
    const warned: string[] = [];
    const client = guardable({ ...places(), connection: new EventEmitter() });
    const made = await sessionOfItsOwn(client, (message) => warned.push(message));
    await made.connect();
    expect(warned).toEqual([expect.stringContaining('cannot be guarded')]);
  });

  it("is put into the user's own client once, and not missed there", async () => {
    const controlConnection = places();
    const warned: string[] = [];
    const client = guardable(controlConnection);
    const made = await session(client, new FakeClock(), (message) => warned.push(message));
    const guarded = controlConnection._refresh;
    expect(guarded).not.toBe(refresh);
    await session(client);
    expect(controlConnection._refresh).toBe(guarded);
    await made.connect();
    const bare = await session(new FakeCqlClient(), new FakeClock(), (message) => warned.push(message));
    await bare.connect();
    expect(warned).toEqual([]);
  });
});

describe('attempts to connect', () => {
  /** Clients as they are made; the first one is the one that is injected. */
  async function withTrials(fails: (client: number) => boolean) {
    const made: FakeCqlClient[] = [];
    const Client = function () {
      const client = new FakeCqlClient();
      const number = made.push(client) - 1;
      client.connect = () => {
        client.connects++;
        return fails(number) ? Promise.reject(unreachable()) : Promise.resolve();
      };
      return client;
    } as unknown as Driver['Client'];
    const driver = { ...(await loadDriver()), Client };
    const opened = new CqlSession(driver, 'A', 'us_east', CLUSTER_OPTIONS, new FakeClock());
    return { made, opened };
  }

  it('that succeed at once make one client', async () => {
    const { made, opened } = await withTrials(() => false);
    await opened.connect();
    expect(made.map(({ connects }) => connects)).toEqual([1]);
  });

  it('are made by clients that are thrown away, until one of them has connected', async () => {
    let isDown = true;
    const { made, opened } = await withTrials(() => isDown);
    const injected = opened.client;
    for (let i = 0; i < 3; i++) await expect(opened.connect()).rejects.toThrow();
    expect(made.map(({ connects, shutdowns }) => [connects, shutdowns])).toEqual([
      [1, 0],
      [1, 1],
      [1, 1],
    ]);
    isDown = false;
    await opened.connect();
    expect(made.map(({ connects, shutdowns }) => [connects, shutdowns])).toEqual([
      [2, 0],
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    expect(opened.client).toBe(injected);
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
        query: 'SELECT schema_version FROM system.local',
        options: { consistency: consistencies.localOne, readTimeout: 10_000 },
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
    const made = await sessionOfItsOwn(client);
    await made.connect();
    await made.close();
    expect(client.shutdowns).toBe(1);
  });

  it('ends a client that is still connecting once it has connected', async () => {
    const client = new SlowClient();
    const made = await sessionOfItsOwn(client);
    made.keepConnecting(
      () => undefined,
      () => undefined,
    );
    const closed = made.close();
    client.finishConnecting();
    await closed;
    expect(client.isEnded).toBe(true);
  });

  it('ends although the client fails to connect meanwhile', async () => {
    const client = new FakeCqlClient();
    failure(client, unreachable());
    const made = await sessionOfItsOwn(client);
    const failed: Error[] = [];
    made.keepConnecting(
      () => undefined,
      (error) => failed.push(error),
    );
    await made.close();
    expect(client.shutdowns).toBe(1);
    expect(failed).toEqual([]);
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

  it('gives bytes of its own for a blob, whose owner may use it again', async () => {
    const made = await session(new FakeCqlClient());
    const blob = Buffer.from('first');
    const encoded = made.encode(blob, { name: 'c', type: { code: cassandra.types.dataTypes.blob } });
    blob.write('other');
    expect(encoded).toEqual(Buffer.from('first'));
  });

  it('passes null through and makes undefined the unset of the driver', async () => {
    const made = await session(new FakeCqlClient());
    const column = { name: 'c', type: { code: cassandra.types.dataTypes.int } };
    expect(made.encode(null, column)).toBeNull();
    expect(made.encode(undefined, column)).toBe(cassandra.types.unset);
    expect(made.encode(cassandra.types.unset, column)).toBe(cassandra.types.unset);
  });
});

describe('routing', () => {
  const TEXT = 'INSERT INTO users (id, name) VALUES (?, ?)';
  const options = { consistency: 6, serialConsistency: undefined, timestampUs: 1, timeoutMs: 100 };

  /** Counts how often it is asked for its policy, and has the metadata of a real client. */
  class RoutedClient extends FakeCqlClient {
    asked = 0;
    readonly #real = new cassandra.Client({ contactPoints: ['10.0.0.1'], localDataCenter: 'dc1' });
    override readonly profileManager = {
      getDefaultLoadBalancing: (): never => {
        this.asked++;
        return this.policy as never;
      },
      getDistance: () => cassandra.types.distance.local,
    };

    constructor(readonly policy: object = new cassandra.policies.loadBalancing.DefaultLoadBalancingPolicy()) {
      super();
      const metadata = this.#real.metadata as unknown as { setPartitioner(name: string): void };
      metadata.setPartitioner('org.apache.cassandra.dht.Murmur3Partitioner');
      Object.assign(this.metadata, { newToken: (key: Buffer) => this.#real.metadata.newToken(key) });
    }
  }

  it('is learnt from the driver when it is connected, once', async () => {
    const client = new RoutedClient();
    const made = await session(client);
    expect(made.tokenClasses).toBeUndefined();
    expect(client.asked).toBe(0);
    await made.connect();
    expect(made.tokenClasses).toMatchObject({ Token: expect.any(Function) as unknown });
    expect(made.tokenClasses).toBe(made.tokenClasses);
    expect(client.asked).toBe(1);
  });

  it('is looked for once also when there is nothing to be found', async () => {
    const client = new RoutedClient({});
    const made = await session(client);
    await made.connect();
    expect([made.tokenClasses, made.tokenClasses]).toEqual([undefined, undefined]);
    expect(client.asked).toBe(1);
  });

  it('is told of a statement by which of its parameters are the partition key', async () => {
    const client = new FakeCqlClient();
    client.statements.set(TEXT, []);
    const made = await session(client);
    await made.connect();
    expect(await made.prepare(TEXT)).toMatchObject({ meta: { partitionKeys: [0] } });
  });

  it("is the driver's own unless there is a token", async () => {
    const client = new FakeCqlClient();
    client.statements.set(TEXT, []);
    const made = await session(client);
    await made.connect();
    const prepared = await made.prepare(TEXT);
    const token = { getValue: () => ({}), compare: () => 0 };
    await made.write(prepared, [], options);
    await made.write(prepared, [], { ...options, routingKey: token });
    expect(client.executed.map(({ options }) => options['routingKey'])).toEqual([undefined, token]);
  });
});

interface Encoding {
  encode(value: unknown, type: object): unknown;
}

describe('a cluster that turns out to be the other one', () => {
  it('is sent nothing any more, although its statements were prepared', async () => {
    const client = new FakeCqlClient();
    const made = await session(client);
    await made.connect();
    const statement = await made.prepare('SELECT 1');
    made.hasConnected = false;
    const executed = client.executed.length;
    const options = {
      consistency: undefined,
      serialConsistency: undefined,
      timestampUs: 1,
      timeoutMs: 1_000,
    };
    const reading = {
      consistency: 1,
      serialConsistency: undefined,
      timeoutMs: 1_000,
      fetchSize: 1,
      pageState: undefined,
    };
    await expect(made.write(statement, [], options)).rejects.toBeInstanceOf(NotConnectedError);
    await expect(made.writeBatch([{ statement, params: [] }], 'logged', options)).rejects.toBeInstanceOf(
      NotConnectedError,
    );
    await expect(made.read(statement, [], reading)).rejects.toBeInstanceOf(NotConnectedError);
    expect(client.executed.length).toBe(executed);
  });
});

describe('a sign of life', () => {
  const host = (address: string, isUp = true) => ({ address, isUp: () => isUp });

  /** A client of these hosts, each of which answers a ping so. */
  async function asked(answers: Record<string, 'well' | Error>, options: { down?: readonly string[] } = {}) {
    const clock = new FakeClock();
    const client = new FakeCqlClient();
    const made = await session(client, clock);
    await made.connect();
    const hosts = Object.keys(answers).map((address) => host(address, !options.down?.includes(address)));
    Object.assign(client, { hosts: { values: () => hosts } });
    const pinged: string[] = [];
    client.execute = (_query: string, _params: unknown, { host: to }: { host?: { address: string } }) => {
      pinged.push(to?.address ?? '');
      const answer = answers[to?.address ?? ''];
      if (answer === undefined) return new Promise<never>(() => undefined);
      return answer === 'well' ? Promise.resolve({ rows: [], pageState: null }) : Promise.reject(answer);
    };
    const sign = new Watched(made.askEveryHost(500));
    await clock.advance(499);
    const isEarly = sign.isSettled;
    await clock.advance(1);
    return { sign: sign.value, isEarly, pinged };
  }
  const busy = Object.assign(new Error('busy'), { name: 'BusyConnectionError' });
  const refused = Object.assign(new Error('overloaded'), { name: 'ResponseError', code: 0x1001 });

  it.each<[what: string, answers: Record<string, 'well' | Error>, sign: string]>([
    ['one of several answers', { one: timedOut(), two: 'well' }, 'answered'],
    ['one refuses', { one: refused }, 'answered'],
    ['none answers', { one: timedOut(), two: timedOut() }, 'silent'],
    ['one could not be asked, and the others are silent', { one: busy, two: timedOut() }, 'notSent'],
    ['the driver has no connection to any', { one: unreachable() }, 'notSent'],
    [
      'the driver has no connection to one, and the other is silent',
      { one: unreachable(), two: timedOut() },
      'silent',
    ],
  ])('when %s', async (_what, answers, sign) => {
    expect((await asked(answers)).sign).toBe(sign);
  });

  it('is asked for on every host that is up', async () => {
    const { pinged, sign } = await asked(
      { one: timedOut(), two: timedOut(), three: 'well' },
      { down: ['three'] },
    );
    expect([pinged, sign]).toEqual([['one', 'two'], 'silent']);
  });

  it('is not waited for any longer once there is one', async () => {
    expect(await asked({ one: 'well', two: timedOut() })).toMatchObject({ sign: 'answered', isEarly: true });
  });

  it('ends whichever ping is under way, and is told of with what it took, also when it is late', async () => {
    const clock = new FakeClock();
    const client = new FakeCqlClient();
    const made = await session(client, clock);
    await made.connect();
    const heard: number[] = [];
    made.listen({
      onPing: (latencyMs) => heard.push(latencyMs),
      onAnswer: () => undefined,
      onHostUp: () => undefined,
    });
    const answers: (() => void)[] = [];
    client.execute = () =>
      new Promise((resolve) => answers.push(() => resolve({ rows: [], pageState: null })));
    const ping = new Watched(made.ping(2_000));
    const sign = new Watched(made.askEveryHost(500));
    await clock.advance(1_200);
    expect([ping.isSettled, sign.value]).toEqual([false, 'silent']);
    // The first one was lost.
    answers[1]?.();
    await clock.settle();
    expect([ping.isSettled, heard]).toEqual([true, [1_200]]);
  });
});
