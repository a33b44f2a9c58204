import cassandra from 'cassandra-driver';
import {
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
  TerminusModule,
} from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { columns, FakeCqlClient, timedOut, type } from '../../test/support/fake-cql-client.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import { envelope } from '../../test/support/envelope.js';
import { RecordingReplayer } from '../../test/support/recording-replayer.js';
import { HelixCqlService, HelixModule, type HelixModuleOptions, HelixService, Replayer } from '../index.js';
import { HelixHealthIndicator, type ReplayHealthOptions } from './index.js';

const INSERT = 'INSERT INTO users (id) VALUES (?)';
const ID = columns({ id: type('int') });

let modules: TestingModule[] = [];

afterEach(async () => {
  await Promise.all(modules.map((module) => module.close()));
  modules = [];
});

async function setUp(options: Partial<HelixModuleOptions> & { name?: string; single?: boolean } = {}) {
  const { single = false, ...rest } = options;
  const [A, B] = [new FakeCqlClient(), new FakeCqlClient()];
  for (const client of [A, B]) {
    client.statements.set(INSERT, ID);
    client.tables.set('users', ID);
  }
  const module = await Test.createTestingModule({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      HelixModule.forRoot({
        cql: single ? { A } : { A, B },
        connect: 'lazy',
        shutdownTimeoutMs: 1,
        replayWorker: { mode: 'off' },
        ...rest,
      }),
    ],
    providers: [HelixHealthIndicator],
  })
    .setLogger({ log: () => undefined, warn: () => undefined, error: () => undefined })
    .compile();
  modules.push(module);
  await module.init();
  // What was asked when they were connected.
  for (const client of [A, B]) client.unprepared.length = 0;
  const helix = module.get(HelixCqlService);
  const write = () => helix.query(INSERT, [1]).exec();
  return {
    A,
    B,
    module,
    write,
    health: module.get(HelixHealthIndicator),
    checks: module.get(HealthCheckService),
  };
}

describe('cluster()', () => {
  it.each(['A', 'B'] as const)('is up while cluster %s answers a ping', async (cluster) => {
    const { health, A, B } = await setUp({ clusterNames: { A: 'us_east', B: 'us_west' } });
    expect(await health.cluster(cluster)).toEqual({
      [`helix:default:${cluster}`]: {
        status: 'up',
        name: cluster === 'A' ? 'us_east' : 'us_west',
        state: 'well',
      },
    });
    expect([A.unprepared.length, B.unprepared.length]).toEqual(cluster === 'A' ? [1, 0] : [0, 1]);
  });

  it('is down while it does not, and names the kind of the error only', async () => {
    const { health, B } = await setUp();
    B.pingError = timedOut();
    expect(await health.cluster('B')).toEqual({
      'helix:default:B': { status: 'down', name: 'B', state: 'well', error: 'OperationTimedOutError' },
    });
    expect(await health.cluster('A')).toMatchObject({ 'helix:default:A': { status: 'up' } });
  });

  it('says in a word why nobody but a person can mend it, and nothing of where or who', async () => {
    const refused = new FakeCqlClient();
    refused.connectError = new cassandra.errors.NoHostAvailableError({
      '10.0.0.1:9042': new cassandra.errors.AuthenticationError('Provided username admin is wrong'),
    });
    const { health } = await setUp({ cql: { A: new FakeCqlClient(), B: refused } });
    const answer = {
      'helix:default:B': {
        status: 'down',
        name: 'B',
        state: 'blocked',
        error: 'NotConnectedError',
        blocked: 'unauthorized',
      },
    };
    expect(await health.cluster('B')).toEqual(answer);
  });

  it('is down when there is no answer within timeoutMs', async () => {
    const { health, A } = await setUp();
    A.pingError = 'never';
    expect(await health.cluster('A', { timeoutMs: 1 })).toMatchObject({
      'helix:default:A': { status: 'down' },
    });
  });

  it('says how it is, in one word', async () => {
    const { health, write, B } = await setUp();
    B.isDown = true;
    await write();
    expect(await health.cluster('B')).toMatchObject({ 'helix:default:B': { state: 'catchingUp' } });
  });

  it('can have a key of its own', async () => {
    const { health } = await setUp();
    expect(await health.cluster('A', { key: 'primary' })).toMatchObject({ primary: { status: 'up' } });
  });

  it('is down, and does not throw, for a cluster that is not configured', async () => {
    const { health } = await setUp({ single: true });
    expect(await health.cluster('B')).toMatchObject({ 'helix:default:B': { status: 'down' } });
  });
});

describe('readiness()', () => {
  it.each<[a: boolean, b: boolean, status: string]>([
    [true, true, 'up'],
    [true, false, 'degraded'],
    [false, true, 'degraded'],
    [false, false, 'down'],
  ])('with A answering %s and B answering %s is %s', async (a, b, status) => {
    const { health, A, B } = await setUp();
    if (!a) A.pingError = timedOut();
    if (!b) B.pingError = timedOut();
    expect(await health.readiness()).toMatchObject({ 'helix:default:readiness': { status } });
  });

  it.each<[a: boolean, status: string]>([
    [true, 'up'],
    [false, 'down'],
  ])('on a single cluster answering %s is %s', async (a, status) => {
    const { health, A } = await setUp({ single: true });
    if (!a) A.pingError = timedOut();
    expect(await health.readiness()).toMatchObject({ 'helix:default:readiness': { status } });
  });

  it('says degraded within up where Terminus knows no degraded', async () => {
    const { module, A } = await setUp();
    const older = {
      check: (key: string) => ({
        up: (data: object) => ({ [key]: { status: 'up', ...data } }),
        down: (data: object) => ({ [key]: { status: 'down', ...data } }),
      }),
    };
    const health = new HelixHealthIndicator(module.get(HelixService), older as never);
    A.pingError = timedOut();
    expect(await health.readiness()).toMatchObject({
      'helix:default:readiness': { status: 'up', degraded: true, A: { error: 'OperationTimedOutError' } },
    });
  });

  it('keeps the HTTP status at 200 while one cluster answers', async () => {
    const { health, checks, B } = await setUp();
    B.pingError = timedOut();
    await expect(checks.check([() => health.readiness()])).resolves.toMatchObject({ status: 'degraded' });
  });

  it('fails the health check when none answers', async () => {
    const { health, checks, A, B } = await setUp();
    A.pingError = B.pingError = timedOut();
    await expect(checks.check([() => health.readiness()])).rejects.toMatchObject({ status: 503 });
  });
});

