import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import {
  FakeDriverError,
  type FakeWriteFields,
  type SideAnswer,
  type SideScript,
  Watched,
} from '../../test/support/fake-operations.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import type { RecordingReplayer } from '../../test/support/recording-replayer.js';
import {
  bothWays,
  ENQUEUE_TIMEOUT_MS,
  leavesB,
  NO_LEFTOVERS,
  setUpWritePath as setUp,
  skipped,
  statuses,
  Strategy,
  WRITE_TIMEOUT_MS,
  type WritePathSetup as Setup,
} from '../../test/support/write-path.js';
import { ConcurrentDualWriteStrategy, SyncDualWriteStrategy } from '../strategies/index.js';
import {
  APPLIED,
  BothClustersDrainingError,
  CallContext,
  ClusterError,
  type ClusterId,
  delay,
  DualClusterError,
  HelixUsageError,
  type OperationClass,
  otherCluster,
  type Outcome,
  OverloadedError,
  SessionClosedError,
  type SideWrite,
  type WriteContext,
  type WriteStrategy,
} from './index.js';

describe.each(bothWays)('WritePath with %s', (_name, strategy) => {
  describe('when a side applied it', () => {
    it.each<[a: SideScript, b: SideScript, kind: OperationClass, receipt: string, enqueued: ClusterId[][]]>([
      ['applied', 'applied', 'idempotent', 'applied, applied', []],
      ['applied', 'unreached', 'idempotent', 'applied, queued', [['B']]],
      ['applied', 'blocked', 'idempotent', 'applied, queued', [['B']]],
      ['applied', 'ambiguous', 'idempotent', 'applied, queued', [['B']]],
      ['unreached', 'applied', 'idempotent', 'queued, applied', [['A']]],
      ['blocked', 'applied', 'idempotent', 'queued, applied', [['A']]],
      ['ambiguous', 'applied', 'idempotent', 'queued, applied', [['A']]],
      ['applied', 'unreached', 'once', 'applied, queued', [['B']]],
      ['applied', 'ambiguous', 'once', 'applied, inDoubt', []],
      ['ambiguous', 'applied', 'once', 'inDoubt, applied', []],
      ['applied', 'rejected', 'idempotent', 'applied, rejected', []],
      ['rejected', 'applied', 'idempotent', 'rejected, applied', []],
    ])('A %s, B %s, class %s: the receipt says %s', async (a, b, kind, receipt, enqueued) => {
      const { run, write, replayer, dropped } = setUp({ strategy: strategy() });
      const answer = await run(write(a, b, { class: kind }));
      expect(statuses(answer.value)).toBe(receipt);
      expect(replayer.enqueuedFor).toEqual(enqueued);
      expect(dropped).toEqual([]);
    });

    it('carries the id and the write time of the operation in its receipt', async () => {
      const { run, write } = setUp({ strategy: strategy() });
      const operation = write('applied', 'applied', { id: 'op7' });
      expect((await run(operation)).value).toEqual({
        id: 'op7',
        timestamp: operation.timestampUs,
        A: 'applied',
        B: 'applied',
      });
    });

    it("enqueues the missing side's own envelope", async () => {
      const { run, write, replayer } = setUp({ strategy: strategy() });
      const operation = write('applied', 'unreached', { id: 'op7' });
      await run(operation);
      expect(replayer.enqueued).toEqual([[operation.envelope('B')]]);
    });

    it('says spooled when the replayer holds it in this process', async () => {
      const { run, write, replayer } = setUp({ strategy: strategy() });
      replayer.accepts = 'spooled';
      expect(statuses((await run(write('applied', 'unreached'))).value)).toBe('applied, spooled');
    });

    it.each<[b: 'rejected' | 'ambiguous', kind: OperationClass, reason: string]>([
      ['rejected', 'idempotent', 'rejected'],
      ['rejected', 'once', 'rejected'],
      ['ambiguous', 'once', 'inDoubt'],
    ])('buries what B left %s in class %s as %s, with its error', async (b, kind, reason) => {
      const { run, write, replayer } = setUp({ strategy: strategy() });
      const operation = write('applied', b, { class: kind });
      await run(operation);
      expect(replayer.buried).toEqual([
        { envelope: operation.envelope('B'), reason, error: new FakeDriverError(b) },
      ]);
    });

    it('reports a divergence, and only then', async () => {
      const { run, write, divergences } = setUp({ strategy: strategy() });
      await run(write('applied', 'unreached'));
      await run(write('applied', 'ambiguous'));
      await run(write('rejected', 'rejected'));
      expect(divergences).toEqual([]);
      await run(write('applied', 'rejected'));
      expect(divergences).toEqual([['B', new FakeDriverError('rejected')]]);
    });
  });

  describe('when no side applied it', () => {
    it.each<[a: SideScript, b: SideScript]>([
      ['unreached', 'unreached'],
      ['unreached', 'blocked'],
      ['blocked', 'unreached'],
      ['blocked', 'blocked'],
    ])('A %s, B %s: nothing is kept and a retry is safe', async (a, b) => {
      const { run, write, replayer } = setUp({ strategy: strategy() });
      const { error } = await run(write(a, b));
      expect(error).toBeInstanceOf(DualClusterError);
      expect(error).toMatchObject({
        outcome: 'notApplied',
        code: 'HELIX_BOTH_FAILED',
        errors: { A: { kind: a }, B: { kind: b } },
      });
      expect(replayer.enqueued).toEqual([]);
      expect(replayer.buried).toEqual([]);
    });

    it.each<[a: SideScript, b: SideScript, once: ClusterId[]]>([
      ['ambiguous', 'unreached', ['A']],
      ['unreached', 'ambiguous', ['B']],
      ['ambiguous', 'blocked', ['A']],
      ['ambiguous', 'ambiguous', ['A', 'B']],
    ])(
      'A %s, B %s: the outcome is unknown; both get it, but what must not be repeated is in doubt',
      async (a, b, once) => {
        const idempotent = setUp({ strategy: strategy() });
        const { error } = await idempotent.run(idempotent.write(a, b));
        expect(error).toBeInstanceOf(DualClusterError);
        expect(error).toMatchObject({ outcome: 'unknown' });
        expect(idempotent.replayer.enqueuedFor).toEqual([['A', 'B']]);
        expect(idempotent.replayer.buried).toEqual([]);

        const onlyOnce = setUp({ strategy: strategy() });
        const answer = await onlyOnce.run(onlyOnce.write(a, b, { class: 'once' }));
        expect(answer.error).toMatchObject({ outcome: 'unknown' });
        expect(onlyOnce.replayer.enqueued).toEqual([]);
        expect(onlyOnce.replayer.buried.map(({ envelope, reason }) => [envelope.cluster, reason])).toEqual(
          once.map((cluster) => [cluster, 'inDoubt']),
        );
      },
    );

    it.each<[a: SideScript, b: SideScript, by: ClusterId]>([
      ['rejected', 'rejected', 'A'],
      ['rejected', 'unreached', 'A'],
      ['rejected', 'blocked', 'A'],
      ['unreached', 'rejected', 'B'],
      ['blocked', 'rejected', 'B'],
    ])('A %s, B %s: the error is the one of %s and nothing is kept', async (a, b, by) => {
      const { run, write, replayer } = setUp({ strategy: strategy() });
      const { error } = await run(write(a, b));
      expect(error).toBeInstanceOf(ClusterError);
      expect(error).toMatchObject({
        cluster: by,
        operation: 'write',
        outcome: 'notApplied',
        cause: { kind: 'rejected' },
      });
      expect(replayer.enqueued).toEqual([]);
      expect(replayer.buried).toEqual([]);
    });

    it.each<[a: SideScript, b: SideScript, by: ClusterId, doubted: ClusterId]>([
      ['rejected', 'ambiguous', 'A', 'B'],
      ['ambiguous', 'rejected', 'B', 'A'],
    ])('A %s, B %s: %s throws and what %s may have is left to an operator', async (a, b, by, doubted) => {
      const { run, write, replayer } = setUp({ strategy: strategy() });
      const { error } = await run(write(a, b));
      expect(error).toBeInstanceOf(ClusterError);
      expect(error).toMatchObject({ cluster: by, outcome: 'unknown' });
      expect(replayer.enqueued).toEqual([]);
      expect(replayer.buried).toMatchObject([{ envelope: { cluster: doubted }, reason: 'inDoubt' }]);
    });

    it('says that replay will apply it to both when it is kept for both', async () => {
      const { run, write } = setUp({ strategy: strategy() });
      const { message } = (await run(write('ambiguous', 'unreached'))).error as Error;
      expect(message).toContain('replay will apply it to both');
    });

    it.each<[why: string, setup: Setup, kind: OperationClass, mode: RecordingReplayer['mode']]>([
      ['there is no replayer', { replay: 'off' }, 'idempotent', 'accept'],
      ['it must not be repeated', {}, 'once', 'accept'],
      ['the replayer does not take it', {}, 'idempotent', 'refuse'],
    ])('promises no replay when %s', async (_why, setup, kind, mode) => {
      const { run, write, replayer } = setUp({ strategy: strategy(), ...setup });
      replayer.mode = mode;
      const { message } = (await run(write('ambiguous', 'unreached', { class: kind }))).error as Error;
      expect(message).toContain('is not replayed');
      expect(message).not.toContain('replay will');
    });

    it('names clusters, kinds of errors and the masked statement, never what a driver said', async () => {
      const { run, write } = setUp({ strategy: strategy() });
      const both = (await run(write('unreached', 'ambiguous'))).error as Error;
      expect(both.message).toContain('INSERT INTO users (id) VALUES (?)');
      expect(both.message).toContain(
        'cluster A ("us_east"): FakeDriverError, cluster B ("us_west"): FakeDriverError',
      );
      const one = (await run(write('unreached', 'rejected'))).error as Error;
      expect(one.message).toContain('cluster B ("us_west")');
      expect(both.message + one.message).not.toContain('secret');
    });
  });

  describe('when the replayer does not take it', () => {
    it.each(['refuse', 'throw'] as const)('reports it lost at once when it does %s', async (mode) => {
      const { run, write, replayer, dropped } = setUp({ strategy: strategy() });
      replayer.mode = mode;
      const operation = write('applied', 'unreached');
      expect(statuses((await run(operation)).value)).toBe('applied, lost');
      expect(dropped).toEqual([{ envelope: operation.envelope('B'), error: replayer.refusal }]);
    });

    it('reports it lost when it does not confirm within enqueueTimeoutMs', async () => {
      const { clock, run, write, replayer, dropped } = setUp({ strategy: strategy() });
      replayer.mode = 'hang';
      const answer = await run(write('unreached', 'applied'));
      await clock.advance(ENQUEUE_TIMEOUT_MS - 1);
      expect(answer.isSettled).toBe(false);
      await clock.advance(1);
      expect(statuses(answer.value)).toBe('lost, applied');
      expect(dropped).toMatchObject([
        {
          envelope: { cluster: 'A' },
          error: { message: expect.stringContaining('enqueueTimeoutMs') as string },
        },
      ]);
    });

    it.each<[b: SideScript, kind: OperationClass]>([
      ['rejected', 'idempotent'],
      ['ambiguous', 'once'],
    ])('reports what it does not bury as lost too: B %s, class %s', async (b, kind) => {
      const { run, write, replayer, dropped } = setUp({ strategy: strategy() });
      replayer.mode = 'refuse';
      expect(statuses((await run(write('applied', b, { class: kind }))).value)).toBe('applied, lost');
      expect(dropped).toMatchObject([{ envelope: { cluster: 'B' } }]);
    });

    it('reports both envelopes of an unknown outcome, and still throws', async () => {
      const { run, write, replayer, dropped } = setUp({ strategy: strategy() });
      replayer.mode = 'refuse';
      expect((await run(write('ambiguous', 'unreached'))).error).toMatchObject({ outcome: 'unknown' });
      expect(dropped.map(({ envelope }) => envelope.cluster)).toEqual(['A', 'B']);
    });

    it('says lost, and reports nothing, when the user asked for no replay', async () => {
      const { run, write, dropped } = setUp({ strategy: strategy(), replay: 'off' });
      expect(statuses((await run(write('applied', 'unreached'))).value)).toBe('applied, lost');
      expect(dropped).toEqual([]);
    });
  });

  describe('time limits', () => {
    it('queues for a side that has not answered within writeTimeoutMs', async () => {
      const { clock, run, write, replayer } = setUp({ strategy: strategy() });
      const operation = write('applied', 'never');
      const answer = await run(operation);
      await clock.advance(WRITE_TIMEOUT_MS - 1);
      expect(answer.isSettled).toBe(false);
      await clock.advance(1);
      expect(statuses(answer.value)).toBe('applied, queued');
      expect(operation.expired).toEqual(['B']);
      expect(replayer.enqueuedFor).toEqual([['B']]);
    });

    it.each(['applied', 'rejected', 'unreached'] as const)(
      'changes nothing when the answer %s comes after its time',
      async (late) => {
        const { clock, run, write, replayer, policy, divergences } = setUp({ strategy: strategy() });
        const answer = await run(write('applied', { answer: late, afterMs: WRITE_TIMEOUT_MS + 1 }));
        await clock.advance(WRITE_TIMEOUT_MS * 3);
        expect(statuses(answer.value)).toBe('applied, queued');
        expect(replayer.enqueuedFor).toEqual([['B']]);
        expect(replayer.buried).toEqual([]);
        expect(divergences).toEqual([]);
        expect(policy.successes).toEqual([['A', undefined]]);
        expect(policy.failures).toEqual(['B']);
      },
    );

    it('takes an answer that comes just in time', async () => {
      const { clock, run, write } = setUp({ strategy: strategy() });
      const answer = await run(write('applied', { answer: 'applied', afterMs: WRITE_TIMEOUT_MS - 1 }));
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(statuses(answer.value)).toBe('applied, applied');
    });

    it('leaves the outcome unknown when neither side answers', async () => {
      const { clock, run, write, replayer } = setUp({ strategy: strategy() });
      const answer = await run(write('never', 'never'));
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(answer.error).toMatchObject({ outcome: 'unknown' });
      expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
    });

    it('counts what is on the wire until the driver lets go of it', async () => {
      const { clock, path, run, write } = setUp({ strategy: strategy() });
      const late = { answer: 'unreached', afterMs: WRITE_TIMEOUT_MS + 1 } as const;
      await run(write('applied', late));
      await run(write(late, late));
      expect(path.wire.inFlight).toEqual({ A: 1, B: 2 });
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(path.wire.inFlight).toEqual({ A: 1, B: 2 });
      await clock.advance(1);
      expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
    });

    it('decides everything as it stands when it is cut off', async () => {
      const { clock, path, run, write, replayer } = setUp({ strategy: strategy() });
      const answer = await run(write('applied', 'never'));
      path.cutOff();
      await clock.settle();
      expect(statuses(answer.value)).toBe('applied, queued');
      expect(replayer.enqueuedFor).toEqual([['B']]);
    });

    it('tries no side after all once it is cut off', async () => {
      const policy = new FakePolicy({ unavailable: ['B'] });
      const { clock, path, run, write, leftovers } = setUp({ strategy: strategy(), policy });
      const operation = write('never', 'applied');
      const answer = await run(operation);
      path.cutOff();
      await clock.settle();
      expect(answer.error).toMatchObject({ name: 'DualClusterError', outcome: 'unknown' });
      expect(operation.sent).toEqual(['A']);
      expect(await leftovers()).toMatchObject({ isSettled: true, reservations: 0 });
    });

    it('does not send what is prepared only after it was cut off', async () => {
      const { clock, path, write } = setUp({ strategy: strategy() });
      const operation = write('applied', 'applied');
      const answer = new Watched(path.runPrepared(() => delay(clock, 5).then(() => operation), 'a write'));
      path.cutOff();
      await clock.advance(5);
      expect(answer.error).toBeInstanceOf(SessionClosedError);
      expect(operation.sent).toEqual([]);
    });
  });

  describe('a side that the policy avoids', () => {
    const avoidB = () => new FakePolicy({ unavailable: ['B'] });

    it('is not sent to while the other applies, and is queued for', async () => {
      const { run, write, replayer } = setUp({ strategy: strategy(), policy: avoidB() });
      const operation = write('applied', 'applied');
      expect(statuses((await run(operation)).value)).toBe('applied, queued');
      expect(operation.sent).toEqual(['A']);
      expect(replayer.enqueuedFor).toEqual([['B']]);
    });

    it.each<SideScript>(['unreached', 'blocked', 'ambiguous'])(
      'is tried after all when the other is %s',
      async (a) => {
        const { run, write, replayer } = setUp({ strategy: strategy(), policy: avoidB() });
        const operation = write(a, 'applied');
        expect(statuses((await run(operation)).value)).toBe('queued, applied');
        expect(operation.sent).toEqual(['A', 'B']);
        expect(replayer.enqueuedFor).toEqual([['A']]);
      },
    );

    it('is tried after all when the other does not answer in time, and has its whole time', async () => {
      const { clock, run, write } = setUp({ strategy: strategy(), policy: avoidB() });
      const operation = write('never', { answer: 'applied', afterMs: WRITE_TIMEOUT_MS - 1 });
      const answer = await run(operation);
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(operation.sent).toEqual(['A', 'B']);
      await clock.advance(WRITE_TIMEOUT_MS - 1);
      expect(statuses(answer.value)).toBe('queued, applied');
    });

    it('is timed from when it is sent to, not from when the other was', async () => {
      const policy = new FakePolicy({ unavailable: ['B'], needsLatency: true });
      const { clock, run, write } = setUp({ strategy: strategy(), policy });
      await run(write({ answer: 'unreached', afterMs: 4_000 }, { answer: 'applied', afterMs: 5 }));
      await clock.advance(4_005);
      expect(policy.successes).toEqual([['B', 5]]);
    });

    it('is not tried when the other rejected it', async () => {
      const { run, write } = setUp({ strategy: strategy(), policy: avoidB() });
      const operation = write('rejected', 'applied');
      expect((await run(operation)).error).toMatchObject({ cluster: 'A', outcome: 'notApplied' });
      expect(operation.sent).toEqual(['A']);
    });

    it('makes the write fail safely when it fails too', async () => {
      const { run, write, replayer } = setUp({ strategy: strategy(), policy: avoidB() });
      expect((await run(write('unreached', 'unreached'))).error).toMatchObject({ outcome: 'notApplied' });
      expect(replayer.enqueued).toEqual([]);
    });

    it('may be A as well as B', async () => {
      const { run, write } = setUp({
        strategy: strategy(),
        policy: new FakePolicy({ unavailable: ['A'] }),
      });
      const lucky = write('applied', 'applied');
      expect(statuses((await run(lucky)).value)).toBe('queued, applied');
      expect(lucky.sent).toEqual(['B']);
      const needed = write('applied', 'unreached');
      expect(statuses((await run(needed)).value)).toBe('applied, queued');
      expect(needed.sent).toEqual(['B', 'A']);
    });

    it('is sent to all the same when both are avoided', async () => {
      const { run, write } = setUp({
        strategy: strategy(),
        policy: new FakePolicy({ unavailable: ['A', 'B'] }),
      });
      expect(statuses((await run(write('applied', 'applied'))).value)).toBe('applied, applied');
    });

    it('is sent to all the same when nobody replays what it misses', async () => {
      const { run, write } = setUp({ strategy: strategy(), policy: avoidB(), replay: 'off' });
      expect(statuses((await run(write('applied', 'applied'))).value)).toBe('applied, applied');
    });
  });

  describe('a draining side', () => {
    it.each<[drains: ClusterId, receipt: string]>([
      ['A', 'queued, applied'],
      ['B', 'applied, queued'],
    ])('is not sent to and is queued for: %s', async (drains, receipt) => {
      const { run, write, replayer, policy } = setUp({ strategy: strategy(), drains: [drains] });
      const operation = write('applied', 'applied');
      expect(statuses((await run(operation)).value)).toBe(receipt);
      expect(operation.sent).toEqual([otherCluster(drains)]);
      expect(replayer.enqueuedFor).toEqual([[drains]]);
      expect(replayer.reserved).toEqual([drains]);
      expect(policy.failures).toEqual([]);
    });

    it.each<[b: SideScript, error: object, enqueued: ClusterId[][]]>([
      ['unreached', { code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' }, []],
      ['blocked', { code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' }, []],
      ['ambiguous', { code: 'HELIX_BOTH_FAILED', outcome: 'unknown' }, [['A', 'B']]],
      ['rejected', { code: 'HELIX_CLUSTER', cluster: 'B', outcome: 'notApplied' }, []],
    ])('is not tried after all when the other is %s', async (b, error, enqueued) => {
      const { run, write, replayer } = setUp({ strategy: strategy(), drains: ['A'] });
      const operation = write('applied', b);
      expect((await run(operation)).error).toMatchObject(error);
      expect(operation.sent).toEqual(['B']);
      expect(replayer.enqueuedFor).toEqual(enqueued);
    });

    it('has the other sent to although the policy avoids that', async () => {
      const policy = new FakePolicy({ unavailable: ['B'] });
      const { run, write } = setUp({ strategy: strategy(), policy, drains: ['A'] });
      const operation = write('applied', 'applied');
      expect(statuses((await run(operation)).value)).toBe('queued, applied');
      expect(operation.sent).toEqual(['B']);
    });

    it('has the write fail safely when the other is full', async () => {
      const { run, write, replayer, draining } = setUp({ strategy: strategy(), maxInFlight: 1 });
      await run(write('applied', 'never'));
      draining.A = true;
      const operation = write('applied', 'applied');
      expect((await run(operation)).error).toMatchObject({
        code: 'HELIX_BOTH_FAILED',
        outcome: 'notApplied',
        message: expect.stringContaining(
          '(cluster A ("us_east"): not tried: draining, cluster B ("us_west"): not tried: limit)',
        ) as string,
        errors: { A: { message: 'Not tried: draining' }, B: { message: 'Not tried: limit' } },
      });
      expect([operation.sent, replayer.enqueued]).toEqual([[], []]);
    });

    it.each(['A', 'B'] as const)(
      'is not the last hope of a write either that left it out for its breaker: %s',
      async (cluster) => {
        const policy = new FakePolicy({ unavailable: [cluster] });
        const { clock, run, write, draining, replayer } = setUp({ strategy: strategy(), policy });
        const late: SideScript = { answer: 'unreached', afterMs: 10 };
        const operation = cluster === 'A' ? write('applied', late) : write(late, 'applied');
        const answer = await run(operation);
        draining[cluster] = true;
        await clock.advance(10);
        expect(answer.error).toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' });
        expect(operation.sent).toEqual([otherCluster(cluster)]);
        expect(replayer.enqueued).toEqual([]);
      },
    );

    it('is lost for, and reported nowhere, when the user asked for no replay', async () => {
      const { run, write, dropped } = setUp({ strategy: strategy(), replay: 'off', drains: ['B'] });
      const operation = write('applied', 'applied');
      expect(statuses((await run(operation)).value)).toBe('applied, lost');
      expect([operation.sent, dropped]).toEqual([['A'], []]);
    });

    it('is sent to again when its drain has ended', async () => {
      const { run, write, draining } = setUp({ strategy: strategy(), drains: ['B'] });
      draining.B = false;
      expect(statuses((await run(write('applied', 'applied'))).value)).toBe('applied, applied');
    });

    it('still has the answer of what it was sent before', async () => {
      const { clock, run, write, draining } = setUp({ strategy: strategy() });
      const answer = await run(write('applied', { answer: 'applied', afterMs: 10 }));
      draining.B = true;
      await clock.advance(10);
      expect(statuses(answer.value)).toBe('applied, applied');
    });
  });

  describe('the policy', () => {
    it('learns of transport failures and of answers, and that a refusal is none of the former', async () => {
      const { run, write, policy } = setUp({ strategy: strategy() });
      await run(write('applied', 'unreached'));
      await run(write('rejected', 'ambiguous'));
      await run(write('blocked', { answer: 'rejected', afterMs: 0, scope: 'request' }));
      await run(write({ answer: 'unreached', afterMs: 0, scope: 'local' }, 'applied'));
      expect(policy.failures).toEqual(['B', 'B']);
      expect(policy.successes).toEqual([
        ['A', undefined],
        ['B', undefined],
        ['B', undefined],
      ]);
    });

    it('gets latencies if it needs them', async () => {
      const policy = new FakePolicy({ needsLatency: true });
      const { clock, run, write } = setUp({ strategy: strategy(), policy });
      await clock.advance(1_234);
      await run(write({ answer: 'applied', afterMs: 7 }, { answer: 'applied', afterMs: 40 }));
      await clock.advance(100);
      expect(policy.successes).toEqual([
        ['A', 7],
        ['B', 40],
      ]);
    });

    it('harms no write when it throws', async () => {
      const { run, write, policy, strategyErrors, replayer } = setUp({ strategy: strategy() });
      policy.isBroken = true;
      expect(statuses((await run(write('applied', 'applied'))).value)).toBe('applied, applied');
      expect(statuses((await run(write('applied', 'unreached'))).value)).toBe('applied, queued');
      expect((await run(write('rejected', 'unreached'))).error).toBeInstanceOf(ClusterError);
      expect(replayer.enqueuedFor).toEqual([['B']]);
      expect(strategyErrors[0]?.message).toBe('broken policy');
    });
  });

  describe('in single-cluster mode', () => {
    it('answers with B absent', async () => {
      const { run, write } = setUp({ strategy: strategy(), single: true });
      const operation = write('applied', 'applied');
      expect(statuses((await run(operation)).value)).toBe('applied, absent');
      expect(operation.sent).toEqual(['A']);
    });

    it('is sent to although it is draining', async () => {
      const { run, write } = setUp({ strategy: strategy(), single: true, drains: ['A'] });
      expect(statuses((await run(write('applied', 'applied'))).value)).toBe('applied, absent');
    });

    it.each<[a: SideScript, outcome: string]>([
      ['unreached', 'notApplied'],
      ['blocked', 'notApplied'],
      ['rejected', 'notApplied'],
      ['ambiguous', 'unknown'],
    ])('throws a ClusterError for %s with outcome %s, and queues nothing', async (a, outcome) => {
      const { run, write, replayer } = setUp({ strategy: strategy(), single: true });
      const { error } = await run(write(a, 'never'));
      expect(error).toBeInstanceOf(ClusterError);
      expect(error).toMatchObject({ cluster: 'A', operation: 'write', outcome, cause: { kind: a } });
      expect(replayer.enqueued).toEqual([]);
      expect(replayer.buried).toEqual([]);
    });

    it('leaves the outcome unknown after writeTimeoutMs', async () => {
      const { clock, run, write } = setUp({ strategy: strategy(), single: true });
      const answer = await run(write('never', 'never'));
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(answer.error).toMatchObject({ outcome: 'unknown' });
    });
  });

  describe('closing', () => {
    it('refuses what comes afterwards, and sends nothing', async () => {
      const { path, run, write } = setUp({ strategy: strategy() });
      path.close();
      const operation = write('applied', 'applied');
      expect((await run(operation)).error).toBeInstanceOf(SessionClosedError);
      expect(operation.sent).toEqual([]);
      expect(() => path.checkOpen()).toThrow(SessionClosedError);
    });

    it('lets what was accepted before go on to its end', async () => {
      const { clock, path, run, write, replayer } = setUp({ strategy: strategy() });
      const answer = await run(write('applied', 'never'));
      path.close();
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(statuses(answer.value)).toBe('applied, queued');
      expect(replayer.enqueuedFor).toEqual([['B']]);
    });

    it('is settled at once when nothing is running', async () => {
      const { clock, path } = setUp({ strategy: strategy() });
      const settled = new Watched(path.settled());
      await clock.settle();
      expect(settled.isSettled).toBe(true);
    });

    it('is settled when all that was accepted before has been decided and kept', async () => {
      const { clock, path, run, write, replayer } = setUp({ strategy: strategy() });
      replayer.mode = 'hang';
      await run(write({ answer: 'applied', afterMs: 10 }, { answer: 'unreached', afterMs: 20 }));
      const settled = new Watched(path.settled());
      await clock.advance(20 + ENQUEUE_TIMEOUT_MS - 1);
      expect(settled.isSettled).toBe(false);
      await clock.advance(1);
      expect(settled.isSettled).toBe(true);
    });

    it('is settled although later writes are still running', async () => {
      const { clock, path, run, write } = setUp({ strategy: strategy() });
      await run(write({ answer: 'applied', afterMs: 10 }, 'applied'));
      const settled = new Watched(path.settled());
      await run(write('never', 'never'));
      await clock.advance(10);
      expect(settled.isSettled).toBe(true);
    });

    it('is settled after failed writes too', async () => {
      const { clock, path, run, write } = setUp({ strategy: strategy() });
      await run(write('rejected', 'rejected'));
      await run(write('unreached', 'unreached'));
      await run(write('never', 'never'));
      const settled = new Watched(path.settled());
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(settled.isSettled).toBe(true);
    });
  });
});

describe('SideWrite, as a strategy of the user sees it', () => {
  it('sends at most once, and answers with the same outcome again', async () => {
    const outcomes: Outcome[] = [];
    const { run, write } = setUp({
      strategy: new Strategy(async (a, b) => {
        outcomes.push(await a.send(), await a.send(), ...(await Promise.all([a.send(), a.send()])));
        return [await a.send(), await b.send()];
      }),
    });
    const operation = write('applied', 'applied');
    await run(operation);
    expect(operation.sent).toEqual(['A', 'B']);
    expect(outcomes).toEqual([APPLIED, APPLIED, APPLIED, APPLIED]);
  });

  it.each<SideScript>(['unreached', 'blocked', 'ambiguous', 'rejected'])(
    'answers %s and never rejects',
    async (script) => {
      const outcomes: Outcome[] = [];
      const { run, write } = setUp({
        strategy: new Strategy(async (a, b) => {
          outcomes.push(await a.send());
          return [await a.send(), await b.send()];
        }),
      });
      await run(write(script, 'applied'));
      expect(outcomes).toEqual([{ kind: script, error: new FakeDriverError(script as 'unreached') }]);
    },
  );

  it('names its cluster', async () => {
    const clusters: ClusterId[] = [];
    const { run, write } = setUp({
      strategy: new Strategy(async (a, b) => {
        clusters.push(a.cluster, b.cluster);
        return [await a.send(), await b.send()];
      }),
    });
    await run(write('applied', 'applied'));
    expect(clusters).toEqual(['A', 'B']);
  });

  it('has its own deadline, which begins when it is sent', async () => {
    const { clock, run, write } = setUp({
      strategy: new Strategy(async (a, b) => [await a.send(), await b.send()]),
    });
    const answer = await run(
      write(
        { answer: 'applied', afterMs: WRITE_TIMEOUT_MS - 1 },
        { answer: 'applied', afterMs: WRITE_TIMEOUT_MS - 1 },
      ),
    );
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(statuses(answer.value)).toBe('applied, applied');
  });
});

describe('a write while both sides are draining', () => {
  const strategies: [name: string, strategy: () => WriteStrategy][] = [
    ...bothWays,
    ['A first', () => new SyncDualWriteStrategy()],
    ['B first', () => new SyncDualWriteStrategy({ first: 'B' })],
    ['a straggler limit', () => new ConcurrentDualWriteStrategy({ stragglerMs: 5 })],
    ['a strategy that leaves B pending', leavesB],
    ['a strategy that fails', () => new Strategy(() => Promise.reject(new Error('broken strategy')))],
  ];
  const drains = ['A', 'B'] as const;

  it.each(strategies)('is refused, and nothing is sent or queued: %s', async (_name, strategy) => {
    const { run, write, replayer, leftovers } = setUp({ strategy: strategy(), drains });
    const operation = write('applied', 'applied');
    const { error } = await run(operation);
    expect(error).toBeInstanceOf(BothClustersDrainingError);
    expect((error as Error).message).toContain('INSERT INTO users (id) VALUES (?)');
    expect([operation.sent, replayer.enqueued]).toEqual([[], []]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it.each(strategies)("is queued for both under whenBothFail: 'queue': %s", async (_name, strategy) => {
    const { run, write, replayer, leftovers } = setUp({
      strategy: strategy(),
      drains,
      whenBothFail: 'queue',
    });
    const operation = write('applied', 'applied');
    expect(statuses((await run(operation)).value)).toBe('queued, queued');
    expect(operation.sent).toEqual([]);
    expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it.each(strategies)('is refused without a replayer too: %s', async (_name, strategy) => {
    const { run, write } = setUp({ strategy: strategy(), drains, replay: 'off' });
    const operation = write('applied', 'applied');
    expect((await run(operation)).error).toBeInstanceOf(BothClustersDrainingError);
    expect(operation.sent).toEqual([]);
  });

  it('holds up whoever waits for what was accepted before until it is queued', async () => {
    const { clock, path, run, write, replayer } = setUp({ drains, whenBothFail: 'queue' });
    replayer.mode = 'hang';
    await run(write('applied', 'applied'));
    const settled = new Watched(path.settled());
    await clock.advance(ENQUEUE_TIMEOUT_MS - 1);
    expect(settled.isSettled).toBe(false);
    await clock.advance(1);
    expect(settled.isSettled).toBe(true);
  });
});

describe('a side that begins to drain while a strategy takes its time', () => {
  const drainsBMeanwhile = async (setup: Setup, a: SideAnswer = 'applied') => {
    const fixture = setUp({ strategy: new SyncDualWriteStrategy(), ...setup });
    const operation = fixture.write({ answer: a, afterMs: 10 }, 'applied');
    const answer = await fixture.run(operation);
    fixture.draining.B = true;
    await fixture.clock.advance(10);
    return { ...fixture, operation, answer };
  };

  it('is left out: nothing was sent to it yet', async () => {
    const { answer, operation, replayer } = await drainsBMeanwhile({});
    expect(statuses(answer.value)).toBe('applied, queued');
    expect(operation.sent).toEqual(['A']);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('is left out as draining, not for its limit: it is not tried after all', async () => {
    const { answer, operation } = await drainsBMeanwhile({}, 'unreached');
    expect(answer.error).toMatchObject({ errors: { B: { message: 'Not tried: draining' } } });
    expect(operation.sent).toEqual(['A']);
  });

  it('is sent to all the same when nobody would replay what it then missed', async () => {
    const { answer } = await drainsBMeanwhile({ replay: 'off' });
    expect(statuses(answer.value)).toBe('applied, applied');
  });

  it('has both draining said when the other drains too: nothing was sent', async () => {
    const clock = new FakeClock();
    const strategy = new Strategy(async (a, b) => {
      const first = await a.send();
      await delay(clock, 5);
      return [first, await b.send()];
    });
    const { answer, operation } = await drainsBMeanwhile({ clock, strategy, drains: ['A'] });
    expect(answer.error).toBeInstanceOf(BothClustersDrainingError);
    expect(operation.sent).toEqual([]);
  });
});

it('a write that was being prepared is waited for until the side that it leaves pending has ended', async () => {
  const { clock, path, write, replayer } = setUp({ strategy: leavesB() });
  const operation = write('applied', { answer: 'unreached', afterMs: 50 });
  const answer = new Watched(path.runPrepared(() => delay(clock, 5).then(() => operation), 'a write'));
  const settled = new Watched(path.settled());
  await clock.advance(54);
  expect(statuses(answer.value)).toBe('applied, pending');
  expect(settled.isSettled).toBe(false);
  await clock.advance(1);
  expect(replayer.enqueuedFor).toEqual([['B']]);
  expect(settled.isSettled).toBe(true);
});

it('a side that the policy avoids is tried after all when the other is full by the time it is come to', async () => {
  const policy = new FakePolicy({ unavailable: ['A'] });
  const { path, clock, write, replayer } = setUp({
    strategy: new SyncDualWriteStrategy(),
    policy,
    maxInFlight: 1,
  });
  const [first, second] = [write('applied', 'never'), write('applied', 'applied')];
  const answers = [new Watched(path.run(first)), new Watched(path.run(second))];
  await clock.settle();
  expect(statuses(answers[1]!.value)).toBe('applied, queued');
  expect([first.sent, second.sent]).toEqual([['B'], ['A']]);
  expect(replayer.enqueuedFor).toEqual([['B']]);
});

it('a strategy that comes to its second side after the cut-off finds it closed', async () => {
  const { clock, path, run, write, leftovers } = setUp({ strategy: new SyncDualWriteStrategy() });
  const operation = write('never', 'applied');
  const answer = await run(operation);
  path.cutOff();
  await clock.settle();
  expect(answer.error).toMatchObject({ outcome: 'unknown', errors: { B: { name: 'SessionClosedError' } } });
  expect(operation.sent).toEqual(['A']);
  expect(await leftovers()).toMatchObject({ isSettled: true });
});

describe('the outcomes a strategy answers with', () => {
  const answering = (a: Outcome, b: Outcome) => new Strategy(() => Promise.resolve([a, b]));

  it.each<[a: Outcome, b: Outcome, thrown: unknown]>([
    [skipped('draining'), skipped('draining'), BothClustersDrainingError],
    [skipped('limit'), skipped('limit'), OverloadedError],
    [skipped('draining'), skipped('firstRejected'), DualClusterError],
  ])('throw what the table says for skipped sides', async (a, b, thrown) => {
    const { run, write, replayer } = setUp({ strategy: answering(a, b) });
    const operation = write('applied', 'applied');
    expect((await run(operation)).error).toBeInstanceOf(thrown);
    expect(operation.sent).toEqual([]);
    expect(replayer.enqueued).toEqual([]);
  });

  it('queue for a side that was never sent to', async () => {
    const { run, write, replayer } = setUp({
      strategy: new Strategy(async (a) => [await a.send(), skipped('firstRejected')]),
    });
    const operation = write('applied', 'applied');
    expect(statuses((await run(operation)).value)).toBe('applied, queued');
    expect(operation.sent).toEqual(['A']);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });
});

describe('a side that a strategy left out', () => {
  const leavesOutB = (reason: Parameters<typeof skipped>[0]) =>
    new Strategy(async (a) => [await a.send(), skipped(reason)]);

  it.each<SideScript>(['unreached', 'blocked', 'ambiguous'])(
    'because of its limit is tried after all when the other is %s',
    async (a) => {
      const { run, write, replayer } = setUp({ strategy: leavesOutB('limit') });
      const operation = write(a, 'applied');
      expect(statuses((await run(operation)).value)).toBe('queued, applied');
      expect(operation.sent).toEqual(['A', 'B']);
      expect(replayer.enqueuedFor).toEqual([['A']]);
    },
  );

  it('because of its limit is queued for when the other applied it', async () => {
    const { run, write } = setUp({ strategy: leavesOutB('limit') });
    const operation = write('applied', 'applied');
    expect(statuses((await run(operation)).value)).toBe('applied, queued');
    expect(operation.sent).toEqual(['A']);
  });

  it.each(['limit', 'breaker'] as const)(
    'because of its %s is tried after all when the other is draining',
    async (reason) => {
      const { run, write, replayer } = setUp({
        strategy: new Strategy(() => Promise.resolve([skipped('draining'), skipped(reason)])),
      });
      const operation = write('applied', 'applied');
      expect(statuses((await run(operation)).value)).toBe('queued, applied');
      expect(operation.sent).toEqual(['B']);
      expect(replayer.enqueuedFor).toEqual([['A']]);
    },
  );

  it('because it is draining is not tried, whatever the other answers', async () => {
    const { run, write } = setUp({ strategy: leavesOutB('draining') });
    const operation = write('unreached', 'applied');
    expect((await run(operation)).error).toMatchObject({ outcome: 'notApplied' });
    expect(operation.sent).toEqual(['A']);
  });
});

describe('a write of a call that also reads', () => {
  it.each<
    [
      b: SideScript,
      fields: FakeWriteFields,
      onReplayLost: 'throw' | 'report',
      onlySide: ClusterId | undefined,
    ]
  >([
    ['applied', {}, 'report', undefined],
    ['unreached', {}, 'report', 'A'],
    ['unreached', { ack: 'both' }, 'report', 'A'],
    ['rejected', { ack: 'both' }, 'report', 'A'],
    ['unreached', {}, 'throw', 'A'],
  ])('tells it which side has it: B %s, %j, lost: %s', async (b, fields, onReplayLost, onlySide) => {
    const { run, write, replayer } = setUp({ onReplayLost });
    if (onReplayLost === 'throw') replayer.mode = 'refuse';
    const context = CallContext.dualWrite({});
    await run(write('applied', b, fields), { context });
    expect(context.onlySide).toBe(onlySide);
  });

  it('tells it nothing when no side is known to have it', async () => {
    const { run, write } = setUp();
    const context = CallContext.dualWrite({});
    expect((await run(write('ambiguous', 'unreached'), { context })).error).toBeInstanceOf(DualClusterError);
    expect(context.onlySide).toBeUndefined();
  });

  it('tells it also when its caller has not waited', async () => {
    const { clock, run, write } = setUp();
    const context = CallContext.dualWrite({});
    await run(write('applied', { answer: 'unreached', afterMs: 50 }), { context, timeoutMs: 10 });
    await clock.advance(50);
    expect(context.onlySide).toBe('A');
  });

  it('tells it when it had to be prepared first', async () => {
    const { clock, path, write } = setUp();
    const context = CallContext.dualWrite({});
    const operation = write('unreached', 'applied');
    await path.runPrepared(() => Promise.resolve(operation), 'a write', { context });
    await clock.settle();
    expect(context.onlySide).toBe('B');
  });
});

describe('the context a strategy is given', () => {
  it('is what the caller asked for', async () => {
    const contexts: WriteContext[] = [];
    const { path, run, write } = setUp({
      strategy: new Strategy(async (a, b, context) => {
        contexts.push(context);
        return [await a.send(), await b.send()];
      }),
    });
    const { signal } = new AbortController();
    await run(write('applied', 'applied', { ack: 'both' }), { signal });
    await run(write('applied', 'applied'));
    await path.runPrepared(() => Promise.resolve(write('applied', 'applied')), 'a write', { signal });
    expect(contexts).toEqual([
      { ack: 'both', priority: 'low', signal },
      { ack: 'any', priority: 'low' },
      { ack: 'any', priority: 'low', signal },
    ]);
  });
});

describe('a strategy that fails', () => {
  it.each<[how: string, fail: (a: SideWrite) => Promise<never>]>([
    [
      'rejects after the answer',
      async (a) => {
        await a.send();
        throw new Error('broken strategy');
      },
    ],
    [
      'rejects before the answer',
      async (a) => {
        void a.send();
        throw new Error('broken strategy');
      },
    ],
    [
      'throws at once',
      (a) => {
        void a.send();
        throw new Error('broken strategy');
      },
    ],
  ])('loses nothing of what it sent when it %s', async (_how, fail) => {
    const { clock, run, write, replayer, strategyErrors } = setUp({ strategy: new Strategy(fail) });
    const answer = await run(write({ answer: 'applied', afterMs: 10 }, 'applied'));
    await clock.advance(10);
    expect(statuses(answer.value)).toBe('applied, queued');
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(strategyErrors.map(({ message }) => message)).toEqual(['broken strategy']);
  });

  it('has the side it did not send tried after all when the one it sent failed', async () => {
    const { run, write, replayer } = setUp({
      strategy: new Strategy(async (a) => {
        await a.send();
        throw new Error('broken strategy');
      }),
    });
    const operation = write('unreached', 'applied');
    expect(statuses((await run(operation)).value)).toBe('queued, applied');
    expect(operation.sent).toEqual(['A', 'B']);
    expect(replayer.enqueuedFor).toEqual([['A']]);
  });

  it('decides by both answers when it had sent both', async () => {
    const { run, write, replayer } = setUp({
      strategy: new Strategy(async (a, b) => {
        await Promise.all([a.send(), b.send()]);
        throw new Error('broken strategy');
      }),
    });
    expect((await run(write('ambiguous', 'unreached'))).error).toMatchObject({ outcome: 'unknown' });
    expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
  });

  it.each<[what: string, answer: unknown]>([
    ['nothing', undefined],
    ['a single outcome', APPLIED],
    ['one outcome of two', [APPLIED]],
    ['one outcome and nothing', [APPLIED, undefined]],
    ['names of outcomes', ['applied', 'applied']],
    ['three outcomes', [APPLIED, APPLIED, APPLIED]],
  ])('loses nothing of what it sent when it answers with %s', async (_what, answer) => {
    const { run, write, replayer, strategyErrors } = setUp({
      strategy: new Strategy(async (a, b) => {
        await Promise.all([a.send(), b.send()]);
        return answer as [Outcome, Outcome];
      }),
    });
    expect(statuses((await run(write('applied', 'unreached'))).value)).toBe('applied, queued');
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(strategyErrors).toEqual([expect.any(HelixUsageError)]);
  });

  it('fails the write with its error when it had sent nothing', async () => {
    const { clock, path, run, write, replayer } = setUp({
      strategy: new Strategy(() => Promise.reject(new Error('broken strategy'))),
    });
    const operation = write('applied', 'applied');
    expect((await run(operation)).error).toMatchObject({ message: 'broken strategy' });
    expect(operation.sent).toEqual([]);
    expect(replayer.enqueued).toEqual([]);
    const settled = new Watched(path.settled());
    await clock.settle();
    expect(settled.isSettled).toBe(true);
  });
});

describe('a side that is left pending', () => {
  const late = (answer: 'applied' | 'unreached' | 'ambiguous' | 'rejected'): SideScript => ({
    answer,
    afterMs: 50,
  });

  it.each<
    [
      b: 'applied' | 'unreached' | 'ambiguous' | 'rejected',
      kind: OperationClass,
      enqueued: ClusterId[][],
      buried: string[],
    ]
  >([
    ['applied', 'idempotent', [], []],
    ['unreached', 'idempotent', [['B']], []],
    ['ambiguous', 'idempotent', [['B']], []],
    ['ambiguous', 'once', [], ['inDoubt']],
    ['rejected', 'idempotent', [], ['rejected']],
  ])(
    'is pending in the receipt, and gets its row once it is %s (class %s)',
    async (b, kind, enqueued, buried) => {
      const { clock, path, run, write, replayer } = setUp({ strategy: leavesB() });
      const answer = await run(write('applied', late(b), { class: kind }));
      expect(statuses(answer.value)).toBe('applied, pending');
      expect(replayer.enqueued).toEqual([]);
      const settled = new Watched(path.settled());
      await clock.advance(49);
      expect(settled.isSettled).toBe(false);
      await clock.advance(1);
      expect(replayer.enqueuedFor).toEqual(enqueued);
      expect(replayer.buried.map(({ reason }) => reason)).toEqual(buried);
      expect(settled.isSettled).toBe(true);
    },
  );

  it('holds up whoever waits for what was accepted before, although its receipt is out', async () => {
    const { clock, path, run, write, replayer } = setUp({ strategy: leavesB() });
    const answer = await run(write({ answer: 'applied', afterMs: 10 }, late('unreached')));
    const settled = new Watched(path.settled());
    await clock.advance(10);
    expect(statuses(answer.value)).toBe('applied, pending');
    await clock.advance(39);
    expect([settled.isSettled, replayer.enqueuedFor]).toEqual([false, []]);
    await clock.advance(1);
    expect([settled.isSettled, replayer.enqueuedFor]).toEqual([true, [['B']]]);
  });

  it('is reported lost when it fails and the replayer refuses it', async () => {
    const { clock, run, write, replayer, dropped } = setUp({ strategy: leavesB() });
    replayer.mode = 'refuse';
    await run(write('applied', late('unreached')));
    await clock.advance(50);
    expect(dropped).toMatchObject([{ envelope: { cluster: 'B' }, error: { message: 'no room' } }]);
  });

  it('is waited for when the other side failed', async () => {
    const { clock, run, write, replayer } = setUp({ strategy: leavesB() });
    const answer = await run(write('unreached', late('applied')));
    await clock.advance(49);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(statuses(answer.value)).toBe('queued, applied');
    expect(replayer.enqueuedFor).toEqual([['A']]);
  });

  it.each<[a: 'unreached' | 'ambiguous' | 'rejected', b: 'unreached' | 'rejected', error: object]>([
    ['unreached', 'unreached', { code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' }],
    ['ambiguous', 'unreached', { code: 'HELIX_BOTH_FAILED', outcome: 'unknown' }],
    ['rejected', 'unreached', { code: 'HELIX_CLUSTER', cluster: 'A' }],
    ['unreached', 'rejected', { code: 'HELIX_CLUSTER', cluster: 'B' }],
  ])('throws by both final outcomes: A %s, B in the end %s', async (a, b, error) => {
    const { clock, run, write } = setUp({ strategy: leavesB() });
    const answer = await run(write(a, late(b)));
    await clock.advance(50);
    expect(answer.error).toMatchObject(error);
  });

  it('has a receipt as soon as one of two pending sides applied', async () => {
    const { clock, run, write, replayer } = setUp({
      strategy: new Strategy((a, b) =>
        Promise.resolve([
          { kind: 'pending', settled: a.send() },
          { kind: 'pending', settled: b.send() },
        ]),
      ),
    });
    const answer = await run(write({ answer: 'unreached', afterMs: 80 }, { answer: 'applied', afterMs: 30 }));
    await clock.advance(30);
    expect(statuses(answer.value)).toBe('pending, applied');
    await clock.advance(50);
    expect(replayer.enqueuedFor).toEqual([['A']]);
  });

  it('has the side that the policy avoids tried after all when it fails', async () => {
    const { clock, run, write, replayer } = setUp({
      strategy: new Strategy(async (a, b) => [{ kind: 'pending', settled: a.send() }, await b.send()]),
      policy: new FakePolicy({ unavailable: ['B'] }),
    });
    const operation = write(late('unreached'), 'applied');
    const answer = await run(operation);
    expect(operation.sent).toEqual(['A']);
    await clock.advance(50);
    expect(operation.sent).toEqual(['A', 'B']);
    expect(statuses(answer.value)).toBe('queued, applied');
    expect(replayer.enqueuedFor).toEqual([['A']]);
  });

  describe('by a promise that rejects', () => {
    const rejectsForB = () =>
      new Strategy(async (a, b) => {
        const settled = b.send().then(() => Promise.reject<Outcome>(new Error('broken strategy')));
        return [await a.send(), { kind: 'pending', settled }];
      });

    it.each<[kind: OperationClass, enqueued: ClusterId[][], buried: string[]]>([
      ['idempotent', [['B']], []],
      ['once', [], ['inDoubt']],
    ])('may have applied it beside an applied side: class %s', async (kind, enqueued, buried) => {
      const { run, write, replayer } = setUp({ strategy: rejectsForB() });
      const answer = await run(write('applied', 'unreached', { class: kind }));
      expect(statuses(answer.value)).toBe('applied, pending');
      expect(replayer.enqueuedFor).toEqual(enqueued);
      expect(replayer.buried.map(({ reason }) => reason)).toEqual(buried);
    });

    it('leaves the outcome unknown beside a failed side', async () => {
      const { run, write, replayer } = setUp({ strategy: rejectsForB() });
      const answer = await run(write('unreached', 'unreached'));
      expect(answer.error).toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'unknown' });
      expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
    });
  });

  it('ends at its deadline like any other', async () => {
    const { clock, run, write, replayer } = setUp({ strategy: leavesB() });
    await run(write('applied', 'never'));
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });
});
