import { describe, expect, it } from 'vitest';
import type { SideScript, Watched } from '../../test/support/fake-operations.js';
import {
  bothWays,
  BuiltIn,
  ENQUEUE_TIMEOUT_MS,
  leavesB,
  NO_LEFTOVERS,
  setUpWritePath as setUp,
  statuses,
  WRITE_TIMEOUT_MS,
} from '../../test/support/write-path.js';
import { ConcurrentDualWriteStrategy, SyncDualWriteStrategy } from '../strategies/index.js';
import {
  CallContext,
  type ClusterId,
  OperationAbortedError,
  otherCluster,
  PartialWriteError,
  type WriteStrategy,
} from './index.js';

const ROUND_MS = 50;
const never: SideScript = 'never';
const late = (answer: 'applied' | 'unreached' | 'ambiguous' | 'rejected', afterMs: number): SideScript => ({
  answer,
  afterMs,
});

/** A timer of the platform, as its own time limits are told. */
function timeout(): DOMException {
  return new DOMException('The operation was aborted due to timeout', 'TimeoutError');
}

const first = (cluster: ClusterId): [string, () => WriteStrategy] => [
  `${cluster} first`,
  () => new SyncDualWriteStrategy({ first: cluster }),
];

describe.each([...bothWays, first('A')])("a caller's deadline, with %s", (_name, strategy) => {
  it('answers with what is applied by then, and the rest follows', async () => {
    const { run, write, clock, replayer, leftovers } = setUp({ strategy: strategy() });
    const answer = await run(write('applied', late('unreached', 300)), { timeoutMs: 100 });
    await clock.advance(99);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(statuses(answer.value)).toBe('applied, pending');
    expect(replayer.enqueuedFor).toEqual([]);
    await clock.advance(200);
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('is one that a signal tells of, too', async () => {
    const { run, write, clock, leftovers } = setUp({ strategy: strategy() });
    const controller = new AbortController();
    const answer = await run(write('applied', never), { signal: controller.signal });
    controller.abort(timeout());
    await clock.advance(0);
    expect(statuses(answer.value)).toBe('applied, pending');
    await clock.advance(WRITE_TIMEOUT_MS);
    // Its driver has not given it up.
    expect(await leftovers()).toEqual({ ...NO_LEFTOVERS, inFlight: { A: 0, B: 1 } });
  });

  it("throws PartialWriteError with ack: 'both', with what is applied by then", async () => {
    const { run, write, clock, replayer } = setUp({ strategy: strategy() });
    const answer = await run(write('applied', never, { ack: 'both' }), { timeoutMs: 100 });
    await clock.advance(100);
    expect(answer.error).toBeInstanceOf(PartialWriteError);
    expect(statuses((answer.error as PartialWriteError).receipt)).toBe('applied, pending');
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('rejects when nothing is applied, with what is known', async () => {
    const { run, write, clock } = setUp({ strategy: strategy() });
    const answer = await run(write(never, never), { timeoutMs: 100 });
    await clock.advance(100);
    expect(answer.error).toBeInstanceOf(OperationAbortedError);
    expect(answer.error).toMatchObject({ outcome: 'unknown', receipt: { A: 'pending', B: 'pending' } });
  });

  it('waits for the confirmation of the queue, if nothing else is outstanding', async () => {
    const { run, write, clock, replayer } = setUp({ strategy: strategy() });
    replayer.mode = 'hang';
    const answer = await run(write('applied', 'unreached'), { timeoutMs: 100 });
    await clock.advance(ENQUEUE_TIMEOUT_MS - 1);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(statuses(answer.value)).toBe('applied, lost');
  });

  it.each([
    ['because the process stood still, waits as long again, for what it had to send and to hear', 300, 300],
    ['waits for no more than half a second so', 3_000, 500],
  ])('that is late %s', async (_what, stoodStillMs, graceMs) => {
    const { run, write, clock } = setUp({ strategy: strategy() });
    const heard = await run(write(late('applied', 100 + stoodStillMs + graceMs - 1), never), {
      timeoutMs: 100,
    });
    const notHeard = await run(write(never, never), { timeoutMs: 100 });
    clock.standStill(100 + stoodStillMs);
    await clock.advance(graceMs - 1);
    expect(notHeard.isSettled).toBe(false);
    await clock.advance(1);
    expect(statuses(heard.value)).toBe('applied, pending');
    expect(notHeard.error).toBeInstanceOf(OperationAbortedError);
  });

  it('of a signal is late, too, when the process stood still', async () => {
    const { run, write, clock } = setUp({ strategy: strategy() });
    const controller = new AbortController();
    const answer = await run(write(late('applied', 700), never), { signal: controller.signal });
    clock.standStill(500);
    controller.abort(timeout());
    await clock.advance(199);
    expect(answer.isSettled).toBe(false);
    await clock.advance(300);
    expect(statuses(answer.value)).toBe('applied, pending');
  });
});

describe.each(bothWays)('another abort, with %s', (_name, strategy) => {
  it('rejects although a side has it, and says so', async () => {
    const { run, write, clock, replayer, leftovers } = setUp({ strategy: strategy() });
    const controller = new AbortController();
    const context = CallContext.dualWrite({});
    const answer = await run(write('applied', late('unreached', 300)), {
      signal: controller.signal,
      context,
    });
    controller.abort(new Error('the user went'));
    await clock.settle();
    expect(answer.error).toMatchObject({
      name: 'AbortError',
      outcome: 'unknown',
      receipt: { id: 'op1', A: 'applied', B: 'pending' },
    });
    // Its next reads know at once which side has the write.
    expect(context.onlySide).toBe('A');
    await clock.advance(300);
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('has no receipt when nothing was sent', async () => {
    const { run, write, clock } = setUp({ strategy: strategy() });
    const cold: SideScript = { answer: 'applied', afterMs: 0, prepareMs: 20 };
    const controller = new AbortController();
    const answer = await run(write(cold, cold), { signal: controller.signal });
    controller.abort();
    await clock.settle();
    expect(answer.error).toMatchObject({ outcome: 'notApplied', receipt: undefined });
  });
});

it('a deadline on a single cluster that has not applied it rejects', async () => {
  const { run, write, clock } = setUp({ single: true });
  const answer = await run(write(never, never), { timeoutMs: 100 });
  await clock.advance(100);
  expect(answer.error).toMatchObject({ name: 'AbortError', receipt: { A: 'pending', B: 'absent' } });
});

it("wakes a call with ack: 'both' whose strategy has left a side pending", async () => {
  const { run, write, clock } = setUp({ strategy: leavesB() });
  const answer = await run(write('applied', never, { ack: 'both' }), { timeoutMs: 100 });
  await clock.advance(99);
  expect(answer.isSettled).toBe(false);
  await clock.advance(1);
  expect(statuses((answer.error as PartialWriteError).receipt)).toBe('applied, pending');
});

const strategies = [...bothWays, first('A'), first('B')];

describe.each(strategies)('a cluster that is given up, with %s', (_name, strategy) => {
  it.each<ClusterId>(['A', 'B'])('%s is waited for no longer: the write is queued for it', async (dead) => {
    const { run, write, clock, givenUp, replayer, policy, leftovers } = setUp({ strategy: strategy() });
    const [a, b] = dead === 'A' ? [never, 'applied' as const] : (['applied', never] as const);
    const answer = await run(write(a, b));
    await clock.advance(500);
    expect(answer.isSettled).toBe(false);
    givenUp.add(dead);
    await clock.advance(2 * ROUND_MS);
    expect(answer.value[dead]).toBe('queued');
    expect(answer.value[otherCluster(dead)]).toBe('applied');
    expect(replayer.enqueuedFor).toEqual([[dead]]);
    // It hears of the hang as such; requests are not counted one by one.
    expect(policy.failures).toEqual([dead]);
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(await leftovers()).toEqual({
      ...NO_LEFTOVERS,
      inFlight: { A: dead === 'A' ? 1 : 0, B: dead === 'B' ? 1 : 0 },
    });
  });

  it('counts once for all that waits for it', async () => {
    const { run, write, clock, givenUp, policy } = setUp({ strategy: strategy() });
    for (let i = 0; i < 5; i++) await run(write('applied', never));
    await clock.advance(500);
    givenUp.add('B');
    await clock.advance(ROUND_MS);
    expect(policy.failures).toEqual(['B']);
  });

  it("throws PartialWriteError with ack: 'both'", async () => {
    const { run, write, clock, givenUp } = setUp({ strategy: strategy() });
    const answer = await run(write('applied', never, { ack: 'both' }));
    givenUp.add('B');
    await clock.advance(2 * ROUND_MS);
    expect(statuses((answer.error as PartialWriteError).receipt)).toBe('applied, queued');
  });

  it('is waited for by what must not be applied twice, until its time is over', async () => {
    const { run, write, clock, givenUp, replayer } = setUp({ strategy: strategy() });
    const answer = await run(write('applied', never, { class: 'once' }));
    givenUp.add('B');
    await clock.advance(WRITE_TIMEOUT_MS - 100);
    expect(answer.isSettled).toBe(false);
    await clock.advance(100);
    expect(statuses(answer.value)).toBe('applied, inDoubt');
    expect(replayer.enqueuedFor).toEqual([]);
  });

  it('does not count a second time what it answers later', async () => {
    const { run, write, clock, givenUp, path, leftovers } = setUp({ strategy: strategy() });
    const answer = await run(write('applied', late('applied', 2_000)));
    givenUp.add('B');
    await clock.advance(2 * ROUND_MS);
    expect(statuses(answer.value)).toBe('applied, queued');
    await clock.advance(2_000);
    expect(path.wire.traffic.B).toMatchObject({ sent: 1, ended: 1, late: 1 });
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });
});

const withTheOtherFirst: [string, (other: ClusterId) => WriteStrategy][] = [
  ...bothWays,
  ['the other one first', (other) => new SyncDualWriteStrategy({ first: other })],
];

describe.each(withTheOtherFirst)('a cluster that is known to be dead, with %s', (_name, strategy) => {
  it.each<ClusterId>(['A', 'B'])('%s costs nothing once that is known: not even a round', async (dead) => {
    const { run, write, clock, givenUp, replayer } = setUp({ strategy: strategy(otherCluster(dead)) });
    givenUp.add(dead);
    const soon = late('applied', 5);
    const answer = await run(dead === 'A' ? write(never, soon) : write(soon, never));
    await clock.advance(5);
    expect(answer.value[dead]).toBe('queued');
    expect(answer.value[otherCluster(dead)]).toBe('applied');
    expect(replayer.enqueuedFor).toEqual([[dead]]);
  });
});

it('a cluster that is known to be dead, and is sent to first, has a round to answer', async () => {
  const { run, write, clock, givenUp } = setUp({ strategy: new SyncDualWriteStrategy({ first: 'A' }) });
  givenUp.add('A');
  const [there, away] = [
    await run(write(late('applied', 20), 'applied')),
    await run(write(never, 'applied')),
  ];
  await clock.advance(20);
  expect([statuses(there.value), away.isSettled]).toEqual(['applied, applied', false]);
  await clock.advance(2 * ROUND_MS);
  expect(statuses(away.value)).toBe('queued, applied');
});

describe('a cluster that is given up', () => {
  it('is waited for while the other one has not answered either', async () => {
    const { run, write, clock, givenUp } = setUp();
    const answer = await run(write(late('applied', 400), never));
    givenUp.add('B');
    await clock.advance(399);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1 + ROUND_MS);
    expect(statuses(answer.value)).toBe('applied, queued');
  });

  it('is waited for when the other one has failed', async () => {
    const { run, write, clock, givenUp } = setUp();
    const answer = await run(write('unreached', late('applied', 400)));
    givenUp.add('B');
    await clock.advance(400);
    expect(statuses(answer.value)).toBe('queued, applied');
  });

  it('is never sent what was still being prepared for it: that is certainly not there', async () => {
    const { run, write, clock, givenUp, replayer } = setUp();
    const operation = write(
      'applied',
      { answer: 'applied', afterMs: 0, prepareMs: 2_000 },
      { class: 'idempotent' },
    );
    const answer = await run(operation);
    givenUp.add('B');
    await clock.advance(ROUND_MS);
    expect(statuses(answer.value)).toBe('applied, queued');
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(operation.sent).toEqual(['A']);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('is queued for what was pending by then', async () => {
    const { run, write, clock, givenUp, replayer } = setUp({
      strategy: new ConcurrentDualWriteStrategy({ stragglerMs: 200 }),
    });
    const answer = await run(write('applied', never));
    await clock.advance(250);
    expect(statuses(answer.value)).toBe('applied, pending');
    givenUp.add('B');
    await clock.advance(ROUND_MS);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });
});

describe('a straggler', () => {
  const STRAGGLER_MS = 1_000;
  const concurrent = () => new ConcurrentDualWriteStrategy();

  it.each<ClusterId>(['A', 'B'])('%s is waited for a second, once the other has applied', async (slow) => {
    const { run, write, clock, replayer, leftovers } = setUp({ strategy: concurrent() });
    const fast = late('applied', 400);
    const answer = await run(slow === 'A' ? write(never, fast) : write(fast, never));
    await clock.advance(400 + STRAGGLER_MS - 1);
    expect(answer.isSettled).toBe(false);
    await clock.advance(2 * ROUND_MS);
    expect(answer.value[slow]).toBe('pending');
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(replayer.enqueuedFor).toEqual([[slow]]);
    expect(await leftovers()).toMatchObject({ isSettled: true, reservations: 0 });
  });

  it("is waited for with ack: 'both', as long as it takes", async () => {
    const { run, write, clock } = setUp({ strategy: concurrent() });
    const answer = await run(write('applied', late('applied', 4_000), { ack: 'both' }));
    await clock.advance(3_999);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(statuses(answer.value)).toBe('applied, applied');
  });

  it('is not waited for at all with stragglerMs: 0', async () => {
    const { run, write, clock } = setUp({ strategy: new ConcurrentDualWriteStrategy({ stragglerMs: 0 }) });
    const answer = await run(write('applied', late('applied', 10)));
    expect(statuses(answer.value)).toBe('applied, pending');
    await clock.advance(10);
  });

  it('of class once is in doubt in the end, and nobody is told otherwise', async () => {
    const { run, write, clock, replayer } = setUp({ strategy: concurrent() });
    const answer = await run(write('applied', never, { class: 'once' }));
    await clock.advance(STRAGGLER_MS + 2 * ROUND_MS);
    expect(statuses(answer.value)).toBe('applied, pending');
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(replayer.buried.map(({ reason }) => reason)).toEqual(['inDoubt']);
  });

  it('costs a write that is fast no timer of its own', async () => {
    const { run, write, clock } = setUp({ strategy: new BuiltIn() });
    const answers = await Promise.all(Array.from({ length: 10 }, () => run(write('applied', never))));
    // The deadlines', and the rounds'.
    expect(clock.pendingTimers).toBe(2);
    expect(answers.every((answer: Watched<unknown>) => !answer.isSettled)).toBe(true);
  });
});
