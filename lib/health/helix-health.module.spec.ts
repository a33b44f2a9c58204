import type { Server } from 'node:http';
import {
  type DynamicModule,
  Injectable,
  type INestApplication,
  Module,
  type Type,
  VersioningType,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { afterEach, describe, expect, it } from 'vitest';
import { columns, FakeCqlClient, timedOut, type } from '../../test/support/fake-cql-client.js';
import { RecordingReplayer } from '../../test/support/recording-replayer.js';
import { HelixConfigError, HelixCqlService, HelixModule, InjectHelix, isHelixError } from '../index.js';
import { HelixHealthIndicator, HelixHealthModule, type HelixHealthModuleOptions } from './index.js';

const INSERT = 'INSERT INTO users (id) VALUES (?)';

let apps: INestApplication<Server>[] = [];

afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
});

/** A pair of clusters, and the module that makes an instance of it. */
class Pair {
  readonly A = new FakeCqlClient();
  readonly B = new FakeCqlClient();
  readonly replayer = new RecordingReplayer();

  module(name = 'default', { single = false } = {}): DynamicModule {
    const { A, B, replayer } = this;
    for (const client of [A, B]) client.statements.set(INSERT, columns({ id: type('int') }));
    return HelixModule.forRoot({
      name,
      cql: single ? { A } : { A, B },
      clusterNames: { A: 'us_east', B: 'us_west' },
      connect: 'lazy',
      shutdownTimeoutMs: 1,
      replayWorker: { mode: 'off' },
      replayer,
    });
  }
}

async function boot(
  imports: (DynamicModule | Type)[],
  configure: (app: INestApplication<Server>) => unknown = () => undefined,
) {
  const module = await Test.createTestingModule({ imports })
    .setLogger({ log: () => undefined, warn: () => undefined, error: () => undefined })
    .compile();
  const app = module.createNestApplication<INestApplication<Server>>();
  apps.push(app);
  configure(app);
  await app.init();
  const get = async (path: string) => {
    const response = await request(app.getHttpServer()).get(path);
    return {
      status: response.status,
      body: response.body as { readonly details: Record<string, unknown> },
      headers: response.headers as Record<string, string>,
    };
  };
  return { app, get };
}

async function start() {
  const pair = new Pair();
  const booted = await boot([pair.module(), HelixHealthModule.forRoot()]);
  return { ...booted, pair, helix: booted.app.get(HelixCqlService) };
}

describe('HelixHealthModule', () => {
  it.each<[down: ('A' | 'B')[], health: number, ready: number, live: number]>([
    [[], 200, 200, 200],
    [['A'], 503, 200, 200],
    [['B'], 503, 200, 200],
    [['A', 'B'], 503, 503, 200],
  ])('with %j down answers /health %d, /ready %d, /live %d', async (down, health, ready, live) => {
    const { get, pair } = await start();
    for (const cluster of down) pair[cluster].pingError = timedOut();
    const answers = await Promise.all(['/health', '/health/ready', '/health/live'].map(get));
    expect(answers.map(({ status }) => status)).toEqual([health, ready, live]);
  });

  it('shows both clusters and replay at /health', async () => {
    const { get } = await start();
    const { body } = await get('/health');
    expect(body).toMatchObject({
      status: 'ok',
      details: {
        'helix:default:A': { status: 'up', name: 'us_east' },
        'helix:default:B': { status: 'up', name: 'us_west' },
        'helix:default:replay': { status: 'up' },
      },
    });
    expect(Object.keys(body.details)).toHaveLength(3);
  });

  it('shows one cluster where there is one', async () => {
    const { get } = await boot([new Pair().module('default', { single: true }), HelixHealthModule.forRoot()]);
    const { status, body } = await get('/health');
    expect(status).toBe(200);
    expect(Object.keys(body.details)).toEqual(['helix:default:A', 'helix:default:replay']);
  });

  it('answers 503 at /health, and only there, once a write was lost', async () => {
    const { get, pair, helix } = await start();
    pair.replayer.mode = 'refuse';
    pair.B.isDown = true;
    await expect(helix.query(INSERT, [1]).exec()).rejects.toThrow('lost');
    expect(await get('/health')).toMatchObject({
      status: 503,
      body: { details: { 'helix:default:replay': { status: 'down', lost: 1 } } },
    });
    expect((await get('/health/live')).status).toBe(200);
  });

  it('is ready, but degraded, while one cluster answers', async () => {
    const { get, pair } = await start();
    pair.B.pingError = timedOut();
    expect(await get('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'degraded', details: { 'helix:default:readiness': { status: 'degraded' } } },
    });
  });

  it('asks no cluster whether it is alive', async () => {
    const { get, pair } = await start();
    const asked = (): number => pair.A.unprepared.length + pair.B.unprepared.length;
    const before = asked();
    await get('/health/live');
    expect(asked()).toBe(before);
  });

  it('tells the name of an error and nothing else of it', async () => {
    const { get, pair } = await start();
    pair.A.pingError = Object.assign(new Error('password secret at 10.1.2.3'), { info: 'secret' });
    pair.B.pingError = timedOut();
    for (const path of ['/health', '/health/ready']) {
      const { body } = await get(path);
      expect(JSON.stringify(body)).toContain('OperationTimedOutError');
      expect(JSON.stringify(body)).not.toMatch(/secret|10\.1\.2\.3/);
    }
  });

  it('is not to be cached', async () => {
    const { get } = await start();
    expect((await get('/health')).headers['cache-control']).toContain('no-store');
  });

  it.each(['internal/health', '/internal/health'])('can be mounted at %s', async (path) => {
    const { get } = await boot([new Pair().module(), HelixHealthModule.forRoot({ path })]);
    const paths = ['/internal/health', '/internal/health/ready', '/internal/health/live', '/health'];
    const answers = await Promise.all(paths.map(get));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404]);
  });

  it('follows the global prefix', async () => {
    const { get } = await boot([new Pair().module(), HelixHealthModule.forRoot()], (app) =>
      app.setGlobalPrefix('api'),
    );
    expect([(await get('/api/health/ready')).status, (await get('/health/ready')).status]).toEqual([
      200, 404,
    ]);
  });

  it('has no version, also where there is a default one', async () => {
    const { get } = await boot([new Pair().module(), HelixHealthModule.forRoot()], (app) =>
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    );
    expect([(await get('/health')).status, (await get('/v1/health')).status]).toEqual([200, 404]);
  });
});

