import { describe, expect, it } from 'vitest';
import { type Epoch, Epochs } from './epochs.js';

/** Whether the barrier is open, after everything that is already decided has happened. */
async function isOpen(barrier: Promise<void>): Promise<boolean> {
  return Promise.race([
    barrier.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(resolve, false)),
  ]);
}

describe('Epochs', () => {
  it('has an open barrier while nothing has entered', async () => {
    expect(await isOpen(new Epochs().barrier())).toBe(true);
  });

  it('has an open barrier after all have left', async () => {
    const epochs = new Epochs();
    epochs.leave(epochs.enter());
    expect(await isOpen(epochs.barrier())).toBe(true);
  });

  it('opens a barrier when the last that entered before it leaves', async () => {
    const epochs = new Epochs();
    const [first, second] = [epochs.enter(), epochs.enter()];
    const barrier = epochs.barrier();
    epochs.leave(first);
    expect(await isOpen(barrier)).toBe(false);
    epochs.leave(second);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('waits for what stays on behalf of one that has left, also when it came to that after the barrier', async () => {
    const epochs = new Epochs();
    const first = epochs.enter();
    const barrier = epochs.barrier();
    const rest = epochs.stay(first);
    epochs.leave(first);
    expect(await isOpen(barrier)).toBe(false);
    epochs.leave(rest);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('does not wait for those that entered after the barrier', async () => {
    const epochs = new Epochs();
    const before = epochs.enter();
    const barrier = epochs.barrier();
    epochs.enter();
    epochs.leave(before);
    expect(await isOpen(barrier)).toBe(true);
  });

  it('does not open an earlier barrier by those that entered later', async () => {
    const epochs = new Epochs();
    const before = epochs.enter();
    const barrier = epochs.barrier();
    const after = epochs.enter();
    const later = epochs.barrier();
    epochs.leave(after);
    expect(await isOpen(barrier)).toBe(false);
    expect(await isOpen(later)).toBe(false);
    epochs.leave(before);
    expect(await isOpen(barrier)).toBe(true);
    expect(await isOpen(later)).toBe(true);
  });

  it('opens every barrier that was set in between two entries', async () => {
    const epochs = new Epochs();
    const before = epochs.enter();
    const barriers = [epochs.barrier(), epochs.barrier(), epochs.barrier()];
    for (const barrier of barriers) expect(await isOpen(barrier)).toBe(false);
    epochs.leave(before);
    for (const barrier of barriers) expect(await isOpen(barrier)).toBe(true);
  });

  it('keeps working after barriers have opened', async () => {
    const epochs = new Epochs();
    epochs.leave(epochs.enter());
    await epochs.barrier();
    const thing: Epoch = epochs.enter();
    const barrier = epochs.barrier();
    expect(await isOpen(barrier)).toBe(false);
    epochs.leave(thing);
    expect(await isOpen(barrier)).toBe(true);
  });
});
