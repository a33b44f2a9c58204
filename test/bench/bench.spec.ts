import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeToBoth } from './by-hand.js';
import { COMPARISONS } from './comparisons.js';
import { compare, type Comparison, pool, type Settings } from './harness.js';
import { bootHelix } from './helix-app.js';
import { startStub, type Stub } from './stub.js';
import { insertText, selectText, USERS } from './tables.js';

const smoke: Settings = { pairs: 2, roundMs: 10, warmUpMs: 20 };

function find(name: string): Comparison {
  return COMPARISONS.find((each) => each.name === name)!;
}

describe('the harness', () => {
  it.each(['fakes/single', 'fakes/dual', 'fakes/dual-64', 'fakes/read'])('compares %s', async (name) => {
    const comparison = find(name);
    const result = await compare(comparison, smoke);

    expect(result.rounds).toHaveLength(smoke.pairs);
    expect(result.operationsPerRound).toBeGreaterThanOrEqual(comparison.inFlight);
    const { timeRatio, cpuRatio, handWritten, helix } = result;
    for (const value of [timeRatio.median, handWritten.nsPerOp, helix.nsPerOp, helix.opsPerSecond]) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThan(Number.POSITIVE_INFINITY);
    }
    expect(cpuRatio.max).not.toBeNaN();
    expect(timeRatio.min).toBeLessThanOrEqual(timeRatio.max);
  });

  it('pools what several processes have found', async () => {
    const [one, other] = [await compare(find('fakes/dual'), smoke), await compare(find('fakes/dual'), smoke)];
    const pooled = pool([one, other]);

    expect(pooled.pairs).toBe(2 * smoke.pairs);
    expect(pooled.timeRatio.min).toBe(Math.min(one.timeRatio.min, other.timeRatio.min));
    expect(pooled.timeRatio.max).toBe(Math.max(one.timeRatio.max, other.timeRatio.max));
  });

  it('finds a dual write to cost no more than three times the hand-written one', async () => {
    const dual = find('fakes/dual-encoding');
    const { timeRatio } = await compare(dual, { pairs: 6, roundMs: 20, warmUpMs: 200 });

    expect(timeRatio.median).toBeLessThan(3);
  });
});

describe('the stub servers', () => {
  let a: Stub;
  let b: Stub;
  let booted: Awaited<ReturnType<typeof bootHelix>>;

  beforeAll(async () => {
    [a, b] = await Promise.all([startStub(), startStub()]);
    booted = await bootHelix({ A: a.clientOptions, B: b.clientOptions });
  });

  afterAll(async () => {
    await booted.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  it('are both sent the same bytes at the same write time by Helix', async () => {
    const { helix } = booted;
    a.record();
    b.record();
    const params = Array.from({ length: 20 }, (_, index) => USERS.row(index));
    const receipts = await Promise.all(params.map((row) => helix.query(insertText(USERS), row).exec()));

    const [onA, onB] = await Promise.all([a.received(), b.received()]);
    expect(onA).toHaveLength(params.length);
    expect(onB).toEqual(onA);
    expect(onA.map(({ timestampUs }) => timestampUs)).toEqual(receipts.map(({ timestamp }) => timestamp));
    expect(onA.map(({ values }) => values[0]![0])).toEqual(
      params.map(([id]) => String(id).replaceAll('-', '')),
    );
  });

  it('are sent the same by hand and by Helix, batches included', async () => {
    const { helix } = booted;
    const [text, row] = [insertText(USERS), USERS.row(1)];
    a.record();
    const byHand = await writeToBoth(helix.session('A'), helix.session('B'), text, row);
    await helix.query(text, row).exec();
    await helix.batch().add(text, row).exec();

    const received = await a.received();
    expect(received.map(({ values }) => values)).toEqual(Array(3).fill(received[0]!.values));
    expect(received[0]!.timestampUs).toBe(byHand.timestamp);
  });

  it('answer a read with one row', async () => {
    const row = await booted.helix.query(selectText(USERS), USERS.row(0).slice(0, 1)).one();

    expect(row).toMatchObject({ name: 'Somebody of that name', age: 42 });
  });
});
