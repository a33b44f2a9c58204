import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  getHelixSessionToken,
  getHelixToken,
  HelixCqlService,
  HelixModule,
  HelixService,
  InjectHelix,
  ReadStrategy,
  Replayer,
  ReplayWorker,
  StickyReadStrategy,
} from '../index.js';
import { FakeClock, HelixTestingClusters, HelixTestingModule, type HelixTestingOptions } from './index.js';

const SCHEMA = 'CREATE TABLE users (id int PRIMARY KEY, name text)';
const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';

let modules: TestingModule[] = [];

async function make(...options: HelixTestingOptions[]): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: options.map((each) => HelixTestingModule.forRoot(each)),
  }).compile();
  app.useLogger(false);
  modules.push(app);
  return app;
}

async function start(...options: HelixTestingOptions[]): Promise<TestingModule> {
  return (await make(...options)).init();
}

afterEach(async () => {
  await Promise.all(modules.map((each) => each.close()));
  modules = [];
});

describe('HelixTestingModule', () => {
  it('provides what HelixModule provides, and the clusters', async () => {
    const app = await start({ schema: SCHEMA });
    for (const token of [HelixCqlService, HelixService, ReadStrategy, Replayer, ReplayWorker]) {
      expect(app.get(token)).toBeDefined();
    }
    expect(app.get(getHelixSessionToken('A'))).toBe(app.get(HelixTestingClusters).A.client);
    expect(app.get(HelixService).status()).toMatchObject({ A: { connected: true }, B: { connected: true } });
  });

  it('runs on the system’s clock unless it is given one', async () => {
    const startMs = Date.now();
    const { timestamp } = await (
      await start({ schema: SCHEMA })
    )
      .get(HelixCqlService)
      .query(INSERT, [1, 'x'])
      .exec();
    expect(timestamp).toBeGreaterThanOrEqual(startMs * 1_000);
    const fake = await start({ schema: SCHEMA, clock: new FakeClock(1_000) });
    const receipt = await fake.get(HelixCqlService).query(INSERT, [1, 'x']).exec();
    expect(receipt.timestamp).toBe(1_000_000);
  });

  it('reads from A first in every run', async () => {
    for (let run = 0; run < 8; run++) {
      const app = await start({ schema: SCHEMA });
      await app.get(HelixCqlService).query('SELECT * FROM users').all();
      expect(app.get(HelixTestingClusters).A.executed).toHaveLength(1);
    }
  });

  it('reads by another strategy if it is given one', async () => {
    const readStrategy = new StickyReadStrategy({ preferred: 'B' });
    const app = await start({ schema: SCHEMA, readStrategy });
    await app.get(HelixCqlService).query('SELECT * FROM users').all();
    expect(app.get(HelixTestingClusters).B.executed).toHaveLength(1);
  });

  it('keeps named instances apart', async () => {
    @Injectable()
    class Reports {
      constructor(
        @InjectHelix(HelixCqlService, 'reports') readonly cql: HelixCqlService,
        @InjectHelix(HelixTestingClusters, 'reports') readonly clusters: HelixTestingClusters,
      ) {}
    }
    const app = await Test.createTestingModule({
      imports: [
        HelixTestingModule.forRoot({ schema: SCHEMA }),
        HelixTestingModule.forRoot({ schema: SCHEMA, name: 'reports' }),
      ],
      providers: [Reports],
    }).compile();
    modules.push(await app.init());
    const reports = app.get(Reports);
    await reports.cql.query(INSERT, [1, 'x']).exec();
    expect(reports.clusters.A.rows('users')).toHaveLength(1);
    expect(app.get(HelixTestingClusters).A.rows('users')).toEqual([]);
    expect(app.get(getHelixToken(HelixTestingClusters, 'reports'))).toBe(reports.clusters);
  });

  it('takes the place of the module of an application', async () => {
    const database = HelixModule.forRoot({ cql: { A: { contactPoints: ['10.255.255.1'] } } });
    @Module({ imports: [database] })
    class AppModule {}

    const app = await Test.createTestingModule({ imports: [AppModule] })
      .overrideModule(database)
      .useModule(HelixTestingModule.forRoot({ schema: SCHEMA }))
      .compile();
    modules.push(await app.init());
    expect(await app.get(HelixCqlService).query(INSERT, [1, 'x']).exec()).toMatchObject({ B: 'applied' });
  });

  it('without init() is not connected, and says how to be', async () => {
    const app = await make({ schema: SCHEMA });
    const failure: unknown = await app
      .get(HelixCqlService)
      .query(INSERT, [1, 'x'])
      .exec()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      errors: { A: { message: expect.stringContaining('init()') as unknown } },
    });
  });

  it('passes options on to Helix, which checks them', async () => {
    const app = await start({ schema: SCHEMA, clusterNames: { A: 'us_east', B: 'us_west' } });
    expect(app.get(HelixService).status().A.name).toBe('us_east');
    await expect(make({ priority: 'middle' as 'high' })).rejects.toThrow('priority');
  });

  it.each([
    ['a text', 'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);'],
    ['a list', ['CREATE TABLE a (id int PRIMARY KEY)', 'CREATE TABLE b (id int PRIMARY KEY)']],
    [
      'a file with a keyspace, types and indexes',
      `CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};
       USE shop; -- a comment
       CREATE TYPE point (x int, y int);
       CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY, at frozen<point>, name text) WITH comment = 'it''s a';
       CREATE INDEX ON a (name);
       CREATE TABLE shop.b (id int, c int, PRIMARY KEY ((id), c)) WITH CLUSTERING ORDER BY (c DESC)
         AND compaction = {'class': 'LeveledCompactionStrategy'} AND default_time_to_live = 60;`,
    ],
    [
      'qualified tables',
      ['CREATE TABLE shop.a (id int PRIMARY KEY)', 'CREATE TABLE shop.b (id int PRIMARY KEY)'],
    ],
  ])('takes %s for a schema', async (_, schema) => {
    const clusters = (await start({ schema })).get(HelixTestingClusters);
    expect([clusters.A.rows('a'), clusters.B.rows('b')]).toEqual([[], []]);
  });

  it('says what is wrong with a schema', async () => {
    await expect(make({ schema: 'CREATE TABLE a (id int, name text)' })).rejects.toThrow('No PRIMARY KEY');
    await expect(make({ schema: 'CREATE TABLE a (id int PRIMARY KEY,, b int)' })).rejects.toThrow(
      'Syntax error in line 1: expected a name',
    );
  });

  it('lets an application make its tables itself', async () => {
    const app = await start({});
    const cql = app.get(HelixCqlService);
    expect(await cql.onBoth(SCHEMA)).toEqual({ A: { ok: true }, B: { ok: true } });
    expect(await cql.query(INSERT, [1, 'x']).exec()).toMatchObject({ A: 'applied', B: 'applied' });
    await cql.onBoth('TRUNCATE users');
    expect(app.get(HelixTestingClusters).A.rows('users')).toEqual([]);
    await cql.onBoth('DROP TABLE users');
    await expect(cql.query('SELECT * FROM users').all()).rejects.toMatchObject({ code: 'HELIX_CLUSTER' });
  });

  it('refuses on both sides what would not converge, as Helix does on servers', async () => {
    const app = await start({
      schema: 'CREATE TABLE lists (id int PRIMARY KEY, items list<int>, n counter)',
    });
    const refused = app
      .get(HelixCqlService)
      .query('UPDATE lists SET items = ? WHERE id = 1', [[1]])
      .exec();
    await expect(refused).rejects.toMatchObject({ code: 'HELIX_HAZARD' });
  });
});
