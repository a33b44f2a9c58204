import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeWrite, type SideScript, Watched } from '../../test/support/fake-operations.js';
import {
  bothWays,
  leavesB,
  NO_LEFTOVERS,
  setUpWritePath as setUp,
  statuses,
  Strategy,
  WRITE_TIMEOUT_MS,
} from '../../test/support/write-path.js';
import { SyncDualWriteStrategy } from '../strategies/index.js';
import { type FailureOutcome, type Left, onAbort, OperationAbortedError, untilGone } from './index.js';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
const never = new Promise<never>(() => undefined);

/** Lets promises settle that wait for nothing else: the same turn of the event loop. */
async function sameTurn(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

describe('onAbort', () => {
  it('calls back once, when the signal aborts', () => {
    const controller = new AbortController();
    let calls = 0;
    onAbort(controller.signal, () => calls++);
    expect(calls).toBe(0);
    controller.abort();
    expect(calls).toBe(1);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('does not call back once it was stopped', () => {
    const controller = new AbortController();
    const called: string[] = [];
    const stop = onAbort(controller.signal, () => called.push('stopped'));
    onAbort(controller.signal, () => called.push('waiting'));
    stop();
    controller.abort();
    expect(called).toEqual(['waiting']);
  });

  it('has one listener for all who wait, and none when nobody does', () => {
    const { signal } = new AbortController();
    const stops = Array.from({ length: 100 }, () => onAbort(signal, () => undefined));
    expect(listeners(signal)).toBe(1);
    for (const stop of stops.slice(1)) stop();
    expect(listeners(signal)).toBe(1);
    stops[0]?.();
    expect(listeners(signal)).toBe(0);
  });

  it('has one listener also when somebody stops twice, after others have begun to wait', () => {
    const { signal } = new AbortController();
    const stopEarlier = onAbort(signal, () => undefined);
    stopEarlier();
    onAbort(signal, () => undefined);
    stopEarlier();
    onAbort(signal, () => undefined);
    expect(listeners(signal)).toBe(1);
  });

  it('keeps signals apart', () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const called: string[] = [];
    onAbort(one.signal, () => called.push('one'));
    onAbort(two.signal, () => called.push('two'));
    two.abort();
    expect(called).toEqual(['two']);
  });
});

describe('untilGone', () => {
  const describeIt = () => 'INSERT …';

  function wait<T>(
    work: Promise<T>,
    limits: { signal?: AbortSignal; timeoutMs?: number },
    outcome?: FailureOutcome,
  ) {
    const clock = new FakeClock();
    let left = 0;
    const leave = (): Left => {
      left++;
      return { outcome: outcome ?? 'unknown' };
    };
    const watched = new Watched(untilGone(limits, clock, () => 0, work, leave, describeIt));
    return { clock, watched, left: () => left };
  }

  it('answers with what the work answers, and leaves no timer and no listener', async () => {
    const { signal } = new AbortController();
    const { clock, watched, left } = wait(Promise.resolve(7), { signal, timeoutMs: 100 });
    await clock.settle();
    expect(watched.value).toBe(7);
    expect([clock.pendingTimers, listeners(signal), left()]).toEqual([0, 0, 0]);
  });

  it('fails with what the work fails with, and leaves no timer and no listener', async () => {
    const { signal } = new AbortController();
    const { clock, watched, left } = wait(Promise.reject(new Error('broken')), { signal, timeoutMs: 100 });
    await clock.settle();
    expect(watched.error).toMatchObject({ message: 'broken' });
    expect([clock.pendingTimers, listeners(signal), left()]).toEqual([0, 0, 0]);
  });

  it.each<[outcome: FailureOutcome, advice: string]>([
    ['notApplied', 'Nothing was applied'],
    ['unknown', 'It goes on, and may be applied'],
  ])('rejects when the signal aborts: %s', async (outcome, advice) => {
    const controller = new AbortController();
    const { clock, watched } = wait(never, { signal: controller.signal, timeoutMs: 100 }, outcome);
    const reason = new Error('the user went');
    controller.abort(reason);
    await sameTurn();
    expect(watched.error).toBeInstanceOf(OperationAbortedError);
    expect(watched.error).toMatchObject({
      name: 'AbortError',
      code: 'HELIX_ABORTED',
      outcome,
      cause: reason,
    });
    expect((watched.error as Error).message).toBe(`Aborted by its signal. ${advice}: INSERT …`);
    expect([clock.pendingTimers, listeners(controller.signal)]).toEqual([0, 0]);
  });

  it('rejects when the time is over, and not before', async () => {
    const { signal } = new AbortController();
    const { clock, watched } = wait(never, { signal, timeoutMs: 100 });
    await clock.advance(99);
    expect(watched.isSettled).toBe(false);
    await clock.advance(1);
    expect(watched.error).toMatchObject({
      name: 'AbortError',
      outcome: 'unknown',
      cause: { name: 'TimeoutError', message: "No answer within the caller's time limit of 100 ms" },
    });
    expect(listeners(signal)).toBe(0);
  });

  it('leaves once when both come, and what comes first is the reason', async () => {
    const controller = new AbortController();
    const { clock, watched, left } = wait(never, { signal: controller.signal, timeoutMs: 100 });
    await clock.advance(100);
    controller.abort();
    await sameTurn();
    expect(watched.error).toMatchObject({ cause: { name: 'TimeoutError' } });
    expect(left()).toBe(1);
  });

  it('rejects when the signal was aborted while the work was being started', async () => {
    const { watched } = wait(never, { signal: AbortSignal.abort() });
    await sameTurn();
    expect(watched.error).toBeInstanceOf(OperationAbortedError);
  });

  it('does not care what the work does afterwards', async () => {
    const controller = new AbortController();
    let fail: ((error: Error) => void) | undefined;
    const work = new Promise<never>((_, reject) => (fail = reject));
    const { clock, watched } = wait(work, { signal: controller.signal });
    controller.abort();
    fail?.(new Error('too late'));
    // An unhandled rejection would fail the run.
    await clock.settle();
    expect(watched.error).toBeInstanceOf(OperationAbortedError);
  });
});

const strategies = [...bothWays, ['A first', () => new SyncDualWriteStrategy()] as (typeof bothWays)[number]];

describe.each(strategies)('a write whose caller goes, with %s', (_name, strategy) => {
  const slow = (answer: 'applied' | 'unreached' | 'ambiguous'): SideScript => ({ answer, afterMs: 50 });

  it('is not sent when its signal has aborted before', async () => {
    const { run, write, replayer, leftovers } = setUp({ strategy: strategy() });
    const reason = new Error('the user went');
    const operation = write('applied', 'applied');
    const signal = AbortSignal.abort(reason);
    const { error } = await run(operation, { signal });
    expect(error).toBeInstanceOf(OperationAbortedError);
    expect(error).toMatchObject({ name: 'AbortError', outcome: 'notApplied', cause: reason });
    expect(operation.sent).toEqual([]);
    expect([replayer.enqueued, listeners(signal)]).toEqual([[], 0]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('is not even prepared when its signal has aborted before', async () => {
    const { path, clock } = setUp({ strategy: strategy() });
    let prepared = 0;
    const prepare = () => {
      prepared++;
      return Promise.resolve(new FakeWrite(clock, { A: 'applied', B: 'applied' }));
    };
    const call = path.runPrepared(prepare, 'a write', { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ outcome: 'notApplied' });
    expect(prepared).toBe(0);
  });

  it.each<[how: string, go: (controller: AbortController) => void, limits: { timeoutMs?: number }]>([
    ['aborts', (controller) => controller.abort(), {}],
    ['has no more time', () => undefined, { timeoutMs: 10 }],
  ])('is never sent, on either side, when it %s while it is being prepared', async (_how, go, limits) => {
    const { path, clock, write, replayer, policy, leftovers } = setUp({ strategy: strategy() });
    const controller = new AbortController();
    const operation = write('applied', 'applied');
    let prepared: ((made: FakeWrite) => void) | undefined;
    const prepare = () => new Promise<FakeWrite>((resolve) => (prepared = resolve));
    const answer = new Watched(
      path.runPrepared(prepare, 'a write', { signal: controller.signal, ...limits }),
    );
    const settled = new Watched(path.settled());
    await clock.advance(10);
    go(controller);
    await sameTurn();
    expect(answer.error).toMatchObject({ name: 'AbortError', outcome: 'notApplied' });
    await clock.settle();
    expect(settled.isSettled).toBe(false);
    prepared?.(operation);
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(operation.sent).toEqual([]);
    expect([replayer.enqueued, replayer.buried]).toEqual([[], []]);
    expect(settled.isSettled).toBe(true);
    expect(listeners(controller.signal)).toBe(0);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
    expect(policy.failures).toEqual([]);
  });

  it('is never sent when it aborts before the first side has been prepared', async () => {
    const { run, write, clock, replayer, policy, leftovers } = setUp({
      strategy: strategy(),
      whenBothFail: 'queue',
    });
    const controller = new AbortController();
    const cold: SideScript = { answer: 'applied', afterMs: 0, prepareMs: 20 };
    const operation = write(cold, cold);
    const answer = await run(operation, { signal: controller.signal });
    await clock.advance(10);
    controller.abort();
    await sameTurn();
    expect(answer.error).toMatchObject({ outcome: 'notApplied' });
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(operation.sent).toEqual([]);
    expect(replayer.enqueued).toEqual([]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
    expect(policy.failures).toEqual([]);
  });

  it('rejects in the turn of the abort, and ends in its row of the table', async () => {
    const { run, write, clock, replayer, dropped, leftovers } = setUp({ strategy: strategy() });
    const controller = new AbortController();
    const operation = write('applied', slow('unreached'));
    const answer = await run(operation, { signal: controller.signal });
    await clock.advance(10);
    controller.abort();
    await sameTurn();
    expect(answer.error).toMatchObject({ name: 'AbortError', outcome: 'unknown' });
    expect(replayer.enqueued).toEqual([]);
    await clock.advance(40);
    expect(operation.sent).toEqual(['A', 'B']);
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(dropped).toEqual([]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it.each<[a: SideScript, b: SideScript, enqueued: unknown]>([
    [slow('applied'), slow('applied'), []],
    [slow('unreached'), slow('unreached'), []],
    [slow('ambiguous'), slow('unreached'), [['A', 'B']]],
  ])('leaves nothing behind, whatever becomes of it: $0.answer, $1.answer', async (a, b, enqueued) => {
    const { run, write, clock, replayer, leftovers } = setUp({ strategy: strategy() });
    const answer = await run(write(a, b), { timeoutMs: 10 });
    await clock.advance(10);
    expect(answer.error).toMatchObject({ outcome: 'unknown', cause: { name: 'TimeoutError' } });
    await clock.advance(200);
    expect(replayer.enqueuedFor).toEqual(enqueued);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('is waited for at shutdown although its caller has gone', async () => {
    const { run, write, clock, path } = setUp({ strategy: strategy() });
    await run(write(slow('applied'), slow('applied')), { timeoutMs: 10 });
    await clock.advance(10);
    path.close();
    const settled = new Watched(path.settled());
    await clock.advance(39);
    expect(settled.isSettled).toBe(false);
    await clock.advance(61);
    expect(settled.isSettled).toBe(true);
  });

  it('answers as if nothing was said when it is done in time', async () => {
    const { run, write, clock, leftovers } = setUp({ strategy: strategy() });
    const controller = new AbortController();
    const answer = await run(write('applied', 'applied'), { signal: controller.signal, timeoutMs: 10 });
    expect(statuses(answer.value)).toBe('applied, applied');
    expect(listeners(controller.signal)).toBe(0);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
    controller.abort();
    await clock.advance(100);
    expect(statuses(answer.value)).toBe('applied, applied');
  });
});

describe('a thousand writes that wait on one signal', () => {
  async function aThousand(b: SideScript, timeoutMs?: number) {
    const fixture = setUp({ maxInFlight: 2_000 });
    const controller = new AbortController();
    const { signal } = controller;
    const answers = Array.from({ length: 1_000 }, () => {
      const operation = fixture.write('applied', b);
      return new Watched(fixture.path.run(operation, { signal, timeoutMs }));
    });
    await fixture.clock.settle();
    return { ...fixture, controller, signal, answers };
  }

  it('have one listener, and none after they have been aborted', async () => {
    const { controller, signal, answers } = await aThousand('never');
    expect(listeners(signal)).toBe(1);
    controller.abort();
    await sameTurn();
    expect(answers.every(({ state }) => typeof state === 'object' && 'error' in state)).toBe(true);
    expect(listeners(signal)).toBe(0);
  });

  it('have none after they have been answered', async () => {
    const { clock, signal, answers } = await aThousand({ answer: 'applied', afterMs: 10 });
    await clock.advance(10);
    expect(answers.every(({ state }) => typeof state === 'object' && 'value' in state)).toBe(true);
    expect(listeners(signal)).toBe(0);
  });

  it('have one while others wait whose time is over before theirs', async () => {
    const { clock, signal, path, write } = await aThousand({ answer: 'applied', afterMs: 20 }, 10);
    await clock.advance(10);
    expect(listeners(signal)).toBe(0);
    void path.run(write('applied', 'never'), { signal }).catch(() => undefined);
    await clock.advance(10);
    void path.run(write('applied', 'never'), { signal }).catch(() => undefined);
    expect(listeners(signal)).toBe(1);
  });
});

describe('a write in the hands of a strategy when its caller goes', () => {
  it('is sent to the second side all the same once the first has it', async () => {
    const { run, write, clock } = setUp({ strategy: new SyncDualWriteStrategy() });
    const controller = new AbortController();
    const operation = write({ answer: 'applied', afterMs: 20 }, 'applied');
    const answer = await run(operation, { signal: controller.signal });
    controller.abort();
    await sameTurn();
    expect(answer.error).toMatchObject({ outcome: 'unknown' });
    await clock.advance(20);
    expect(operation.sent).toEqual(['A', 'B']);
  });

  it('is never sent when it had sent to nobody yet', async () => {
    const clock = new FakeClock();
    const { run, write, policy, leftovers } = setUp({
      clock,
      strategy: new Strategy(async (a, b) => {
        await clock.advance(0);
        return Promise.all([a.send(), b.send()]);
      }),
    });
    const controller = new AbortController();
    const operation = write('applied', 'applied');
    const answering = run(operation, { signal: controller.signal });
    controller.abort();
    const answer = await answering;
    await clock.settle();
    expect(answer.error).toMatchObject({ outcome: 'notApplied' });
    expect(operation.sent).toEqual([]);
    expect(policy.failures).toEqual([]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });

  it('rejects when the strategy itself aborts it', async () => {
    const controller = new AbortController();
    const { run, write } = setUp({
      strategy: new Strategy((a, b) => {
        controller.abort();
        return Promise.all([a.send(), b.send()]);
      }),
    });
    const operation = write('applied', 'applied');
    expect((await run(operation, { signal: controller.signal })).error).toMatchObject({ outcome: 'unknown' });
  });

  it('gets its row of the table when one side is pending', async () => {
    const { run, write, clock, replayer, leftovers } = setUp({ strategy: leavesB() });
    const controller = new AbortController();
    const operation = write({ answer: 'applied', afterMs: 10 }, { answer: 'unreached', afterMs: 50 });
    await run(operation, { signal: controller.signal });
    controller.abort();
    await clock.advance(50);
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(await leftovers()).toEqual(NO_LEFTOVERS);
  });
});

describe('a write that neither side has while it is being queued for both', () => {
  const queueing = () => setUp({ whenBothFail: 'queue' });

  it('may be applied: its outcome is unknown although nothing was sent', async () => {
    const { run, write, clock, replayer } = queueing();
    replayer.mode = 'hang';
    const controller = new AbortController();
    const notSent: SideScript = { answer: 'applied', afterMs: 0, prepareMs: 10 * WRITE_TIMEOUT_MS };
    const operation = write(notSent, notSent);
    const answer = await run(operation, { signal: controller.signal });
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(replayer.enqueuedFor).toEqual([['A', 'B']]);
    controller.abort();
    await sameTurn();
    expect(operation.sent).toEqual([]);
    expect(answer.error).toMatchObject({ name: 'AbortError', outcome: 'unknown' });
  });

  it('is not queued when its caller went before', async () => {
    const { run, write, clock, replayer } = queueing();
    const controller = new AbortController();
    const notSent: SideScript = { answer: 'applied', afterMs: 0, prepareMs: 10 * WRITE_TIMEOUT_MS };
    const answer = await run(write(notSent, notSent), { signal: controller.signal });
    controller.abort();
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(answer.error).toMatchObject({ outcome: 'notApplied' });
    expect(replayer.enqueued).toEqual([]);
  });
});
