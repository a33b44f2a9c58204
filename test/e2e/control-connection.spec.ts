import { afterEach, beforeAll, expect, it } from 'vitest';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'control_connection';
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

it('a cluster that freezes or vanishes just after a reconnect does not end the process', async () => {
  // Listening makes the test runner blind to them, so they are counted here.
  const unhandled: unknown[] = [];
  const warnings: Error[] = [];
  const onUnhandled = (reason: unknown): number => unhandled.push(reason);
  const onWarning = (warning: Error): number => warnings.push(warning);
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', onUnhandled);
  process.on('warning', onWarning);
  try {
    const { cql } = await startApplication({
      cql: {
        A: pair.A.options(keyspace),
        B: { ...pair.B.options(keyspace), socketOptions: { connectTimeout: 500, readTimeout: 500 } },
      },
      writeTimeoutMs: 200,
    });
    const write = (id: number) => cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, 'x']).exec();
    const isBack = () =>
      cql
        .session('B')
        .execute('SELECT key FROM system.local')
        .then(
          () => true,
          () => false,
        );
    for (let round = 0; round < 6; round++) {
      pair.B.proxy.reset();
      await write(round);
      await expect.poll(isBack, { timeout: 20_000, interval: 5 }).toBe(true);
      if (round % 2 === 0) pair.B.freeze();
      else pair.B.proxy.blackHole();
      for (let i = 0; i < 5; i++) expect((await write(i)).A).toBe('applied');
      pair.B.proxy.refuse();
      await write(round);
      await pair.B.heal();
      await expect.poll(isBack, { timeout: 20_000 }).toBe(true);
    }
    expect(unhandled).toEqual([]);
    expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
  } finally {
    process.off('unhandledRejection', onUnhandled);
    process.off('warning', onWarning);
    for (const listener of before) process.on('unhandledRejection', listener);
  }
});
