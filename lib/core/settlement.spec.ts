import { describe, expect, it } from 'vitest';
import { FakeDriverError, type SideScript, type Watched } from '../../test/support/fake-operations.js';
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
} from '../../test/support/write-path.js';
import {
  type ClusterId,
  DualClusterError,
  type OperationClass,
  PartialWriteError,
  ReplayQueueFullError,
} from './index.js';

const receiptOf = (error: unknown): string => {
  expect(error).toBeInstanceOf(PartialWriteError);
  return statuses((error as PartialWriteError).receipt);
};

describe.each(bothWays)("ack: 'both', with %s", (_name, strategy) => {
  it('answers when both have applied it', async () => {
    const { run, write, replayer } = setUp({ strategy: strategy() });
    const answer = await run(write('applied', 'applied', { ack: 'both' }));
    expect(statuses(answer.value)).toBe('applied, applied');
    expect(replayer.enqueued).toEqual([]);
  });

  it.each<
    [
      a: SideScript,
      b: SideScript,
      kind: OperationClass,
      receipt: string,
      queue: ClusterId[][],
      dead: string[],
    ]
  >([
    ['applied', 'unreached', 'idempotent', 'applied, queued', [['B']], []],
    ['applied', 'blocked', 'idempotent', 'applied, queued', [['B']], []],
    ['applied', 'ambiguous', 'idempotent', 'applied, queued', [['B']], []],
    ['applied', 'ambiguous', 'once', 'applied, inDoubt', [], ['inDoubt']],
    ['applied', 'rejected', 'idempotent', 'applied, rejected', [], ['rejected']],
    ['unreached', 'applied', 'idempotent', 'queued, applied', [['A']], []],
  ])('A %s, B %s, class %s: throws with the receipt %s', async (a, b, kind, receipt, queue, dead) => {
    const { run, write, replayer } = setUp({ strategy: strategy() });
    const operation = write(a, b, { ack: 'both', class: kind });
    const { error } = await run(operation);
    expect(receiptOf(error)).toBe(receipt);
    const failed = [a, b].find((each) => each !== 'applied') as 'unreached';
    expect(error).toMatchObject({
      code: 'HELIX_PARTIAL_WRITE',
      receipt: { id: operation.id, timestamp: operation.timestampUs },
      cause: new FakeDriverError(failed),
    });
    expect((error as Error).message).toContain("not acknowledged by both (ack: 'both')");
    expect((error as Error).message).toContain('(FakeDriverError)');
    expect((error as Error).message).not.toContain('secret');
    expect(replayer.enqueuedFor).toEqual(queue);
    expect(replayer.buried.map(({ reason }) => reason)).toEqual(dead);
  });

  it('throws for a side that was left out, which is queued', async () => {
    const policy = new FakePolicy({ unavailable: ['B'] });
    const { run, write, replayer } = setUp({ strategy: strategy(), policy });
    const { error } = await run(write('applied', 'applied', { ack: 'both' }));
    expect(receiptOf(error)).toBe('applied, queued');
    expect((error as Error).cause).toBeUndefined();
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it.each<[a: SideScript, b: SideScript, error: object]>([
    ['unreached', 'unreached', { code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' }],
    ['ambiguous', 'unreached', { code: 'HELIX_BOTH_FAILED', outcome: 'unknown' }],
    ['rejected', 'unreached', { code: 'HELIX_CLUSTER', cluster: 'A' }],
  ])('throws what it always does when neither has applied it: A %s, B %s', async (a, b, error) => {
    const { run, write } = setUp({ strategy: strategy() });
    expect((await run(write(a, b, { ack: 'both' }))).error).toMatchObject(error);
  });

  it('answers on a single cluster, where there is nobody else', async () => {
    const { run, write } = setUp({ strategy: strategy(), single: true });
    expect(statuses((await run(write('applied', 'applied', { ack: 'both' }))).value)).toBe('applied, absent');
  });
});

describe("ack: 'both', with a strategy that leaves B pending", () => {
  const late = (answer: 'applied' | 'unreached' | 'rejected'): SideScript => ({ answer, afterMs: 50 });

  it.each<[b: 'applied' | 'unreached' | 'rejected', receipt: string]>([
    ['applied', 'applied, applied'],
    ['unreached', 'applied, queued'],
    ['rejected', 'applied, rejected'],
  ])('leaves nothing pending: B in the end %s', async (b, receipt) => {
    const { clock, run, write, divergences, leftovers } = setUp({ strategy: leavesB() });
    const answer = await run(write('applied', late(b), { ack: 'both' }));
    await clock.advance(49);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    if (b === 'applied') expect(statuses(answer.value)).toBe(receipt);
    else expect(receiptOf(answer.error)).toBe(receipt);
    expect(divergences).toHaveLength(b === 'rejected' ? 1 : 0);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('waits for both when both are pending', async () => {
    const { clock, run, write, replayer } = setUp({
      strategy: new Strategy((a, b) =>
        Promise.resolve([
          { kind: 'pending', settled: a.send() },
          { kind: 'pending', settled: b.send() },
        ]),
      ),
    });
    const answer = await run(write({ answer: 'unreached', afterMs: 30 }, late('applied'), { ack: 'both' }));
    await clock.advance(49);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(receiptOf(answer.error)).toBe('queued, applied');
    expect(replayer.enqueuedFor).toEqual([['A']]);
  });
});

describe.each(bothWays)("whenBothFail: 'queue', with %s", (_name, strategy) => {
  const queueing = (setup: Parameters<typeof setUp>[0] = {}) =>
    setUp({ strategy: strategy(), whenBothFail: 'queue', ...setup });

  it.each<[a: SideScript, b: SideScript]>([
    ['unreached', 'unreached'],
    ['unreached', 'blocked'],
    ['blocked', 'blocked'],
  ])('A %s, B %s: is queued for both, in one call, and the receipt says so', async (a, b) => {
    const { run, write, replayer, dropped, leftovers } = queueing();
    const operation = write(a, b);
    expect(statuses((await run(operation)).value)).toBe('queued, queued');
    expect(replayer.enqueued).toEqual([[operation.envelope('A'), operation.envelope('B')]]);
    expect(dropped).toEqual([]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('says spooled when the replayer holds it in this process', async () => {
    const { run, write, replayer } = queueing();
    replayer.accepts = 'spooled';
    expect(statuses((await run(write('unreached', 'unreached'))).value)).toBe('spooled, spooled');
  });

  it('is queued in class once too: nobody can have it', async () => {
    const { run, write, replayer } = queueing();
    expect(statuses((await run(write('unreached', 'unreached', { class: 'once' }))).value)).toBe(
      'queued, queued',
    );
    expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
  });

  it("throws with that receipt under ack: 'both'", async () => {
    const { run, write } = queueing();
    const { error } = await run(write('unreached', 'unreached', { ack: 'both' }));
    expect(receiptOf(error)).toBe('queued, queued');
    expect((error as Error).cause).toEqual(new FakeDriverError('unreached'));
  });

  it.each<[a: SideScript, b: SideScript, code: string]>([
    ['ambiguous', 'unreached', 'HELIX_BOTH_FAILED'],
    ['rejected', 'unreached', 'HELIX_CLUSTER'],
    ['rejected', 'rejected', 'HELIX_CLUSTER'],
  ])('changes nothing for A %s, B %s', async (a, b, code) => {
    const { run, write } = queueing();
    expect((await run(write(a, b))).error).toMatchObject({ code });
  });

  it('is not queued when both were at their limit: it is safe to retry', async () => {
    const { run, write, replayer } = queueing({ maxInFlight: 1 });
    await run(write('never', 'never'));
    expect((await run(write('applied', 'applied'))).error).toMatchObject({ code: 'HELIX_OVERLOADED' });
    expect(replayer.enqueued).toEqual([]);
  });

  it.each<[how: string, refusal: Error, outcome: string, advice: string]>([
    [
      'has no room',
      new ReplayQueueFullError('full'),
      'notApplied',
      'could not be queued (ReplayQueueFullError',
    ],
    ['fails', new Error('broken queue'), 'unknown', 'may have been queued for both (Error)'],
  ])('throws when the queue %s', async (_how, refusal, outcome, advice) => {
    const { run, write, replayer, dropped, leftovers } = queueing();
    replayer.mode = 'refuse';
    replayer.refusal = refusal;
    const { error } = await run(write('unreached', 'blocked'));
    expect(error).toBeInstanceOf(DualClusterError);
    expect(error).toMatchObject({ outcome, errors: { A: { kind: 'unreached' }, B: { kind: 'blocked' } } });
    expect((error as Error).message).toContain(`Nothing was applied, and it ${advice}`);
    // Nothing was accepted, so nothing is lost.
    expect(dropped).toEqual([]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('does not know what became of it when the queue does not answer in time', async () => {
    const { clock, run, write, replayer } = queueing();
    replayer.mode = 'hang';
    const answer = await run(write('unreached', 'unreached'));
    await clock.advance(ENQUEUE_TIMEOUT_MS - 1);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(answer.error).toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'unknown' });
  });
});

describe("whenBothFail: 'queue', with both draining", () => {
  const draining = () => new Strategy(() => Promise.resolve([skipped('draining'), skipped('draining')]));

  it('is queued for both, and nothing is sent', async () => {
    const { run, write, replayer } = setUp({ strategy: draining(), whenBothFail: 'queue' });
    const operation = write('applied', 'applied');
    expect(statuses((await run(operation)).value)).toBe('queued, queued');
    expect(operation.sent).toEqual([]);
    expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
  });

  it("throws with that receipt under ack: 'both'", async () => {
    const { run, write } = setUp({ strategy: draining(), whenBothFail: 'queue' });
    const { error } = await run(write('applied', 'applied', { ack: 'both' }));
    expect(receiptOf(error)).toBe('queued, queued');
    expect((error as Error).cause).toBeUndefined();
  });

  it('throws when the queue does not take it', async () => {
    const { run, write, replayer } = setUp({ strategy: draining(), whenBothFail: 'queue' });
    replayer.mode = 'refuse';
    replayer.refusal = new ReplayQueueFullError('full');
    expect((await run(write('applied', 'applied'))).error).toMatchObject({
      code: 'HELIX_BOTH_FAILED',
      outcome: 'notApplied',
      errors: { A: { message: 'Not tried: draining' }, B: { message: 'Not tried: draining' } },
    });
  });

  it("is refused under 'throw', and nothing is kept", async () => {
    const { run, write, replayer } = setUp({ strategy: draining() });
    expect((await run(write('applied', 'applied'))).error).toMatchObject({ code: 'HELIX_BOTH_DRAINING' });
    expect(replayer.enqueued).toEqual([]);
  });
});

describe.each(bothWays)('what one side missed and could not be kept, with %s', (_name, strategy) => {
  const failing = (onReplayLost: 'throw' | 'report', mode: RecordingReplayer['mode'] = 'refuse') => {
    const fixture = setUp({ strategy: strategy(), onReplayLost });
    fixture.replayer.mode = mode;
    return fixture;
  };

  it.each<[a: SideScript, b: SideScript, kind: OperationClass, receipt: string]>([
    ['applied', 'unreached', 'idempotent', 'applied, lost'],
    ['applied', 'ambiguous', 'idempotent', 'applied, lost'],
    ['applied', 'ambiguous', 'once', 'applied, lost'],
    ['applied', 'rejected', 'idempotent', 'applied, lost'],
    ['blocked', 'applied', 'idempotent', 'lost, applied'],
  ])("A %s, B %s, class %s: throws with the receipt %s under 'throw'", async (a, b, kind, receipt) => {
    const { run, write, replayer, dropped } = failing('throw');
    const { error } = await run(write(a, b, { class: kind }));
    expect(receiptOf(error)).toBe(receipt);
    expect((error as Error).cause).toBe(replayer.refusal);
    expect((error as Error).message).toContain('one side will never get it by itself');
    expect(dropped).toHaveLength(1);
    const reported = await failing('report').run(write(a, b, { class: kind }));
    expect(statuses(reported.value)).toBe(receipt);
  });

  it('throws when the queue does not answer in time', async () => {
    const { clock, run, write, dropped } = failing('throw', 'hang');
    const answer = await run(write('applied', 'unreached'));
    await clock.advance(ENQUEUE_TIMEOUT_MS);
    expect(receiptOf(answer.error)).toBe('applied, lost');
    expect((answer.error as Error).cause).toMatchObject({ name: 'TimeoutError' });
    expect(dropped).toHaveLength(1);
  });

  it("is an error under ack: 'both' although losing is only reported", async () => {
    const { run, write } = failing('report');
    expect(receiptOf((await run(write('applied', 'unreached', { ack: 'both' }))).error)).toBe(
      'applied, lost',
    );
  });

  it("throws nothing for what was kept, under 'throw'", async () => {
    const { run, write } = failing('throw', 'accept');
    expect(statuses((await run(write('applied', 'unreached'))).value)).toBe('applied, queued');
    expect(statuses((await run(write('applied', 'rejected'))).value)).toBe('applied, rejected');
  });
});

describe.each(['throw', 'report'] as const)(
  'a pending side whose failure cannot be kept: %s',
  (onReplayLost) => {
    it.each<[b: 'unreached' | 'rejected', kind: OperationClass]>([
      ['unreached', 'idempotent'],
      ['rejected', 'idempotent'],
    ])('is reported once, and is nobody’s unhandled rejection: %s', async (b, kind) => {
      const { clock, run, write, replayer, dropped, divergences, leftovers } = setUp({
        strategy: leavesB(),
        onReplayLost,
      });
      const answer = await run(write('applied', { answer: b, afterMs: 50 }, { class: kind }));
      replayer.mode = 'refuse';
      await clock.advance(50);
      expect(statuses(answer.value)).toBe('applied, pending');
      expect(dropped).toMatchObject([{ envelope: { cluster: 'B' }, error: replayer.refusal }]);
      expect(divergences).toHaveLength(b === 'rejected' ? 1 : 0);
      expect(await leftovers()).toEqual(NO_LEFTOVERS);
    });
  },
);

describe('without a replayer', () => {
  it("is lost, and nobody is told but the caller, who gets an error under 'throw'", async () => {
    const { run, write, dropped } = setUp({ replay: 'off', onReplayLost: 'throw' });
    const { error } = await run(write('applied', 'unreached'));
    expect(receiptOf(error)).toBe('applied, lost');
    expect((error as Error).cause).toEqual(new FakeDriverError('unreached'));
    expect(dropped).toEqual([]);
  });

  it('leaves nothing behind when a pending side fails', async () => {
    const { clock, run, write, dropped, leftovers } = setUp({ replay: 'off', strategy: leavesB() });
    const answer: Watched<unknown> = await run(write('applied', { answer: 'unreached', afterMs: 50 }));
    await clock.advance(50);
    expect(answer.isSettled).toBe(true);
    expect(dropped).toEqual([]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });
});
