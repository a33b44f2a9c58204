import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ClusterError, RoundRobinReadStrategy, StickyReadStrategy } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'reads';
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text, home text)']);
  // What a row says tells which cluster answered.
  for (const cluster of ['A', 'B'] as const) {
    for (let id = 0; id < 250; id++) {
      await pair[cluster].run(
        `INSERT INTO ${keyspace}.users (id, name, home) VALUES (${id}, 'n${id}', '${cluster}')`,
      );
    }
  }
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

const clusters = () => ({ A: pair.A.options(keyspace), B: pair.B.options(keyspace) });

class WatchedStickyRead extends StickyReadStrategy {
  failures = 0;

  override onFailure(cluster: 'A' | 'B'): 'A' | 'B' {
    this.failures++;
    return super.onFailure(cluster);
  }
}

describe('reads', () => {
  it('of 1,000 missing rows and 1,000 statements with a syntax error move nothing', async () => {
    const readStrategy = new WatchedStickyRead({ preferred: 'A', cooldownMs: 0 });
    const { cql, helix } = await startApplication({ cql: clusters(), readStrategy });
    for (let i = 0; i < 1_000; i++) {
      expect(await cql.query('SELECT * FROM users WHERE id = ?', [100_000 + i]).one()).toBeUndefined();
      const [wrongRead, wrongWrite] = await Promise.allSettled([
        cql.query(`SELECT nothing FROM users WHERE id = ?`, [i]).one(),
        cql.query('INSERT INTO users (id, nothing) VALUES (?, ?)', [i, 'x']).exec(),
      ]);
      expect(wrongRead).toMatchObject({
        status: 'rejected',
        reason: { cluster: 'A', code: 'HELIX_CLUSTER' },
      });
      expect(wrongWrite.status === 'rejected' && wrongWrite.reason).toBeInstanceOf(ClusterError);
    }
    expect(readStrategy.failures).toBe(0);
    expect(readStrategy.select()).toBe('A');
    expect(await helix.deadLetters.count()).toBe(0);
    const { replay } = helix.status();
    expect([replay.A.enqueued, replay.B.enqueued]).toEqual([0, 0]);
  });

  it('never fail when A fails, then B inside the cooldown while A is back', async () => {
    const readStrategy = new StickyReadStrategy({ preferred: 'A', cooldownMs: 300_000 });
    const { cql } = await startApplication({ cql: clusters(), readStrategy, readTimeoutMs: 500 });
    const home = () => cql.query<{ home: string }>('SELECT home FROM users WHERE id = ?', [1]).one();
    await expect(home()).resolves.toEqual({ home: 'A' });

    pair.A.proxy.refuse();
    for (let i = 0; i < 50; i++) expect(await home()).toEqual({ home: 'B' });
    pair.A.proxy.pass();
    await expect
      .poll(
        () =>
          cql
            .session('A')
            .execute('SELECT key FROM system.local')
            .then(
              () => true,
              () => false,
            ),
        { timeout: 20_000 },
      )
      .toBe(true);
    expect(await home()).toEqual({ home: 'B' });

    pair.B.proxy.refuse();
    for (let i = 0; i < 50; i++) expect(await home()).toEqual({ home: 'A' });
    pair.B.proxy.blackHole();
    expect(await home()).toEqual({ home: 'A' });
  });

  it('fail over from a frozen cluster after readTimeoutMs', async () => {
    const { cql } = await startApplication({
      cql: clusters(),
      readStrategy: new StickyReadStrategy({ preferred: 'A' }),
      readTimeoutMs: 300,
    });
    pair.A.freeze();
    const startMs = Date.now();
    await expect(cql.query('SELECT home FROM users WHERE id = ?', [1]).values()).resolves.toEqual(['B']);
    expect(Date.now() - startMs).toBeLessThan(1_500);
  });

  it('give every row of every page, all from one cluster', async () => {
    const { cql } = await startApplication({ cql: clusters(), readStrategy: new RoundRobinReadStrategy() });
    for (const expected of ['A', 'B']) {
      const rows = await cql
        .query<{ id: number; home: string }>('SELECT id, home FROM users')
        .pageSize(40)
        .all();
      expect(rows.map(({ id }) => id).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 250 }, (_, i) => i),
      );
      expect(new Set(rows.map(({ home }) => home))).toEqual(new Set([expected]));
    }
  });

  it('take parameters by position and by name', async () => {
    const { cql } = await startApplication({ cql: clusters() });
    await expect(cql.query('SELECT name FROM users WHERE id = :id', { id: 3 }).values()).resolves.toEqual([
      'n3',
    ]);
    await expect(cql.query('SELECT name FROM users WHERE id = ?', [4]).one()).resolves.toEqual({
      name: 'n4',
    });
    await expect(cql.query('SELECT name FROM users WHERE id = ?', ['four']).one()).rejects.toMatchObject({
      code: 'HELIX_CLUSTER',
    });
  });
});
