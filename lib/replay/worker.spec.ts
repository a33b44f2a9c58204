import { describe, expect, it, vi } from 'vitest';
import { envelope, envelopes } from '../../test/support/envelope.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { Watched } from '../../test/support/fake-operations.js';
import { fakeWatch } from '../../test/support/fake-watch.js';
import { connectionError, FakeTarget, ObservedReplayer } from '../../test/support/replay.js';
import {
  type ClusterId,
  type Envelope,
  HelixConfigError,
  HelixUsageError,
  type SettledOutcome,
} from '../core/index.js';
import type { ReplayHooks } from './hooks.js';
import { ReplayWorker } from './worker.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function setUp(
  hooks: ReplayHooks = {},
  failover = { mayReplayTo: () => true },
  label = (cluster: ClusterId) => `cluster ${cluster}`,
) {
  const clock = new FakeClock();
  const givenUp = new Set<ClusterId>();
  const replayer = new ObservedReplayer();
  await replayer.open({ namespace: 'shop', clock, describe: () => ({ statement: 'INSERT …' }) });
  const a = new FakeTarget(clock);
  const b = new FakeTarget(clock);
  const lines: string[] = [];
  const worker = new ReplayWorker({
    replayer,
    targets: { A: a, B: b },
    failover,
    watch: fakeWatch(clock, givenUp),
    namespace: 'shop',
    clock,
    options: { executeTimeoutMs: 30_000, ...hooks },
    label,
    log: (level, message) => lines.push(`${level}: ${message}`),
    random: () => 1 - Number.EPSILON,
  });
  return { clock, givenUp, replayer, a, b, lines, worker };
}

/** As {@link setUp}, and both lanes have found their targets. */
async function started(hooks?: ReplayHooks) {
  const all = await setUp(hooks);
  all.worker.start();
  await all.clock.advance(1);
  return all;
}

const failing = (kind: 'unreached' | 'blocked' | 'ambiguous' | 'rejected'): SettledOutcome => ({
  kind,
  error: connectionError(),
});
const onA = (list: Envelope[]): Envelope[] => list.map((one) => ({ ...one, cluster: 'A' }));

describe('ReplayWorker', () => {
  it('applies to each cluster what it has missed', async () => {
    const { clock, replayer, a, b } = await started();
    await replayer.enqueue([...onA(envelopes('a', 3)), ...envelopes('b', 3)]);
    await clock.advance(100);
    expect(a.applied).toEqual(['a1', 'a2', 'a3']);
    expect(b.applied).toEqual(['b1', 'b2', 'b3']);
  });

  it('raises its concurrency also when answers come together, as from one packet', async () => {
    const { clock, replayer, b } = await started();
    const waiting: (() => void)[] = [];
    b.apply = ({ operationId }) =>
      new Promise((resolve) => {
        waiting.push(() => {
          b.applied.push(operationId);
          resolve({ kind: 'applied' });
        });
      });
    await replayer.enqueue(envelopes('e', 300));
    for (let packet = 0; packet < 60; packet++) {
      await clock.advance(10);
      for (const answer of waiting.splice(0)) answer();
    }
    await clock.advance(10);
    expect(b.applied).toHaveLength(300);
  });

  it('delivers nothing before its target has answered a ping', async () => {
    const { clock, replayer, b, worker } = await setUp();
    b.isUp = false;
    await replayer.enqueue([envelope('e')]);
    worker.start();
    await clock.advance(MINUTE);
    expect(b.executions).toBe(0);
    expect(worker.isOpen('B')).toBe(false);
    b.isUp = true;
    await clock.advance(6_000);
    expect(worker.isOpen('B')).toBe(true);
    expect(b.applied).toEqual(['e']);
  });

  it('raises its concurrency while the target stays quick', async () => {
    const { clock, replayer, b } = await started();
    b.latencyMs = 10;
    await replayer.enqueue(envelopes('e', 5_000));
    await clock.advance(700);
    expect(replayer.lanes.B?.concurrency).toBeGreaterThan(30);
    expect(b.inFlight).toBe(replayer.lanes.B?.concurrency);
  });

  it('leaves a target alone while it may not be replayed to, pings included, and asks anew each time', async () => {
    let mayReplay = false;
    const { clock, replayer, b, worker } = await setUp({}, { mayReplayTo: () => mayReplay });
    await replayer.enqueue([envelope('e1')]);
    worker.start();
    await clock.advance(MINUTE);
    expect([b.pingedAtMs, b.executions]).toEqual([[], 0]);
    mayReplay = true;
    await clock.advance(10_000);
    expect(b.applied).toEqual(['e1']);
    mayReplay = false;
    const pings = b.pingedAtMs.length;
    await replayer.enqueue([envelope('e2')]);
    await clock.advance(MINUTE);
    expect([b.pingedAtMs.length, b.executions]).toEqual([pings, 1]);
    mayReplay = true;
    await clock.advance(10_000);
    expect(b.applied).toEqual(['e1', 'e2']);
  });

  it('serves one cluster when there is only one', async () => {
    const clock = new FakeClock();
    const replayer = new ObservedReplayer();
    await replayer.open({ namespace: 'shop', clock, describe: () => ({ statement: '' }) });
    const target = new FakeTarget(clock);
    const worker = new ReplayWorker({
      replayer,
      targets: { A: target },
      namespace: 'shop',
      clock,
      options: { executeTimeoutMs: 1_000 },
    });
    worker.pause('B');
    worker.start();
    worker.resume('B');
    await replayer.enqueue(onA([envelope('e')]));
    await clock.advance(10);
    expect(target.applied).toEqual(['e']);
    expect(worker.isOpen('B')).toBe(false);
    await worker.stop();
  });

  it('starts once', async () => {
    const { worker } = await started();
    expect(() => worker.start()).toThrow(HelixUsageError);
    await worker.stop();
    expect(() => worker.start()).toThrow(HelixUsageError);
  });

  it.each([0, -1, NaN, Infinity])('refuses executeTimeoutMs %d', async (executeTimeoutMs) => {
    const { replayer, clock, a } = await setUp();
    const options = { executeTimeoutMs };
    expect(
      () => new ReplayWorker({ replayer, targets: { A: a }, namespace: 'shop', clock, options }),
    ).toThrow(HelixConfigError);
  });
});