describe('several instances', () => {
  it('answer each for itself, at paths of their own', async () => {
    const [shop, analytics] = [new Pair(), new Pair()];
    const { get } = await boot([
      shop.module(),
      analytics.module('analytics'),
      HelixHealthModule.forRoot(),
      HelixHealthModule.forRoot({ name: 'analytics', path: 'health/analytics' }),
    ]);
    analytics.A.pingError = analytics.B.pingError = timedOut();
    const paths = ['/health', '/health/ready', '/health/analytics', '/health/analytics/ready'];
    const answers = await Promise.all(paths.map(get));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 503, 503]);
    expect(answers.map(({ body }) => Object.keys(body.details).sort()[0])).toEqual([
      'helix:default:A',
      'helix:default:readiness',
      'helix:analytics:A',
      'helix:analytics:readiness',
    ]);
  });

  it.each([
    ['health', undefined],
    ['internal', '/internal'],
  ])('at one path are refused: %s', async (first, second) => {
    const booted = boot([
      new Pair().module(),
      new Pair().module('analytics'),
      HelixHealthModule.forRoot({ path: first }),
      HelixHealthModule.forRoot({ name: 'analytics', ...(second !== undefined && { path: second }) }),
    ]);
    await expect(booted).rejects.toThrow(HelixConfigError);
    await expect(booted).rejects.toThrow(`path '${first}' is mounted twice`);
  });

  it('have an indicator each, for what imports their modules', async () => {
    const shopHealth = HelixHealthModule.forRoot();
    const analyticsHealth = HelixHealthModule.forRoot({ name: 'analytics', path: 'analytics' });

    @Injectable()
    class Indicators {
      constructor(
        readonly shop: HelixHealthIndicator,
        @InjectHelix(HelixHealthIndicator, 'analytics') readonly analytics: HelixHealthIndicator,
      ) {}
    }
    @Module({ imports: [shopHealth, analyticsHealth], providers: [Indicators] })
    class User {}

    const { app } = await boot([new Pair().module(), new Pair().module('analytics'), User]);
    const { shop, analytics } = app.get(Indicators, { strict: false });
    expect(Object.keys(await shop.liveness())).toEqual(['helix:default:liveness']);
    expect(Object.keys(await analytics.liveness())).toEqual(['helix:analytics:liveness']);
  });

  it('must exist: the error has the name of one that does not', async () => {
    const booted = boot([new Pair().module(), HelixHealthModule.forRoot({ name: 'analytics' })]);
    await expect(booted).rejects.toThrow(/analytics:HelixService/);
  });
});

describe('options', () => {
  it.each<[option: string, options: unknown]>([
    ['path', { path: '' }],
    ['path', { path: '/' }],
    ['path', { path: '//health' }],
    ['path', { path: 'health/' }],
    ['path', { path: ' health' }],
    ['path', { path: ':health' }],
    ['path', { path: 'health/*' }],
    ['path', { path: '../health' }],
    ['path', { path: 'health?x' }],
    ['path', { path: 42 }],
    ['name', { name: '' }],
    ['name', { name: 42 }],
    ['names', { names: ['a'] }],
  ])('a wrong %s is refused at once: %j', (option, options) => {
    let thrown: unknown;
    try {
      HelixHealthModule.forRoot(options as HelixHealthModuleOptions);
    } catch (error) {
      thrown = error;
    }
    expect(isHelixError(thrown) && [thrown.code, thrown.message]).toEqual([
      'HELIX_CONFIG',
      expect.stringContaining(`HelixHealthModule: ${option} is wrong`),
    ]);
  });
});
