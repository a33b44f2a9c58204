import { afterEach, beforeAll, expect, it } from 'vitest';
import { ClusterError } from '../../lib/index.js';
import { AlwaysFirst } from './support/always-first.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'freshness';
const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const SELECT = 'SELECT name FROM users WHERE id = ?';
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

/** Reads prefer B, whose rows are old while its replay is held back. */
async function startWithStaleB(maxReadLagMs: number) {
  const { cql, helix } = await startApplication({
    cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
    // The driver may lose a connection once more after it has come back: that must not move the preference.
    readStrategy: new AlwaysFirst('B'),
    maxReadLagMs,
  });
  const nameOf = async (id: number) => (await cql.query<{ name: string }>(SELECT, [id]).one())?.name;
  const isBWell = async (): Promise<boolean> => {
    const answers = await helix.ping('B').then(
      () => true,
      () => false,
    );
    return answers && helix.status().B?.breaker === 'closed';
  };
  const writeWithoutB = async (id: number, name: string): Promise<void> => {
    pair.B.proxy.refuse();
    try {
      const receipt = await cql.query(INSERT, [id, name]).exec();
      expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    } finally {
      pair.B.proxy.pass();
    }
  };
  helix.pauseReplay('B');
  return { cql, helix, nameOf, isBWell, writeWithoutB };
}

it('asks a side last while it is too far behind, and first again when it has caught up', async () => {
  const { cql, helix, nameOf, isBWell, writeWithoutB } = await startWithStaleB(300);
  await cql.query(INSERT, [1, 'old']).exec();
  await writeWithoutB(1, 'new');
  await expect.poll(isBWell, { timeout: 20_000 }).toBe(true);
  // Only B has it: what is read says which side was asked.
  await pair.B.run(`INSERT INTO ${keyspace}.users (id, name) VALUES (2, 'only on B')`);
  await expect.poll(() => nameOf(2), { timeout: 5_000 }).toBeUndefined();
  expect(await nameOf(1)).toBe('new');
  helix.resumeReplay('B');
  await helix.syncPoint({ timeoutMs: 20_000 });
  await expect.poll(() => nameOf(2), { timeout: 5_000 }).toBe('only on B');
  expect(await nameOf(1)).toBe('new');
});

it('lets a call read what it has written, or fail, but never what was there before', async () => {
  const { cql, helix, nameOf, isBWell, writeWithoutB } = await startWithStaleB(60_000);
  await cql.query(INSERT, [3, 'old']).exec();
  await writeWithoutB(3, 'from elsewhere');
  await expect.poll(isBWell, { timeout: 20_000 }).toBe(true);
  await expect.poll(() => nameOf(3), { timeout: 5_000 }).toBe('old');

  await helix.dualWrite({}, async () => {
    await writeWithoutB(3, 'own');
    await expect.poll(isBWell, { timeout: 20_000 }).toBe(true);
    expect(await nameOf(3)).toBe('own');
    pair.A.proxy.refuse();
    const failure: unknown = await nameOf(3).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ClusterError);
    expect(String(failure)).toContain('has not got what this call has written');
  });
  // Outside the call B answers, as it did before.
  await expect.poll(() => nameOf(3), { timeout: 5_000 }).toBe('old');
  pair.A.proxy.pass();
  helix.resumeReplay('B');
  await helix.syncPoint({ timeoutMs: 20_000 });
  await expect.poll(() => nameOf(3), { timeout: 5_000 }).toBe('own');
});