describe('ReplayWorker while a target is down', () => {
  it.each(['unreached', 'ambiguous'] as const)('does not delay the other side (%s)', async (whileDown) => {
    const { clock, replayer, a, b } = await started();
    a.isUp = false;
    a.whileDown = whileDown;
    await replayer.enqueue([...onA(envelopes('a', 100)), ...envelopes('b', 100)]);
    await clock.advance(200);
    expect(b.applied).toHaveLength(100);
  });

  it('does not delay the other side when it does not answer at all', async () => {
    const { clock, replayer, a, b } = await started();
    a.latencyMs = HOUR;
    await replayer.enqueue([...onA(envelopes('a', 100)), ...envelopes('b', 100)]);
    await clock.advance(200);
    expect(b.applied).toHaveLength(100);
  });

  it.each(['unreached', 'ambiguous'] as const)(
    'loses nothing and burns no attempt in an hour (%s)',
    async (whileDown) => {
      const { clock, replayer, b } = await started();
      b.isUp = false;
      b.whileDown = whileDown;
      await replayer.enqueue(envelopes('e', 500));
      await clock.advance(HOUR);
      expect((await replayer.stats()).B).toMatchObject({
        queued: 500,
        inFlight: 0,
        deadLettered: 0,
        open: false,
      });
      expect(b.executions).toBe(1);
      b.isUp = true;
      await clock.advance(6_000);
      expect(b.applied).toHaveLength(500);
      expect(replayer.deliveries.every(({ attempts }) => attempts === 0)).toBe(true);
    },
  );

  it('keeps the order of what waits', async () => {
    const { clock, replayer, b } = await started();
    b.latencyMs = 10;
    await replayer.enqueue(envelopes('warm', 300));
    await clock.advance(900);
    b.isUp = false;
    await clock.advance(MINUTE);
    const applied = b.applied.length;
    b.isUp = true;
    await clock.advance(10_000);
    const expected = envelopes('warm', 300).map(({ operationId }) => operationId);
    expect(b.applied.slice(applied)).toEqual(expected.slice(applied));
  });

  it('pings it 100 ms apart at first and 2 s at most', async () => {
    const { clock, replayer, b } = await started();
    b.isUp = false;
    await replayer.enqueue([envelope('e')]);
    b.pingedAtMs.length = 0;
    await clock.advance(11_000);
    const gaps = b.pingedAtMs.slice(1).map((at, index) => at - b.pingedAtMs[index]! - b.latencyMs);
    expect(gaps).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  });

  it('starts again with one delivery at a time', async () => {
    const { clock, replayer, b } = await started();
    b.latencyMs = 10;
    await replayer.enqueue(envelopes('e', 5_000));
    await clock.advance(700);
    expect(b.inFlight).toBeGreaterThan(10);
    b.isUp = false;
    await clock.advance(MINUTE);
    b.isUp = true;
    while (b.inFlight === 0) await clock.advance(1);
    expect(b.inFlight).toBe(1);
  });

  it('asks once when many deliveries fail together', async () => {
    const { clock, replayer, b } = await started();
    b.latencyMs = 10;
    b.whileDown = 'ambiguous';
    await replayer.enqueue(envelopes('e', 5_000));
    await clock.advance(700);
    const together = b.inFlight;
    b.pingedAtMs.length = 0;
    b.isUp = false;
    await clock.advance(19);
    expect(together).toBeGreaterThan(10);
    expect(b.pingedAtMs).toHaveLength(1);
    await clock.advance(1);
    expect((await replayer.stats()).B).toMatchObject({ inFlight: 0, open: false });
  });

  it('holds new deliveries while it waits for the answer to a ping', async () => {
    const { clock, replayer, b } = await started();
    b.outcomes.set('doubt', failing('ambiguous'));
    await replayer.enqueue([envelope('doubt'), envelope('next')]);
    b.latencyMs = 50;
    await clock.advance(50);
    expect(b.executions).toBe(1);
    await clock.advance(60);
    expect(b.executions).toBe(2);
  });

  it('does not believe a delivery that was sent before the outage', async () => {
    const { clock, replayer, b, worker } = await started();
    b.latencyMs = 10;
    await replayer.enqueue(envelopes('warm', 16));
    await clock.advance(170);
    let answerLate: (outcome: SettledOutcome) => void = () => undefined;
    const apply = b.apply.bind(b);
    vi.spyOn(b, 'apply').mockImplementationOnce(() => new Promise((resolve) => (answerLate = resolve)));
    await replayer.enqueue([envelope('late'), envelope('e')]);
    b.isUp = false;
    await clock.advance(30);
    expect(worker.isOpen('B')).toBe(false);
    b.isUp = true;
    vi.mocked(b.apply).mockImplementation(apply);
    await clock.advance(1_000);
    expect(worker.isOpen('B')).toBe(true);
    answerLate(failing('unreached'));
    await clock.settle();
    expect(worker.isOpen('B')).toBe(true);
    await clock.advance(100);
    expect(b.applied).toContain('late');
  });

  it('treats a target that ignores its time limits as down', async () => {
    const { clock, replayer, b, worker } = await started();
    b.latencyMs = HOUR;
    await replayer.enqueue([envelope('e')]);
    await clock.advance(31_000 + 6_000);
    expect(worker.isOpen('B')).toBe(false);
    expect((await replayer.stats()).B).toMatchObject({ queued: 1, inFlight: 0 });
  });
});

