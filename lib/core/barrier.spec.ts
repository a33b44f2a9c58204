import { describe, expect, it } from 'vitest';
import { noBreaches } from '../../test/support/invariants.js';
import { Barrier, type Inside } from './barrier.js';
import { Invariants } from './invariant.js';

/** A thing that does nothing but to be inside a barrier. */
class Stay implements Inside {
  since: Inside['since'];
}

/** A barrier, and things that enter it. */
function setUp() {
  const inside = new Barrier(noBreaches());
  const enter = (): Stay => {
    const thing = new Stay();
    inside.enter(thing);
    return thing;
  };
  return { inside, enter };
}

/** Whether the barrier is open, after everything that is already decided has happened. */
async function isOpen(barrier: Promise<void>): Promise<boolean> {
  return Promise.race([
    barrier.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(resolve, false)),
  ]);
}

describe('Barrier', () => {
  it('has an open barrier while nothing has entered', async () => {
    expect(await isOpen(setUp().inside.passed())).toBe(true);
  });

  it('has an open barrier after all have left', async () => {
    const { inside, enter } = setUp();
    inside.leave(enter());
    expect(await isOpen(inside.passed())).toBe(true);
  });

  it('opens a barrier when the last that entered before it leaves', async () => {
    const { inside, enter } = setUp();
    const [first, second] = [enter(), enter()];
    const barrier = inside.passed();
    inside.leave(first);
    expect(await isOpen(barrier)).toBe(false);
    inside.leave(second);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('waits for what stays on behalf of one that has left, also when it came to that after the barrier', async () => {
    const { inside, enter } = setUp();
    const first = enter();
    const barrier = inside.passed();
    const rest = new Stay();
    inside.enterWith(rest, first);
    inside.leave(first);
    expect(await isOpen(barrier)).toBe(false);
    inside.leave(rest);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('does not wait for those that entered after the barrier', async () => {
    const { inside, enter } = setUp();
    const before = enter();
    const barrier = inside.passed();
    enter();
    inside.leave(before);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('does not open an earlier barrier by those that entered later', async () => {
    const { inside, enter } = setUp();
    const before = enter();
    const barrier = inside.passed();
    const after = enter();
    const later = inside.passed();
    inside.leave(after);
    expect(await isOpen(barrier)).toBe(false);
    expect(await isOpen(later)).toBe(false);
    inside.leave(before);
    expect(await isOpen(barrier)).toBe(true);
    expect(await isOpen(later)).toBe(true);
  });

  it('opens every barrier that was set in between two entries', async () => {
    const { inside, enter } = setUp();
    const before = enter();
    const barriers = [inside.passed(), inside.passed(), inside.passed()];
    for (const barrier of barriers) expect(await isOpen(barrier)).toBe(false);
    inside.leave(before);
    for (const barrier of barriers) expect(await isOpen(barrier)).toBe(true);
  });

  it('keeps working after barriers have opened', async () => {
    const { inside, enter } = setUp();
    inside.leave(enter());
    await inside.passed();
    const thing = enter();
    const barrier = inside.passed();
    expect(await isOpen(barrier)).toBe(false);
    inside.leave(thing);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('is not opened by one that leaves twice, and says so once', async () => {
    const reports: string[] = [];
    const invariants = new Invariants((message) => reports.push(message));
    const inside = new Barrier(invariants);
    const [first, second] = [new Stay(), new Stay()];
    inside.enter(first);
    inside.enter(second);
    const barrier = inside.passed();
    inside.leave(first);
    inside.leave(first);
    inside.leave(first);
    expect(await isOpen(barrier)).toBe(false);
    inside.leave(second);
    expect(await isOpen(barrier)).toBe(true);
    expect(reports).toEqual([expect.stringContaining('barrierLeftTwice')]);
    expect(invariants.breaches).toEqual(new Map([['barrierLeftTwice', 2]]));
  });
});
