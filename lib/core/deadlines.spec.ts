import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { noBreaches } from '../../test/support/invariants.js';
import { Deadline, DeadlineList, Invariants } from './index.js';

class Noted extends Deadline {
  expiredAtMs: number | undefined;

  constructor(private readonly clock: FakeClock) {
    super();
  }

  override expire(): void {
    this.expiredAtMs = this.clock.monotonicMs();
  }
}

/** Begins anew each time it expires. */
class Recurring extends Deadline {
  readonly expiredAtMs: number[] = [];

  constructor(
    private readonly clock: FakeClock,
    private readonly list: DeadlineList,
  ) {
    super();
  }

  override expire(): void {
    this.expiredAtMs.push(this.clock.monotonicMs());
    this.list.add(this);
  }
}

function setUp(timeoutMs = 100) {
  const clock = new FakeClock();
  const list = new DeadlineList(clock, timeoutMs, noBreaches());
  const add = (): Noted => {
    const deadline = new Noted(clock);
    list.add(deadline);
    return deadline;
  };
  return { clock, list, add };
}

describe('DeadlineList', () => {
  it('expires each when its time is over, not before', async () => {
    const { clock, add } = setUp();
    const first = add();
    await clock.advance(30);
    const second = add();
    await clock.advance(69);
    expect(first.expiredAtMs).toBeUndefined();
    await clock.advance(1);
    expect(first.expiredAtMs).toBe(100);
    expect(second.expiredAtMs).toBeUndefined();
    await clock.advance(30);
    expect(second.expiredAtMs).toBe(130);
  });

  it('never expires what was removed, wherever it stood', async () => {
    const { clock, list, add } = setUp();
    const all = [add(), add(), add(), add()];
    for (const i of [1, 0, 3]) list.remove(all[i]!);
    await clock.advance(1_000);
    expect(all.map(({ expiredAtMs }) => expiredAtMs)).toEqual([undefined, undefined, 100, undefined]);
  });

  it('keeps the time of those behind one that was removed', async () => {
    const { clock, list, add } = setUp();
    const first = add();
    await clock.advance(40);
    const second = add();
    list.remove(first);
    await clock.advance(99);
    expect(second.expiredAtMs).toBeUndefined();
    await clock.advance(1);
    expect(second.expiredAtMs).toBe(140);
  });

  it('can take the same one again', async () => {
    const { clock, list, add } = setUp();
    const deadline = add();
    await clock.advance(50);
    list.remove(deadline);
    list.add(deadline);
    await clock.advance(99);
    expect(deadline.expiredAtMs).toBeUndefined();
    await clock.advance(1);
    expect(deadline.expiredAtMs).toBe(150);
  });

  it('keeps the time of those behind one that begins anew when it expires', async () => {
    const { clock, list, add } = setUp();
    const recurring = new Recurring(clock, list);
    list.add(recurring);
    await clock.advance(10);
    const second = add();
    await clock.advance(290);
    expect(second.expiredAtMs).toBe(110);
    expect(recurring.expiredAtMs).toEqual([100, 200, 300]);
  });

  it('sets one timer although some begin anew when they expire', async () => {
    const { clock, list, add } = setUp();
    list.add(new Recurring(clock, list));
    list.add(new Recurring(clock, list));
    await clock.advance(50);
    add();
    await clock.advance(50);
    expect(clock.pendingTimers).toBe(1);
  });

  it('sets one timer for all, and none when it is empty', async () => {
    const { clock, list, add } = setUp();
    for (let i = 0; i < 10; i++) add();
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
    list.remove(add());
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });

  it('works on after it was empty', async () => {
    const { clock, list, add } = setUp();
    list.remove(add());
    await clock.advance(250);
    const deadline = add();
    await clock.advance(100);
    expect(deadline.expiredAtMs).toBe(350);
  });

  it('expires everything at once when it is told to, in order', async () => {
    const { clock, list, add } = setUp();
    const all = [add(), add()];
    await clock.advance(10);
    all.push(add());
    list.expireAll();
    expect(all.map(({ expiredAtMs }) => expiredAtMs)).toEqual([10, 10, 10]);
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives the due time of each', async () => {
    const { clock, add } = setUp(70);
    await clock.advance(5);
    expect(add().dueMs).toBe(75);
  });

  it('keeps the others when one is removed twice, and says so once', async () => {
    const clock = new FakeClock();
    const reports: string[] = [];
    const invariants = new Invariants((message) => reports.push(message));
    const list = new DeadlineList(clock, 100, invariants);
    const all = [new Noted(clock), new Noted(clock), new Noted(clock)];
    for (const each of all) list.add(each);
    for (let i = 0; i < 3; i++) list.remove(all[1]!);
    await clock.advance(100);
    expect(all.map(({ expiredAtMs }) => expiredAtMs)).toEqual([100, undefined, 100]);
    expect(reports).toEqual([expect.stringContaining('deadlineRemovedTwice')]);
    expect(invariants.breaches).toEqual(new Map([['deadlineRemovedTwice', 2]]));
  });

  it('keeps the others when one is added while it is there, and says so', async () => {
    const clock = new FakeClock();
    const reports: string[] = [];
    const list = new DeadlineList(clock, 100, new Invariants((message) => reports.push(message)));
    const all = [new Noted(clock), new Noted(clock)];
    for (const each of all) list.add(each);
    await clock.advance(50);
    list.add(all[0]!);
    await clock.advance(100);
    expect(all.map(({ expiredAtMs }) => expiredAtMs)).toEqual([150, 100]);
    expect(reports).toEqual([expect.stringContaining('deadlineAddedTwice')]);
  });

  it('gives what came while the process stood still as much time as that took', async () => {
    const { clock, add } = setUp();
    const deadline = add();
    await clock.advance(50);
    clock.standStill(350);
    await clock.advance(0);
    expect(deadline.expiredAtMs).toBeUndefined();
    await clock.advance(300);
    expect(deadline.expiredAtMs).toBe(700);
  });

  it.each([
    [120, 30],
    [300, 50],
    [700, 20],
  ])('expires also in a process that works for %d of each %d ms more', async (workMs, restMs) => {
    const { clock, add } = setUp(500);
    const deadline = add();
    while (deadline.expiredAtMs === undefined && clock.monotonicMs() < 10_000) {
      clock.standStill(workMs);
      await clock.advance(restMs);
    }
    // A second of grace in all, each part of which may end in a stall.
    expect(deadline.expiredAtMs).toBeLessThan(4_000);
  });

  it('may have no time at all', async () => {
    const { clock, list, add } = setUp(0);
    const [first, second] = [add(), add()];
    list.remove(first);
    await clock.advance(0);
    expect([first.expiredAtMs, second.expiredAtMs]).toEqual([undefined, 0]);
  });
});
