import { describe, expect, it } from 'vitest';
import { envelope } from '../../test/support/envelope.js';
import {
  type ClusterId,
  type FailedOutcome,
  OperationIds,
  type Stage,
  toError,
  WriteOperation,
} from './index.js';

/** A write whose preparing the test ends, and that says what was asked of it. */
class TestWrite extends WriteOperation {
  override readonly id = 'op1';
  override readonly timestampUs = 1;
  override readonly startedMs = undefined;
  override readonly canBeQueued = true;
  override readonly priority = 'high';
  override readonly class = 'idempotent';
  override readonly ack = 'any';
  override readonly masked = 'INSERT …';
  readonly sent: ClusterId[] = [];
  readonly #preparing: Partial<Record<ClusterId, () => void>> = {};

  readonly #prepared: Set<ClusterId>;

  constructor(prepared: readonly ClusterId[] = ['A', 'B']) {
    super();
    this.#prepared = new Set(prepared);
  }

  /** Ends the preparing on a side, and lets happen what follows. */
  async prepares(cluster: ClusterId): Promise<void> {
    this.#prepared.add(cluster);
    this.#preparing[cluster]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  override envelope = (cluster: ClusterId) => envelope('op1', { cluster });

  protected override isPreparedOn(cluster: ClusterId): boolean {
    return this.#prepared.has(cluster);
  }

  protected override prepareOn(cluster: ClusterId): Promise<void> {
    return new Promise((resolve) => (this.#preparing[cluster] = resolve));
  }

  protected override send(cluster: ClusterId): Promise<unknown> {
    this.sent.push(cluster);
    return Promise.resolve(cluster);
  }

  protected override mustPrepareAgain(error: unknown, cluster: ClusterId): boolean {
    const isGone = (error as Error).message === 'unprepared';
    if (isGone) this.#prepared.delete(cluster);
    return isGone;
  }

  protected override classifyAt(error: unknown, stage: Stage): FailedOutcome {
    return { kind: stage === 'prepare' ? 'unreached' : 'ambiguous', error: toError(error) };
  }

  protected override silenceOf(cluster: ClusterId): Error {
    return new Error(`time is over on ${cluster}`);
  }
}

const unprepared = new Error('unprepared');
const other = (cluster: ClusterId): ClusterId => (cluster === 'A' ? 'B' : 'A');

describe.each<ClusterId>(['A', 'B'])('the life of a write, on %s', (cluster) => {
  it('is sent at once where it is prepared', async () => {
    const write = new TestWrite();
    expect(await write.attempt(cluster)).toBe(cluster);
    expect(write.sent).toEqual([cluster]);
  });

  it('is prepared first where it is not, and sent then', async () => {
    const write = new TestWrite([other(cluster)]);
    const answer = write.attempt(cluster);
    expect(write.sent).toEqual([]);
    await write.prepares(cluster);
    expect(await answer).toBe(cluster);
    expect(write.sent).toEqual([cluster]);
  });

  it('is in doubt when its time is over after it was sent, and never sent when it is over before', async () => {
    const sent = new TestWrite();
    void sent.attempt(cluster);
    expect(sent.expire(cluster)).toMatchObject({
      kind: 'ambiguous',
      error: { message: `time is over on ${cluster}` },
    });
    const late = new TestWrite([]);
    const answer = late.attempt(cluster);
    expect(late.expire(cluster)).toMatchObject({ kind: 'unreached' });
    await Promise.all([late.prepares(cluster), expect(answer).rejects.toThrow('time was over')]);
    expect(late.sent).toEqual([]);
  });

  it('goes on where the time is not over', async () => {
    const write = new TestWrite([]);
    const answers = [write.attempt(cluster), write.attempt(other(cluster))];
    void answers[0]?.catch(() => undefined);
    write.expire(cluster);
    await write.prepares('A');
    await write.prepares('B');
    expect(write.sent).toEqual([other(cluster)]);
    expect(write.expire(other(cluster))).toMatchObject({ kind: 'ambiguous' });
  });

  it('is judged by how far it has come on that side, whatever it has on the other', () => {
    const write = new TestWrite([cluster]);
    void write.attempt(cluster);
    void write.attempt(other(cluster));
    expect(write.classify(new Error('no'), cluster).kind).toBe('ambiguous');
    expect(write.classify(new Error('no'), other(cluster)).kind).toBe('unreached');
  });

  it('is prepared and sent once more when nothing was executed for want of preparation, and no third time', async () => {
    const write = new TestWrite();
    await write.attempt(cluster);
    const again = write.again(cluster, unprepared);
    // Nothing is on its way now.
    expect(write.classify(new Error('no'), cluster).kind).toBe('unreached');
    await write.prepares(cluster);
    expect(await again).toBe(cluster);
    expect(write.sent).toEqual([cluster, cluster]);
    expect(write.classify(new Error('no'), cluster).kind).toBe('ambiguous');
    expect(write.again(cluster, unprepared)).toBeUndefined();
  });

  it('is sent once more on each side', async () => {
    const write = new TestWrite();
    for (const side of [cluster, other(cluster)]) {
      await write.attempt(side);
      const again = write.again(side, unprepared);
      await write.prepares(side);
      await again;
    }
    expect(write.sent).toEqual([cluster, cluster, other(cluster), other(cluster)]);
  });

  it('is not sent once more for any other error, nor when it was not sent', async () => {
    const write = new TestWrite([]);
    expect(write.again(cluster, unprepared)).toBeUndefined();
    const sent = new TestWrite();
    await sent.attempt(cluster);
    expect(sent.again(cluster, new Error('no'))).toBeUndefined();
    expect(sent.classify(new Error('no'), cluster).kind).toBe('ambiguous');
  });

  it('is not sent once more when its time is over or its caller has gone meanwhile', async () => {
    for (const end of ['expire', 'cancel'] as const) {
      const write = new TestWrite();
      await write.attempt(cluster);
      const again = write.again(cluster, unprepared);
      if (end === 'expire') expect(write.expire(cluster)).toMatchObject({ kind: 'unreached' });
      else expect(write.cancel()).toBe(true);
      await Promise.all([write.prepares(cluster), expect(again).rejects.toThrow('time was over')]);
      expect(write.sent).toEqual([cluster]);
    }
  });

  it('is given up where it is out of date each time that it was prepared', async () => {
    class Restless extends TestWrite {
      prepared = 0;
      protected override isPreparedOn(): boolean {
        return false;
      }
      protected override prepareOn(): Promise<void> {
        this.prepared++;
        return Promise.resolve();
      }
    }
    const write = new Restless();
    await expect(write.attempt(cluster)).rejects.toThrow('out of date each time');
    expect([write.prepared, write.sent]).toEqual([5, []]);
    expect(write.classify(new Error('no'), cluster).kind).toBe('unreached');
  });

  it('cannot be cancelled once it was sent there, and goes on to the other side', async () => {
    const write = new TestWrite([cluster]);
    void write.attempt(cluster);
    const answer = write.attempt(other(cluster));
    expect([write.cancel(), write.isCancelled]).toEqual([false, false]);
    await write.prepares(other(cluster));
    expect(await answer).toBe(other(cluster));
  });

  it('is sent nowhere once it was cancelled, which says nothing of a cluster', async () => {
    const write = new TestWrite([other(cluster)]);
    const answer = write.attempt(cluster);
    expect([write.cancel(), write.isCancelled]).toEqual([true, true]);
    await Promise.all([write.prepares(cluster), expect(answer).rejects.toThrow()]);
    await expect(write.attempt(other(cluster))).rejects.toThrow();
    expect(write.sent).toEqual([]);
    expect(write.classify(new Error('no'), cluster)).toMatchObject({ kind: 'unreached', scope: 'local' });
    expect(write.expire(cluster)).toMatchObject({ kind: 'unreached', scope: 'local' });
  });
});

describe('OperationIds', () => {
  it('never gives the same id twice', () => {
    const ids = new OperationIds();
    const given = new Set(Array.from({ length: 10_000 }, () => ids.next()));
    expect(given.size).toBe(10_000);
  });

  it('gives ids that another process does not', () => {
    expect(new OperationIds().next()).not.toBe(new OperationIds().next());
  });

  it('gives ids that can stand in a subject, a header and a file name', () => {
    const ids = new OperationIds();
    for (let i = 0; i < 100; i++) expect(ids.next()).toMatch(/^[\w-]{18,32}$/);
  });
});
