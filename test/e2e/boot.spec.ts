import { execFile } from 'node:child_process';
import type { INestApplication } from '@nestjs/common';
import request from 'supertest';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NoAvailableClusterError } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, startHttpApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'boot';
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

const options = () => ({
  cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
  writeTimeoutMs: 500,
});
function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(command, args, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr });
    });
  });
}

const get = (app: INestApplication, path: string) => request(app.getHttpServer() as never).get(path);

describe('booting', () => {
  it('with B down starts, is degraded but ready, and heals B when it appears', async () => {
    await pair.B.kill();
    const { app, cql, helix } = await startHttpApplication(options());

    const ready = await get(app, '/health/ready');
    expect([ready.status, ready.body]).toEqual([200, expect.objectContaining({ status: 'degraded' })]);
    expect(await get(app, '/health')).toMatchObject({ status: 503 });

    for (let id = 0; id < 20; id++) {
      const receipt = await cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, `n${id}`]).exec();
      expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    }
    await expect(cql.query('SELECT name FROM users WHERE id = ?', [7]).values()).resolves.toEqual(['n7']);

    await pair.B.heal();
    await helix.syncPoint({ timeoutMs: 60_000 });
    await expect(pair).toBeEqualCellByCell(keyspace, 'users', 20);
    expect(helix.status().replay).toAddUp();
    const recovered = await get(app, '/health/ready');
    expect([recovered.status, recovered.body]).toEqual([200, expect.objectContaining({ status: 'ok' })]);
    expect(await get(app, '/health')).toMatchObject({ status: 200 });
  });

  it.each(['any', 'both'] as const)(
    "with both down and connect: '%s' fails within its time-out and names the hosts",
    async (connect) => {
      pair.A.proxy.refuse();
      pair.B.proxy.refuse();
      const startMs = Date.now();
      const failure: unknown = await startApplication({
        ...options(),
        connect,
        connectTimeoutMs: 1_500,
      }).catch((error: unknown) => error);
      expect(Date.now() - startMs).toBeLessThan(4_000);
      expect(failure).toBeInstanceOf(NoAvailableClusterError);
      for (const { proxy } of [pair.A, pair.B]) {
        expect((failure as Error).message).toContain(`${proxy.host}:${proxy.port}`);
      }
    },
  );

  it('with both down ends the process with the reason, though nothing else keeps it alive', async () => {
    pair.A.proxy.refuse();
    pair.B.proxy.refuse();
    const settings = JSON.stringify({ ...options(), connectTimeoutMs: 1_500 });
    const ended = await run(process.execPath, ['--import', 'tsx', 'test/e2e/apps/boot.ts', settings]);
    expect(ended.code).toBe(1);
    expect(ended.output).toContain('could not connect within connectTimeoutMs = 1500 ms');
  });

  it("with a black hole before B and connect: 'any' waits 2 s for it, then starts", async () => {
    pair.B.proxy.blackHole();
    const startMs = Date.now();
    await startApplication(options());
    expect(Date.now() - startMs).toBeGreaterThan(1_900);
    expect(Date.now() - startMs).toBeLessThan(5_000);
  });

  it("with both down and connect: 'lazy' starts, alive but not ready, and serves once they are there", async () => {
    pair.A.proxy.refuse();
    pair.B.proxy.refuse();
    const { app, cql } = await startHttpApplication({ ...options(), connect: 'lazy' });
    expect(await get(app, '/health/ready')).toMatchObject({ status: 503 });
    expect(await get(app, '/health/live')).toMatchObject({ status: 200 });
    await expect(cql.query('SELECT name FROM users WHERE id = 1').one()).rejects.toBeInstanceOf(
      NoAvailableClusterError,
    );

    pair.A.proxy.pass();
    pair.B.proxy.pass();
    await expect.poll(async () => (await get(app, '/health/ready')).status, { timeout: 20_000 }).toBe(200);
    await expect(cql.query('SELECT count(*) FROM users').values()).resolves.toHaveLength(1);
  });

  it('and then losing both is alive but not ready', async () => {
    const { app } = await startHttpApplication(options());
    expect(await get(app, '/health/ready')).toMatchObject({ status: 200 });
    await Promise.all([pair.A.kill(), pair.B.kill()]);
    expect(await get(app, '/health/ready')).toMatchObject({ status: 503 });
    expect(await get(app, '/health/live')).toMatchObject({ status: 200 });
  });

  it('answers a health check in time when a cluster is frozen', async () => {
    const { app } = await startHttpApplication(options());
    pair.B.freeze();
    const startMs = Date.now();
    const ready = await get(app, '/health/ready');
    expect([ready.status, ready.body]).toEqual([200, expect.objectContaining({ status: 'degraded' })]);
    expect(Date.now() - startMs).toBeLessThan(2_000);
  });
});

describe('single-cluster mode', () => {
  it('passes statements through and calls B absent', async () => {
    const { cql, helix } = await startApplication({ cql: { A: pair.A.options(keyspace) } });
    const receipt = await cql
      .query("INSERT INTO users (id, name) VALUES (1000, 'solo') IF NOT EXISTS")
      .exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'absent' });
    expect([cql.isSingleCluster, helix.status().B]).toEqual([true, undefined]);
  });

  it('fails with the outcome of its one cluster', async () => {
    const { cql } = await startApplication({ cql: { A: pair.A.options(keyspace) }, writeTimeoutMs: 300 });
    pair.A.freeze();
    await expect(cql.query('INSERT INTO users (id, name) VALUES (1, ?)', ['x']).exec()).rejects.toMatchObject(
      {
        code: 'HELIX_CLUSTER',
        cluster: 'A',
      },
    );
  });
});