describe('ReplayWorker and single outcomes', () => {
  it.each(['unreached', 'blocked'] as const)(
    '%s: puts it back, closes and pings, and keeps its place when that is not answered',
    async (kind) => {
      const { clock, replayer, b, worker } = await started();
      b.outcomes.set('e1', failing(kind));
      await replayer.enqueue(envelopes('e', 2));
      vi.spyOn(b, 'ping').mockRejectedValueOnce(connectionError());
      await clock.advance(1);
      expect(worker.isOpen('B')).toBe(false);
      expect((await replayer.stats()).B).toMatchObject({ queued: 2, inFlight: 0, open: false });
      b.outcomes.clear();
      await clock.advance(200);
      expect(b.applied).toEqual(['e1', 'e2']);
      expect(replayer.deliveries).toMatchObject([{ attempts: 0 }, { attempts: 0 }, { attempts: 0 }]);
    },
  );

  it.each(['unreached', 'blocked'] as const)(
    '%s while the target is well: delays this one alone, doubling',
    async (kind) => {
      const { clock, replayer, b } = await started();
      b.outcomes.set('e', failing(kind));
      const times: number[] = [];
      const apply = b.apply.bind(b);
      vi.spyOn(b, 'apply').mockImplementation((each) => {
        if (each.operationId === 'e') times.push(clock.monotonicMs());
        return apply(each);
      });
      await replayer.enqueue([envelope('e')]);
      for (let second = 0; second < 60; second++) {
        await replayer.enqueue([envelope(`other${second}`)]);
        await clock.advance(1_000);
      }
      // Each is executed for 1 ms, a ping takes another, and the next try after it comes at once.
      const gaps = times.slice(1).map((at, index) => Math.floor((at - times[index]!) / 10) * 10);
      expect(gaps.filter((ms) => ms > 0)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600]);
    },
  );

  it('skipped: puts it back and closes', async () => {
    const { clock, replayer, b, worker } = await started();
    b.outcomes.set('e', { kind: 'skipped', reason: 'breaker' });
    await replayer.enqueue([envelope('e')]);
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(false);
    expect((await replayer.stats()).B).toMatchObject({ queued: 1 });
  });

  it('skipped: costs no attempt, also when the target has just come back', async () => {
    const { clock, replayer, b } = await started();
    b.isUp = false;
    await replayer.enqueue([envelope('e')]);
    await clock.advance(50);
    b.isUp = true;
    b.outcomes.set('e', { kind: 'skipped', reason: 'breaker' });
    await clock.advance(5_000);
    expect(replayer.deliveries.length).toBeGreaterThan(2);
    b.outcomes.clear();
    await clock.advance(10_000);
    expect(b.applied).toEqual(['e']);
    expect(new Set(replayer.deliveries.map(({ attempts }) => attempts))).toEqual(new Set([0]));
  });

  it.each(['unreached', 'blocked'] as const)(
    'does not let one envelope that stays %s hold up the others of a target that answers pings',
    async (kind) => {
      const { clock, replayer, b } = await started();
      b.outcomes.set('e1', failing(kind));
      await replayer.enqueue(envelopes('e', 50));
      await clock.advance(1_000);
      expect(b.applied).toHaveLength(49);
      b.outcomes.clear();
      await clock.advance(31_000);
      expect(b.applied).toHaveLength(50);
    },
  );

  it.each(['unreached', 'blocked'] as const)(
    'does not let a hundred in a row that stay %s hold up the others for long',
    async (kind) => {
      const { clock, replayer, b } = await started();
      const bad = envelopes('bad', 100);
      for (const { operationId } of bad) b.outcomes.set(operationId, failing(kind));
      await replayer.enqueue(bad);
      await replayer.enqueue(envelopes('good', 50));
      await clock.advance(11_000);
      expect(b.applied).toHaveLength(50);
    },
  );

  it.each(['unreached', 'blocked'] as const)(
    'is hardly slowed down by one in four that stays %s',
    async (kind) => {
      const { clock, replayer, b } = await started();
      b.latencyMs = 10;
      const all = envelopes('e', 10_000);
      for (const [index, { operationId }] of all.entries()) {
        if (index % 4 === 3) b.outcomes.set(operationId, failing(kind));
      }
      await replayer.enqueue(all);
      await clock.advance(1_000);
      expect(replayer.lanes.B?.concurrency).toBeGreaterThan(20);
      b.pingedAtMs.length = 0;
      await clock.advance(2_000);
      expect(b.applied).toHaveLength(7_500);
      expect(b.pingedAtMs.length).toBeLessThan(10);
    },
  );

  it('gives a target that has begun to take nothing one envelope at a time', async () => {
    const { clock, replayer, b } = await started();
    b.latencyMs = 10;
    const all = envelopes('e', 5_000);
    await replayer.enqueue(all);
    await clock.advance(700);
    expect(b.inFlight).toBeGreaterThan(10);
    for (const { operationId } of all) b.outcomes.set(operationId, failing('blocked'));
    await clock.advance(21);
    const executions = b.executions;
    for (let ms = 0; ms < 1_000; ms++) {
      await clock.advance(1);
      expect(b.inFlight).toBeLessThanOrEqual(1);
    }
    expect(b.executions).toBeGreaterThan(executions);
  });

  it('asks ten times a second at most in the end while a target answers pings and takes nothing', async () => {
    const { clock, replayer, b } = await started();
    const ids = envelopes('e', 2_000);
    for (const { operationId } of ids) b.outcomes.set(operationId, failing('blocked'));
    await replayer.enqueue(ids);
    await clock.advance(MINUTE);
    expect(b.executions).toBeLessThan(620);
    expect(b.pingedAtMs.length).toBeLessThan(620);
  });

  describe.each([
    ['unreached', 'request'],
    ['unreached', 'local'],
    ['ambiguous', 'request'],
    ['ambiguous', 'local'],
  ] as const)('%s, of scope %s: says nothing against the target', (kind, scope) => {
    const notTaken: SettledOutcome = { kind, error: connectionError(), scope };

    it('is not asked for a sign of life, and steps aside, doubling', async () => {
      const { clock, replayer, b, worker, lines } = await started();
      const pings = b.pingedAtMs.length;
      const concurrency = (): number | undefined => replayer.lanes.B?.concurrency;
      // Enough to be well under way with more than one at a time.
      await replayer.enqueue(envelopes('good', 9_000).map((one) => ({ ...one, priority: 'low' })));
      await clock.advance(100);
      const before = concurrency();
      expect(before).toBeGreaterThan(4);
      b.outcomes.set('own', notTaken);
      await replayer.enqueue([envelope('own', { priority: 'high' })]);
      const attempts = (): number =>
        replayer.deliveries.filter((each) => each.envelope.operationId === 'own').length;
      await clock.advance(50);
      expect([attempts(), worker.isOpen('B'), b.pingedAtMs.length]).toEqual([1, true, pings]);
      expect(concurrency()).toBeGreaterThanOrEqual(before ?? Infinity);
      await clock.advance(850);
      expect([attempts(), b.applied.length, lines]).toEqual([4, 9_000, []]);
    });

    it('is given one at a time, with pauses, by a lane that has nothing else', async () => {
      const { clock, replayer, b } = await started();
      for (const { operationId } of envelopes('own', 2_000)) b.outcomes.set(operationId, notTaken);
      await replayer.enqueue(envelopes('own', 2_000));
      await clock.advance(MINUTE);
      expect(b.executions).toBeLessThan(1_300);
      await replayer.enqueue([envelope('good', { priority: 'high' })]);
      b.outcomes.clear();
      await clock.advance(MINUTE);
      expect(b.applied).toHaveLength(2_001);
    });
  });

  it('once, and ambiguous by an answer: an operator decides, and the target is not asked', async () => {
    const { clock, replayer, b } = await started();
    const pings = b.pingedAtMs.length;
    b.outcomes.set('one', { kind: 'ambiguous', error: connectionError(), scope: 'request' });
    await replayer.enqueue([envelope('one', { class: 'once' })]);
    await clock.advance(1_000);
    expect((await replayer.deadLetters.list()).map(({ reason }) => reason)).toEqual(['inDoubt']);
    expect(b.pingedAtMs).toHaveLength(pings);
  });

  it('ambiguous while the target is well: delays this one alone, doubling', async () => {
    const { clock, replayer, b } = await started();
    b.outcomes.set('poison', failing('ambiguous'));
    const times: number[] = [];
    vi.spyOn(b, 'apply').mockImplementation(({ operationId }) => {
      if (operationId === 'poison') times.push(clock.monotonicMs());
      return Promise.resolve(b.outcomes.get(operationId) ?? { kind: 'applied' });
    });
    await replayer.enqueue([envelope('poison')]);
    await clock.advance(150_000);
    const gaps = times.slice(1).map((at, index) => at - times[index]! - b.latencyMs);
    expect(gaps).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000]);
  });

  it('poison does not block the lane', async () => {
    const { clock, replayer, b, worker } = await started();
    for (const id of ['e1', 'e2', 'e3']) b.outcomes.set(id, failing('ambiguous'));
    await replayer.enqueue(envelopes('e', 100));
    await clock.advance(300);
    expect(b.applied).toHaveLength(97);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('ambiguous while the target is well: halves the concurrency', async () => {
    const { clock, replayer, b } = await started();
    b.latencyMs = 10;
    await replayer.enqueue(envelopes('e', 5_000));
    await clock.advance(700);
    const before = replayer.lanes.B!.concurrency;
    b.outcomes.set(replayer.deliveries.at(-1)!.envelope.operationId, failing('ambiguous'));
    await clock.advance(21);
    expect(before).toBeGreaterThan(10);
    expect(replayer.lanes.B!.concurrency).toBeGreaterThanOrEqual(Math.floor(before / 2));
    // It may have grown a little before it was halved.
    expect(replayer.lanes.B!.concurrency).toBeLessThan(before * 0.6);
  });

  it('an apply that rejects against its contract is ambiguous', async () => {
    const { clock, replayer, b } = await started();
    vi.spyOn(b, 'apply').mockRejectedValueOnce(connectionError());
    vi.spyOn(b, 'apply').mockImplementationOnce(() => {
      throw connectionError();
    });
    await replayer.enqueue(envelopes('e', 2));
    await clock.advance(1_000);
    expect((await replayer.stats()).B).toMatchObject({ applied: 2 });
  });

  it('rejected: makes it a dead letter and goes on', async () => {
    const { clock, replayer, b, worker } = await started();
    b.outcomes.set('e1', failing('rejected'));
    await replayer.enqueue(envelopes('e', 2));
    await clock.advance(2);
    expect(worker.isOpen('B')).toBe(true);
    expect(b.applied).toEqual(['e2']);
    expect(await replayer.deadLetters.list()).toMatchObject([
      { operationId: 'e1', reason: 'rejected', error: 'Error ECONNREFUSED', attempts: 1 },
    ]);
  });

  it.each([true, false])(
    'once and ambiguous: dead letter in doubt, never tried again (up: %s)',
    async (isUp) => {
      const { clock, replayer, b } = await started();
      b.outcomes.set('e', failing('ambiguous'));
      b.whileDown = 'ambiguous';
      b.isUp = isUp;
      await replayer.enqueue([envelope('e', { class: 'once' })]);
      await clock.advance(MINUTE);
      b.isUp = true;
      await clock.advance(MINUTE);
      expect(b.executions).toBe(1);
      expect(await replayer.deadLetters.list()).toMatchObject([{ operationId: 'e', reason: 'inDoubt' }]);
    },
  );

  it('once and unreached: tried again', async () => {
    const { clock, replayer, b } = await started();
    b.isUp = false;
    await replayer.enqueue([envelope('e', { class: 'once' })]);
    await clock.advance(MINUTE);
    b.isUp = true;
    await clock.advance(MINUTE);
    expect(b.applied).toEqual(['e']);
  });

  it('never applies an envelope of a foreign namespace', async () => {
    const onDrop = vi.fn();
    const { clock, replayer, b } = await started({ onDrop });
    await replayer.enqueue([envelope('foreign', { namespace: 'other' }), envelope('own')]);
    await clock.advance(MINUTE);
    expect(b.applied).toEqual(['own']);
    expect(b.executions).toBe(1);
    expect(await replayer.deadLetters.list()).toMatchObject([
      { operationId: 'foreign', reason: 'rejected', error: 'HelixUsageError HELIX_USAGE' },
    ]);
    const error: unknown = expect.objectContaining({
      message: expect.stringContaining('namespace other') as unknown,
    });
    expect(onDrop).toHaveBeenCalledWith(
      expect.objectContaining({ operationId: 'foreign' }),
      'rejected',
      error,
    );
  });
});

