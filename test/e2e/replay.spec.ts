import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ActiveFailover, type WriteReceipt } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { cells } from './support/cells.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'replayed';
const rows = 60;
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  for (const name of [keyspace, 'unavailable']) {
    await createKeyspace(pair, name, ['CREATE TABLE $ks.t (id int PRIMARY KEY, name text)']);
  }
});

afterEach(async () => {
  await pair.B.heal();
  await stopApplications();
});

async function replicas(count: number): Promise<void> {
  await pair.B.run(
    `ALTER KEYSPACE unavailable WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${count}}`,
  );
}

describe('Replay to a cluster that answers and cannot take everything', () => {
  it('is not held up by what it cannot take, and brings that too once it can', async () => {
    // On one node there are no two replicas: it answers every ping, and every write there that it is unavailable.
    await replicas(2);
    const { cql, helix } = await startApplication({
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
      failoverPolicy: new ActiveFailover(),
      writeTimeoutMs: 500,
    });
    const write = (table: string) =>
      Promise.all(
        Array.from({ length: rows }, (_, id) =>
          cql.query(`INSERT INTO ${table} (id, name) VALUES (?, ?)`, [id, `name ${id}`]).exec(),
        ),
      );
    const areQueued = (receipts: readonly WriteReceipt[]): boolean =>
      receipts.every(({ A, B }) => A === 'applied' && B === 'queued');
    await pair.B.kill();
    expect(areQueued(await write('unavailable.t'))).toBe(true);
    expect(areQueued(await write('t'))).toBe(true);
    await pair.B.heal();

    const onA = await cells(pair.A, keyspace, 't');
    const onB = (): Promise<string[]> => cells(pair.B, keyspace, 't');
    await expect
      .poll(onB, { timeout: 20_000, interval: 100, message: 'B has what it can take' })
      .toEqual(onA);
    expect(helix.status().replay.B).toMatchObject({ applied: rows, deadLettered: 0 });

    await replicas(1);
    await helix.syncPoint({ timeoutMs: 60_000 });
    await expect(pair).toBeEqualCellByCell('unavailable', 't', rows);
    expect(helix.status().replay).toAddUp();
    expect(helix.status().replay.B).toMatchObject({ applied: 2 * rows, deadLettered: 0 });
  });
});
