import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Envelope } from '../../../lib/index.js';
import type { TestApplication } from '../support/application.js';
import { block } from './event-loop.js';
import { Ground, writing } from './ground.js';
import type { Call } from './steady-load.js';

const MISSED = 100;

type Written = Pick<Call, 'id' | 'receipt'>;

let ground: Ground;

beforeAll(async () => {
  ground = await Ground.prepare('slow_cluster');
});

afterEach(() => ground.leave());

/** B misses some writes, comes back and answers everything, but as late as that. */
async function comesBackSlow(
  application: TestApplication,
  table: string,
  roundTripMs: number,
): Promise<Written[]> {
  const { B } = ground.pair;
  const write = writing(application, table);
  const calls: Written[] = [];
  const writeOne = async (id: number): Promise<void> => {
    const receipt = await write(id);
    calls.push({ id, ...(receipt && { receipt }) });
  };
  await writeOne(0);
  B.proxy.refuse();
  for (let id = 1; id <= MISSED; id++) await writeOne(id);
  B.proxy.latency(roundTripMs / 2);
  await expect.poll(() => application.helix.status().B?.state, { timeout: 30_000 }).toBe('catchingUp');
  return calls;
}

describe('a cluster that answers everything, but late', () => {
  it('gets what it has missed also at a round trip of 2.5 s', async () => {
    const table = await ground.table();
    const application = await ground.start();
    const { helix } = application;
    const calls = await comesBackSlow(application, table, 2_500);
    await expect
      .poll(() => helix.status().replay.B.applied, { timeout: 60_000, interval: 100 })
      .toBeGreaterThan(0);
    expect(helix.status().B?.state).toBe('catchingUp');
    await ground.expectNothingLost(helix, table, calls);
  });

  it('gets it before the application ends, once its replay has begun', async () => {
    const table = await ground.table();
    const lost: Envelope[] = [];
    const application = await ground.start({ onReplayDropped: (envelope) => void lost.push(envelope) });
    const { helix } = application;
    await comesBackSlow(application, table, 300);
    await expect.poll(() => helix.status().replay.B.applied, { timeout: 30_000 }).toBeGreaterThan(0);
    expect(helix.status().replay.B.queued).toBeGreaterThan(0);
    await helix.close();
    expect(lost).toEqual([]);
    await ground.heal();
    await expect(ground.pair).toBeEqualCellByCell(ground.keyspace, table, MISSED + 1);
  });
});

describe('a process that is busy again and again', () => {
  it.each([
    [120, 30],
    [300, 50],
  ])('for %d ms of work and %d ms of rest finds out that a cluster hangs', async (workMs, restMs) => {
    const table = await ground.table();
    const application = await ground.start({ cql: ground.direct });
    const write = writing(application, table);
    await write(0);
    ground.pair.B.freeze();
    let isBusy = true;
    const work = (): void => {
      block(workMs);
      if (isBusy) setTimeout(work, restMs);
    };
    work();
    try {
      const startMs = performance.now();
      const receipt = await write(1);
      expect(receipt).toMatchObject({ A: 'applied', B: 'pending' });
      await expect.poll(() => application.helix.status().B?.breaker, { timeout: 8_000 }).not.toBe('closed');
      expect(performance.now() - startMs).toBeLessThan(6_000);
    } finally {
      isBusy = false;
    }
    await ground.expectNothingLost(application.helix, table, []);
  });
});