describe('liveness()', () => {
  it('is up although no cluster answers, and asks none', async () => {
    const { health, A, B } = await setUp();
    A.pingError = B.pingError = timedOut();
    expect(await health.liveness()).toEqual({ 'helix:default:liveness': { status: 'up' } });
    expect([...A.unprepared, ...B.unprepared]).toEqual([]);
  });
});

describe('replay()', () => {
  it('is up with an empty queue, and shows both lanes', async () => {
    const { health } = await setUp();
    const lane = { queued: 0, inFlight: 0, deadLettered: 0, oldestAgeMs: 0, open: false };
    expect(await health.replay()).toEqual({
      'helix:default:replay': { status: 'up', lost: 0, A: lane, B: lane },
    });
  });

  it('is down when more than maxQueued envelopes wait for one side', async () => {
    const { health, write, B } = await setUp();
    B.isDown = true;
    await write();
    await write();
    expect(await health.replay()).toMatchObject({
      'helix:default:replay': { status: 'up', B: { queued: 2 } },
    });
    expect(await health.replay({ maxQueued: 2 })).toMatchObject({ 'helix:default:replay': { status: 'up' } });
    expect(await health.replay({ maxQueued: 1 })).toMatchObject({
      'helix:default:replay': { status: 'down' },
    });
  });

  it('is down when an envelope has waited longer than maxAgeMs', async () => {
    const { module, health } = await setUp();
    const service = module.get(HelixService);
    const status = service.status();
    const old = { ...status, replay: { ...status.replay, A: { ...status.replay.A, oldestAgeMs: 5_000 } } };
    Object.assign(service, { status: () => old });
    expect(await health.replay({ maxAgeMs: 5_000 })).toMatchObject({
      'helix:default:replay': { status: 'up' },
    });
    expect(await health.replay({ maxAgeMs: 4_999 })).toMatchObject({
      'helix:default:replay': { status: 'down' },
    });
  });

  it('is down once a write was lost', async () => {
    const replayer = new RecordingReplayer();
    replayer.mode = 'refuse';
    const { health, write, B } = await setUp({ replayer });
    B.isDown = true;
    await expect(write()).rejects.toThrow('lost');
    expect(await health.replay()).toMatchObject({ 'helix:default:replay': { status: 'down', lost: 1 } });
  });

  it('is down while there are more dead letters than maxDeadLettered, and readiness is not', async () => {
    const { module, health } = await setUp();
    const replayer = module.get(Replayer);
    const status = async (options?: ReplayHealthOptions): Promise<unknown> =>
      (await health.replay(options))['helix:default:replay']?.status;
    expect(await status()).toBe('up');
    await replayer.bury(envelope('op1', { cluster: 'B' }), 'rejected');
    expect(await status()).toBe('down');
    expect(await status({ maxDeadLettered: 1 })).toBe('up');
    expect(await health.readiness()).toMatchObject({ 'helix:default:readiness': { status: 'up' } });
    await replayer.bury(envelope('op2', { cluster: 'A' }), 'rejected');
    expect(await status({ maxDeadLettered: 1 })).toBe('down');
    await replayer.deadLetters.purge('all');
    expect(await status()).toBe('up');
  });

  it('is up on a single cluster', async () => {
    const { health } = await setUp({ single: true });
    expect(await health.replay({ maxQueued: 0 })).toMatchObject({ 'helix:default:replay': { status: 'up' } });
  });
});

describe('a policy that throws', () => {
  it.each<[check: string, run: (health: HelixHealthIndicator) => Promise<HealthIndicatorResult>]>([
    ['cluster:A', (health) => health.cluster('A')],
    ['replay', (health) => health.replay()],
    ['readiness', (health) => health.readiness()],
    ['liveness', (health) => health.liveness()],
  ])('does not keep %s from being up', async (check, run) => {
    const failoverPolicy = new FakePolicy();
    const { health } = await setUp({ failoverPolicy });
    failoverPolicy.isBroken = true;
    expect(Object.values(await run(health)), check).toMatchObject([{ status: 'up' }]);
  });
});

describe('a named instance', () => {
  it('has its name in the keys', async () => {
    const service = {
      name: 'analytics',
      clusterName: () => 'A',
      ping: () => Promise.resolve(),
      status: () => ({ A: {} }),
    };
    const health = new HelixHealthIndicator(service as never, new HealthIndicatorService());
    expect(Object.keys(await health.cluster('A'))).toEqual(['helix:analytics:A']);
    expect(Object.keys(await health.liveness())).toEqual(['helix:analytics:liveness']);
  });
});
