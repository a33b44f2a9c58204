import { describe, expect, it } from 'vitest';
import { envelope } from '../support/envelope.js';
import { FakeClock } from '../support/fake-clock.js';
import { Timeline } from './engine/timeline.js';
import type { Ledger, Violation, WriteRecord } from './ledger.js';
import { ObservedMemoryReplayer, observeQueue } from './observed-queues.js';
import { HandMadeRun } from './oracle/hand-made.js';

/** A queue of two places, and one write that it may be given. */
class Test {
  readonly ledger: Ledger;
  readonly write: WriteRecord;
  readonly replayer: ObservedMemoryReplayer;
  nowMs = 0;

  constructor() {
    const run = new HandMadeRun();
    this.write = run.write({ id: 'w1' });
    this.ledger = run.ledger;
    const observer = observeQueue(this.ledger, new Timeline(false, () => 0));
    const options = { capacity: 2, keepsBytes: false };
    this.replayer = new ObservedMemoryReplayer(options, this.ledger, observer, () => this.nowMs);
    void this.replayer.open({
      namespace: 'shop',
      clock: new FakeClock(),
      describe: () => ({ statement: '' }),
    });
  }

  /** Delivers what is there to a handler that applies it. */
  async deliver(): Promise<readonly Violation[]> {
    const lane = this.replayer.consume('B', () => Promise.resolve({ kind: 'applied' }));
    lane.concurrency = 1;
    await lane.stop();
    return this.ledger.violations;
  }
}

describe('An observed queue', () => {
  it('knows what it has kept room for, and for which write', () => {
    const { ledger, replayer, write } = new Test();
    replayer.reserve('A', 1);
    ledger.accepting = write;
    const reservation = replayer.reserve('B', 1);
    expect(replayer.reserve('B', 1)).toBeUndefined();
    expect([replayer.reservations.held, write.A.reserved, write.B.reserved]).toEqual([2, 0, 1]);
    reservation?.release();
    reservation?.release();
    expect([replayer.reservations.held, write.B.reserved]).toEqual([1, 1]);
  });

  it('notes what it refuses because it is full, and nothing else', async () => {
    const test = new Test();
    const { replayer, write } = test;
    replayer.reserve('B', 2);
    test.nowMs = 1;
    await expect(replayer.enqueue([envelope('w1')])).rejects.toThrow('full');
    expect(write.B.refusedMs).toBe(1);
    test.nowMs = 2;
    // Dead letters have places of their own.
    await replayer.bury(envelope('w1'), 'inDoubt');
    expect(write.B.refusedMs).toBe(1);
    test.nowMs = 3;
    await replayer.close();
    await expect(replayer.enqueue([envelope('w1')])).rejects.toThrow('closed');
    expect(write.B).toMatchObject({ refusedMs: 1, handed: 3 });
  });

  it('takes an envelope of the generation that it is of', async () => {
    const test = new Test();
    await test.replayer.bury(envelope('w1'), 'rejected');
    await test.replayer.deadLetters.requeue('all');
    expect(await test.deliver()).toEqual([]);
  });

  it('finds one that has been a dead letter, and does not say so', async () => {
    const test = new Test();
    await test.replayer.bury(envelope('w1'), 'rejected');
    await test.replayer.enqueue([envelope('w1')]);
    expect(await test.deliver()).toMatchObject([{ rule: 'generation' }]);
  });
});