describe('ReplayWorker.pause', () => {
  it('neither delivers nor pings until it is resumed, and pings before it delivers then', async () => {
    const { clock, replayer, b, worker } = await started();
    worker.pause('B');
    b.pingedAtMs.length = 0;
    await replayer.enqueue([envelope('e')]);
    await clock.advance(HOUR);
    expect(b.executions).toBe(0);
    expect(b.pingedAtMs).toEqual([]);
    worker.resume('B');
    await clock.settle();
    expect(b.pingedAtMs).toHaveLength(1);
    expect(b.executions).toBe(0);
    await clock.advance(10);
    expect(b.applied).toEqual(['e']);
  });

  it('ends the probes of a target that is down', async () => {
    const { clock, replayer, b, worker } = await started();
    b.isUp = false;
    await replayer.enqueue([envelope('e')]);
    await clock.advance(MINUTE);
    worker.pause('B');
    b.pingedAtMs.length = 0;
    await clock.advance(MINUTE);
    expect(b.pingedAtMs).toEqual([]);
  });

  it('holds from the start when it was called before', async () => {
    const { clock, b, worker } = await setUp();
    worker.pause('B');
    worker.start();
    await clock.advance(MINUTE);
    expect(b.pingedAtMs).toEqual([]);
    expect(worker.isOpen('A')).toBe(true);
    worker.resume('B');
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('while draining, sends no ping: not at start, not when its breaker closes, not at shutdown', async () => {
    const { clock, replayer, b, worker } = await setUp();
    worker.pause('B', 'draining');
    await replayer.enqueue([envelope('e')]);
    worker.start();
    await clock.advance(MINUTE);
    worker.probe('B');
    await clock.advance(MINUTE);
    const shutdown = new Watched(worker.drain(10_000));
    await clock.advance(1);
    expect(shutdown.isSettled).toBe(true);
    expect([b.pingedAtMs, b.executions]).toEqual([[], 0]);
  });

  it.each([
    ['operator', 'draining'],
    ['draining', 'operator'],
  ] as const)('by the %s is not undone when what is %s ends', async (first, second) => {
    const { clock, b, worker } = await started();
    worker.pause('B', first);
    worker.pause('B', second);
    b.pingedAtMs.length = 0;
    worker.resume('B', second);
    await clock.advance(MINUTE);
    expect([worker.isOpen('B'), b.pingedAtMs]).toEqual([false, []]);
    worker.resume('B', second);
    await clock.advance(MINUTE);
    expect([worker.isOpen('B'), b.pingedAtMs]).toEqual([false, []]);
    worker.resume('B', first);
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('is the operator’s unless it says otherwise', async () => {
    const { clock, worker } = await started();
    worker.pause('B');
    worker.resume('B', 'draining');
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(false);
    worker.resume('B', 'operator');
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('begins nothing when it ends before the start', async () => {
    const { clock, b, worker } = await setUp();
    worker.pause('B', 'draining');
    worker.resume('B', 'draining');
    await clock.advance(MINUTE);
    expect(b.pingedAtMs).toEqual([]);
    worker.start();
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('called twice for one reason ends with one resume', async () => {
    const { clock, worker } = await started();
    worker.pause('B', 'draining');
    worker.pause('B', 'draining');
    worker.resume('B', 'draining');
    await clock.advance(1);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('does not listen any more to the ping that was under way', async () => {
    const { clock, b, worker } = await setUp();
    b.latencyMs = 50;
    b.isUp = false;
    worker.start();
    await clock.advance(20);
    worker.pause('B');
    worker.resume('B');
    await clock.advance(40);
    b.isUp = true;
    await clock.advance(10);
    expect(worker.isOpen('B')).toBe(true);
  });

  it('puts back what fails while it is paused, without asking', async () => {
    const { clock, replayer, b, worker } = await started();
    b.whileDown = 'ambiguous';
    await replayer.enqueue([envelope('e')]);
    worker.pause('B');
    b.pingedAtMs.length = 0;
    b.isUp = false;
    await clock.advance(MINUTE);
    expect(b.pingedAtMs).toEqual([]);
    expect((await replayer.stats()).B).toMatchObject({ queued: 1, inFlight: 0 });
    b.isUp = true;
    worker.resume('B');
    await clock.advance(10);
    expect(replayer.deliveries).toMatchObject([{ attempts: 0 }, { attempts: 0 }]);
  });
});

describe('ReplayWorker while a target hangs', () => {
  /** B has one delivery on its way, and never answers it. */
  async function hanging(kind: 'idempotent' | 'once') {
    const all = await started();
    all.b.apply = () => new Promise(() => undefined);
    await all.replayer.enqueue([envelope('e', { class: kind })]);
    await all.clock.advance(10);
    expect((await all.replayer.stats()).B).toMatchObject({ queued: 0, inFlight: 1 });
    all.b.isUp = false;
    all.givenUp.add('B');
    return all;
  }

  it('takes a delivery back into the queue, once that is known', async () => {
    const { clock, replayer } = await hanging('idempotent');
    await clock.advance(3_000);
    expect((await replayer.stats()).B).toMatchObject({ queued: 1, inFlight: 0, deadLettered: 0 });
  });

  it('waits for what must not be applied twice until its time is over', async () => {
    const { clock, replayer } = await hanging('once');
    await clock.advance(30_000);
    expect((await replayer.stats()).B).toMatchObject({ inFlight: 1, deadLettered: 0 });
    await clock.advance(2_000);
    expect((await replayer.stats()).B).toMatchObject({ inFlight: 0, deadLettered: 1 });
  });
});

describe('ReplayWorker at shutdown', () => {
  it('stops when what is running has finished, and delivers nothing more', async () => {
    const { clock, replayer, b, worker } = await started();
    b.latencyMs = 50;
    await replayer.enqueue(envelopes('e', 2));
    let isStopped = false;
    void worker.stop().then(() => (isStopped = true));
    await clock.advance(49);
    expect(isStopped).toBe(false);
    await clock.advance(1);
    expect(isStopped).toBe(true);
    expect(b.applied).toEqual(['e1']);
    // The last round.
    await clock.advance(50);
    expect(clock.pendingTimers).toBe(0);
    expect(worker.isOpen('B')).toBe(false);
  });

  it('stops probing', async () => {
    const { clock, b, worker, replayer } = await started();
    b.isUp = false;
    await replayer.enqueue([envelope('e')]);
    await clock.advance(1_000);
    await worker.stop();
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
    worker.resume('B');
    expect(clock.pendingTimers).toBe(0);
  });

  async function drained(all: Awaited<ReturnType<typeof started>>, timeoutMs: number) {
    const state = { atMs: -1 };
    const from = all.clock.monotonicMs();
    void all.worker.drain(timeoutMs).then(() => (state.atMs = all.clock.monotonicMs() - from));
    await all.clock.settle();
    return state;
  }

  it('drains at once when nothing is queued', async () => {
    const all = await started();
    expect(await drained(all, 1_000)).toEqual({ atMs: 0 });
  });

  it('drains until everything queued and in flight is applied', async () => {
    const all = await started();
    await all.replayer.enqueue(envelopes('e', 100));
    const state = await drained(all, 10_000);
    await all.clock.advance(10_000);
    // As many at once as it may, although the target was given one at a time until now.
    expect(state.atMs).toBeLessThan(30);
    expect(all.b.applied).toHaveLength(100);
  });

  it('waits for targets that have not been asked yet', async () => {
    const all = await setUp();
    await all.replayer.enqueue([envelope('e')]);
    all.worker.start();
    const state = await drained(all, 10_000);
    expect(state.atMs).toBe(-1);
    await all.clock.advance(20);
    expect(all.b.applied).toEqual(['e']);
    expect(state.atMs).toBeGreaterThanOrEqual(10);
  });

  it('waits while a ping decides whether a target is down', async () => {
    const all = await started();
    all.b.outcomes.set('doubt', failing('ambiguous'));
    await all.replayer.enqueue([envelope('doubt', { class: 'once' }), envelope('next')]);
    all.b.latencyMs = 50;
    await all.clock.advance(10);
    const state = await drained(all, 10_000);
    await all.clock.advance(10_000);
    expect(all.b.applied).toEqual(['next']);
    expect(state.atMs).toBeGreaterThan(50);
  });

  it('waits through the pauses after what a target refuses, and gives it the rest', async () => {
    const all = await started();
    const { clock, replayer, b } = all;
    const bad = envelopes('bad', 8);
    for (const { operationId } of bad) b.outcomes.set(operationId, failing('blocked'));
    await replayer.enqueue(bad);
    await replayer.enqueue(envelopes('good', 3));
    const state = await drained(all, 1_000);
    while (b.executions < 20) await clock.advance(1);
    b.outcomes.clear();
    await clock.advance(10_000);
    expect(b.applied).toHaveLength(11);
    expect(state.atMs).toBeGreaterThan(100);
  });

  it('does not wait for a side that is down or draining', async () => {
    const all = await started();
    all.b.isUp = false;
    all.worker.pause('A');
    await all.replayer.enqueue([...onA(envelopes('a', 5)), ...envelopes('b', 5)]);
    await all.clock.advance(1_000);
    const state = await drained(all, 10_000);
    await all.clock.advance(10);
    expect(state.atMs).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['a second for a side that is gone', false, 1_000],
    ['five for one that may only be slow', true, 5_000],
  ])('waits no longer for the last ping than %s', async (_what, isUsed, waitedMs) => {
    const all = await started();
    all.b.isUp = false;
    await all.replayer.enqueue(envelopes('b', 5));
    await all.clock.advance(1_000);
    all.b.latencyMs = 60_000;
    if (!isUsed) all.givenUp.add('B');
    const state = await drained(all, 10_000);
    await all.clock.advance(6_000);
    expect(state.atMs).toBe(waitedMs);
  });

  it('asks a side that was down once more, and drains it if it is back', async () => {
    const all = await started();
    all.b.isUp = false;
    await all.replayer.enqueue(envelopes('b', 5));
    await all.clock.advance(60_000);
    all.b.isUp = true;
    const state = await drained(all, 10_000);
    await all.clock.advance(500);
    expect(all.b.applied).toHaveLength(5);
    expect(state.atMs).toBeGreaterThanOrEqual(0);
  });

  it('gives up at its time limit', async () => {
    const all = await started();
    all.b.outcomes.set('poison', failing('ambiguous'));
    await all.replayer.enqueue([envelope('poison')]);
    const state = await drained(all, 1_234);
    await all.clock.advance(10_000);
    expect(state.atMs).toBe(1_234);
  });

  it('gives up at its time limit when the queue does not answer', async () => {
    const all = await started();
    vi.spyOn(all.replayer, 'stats').mockRejectedValue(new Error('no answer'));
    const state = await drained(all, 500);
    await all.clock.advance(1_000);
    expect(state.atMs).toBe(500);
  });
});

describe('ReplayWorker hooks and log', () => {
  it('tells the hooks what became of every execution', async () => {
    const calls: string[] = [];
    const { clock, replayer, b } = await started({
      onSuccess: ({ operationId }) => void calls.push(`success ${operationId}`),
      onError: ({ operationId }, error) => void calls.push(`error ${operationId} ${error.name}`),
      onDrop: ({ operationId }, reason) => void calls.push(`drop ${operationId} ${reason}`),
    });
    b.outcomes.set('bad', failing('rejected'));
    b.outcomes.set('doubt', failing('ambiguous'));
    await replayer.enqueue([envelope('good'), envelope('bad'), envelope('doubt', { class: 'once' })]);
    await clock.advance(10);
    expect(calls).toEqual([
      'success good',
      'error bad Error',
      'drop bad rejected',
      'error doubt Error',
      'drop doubt inDoubt',
    ]);
  });

  it.each<[string, () => unknown]>([
    [
      'throw',
      () => {
        throw new RangeError('secret');
      },
    ],
    ['reject', () => Promise.reject(new RangeError('secret'))],
  ])('goes on when all hooks %s, and says so once a minute', async (_, hook) => {
    const { clock, replayer, b, lines } = await started({ onSuccess: hook, onError: hook, onDrop: hook });
    b.outcomes.set('e2', failing('rejected'));
    await replayer.enqueue(envelopes('e', 50));
    await clock.advance(100);
    expect((await replayer.stats()).B).toMatchObject({ applied: 49, deadLettered: 1, inFlight: 0 });
    expect(lines).toEqual(['warn: Replay hook onSuccess threw (RangeError); replay goes on without it.']);
    await clock.advance(MINUTE);
    await replayer.enqueue([envelope('later')]);
    await clock.advance(10);
    expect(lines).toHaveLength(2);
  });

  it('writes one line when a target goes and one when it is back, without the message of the error', async () => {
    const { clock, replayer, b, lines } = await started();
    b.isUp = false;
    await replayer.enqueue(envelopes('e', 100));
    await clock.advance(HOUR);
    expect(lines).toEqual(['warn: Replay to cluster B waits for it to come back (Error ECONNREFUSED).']);
    b.isUp = true;
    await clock.advance(MINUTE);
    expect(lines.slice(1)).toEqual(['log: Replay to cluster B goes on.']);
  });

  it('calls a target by the name it was given, and leaves one alone without a line that is left alone', async () => {
    let mayReplay = false;
    const { clock, replayer, a, lines, worker } = await setUp(
      {},
      { mayReplayTo: () => mayReplay },
      (cluster) => `cluster ${cluster} ("us_east")`,
    );
    worker.start();
    await clock.advance(MINUTE);
    mayReplay = true;
    await clock.advance(MINUTE);
    expect([worker.isOpen('A'), lines]).toEqual([true, []]);
    a.isUp = false;
    await replayer.enqueue([envelope('e', { cluster: 'A' })]);
    await clock.advance(MINUTE);
    expect(lines).toEqual([
      'warn: Replay to cluster A ("us_east") waits for it to come back (Error ECONNREFUSED).',
    ]);
  });

  it('says nothing of one that its policy begins to leave alone a moment later', async () => {
    let mayReplay = true;
    const { clock, replayer, b, lines, worker } = await setUp({}, { mayReplayTo: () => mayReplay });
    worker.start();
    await clock.advance(1);
    b.isUp = false;
    b.outcomes.set('e', failing('unreached'));
    await replayer.enqueue([envelope('e')]);
    await clock.advance(50);
    expect(worker.isOpen('B')).toBe(false);
    mayReplay = false;
    await clock.advance(MINUTE);
    b.isUp = mayReplay = true;
    b.outcomes.clear();
    await clock.advance(MINUTE);
    expect([b.applied, lines]).toEqual([['e'], []]);
  });

  it('does not call a target back before it has taken a delivery', async () => {
    const { clock, replayer, b, lines } = await started();
    b.isUp = false;
    b.outcomes.set('e', failing('blocked'));
    await replayer.enqueue([envelope('e')]);
    await clock.advance(MINUTE);
    b.isUp = true;
    await clock.advance(10 * MINUTE);
    expect(lines).toHaveLength(1);
    b.outcomes.clear();
    await clock.advance(MINUTE);
    expect(lines).toHaveLength(2);
  });

  it('says that a target answers pings and takes nothing, but not that a few are refused', async () => {
    const { clock, replayer, b, lines } = await started();
    const refuse = async (ids: Envelope[]): Promise<void> => {
      for (const { operationId } of ids) b.outcomes.set(operationId, failing('blocked'));
      await replayer.enqueue(ids);
    };
    await refuse(envelopes('few', 3));
    await replayer.enqueue(envelopes('good', 3));
    await clock.advance(90);
    b.outcomes.clear();
    await clock.advance(MINUTE);
    expect(lines).toEqual([]);
    await refuse(envelopes('many', 30));
    await clock.advance(MINUTE);
    expect(lines).toEqual([
      'warn: Replay to cluster B waits: it answers pings, but takes nothing (Error ECONNREFUSED).',
    ]);
    b.outcomes.clear();
    await clock.advance(MINUTE);
    expect(lines.slice(1)).toEqual(['log: Replay to cluster B goes on.']);
  });

  it('says nothing while all is well', async () => {
    const { clock, replayer, lines } = await started();
    await replayer.enqueue(envelopes('e', 100));
    await clock.advance(MINUTE);
    expect(lines).toEqual([]);
  });

  it('survives a log that throws', async () => {
    const { clock, replayer, a } = await setUp();
    const worker = new ReplayWorker({
      replayer,
      targets: { A: a },
      namespace: 'shop',
      clock,
      options: { executeTimeoutMs: 1_000 },
      log: () => {
        throw new Error('disk full');
      },
    });
    a.isUp = false;
    worker.start();
    await clock.advance(1_000);
    a.isUp = true;
    await clock.advance(MINUTE);
    expect(worker.isOpen('A')).toBe(true);
  });
});
