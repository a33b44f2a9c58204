import { afterEach, beforeAll, expect, it } from 'vitest';
import {
  CircuitBreaker,
  DualClusterError,
  OperationAbortedError,
  SyncDualWriteStrategy,
  type WriteReceipt,
} from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { cellsOfBoth } from './support/cells.js';
import { clusterPair, createKeyspace, type TestCluster, type TestPair } from './support/clusters.js';

const keyspace = 'cancellation';
const WRITES = 800;
const FAULT_EVERY = 25;
let pair: TestPair;
let tables = 0;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, []);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

const faults: readonly ((cluster: TestCluster) => unknown)[] = [
  (cluster) => cluster.proxy.blackHole(),
  (cluster) => cluster.proxy.refuse(),
  (cluster) => cluster.proxy.reset(),
  (cluster) => cluster.proxy.latency(20),
  (cluster) => cluster.freeze(),
  (cluster) => cluster.heal(),
];

const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** From before anything is sent (-1) to long after its time is over; half of them while a well cluster answers. */
function randomMoment(): number {
  const kind = Math.random();
  if (kind < 0.1) return -1;
  return kind < 0.6 ? Math.random() * 2 : Math.random() ** 3 * 400;
}

type Ending =
  | { readonly kind: 'receipt'; readonly receipt: WriteReceipt }
  | { readonly kind: 'aborted' | 'failed'; readonly outcome: 'notApplied' | 'unknown' };

async function endingOf(write: Promise<WriteReceipt>): Promise<Ending> {
  try {
    return { kind: 'receipt', receipt: await write };
  } catch (error) {
    if (error instanceof OperationAbortedError) return { kind: 'aborted', outcome: error.outcome };
    if (error instanceof DualClusterError) return { kind: 'failed', outcome: error.outcome };
    throw error;
  }
}

it.each([
  ['both at once', undefined],
  ['A before B', new SyncDualWriteStrategy()],
])(
  `loses no write and no trace of one that is aborted at a random moment (%s)`,
  async (_name, writeStrategy) => {
    const { cql, helix } = await startApplication({
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
      writeTimeoutMs: 300,
      failoverPolicy: new CircuitBreaker({ resetTimeoutMs: 200 }),
      ...(writeStrategy && { writeStrategy }),
    });
    const table = `t${++tables}`;
    expect(await cql.onBoth(`CREATE TABLE ${table} (id int PRIMARY KEY, v int)`)).toEqual({
      A: { ok: true },
      B: { ok: true },
    });
    const insert = `INSERT INTO ${table} (id, v) VALUES (?, ?)`;
    const endings: Promise<Ending>[] = [];
    for (let id = 0; id < WRITES; id++) {
      if (id % FAULT_EVERY === FAULT_EVERY - 1) {
        const hurt = pick(['A', 'B'] as const);
        await pair[hurt === 'A' ? 'B' : 'A'].heal();
        await pick(faults)(pair[hurt]);
      }
      const controller = new AbortController();
      const afterMs = randomMoment();
      if (afterMs < 0) controller.abort(new Error('the caller has gone'));
      const write = cql.query(insert, [id, id]).withSignal(controller.signal);
      if (id % 4 === 3) write.withTimeout(1 + Math.random() * 100);
      endings.push(endingOf(write.exec()));
      if (afterMs >= 0) setTimeout(() => controller.abort(new Error('the caller has gone')), afterMs);
      await pause(Math.random() * 4);
    }
    const results = await Promise.all(endings);
    await Promise.all([pair.A.heal(), pair.B.heal()]);
    await helix.syncPoint({ timeoutMs: 60_000 });

    const { A, B } = await cellsOfBoth(pair, keyspace, table);
    expect(A).toEqual(B);
    const present = new Set(A.map((row) => (JSON.parse(row) as { id: number }).id));
    results.forEach((ending, id) => {
      const isThere = present.has(id);
      if (ending.kind === 'receipt') expect([id, isThere]).toEqual([id, true]);
      else if (ending.outcome === 'notApplied') expect([id, isThere]).toEqual([id, false]);
    });
    // The moments were random, and all kinds of them occurred; many before the write had its answer.
    const count = (kind: string, outcome?: string): number =>
      results.filter(
        (ending) => ending.kind === kind && (!outcome || ('outcome' in ending && ending.outcome === outcome)),
      ).length;
    expect(count('aborted', 'notApplied')).toBeGreaterThan(20);
    expect(count('aborted')).toBeGreaterThanOrEqual(200);
    expect(count('receipt')).toBeGreaterThan(20);
    const status = helix.status();
    expect(status.replay).toAddUp();
    expect(status.lost).toBe(0);
    expect(await helix.deadLetters.count()).toBe(0);
    await expect.poll(() => [helix.status().A.inFlight, helix.status().B?.inFlight]).toEqual([0, 0]);
  },
);
