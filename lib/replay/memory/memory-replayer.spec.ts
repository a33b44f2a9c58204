import { describe, expect, it } from 'vitest';
import { envelope, envelopes } from '../../../test/support/envelope.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import {
  type ClusterId,
  type Delivery,
  type DeliveryVerdict,
  type Envelope,
  HelixConfigError,
  HelixUsageError,
  type ReplayLane,
  ReplayQueueFullError,
  SessionClosedError,
} from '../../core/index.js';
import { MemoryReplayer } from './memory-replayer.js';
import type { MemoryReplayerOptions } from './memory-replayer.options.js';

interface Waiting extends Delivery {
  answer(verdict: DeliveryVerdict): Promise<void>;
}

interface TestLane {
  readonly lane: ReplayLane;
  /** Operation ids in the order of delivery. */
  readonly delivered: string[];
  /** Deliveries that have not been answered, oldest first. */
  readonly waiting: Waiting[];
}

async function open(options?: MemoryReplayerOptions) {
  const clock = new FakeClock();
  const replayer = new MemoryReplayer(options);
  const dropped: [operationId: string, code: string][] = [];
  await replayer.open({
    namespace: 'shop',
    clock,
    describe: () => ({ statement: 'INSERT … (?)', table: 'users' }),
    onDropped: (lost, error) => dropped.push([lost.operationId, (error as ReplayQueueFullError).code]),
  });

  function consume(cluster: ClusterId = 'B'): TestLane {
    const delivered: string[] = [];
    const waiting: Waiting[] = [];
    const lane = replayer.consume(cluster, (delivery) => {
      delivered.push(delivery.envelope.operationId);
      return new Promise((resolve) => {
        const entry: Waiting = {
          ...delivery,
          answer: (verdict) => {
            waiting.splice(waiting.indexOf(entry), 1);
            resolve(verdict);
            return clock.settle();
          },
        };
        waiting.push(entry);
      });
    });
    return { lane, delivered, waiting };
  }

  /** The order in which everything queued for B comes out, one at a time. */
  async function deliveryOrder(): Promise<string[]> {
    const order: string[] = [];
    const lane = replayer.consume('B', ({ envelope: { operationId } }) => {
      order.push(operationId);
      return Promise.resolve(APPLIED);
    });
    lane.concurrency = 1;
    await clock.settle();
    await lane.stop();
    return order;
  }

  return { clock, replayer, dropped, consume, deliveryOrder };
}

const APPLIED: DeliveryVerdict = { kind: 'applied' };
const RELEASE: DeliveryVerdict = { kind: 'release' };
const REJECTED: DeliveryVerdict = { kind: 'dead', reason: 'rejected' };
const retryAfter = (delayMs: number): DeliveryVerdict => ({ kind: 'retry', delayMs });
const idsOf = (list: readonly Envelope[]): string[] => list.map(({ operationId }) => operationId);

describe('MemoryReplayer options', () => {
  it.each<[object, string]>([
    [{ capacity: 0 }, 'capacity received 0; allowed is an integer, 1 or more'],
    [{ capacity: 1.5 }, 'capacity received 1.5'],
    [{ capacity: '9' }, 'capacity received 9'],
    [{ deadLetterCapacity: 0 }, 'deadLetterCapacity received 0; allowed is an integer, 1 or more'],
    [{ ratio: 0 }, 'ratio received 0; allowed is an integer, 1 or more'],
    [{ ratio: Infinity }, 'ratio received Infinity'],
    [{ strict: 'yes' }, 'strict received string; allowed are true and false'],
    [{ strict: true, ratio: 5 }, 'received strict: true and ratio: 5; allowed is one of them'],
    [{ size: 5 }, 'unknown option size; allowed are capacity, deadLetterCapacity, ratio, strict'],
  ])('refuses %o', (options, message) => {
    expect(() => new MemoryReplayer(options as MemoryReplayerOptions)).toThrow(HelixConfigError);
    expect(() => new MemoryReplayer(options as MemoryReplayerOptions)).toThrow(message);
  });

  it('holds 10,000 envelopes by default', async () => {
    const { replayer } = await open();
    await replayer.enqueue(envelopes('e', 10_000));
    await expect(replayer.enqueue([envelope('one more')])).rejects.toThrow('10000');
  });
});

describe('MemoryReplayer order', () => {
  it('delivers one low for ten high while both wait', async () => {
    const { replayer, deliveryOrder } = await open();
    await replayer.enqueue(envelopes('low', 3, { priority: 'low' }));
    await replayer.enqueue(envelopes('high', 30));
    const high = (from: number): string[] => Array.from({ length: 10 }, (_, index) => `high${from + index}`);
    expect(await deliveryOrder()).toEqual([...high(1), 'low1', ...high(11), 'low2', ...high(21), 'low3']);
  });

  it('delivers one low for as many high as the ratio says', async () => {
    const { replayer, deliveryOrder } = await open({ ratio: 2 });
    await replayer.enqueue(envelopes('low', 2, { priority: 'low' }));
    await replayer.enqueue(envelopes('high', 5));
    expect(await deliveryOrder()).toEqual(['high1', 'high2', 'low1', 'high3', 'high4', 'low2', 'high5']);
  });

  it('delivers low last when it is strict', async () => {
    const { replayer, deliveryOrder } = await open({ strict: true });
    await replayer.enqueue(envelopes('low', 2, { priority: 'low' }));
    await replayer.enqueue(envelopes('high', 25));
    expect((await deliveryOrder()).slice(-3)).toEqual(['high25', 'low1', 'low2']);
  });

  it('waits for nobody while no low is queued', async () => {
    const { clock, replayer, deliveryOrder } = await open();
    await replayer.enqueue(envelopes('high', 1_000));
    const before = clock.monotonicMs();
    expect(await deliveryOrder()).toHaveLength(1_000);
    expect(clock.monotonicMs()).toBe(before);
    expect(clock.pendingTimers).toBe(0);
  });

  it('delivers low at once while no high is queued', async () => {
    const { replayer, deliveryOrder } = await open();
    await replayer.enqueue(envelopes('low', 50, { priority: 'low' }));
    expect(await deliveryOrder()).toHaveLength(50);
  });

  it('puts released envelopes back in front, in the order they had, however they end', async () => {
    const { replayer, consume, deliveryOrder } = await open();
    await replayer.enqueue(envelopes('e', 6));
    const { lane, waiting } = consume();
    lane.concurrency = 4;
    const [first, second, third, fourth] = [...waiting];
    lane.concurrency = 0;
    await third!.answer(RELEASE);
    await first!.answer(RELEASE);
    await fourth!.answer(APPLIED);
    await second!.answer(RELEASE);
    await lane.stop();
    expect(await deliveryOrder()).toEqual(['e1', 'e2', 'e3', 'e5', 'e6']);
  });

  it('keeps the order of what is enqueued while all others are released', async () => {
    const { replayer, consume, deliveryOrder } = await open();
    await replayer.enqueue([envelope('e1')]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    lane.concurrency = 0;
    await waiting[0]!.answer(RELEASE);
    await lane.stop();
    await replayer.enqueue(envelopes('later', 2));
    expect(await deliveryOrder()).toEqual(['e1', 'later1', 'later2']);
  });
});

describe('MemoryReplayer lanes', () => {
  it('delivers nothing before the concurrency is raised', async () => {
    const { replayer, consume } = await open();
    const { delivered } = consume();
    await replayer.enqueue([envelope('e')]);
    expect(delivered).toEqual([]);
  });

  it('delivers no more at once than the concurrency', async () => {
    const { replayer, consume } = await open();
    await replayer.enqueue(envelopes('e', 9));
    const { lane, waiting } = consume();
    lane.concurrency = 3;
    expect(waiting).toHaveLength(3);
    await waiting[0]!.answer(APPLIED);
    expect(waiting).toHaveLength(3);
    lane.concurrency = 5;
    expect(waiting).toHaveLength(5);
  });

  it('delivers what is enqueued while the lane is open without waiting for anything', async () => {
    const { replayer, consume } = await open();
    const { lane, delivered } = consume();
    lane.concurrency = 1;
    void replayer.enqueue([envelope('e')]);
    expect(delivered).toEqual(['e']);
  });

  it('stops when the running handlers have finished, and delivers nothing more', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue(envelopes('e', 2));
    const { lane, waiting, delivered } = consume();
    lane.concurrency = 1;
    let isStopped = false;
    void lane.stop().then(() => (isStopped = true));
    await clock.settle();
    expect(isStopped).toBe(false);
    await waiting[0]!.answer(APPLIED);
    expect(isStopped).toBe(true);
    lane.concurrency = 5;
    expect(delivered).toEqual(['e1']);
  });

  it('refuses a second lane for a side until the first is stopped', async () => {
    const { replayer, consume } = await open();
    const { lane } = consume('B');
    expect(() => consume('B')).toThrow(HelixUsageError);
    consume('A');
    await lane.stop();
    await replayer.enqueue([envelope('e')]);
    const second = consume('B');
    second.lane.concurrency = 1;
    expect(second.delivered).toEqual(['e']);
  });

  it.each([-1, 0.5, NaN])('refuses concurrency %d', async (value) => {
    const { consume } = await open();
    const { lane } = consume();
    expect(() => (lane.concurrency = value)).toThrow(HelixUsageError);
  });

  it('keeps the envelope of a handler that rejects', async () => {
    const { clock, replayer } = await open();
    await replayer.enqueue([envelope('e')]);
    let calls = 0;
    const lane = replayer.consume('B', () => {
      calls++;
      return calls === 1 ? Promise.reject(new Error('broken')) : Promise.resolve(APPLIED);
    });
    lane.concurrency = 1;
    await clock.advance(1_000);
    expect((await replayer.stats()).B).toMatchObject({ applied: 1, queued: 0, inFlight: 0 });
  });
});

describe('MemoryReplayer delays', () => {
  it('delivers again after the delay and not before, and counts the attempt', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue([envelope('e')]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    await waiting[0]!.answer(retryAfter(100));
    await clock.advance(99);
    expect(waiting).toHaveLength(0);
    await clock.advance(1);
    expect(waiting).toMatchObject([{ attempts: 1 }]);
  });

  it('does not count a release as an attempt', async () => {
    const { replayer, consume } = await open();
    await replayer.enqueue([envelope('e')]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    await waiting[0]!.answer(RELEASE);
    expect(waiting).toMatchObject([{ attempts: 0 }]);
  });

  it('delivers others while one is delayed', async () => {
    const { replayer, consume } = await open();
    await replayer.enqueue(envelopes('e', 2));
    const { lane, waiting, delivered } = consume();
    lane.concurrency = 1;
    await waiting[0]!.answer(retryAfter(60_000));
    expect(delivered).toEqual(['e1', 'e2']);
  });

  it('brings delayed envelopes back in the order of their times, with one timer for all', async () => {
    const { clock, replayer, consume } = await open();
    const delays = [50, 10, 40, 20, 30, 10];
    await replayer.enqueue(envelopes('e', delays.length));
    const { lane, waiting, delivered } = consume();
    lane.concurrency = delays.length;
    for (const [index, entry] of [...waiting].entries()) await entry.answer(retryAfter(delays[index]!));
    expect(clock.pendingTimers).toBe(1);
    delivered.length = 0;
    await clock.advance(50);
    expect(delivered).toEqual(['e2', 'e6', 'e4', 'e5', 'e3', 'e1']);
  });

  it('does not wait for a longer delay that was there before', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue(envelopes('e', 2));
    const { lane, waiting, delivered } = consume();
    lane.concurrency = 2;
    await waiting[0]!.answer(retryAfter(1_000));
    await waiting[0]!.answer(retryAfter(10));
    await clock.advance(10);
    expect(delivered).toEqual(['e1', 'e2', 'e2']);
  });

  it('keeps a delayed envelope while the lane is closed', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue([envelope('e')]);
    const { lane, waiting, delivered } = consume();
    lane.concurrency = 1;
    lane.concurrency = 0;
    await waiting[0]!.answer(retryAfter(10));
    await clock.advance(1_000);
    expect(delivered).toEqual(['e']);
    lane.concurrency = 1;
    expect(delivered).toEqual(['e', 'e']);
  });
});

describe('MemoryReplayer capacity', () => {
  it('bounds both sides and both priorities together', async () => {
    const { replayer } = await open({ capacity: 4 });
    await replayer.enqueue([
      envelope('1', { cluster: 'A', priority: 'high' }),
      envelope('2', { cluster: 'A', priority: 'low' }),
      envelope('3', { cluster: 'B', priority: 'high' }),
      envelope('4', { cluster: 'B', priority: 'low' }),
    ]);
    await expect(replayer.enqueue([envelope('5')])).rejects.toBeInstanceOf(ReplayQueueFullError);
  });

  it('gives all of it to one side and priority that needs it', async () => {
    const { replayer } = await open({ capacity: 4 });
    await expect(replayer.enqueue(envelopes('low', 4, { priority: 'low' }))).resolves.toBe('queued');
  });

  it('counts what is in flight and delayed, and not what is dead', async () => {
    const { replayer, consume } = await open({ capacity: 3 });
    await replayer.enqueue(envelopes('e', 3));
    const { lane, waiting } = consume();
    lane.concurrency = 3;
    await waiting[0]!.answer(REJECTED);
    await waiting[0]!.answer(retryAfter(1_000));
    await expect(replayer.enqueue([envelope('instead')])).resolves.toBe('queued');
    await expect(replayer.enqueue([envelope('more')])).rejects.toBeInstanceOf(ReplayQueueFullError);
    await expect(replayer.bury(envelope('more'), 'inDoubt')).resolves.toBeUndefined();
    await waiting[0]!.answer(APPLIED);
    await expect(replayer.enqueue([envelope('more')])).resolves.toBe('queued');
  });

  it('takes all of a call or nothing, and counts what it refuses as dropped', async () => {
    const { replayer } = await open({ capacity: 2 });
    await replayer.enqueue([envelope('1')]);
    const two = [envelope('2', { cluster: 'A' }), envelope('2', { cluster: 'B' })];
    await expect(replayer.enqueue(two)).rejects.toMatchObject({
      code: 'HELIX_REPLAY_QUEUE_FULL',
      outcome: 'notApplied',
      message: expect.stringMatching(/holds 1 of 2 envelopes.*raise MemoryReplayer's capacity/) as string,
    });
    const { A, B } = await replayer.stats();
    expect(A).toMatchObject({ enqueued: 1, queued: 0, dropped: 1 });
    expect(B).toMatchObject({ enqueued: 2, queued: 1, dropped: 1 });
  });
});

describe('MemoryReplayer reservations', () => {
  it('keep room that nobody else is given, until they are released', async () => {
    const { replayer } = await open({ capacity: 2 });
    const reservation = replayer.reserve('B', 1);
    await replayer.enqueue([envelope('1')]);
    await expect(replayer.enqueue([envelope('2')])).rejects.toThrow(/holds 1 of 2.*has 1 reserved/);
    expect(replayer.reserve('A', 1)).toBeUndefined();
    reservation?.release();
    await expect(replayer.enqueue([envelope('2')])).resolves.toBe('queued');
  });

  it('are used by what is enqueued in the turn in which they are released', async () => {
    const { replayer } = await open({ capacity: 1 });
    const reservation = replayer.reserve('B', 1);
    reservation?.release();
    const mine = replayer.enqueue([envelope('mine')]);
    const others = replayer.enqueue([envelope('other')]);
    await expect(mine).resolves.toBe('queued');
    await expect(others).rejects.toBeInstanceOf(ReplayQueueFullError);
  });

  it('give back what they hold once, however often they are released', async () => {
    const { replayer } = await open({ capacity: 2 });
    const [one, other] = [replayer.reserve('A', 1), replayer.reserve('B', 1)];
    one?.release();
    one?.release();
    expect(replayer.reserve('A', 2)).toBeUndefined();
    expect(replayer.reserve('A', 1)).toBeDefined();
    other?.release();
    expect(replayer.reserve('A', 1)).toBeDefined();
    expect(replayer.reserve('A', 1)).toBeUndefined();
  });

  it('are for several at once, all or nothing', async () => {
    const { replayer } = await open({ capacity: 3 });
    await replayer.enqueue([envelope('1')]);
    expect(replayer.reserve('B', 3)).toBeUndefined();
    expect(replayer.reserve('B', 2)).toBeDefined();
    await expect(replayer.enqueue([envelope('2')])).rejects.toBeInstanceOf(ReplayQueueFullError);
  });

  it('do not count as queued', async () => {
    const { replayer } = await open({ capacity: 3 });
    replayer.reserve('B', 2);
    expect((await replayer.stats()).B).toMatchObject({ enqueued: 0, queued: 0, dropped: 0 });
  });

  it('keep their room from dead letters that are requeued', async () => {
    const { replayer } = await open({ capacity: 2 });
    for (const dead of envelopes('', 2)) await replayer.bury(dead, 'rejected');
    const reservation = replayer.reserve('B', 1);
    expect(await replayer.deadLetters.requeue('all')).toBe(1);
    await expect(replayer.deadLetters.requeue('all')).rejects.toBeInstanceOf(ReplayQueueFullError);
    reservation?.release();
    expect(await replayer.deadLetters.requeue('all')).toBe(1);
  });
});

describe('MemoryReplayer dead letters and their own bound', () => {
  const large = (id: string, bytes: number): Envelope => {
    const [statement] = envelope(id).statements;
    return envelope(id, { statements: [{ ...statement!, params: [new Uint8Array(bytes)] }] });
  };

  it('take no room from the queue, and the queue none from them', async () => {
    const { replayer } = await open({ capacity: 2, deadLetterCapacity: 3 });
    for (const dead of envelopes('dead', 3)) await replayer.bury(dead, 'rejected');
    await expect(replayer.enqueue(envelopes('e', 2))).resolves.toBe('queued');
    expect(replayer.reserve('B', 1)).toBeUndefined();
    expect(replayer.snapshot().B).toMatchObject({ enqueued: 5, queued: 2, deadLettered: 3, dropped: 0 });
  });

  it('are refused when there is no room for them, and counted as dropped', async () => {
    const { replayer } = await open({ deadLetterCapacity: 1 });
    await replayer.bury(envelope('1'), 'rejected');
    await expect(replayer.bury(envelope('2'), 'rejected')).rejects.toMatchObject({
      code: 'HELIX_REPLAY_QUEUE_FULL',
      message: expect.stringMatching(/1 of 1 are held.*raise MemoryReplayer's deadLetterCapacity/) as string,
    });
    expect(replayer.snapshot().B).toMatchObject({ enqueued: 2, deadLettered: 1, dropped: 1 });
    await replayer.deadLetters.purge('all');
    await expect(replayer.bury(envelope('2'), 'rejected')).resolves.toBeUndefined();
  });

  it('that take the place of a twin need no room', async () => {
    const { replayer } = await open({ deadLetterCapacity: 1 });
    await replayer.bury(envelope('1'), 'rejected');
    await replayer.bury(envelope('1'), 'inDoubt');
    expect(replayer.snapshot().B).toMatchObject({ enqueued: 2, deadLettered: 1, superseded: 1, dropped: 0 });
  });

  it('are lost, not without a word, when replay makes one too many; a sync point goes on', async () => {
    const { replayer, consume, dropped } = await open({ deadLetterCapacity: 1 });
    await replayer.enqueue(envelopes('e', 2));
    const position = (await replayer.position()).settled();
    const { lane, waiting } = consume();
    lane.concurrency = 2;
    for (let i = 0; i < 2; i++) await waiting[0]!.answer(REJECTED);
    expect(dropped).toEqual([['e2', 'HELIX_REPLAY_QUEUE_FULL']]);
    expect(replayer.snapshot().B).toMatchObject({ enqueued: 2, queued: 0, deadLettered: 1, dropped: 1 });
    expect(await position).toEqual({ applied: 0, deadLettered: 1 });
  });

  it('are bounded in bytes, too', async () => {
    const { replayer } = await open();
    const MB = 1_048_576;
    await replayer.bury(large('1', 40 * MB), 'rejected');
    await expect(replayer.bury(large('2', 25 * MB), 'rejected')).rejects.toThrow(/of 67108864 bytes/);
    await replayer.bury(large('1', 30 * MB), 'inDoubt');
    await replayer.bury(large('2', 25 * MB), 'rejected');
    await replayer.deadLetters.purge(['1:B:0']);
    await replayer.bury(large('3', 35 * MB), 'rejected');
    expect(await replayer.deadLetters.requeue('all')).toBe(2);
    await replayer.bury(large('4', 60 * MB), 'rejected');
  });

  it('that are requeued need room in the queue: the oldest go first', async () => {
    const { replayer } = await open({ capacity: 2 });
    for (const dead of envelopes('', 3)) await replayer.bury(dead, 'rejected');
    expect(await replayer.deadLetters.requeue('all')).toBe(2);
    expect(await replayer.deadLetters.list()).toMatchObject([{ operationId: '3' }]);
    await expect(replayer.deadLetters.requeue('all')).rejects.toMatchObject({
      code: 'HELIX_REPLAY_QUEUE_FULL',
    });
    expect(replayer.snapshot().B).toMatchObject({ enqueued: 3, queued: 2, deadLettered: 1 });
  });
});

describe('MemoryReplayer dead letters', () => {
  it('describes a dead letter without values', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue([envelope('op', { generation: 3 })]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    await waiting[0]!.answer(retryAfter(500));
    await clock.advance(500);
    const error = Object.assign(new RangeError('value 4711 is bad'), { code: 8704 });
    await waiting[0]!.answer({ kind: 'dead', reason: 'rejected', error });
    const letter = {
      id: 'op:B:3',
      operationId: 'op',
      cluster: 'B',
      reason: 'rejected',
      error: 'RangeError 0x2200',
      attempts: 2,
      createdAt: new Date('2025-01-01T00:00:00.000Z'),
      deadAt: new Date('2025-01-01T00:00:00.500Z'),
      statement: 'INSERT … (?)',
      table: 'users',
    };
    expect(await replayer.deadLetters.list()).toEqual([letter]);
    expect(await replayer.deadLetters.get('op:B:3')).toEqual(letter);
  });

  it('shows the text only when it is asked to reveal it', async () => {
    const { replayer } = await open();
    await replayer.bury(envelope('op'), 'inDoubt');
    const revealed = await replayer.deadLetters.get('op:B:0', { reveal: true });
    expect(revealed?.statement).toBe('INSERT INTO users (id) VALUES (?)');
    expect(await replayer.deadLetters.get('unknown')).toBeUndefined();
  });

  it('lists oldest first, by side and reason, in pages', async () => {
    const { replayer } = await open();
    for (const id of ['1', '2', '3', '4']) await replayer.bury(envelope(id), 'inDoubt');
    await replayer.bury(envelope('5', { cluster: 'A' }), 'rejected');
    const list = async (filter?: Parameters<typeof replayer.deadLetters.list>[0]) =>
      (await replayer.deadLetters.list(filter)).map(({ operationId }) => operationId);
    expect(await list()).toEqual(['1', '2', '3', '4', '5']);
    expect(await list({ cluster: 'A' })).toEqual(['5']);
    expect(await list({ reason: 'inDoubt', limit: 2 })).toEqual(['1', '2']);
    expect(await list({ reason: 'inDoubt', limit: 2, after: '2:B:0' })).toEqual(['3', '4']);
    expect(await list({ after: '4:B:0' })).toEqual(['5']);
    await expect(list({ limit: 0 })).rejects.toThrow('received limit 0; allowed is an integer, 1 or more');
  });

  it('lists a hundred when no limit is given', async () => {
    const { replayer } = await open();
    for (const dead of envelopes('e', 101)) await replayer.bury(dead, 'rejected');
    expect(await replayer.deadLetters.list()).toHaveLength(100);
  });

  it('starts at the oldest again when the one to continue behind is gone', async () => {
    const { replayer } = await open();
    for (const id of ['1', '2', '3']) await replayer.bury(envelope(id), 'rejected');
    await replayer.deadLetters.purge(['1:B:0', '2:B:0']);
    expect(await replayer.deadLetters.list({ after: '2:B:0' })).toMatchObject([{ operationId: '3' }]);
  });

  it('requeues as the next generation, with no attempts, and leaves the original as it is', async () => {
    const { replayer, consume } = await open();
    const original = Object.freeze(envelope('op'));
    await replayer.bury(original, 'rejected');
    expect(await replayer.deadLetters.requeue(['op:B:0', 'op:B:0', 'unknown'])).toBe(1);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    expect(waiting).toMatchObject([{ attempts: 0, envelope: { operationId: 'op', generation: 1 } }]);
    expect(original.generation).toBe(0);
    expect((await replayer.stats()).B).toMatchObject({ enqueued: 1, inFlight: 1, deadLettered: 0 });
  });

  it('requeues what is in doubt only when it is forced to', async () => {
    const { replayer } = await open();
    await replayer.bury(envelope('doubt'), 'inDoubt');
    await replayer.bury(envelope('sure'), 'rejected');
    expect(await replayer.deadLetters.requeue('all')).toBe(1);
    expect(await replayer.deadLetters.requeue(['doubt:B:0'])).toBe(0);
    expect(await replayer.deadLetters.count()).toBe(1);
    expect(await replayer.deadLetters.requeue('all', { force: true })).toBe(1);
    expect(await replayer.deadLetters.count()).toBe(0);
  });

  it('purges for good and counts it', async () => {
    const { replayer } = await open({ capacity: 3 });
    for (const id of ['1', '2', '3']) await replayer.bury(envelope(id), 'rejected');
    expect(await replayer.deadLetters.purge(['1:B:0', 'unknown'])).toBe(1);
    expect(await replayer.deadLetters.purge('all')).toBe(2);
    expect((await replayer.stats()).B).toMatchObject({ enqueued: 3, deadLettered: 0, purged: 3 });
    await expect(replayer.enqueue(envelopes('e', 3))).resolves.toBe('queued');
  });

  it('counts a dead letter that takes the place of its twin as one and the older as superseded', async () => {
    const { replayer } = await open();
    await replayer.bury(envelope('op'), 'rejected');
    await replayer.bury(envelope('op'), 'inDoubt');
    expect(await replayer.deadLetters.list()).toMatchObject([{ reason: 'inDoubt' }]);
    expect((await replayer.stats()).B).toMatchObject({ enqueued: 2, deadLettered: 1, superseded: 1 });
  });
});

describe('MemoryReplayer stats', () => {
  it('says how old the oldest envelope is, in flight and delayed ones included', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue([envelope('old')]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    await clock.advance(300);
    await replayer.enqueue([envelope('young', { createdAtMs: clock.nowMs() })]);
    await clock.advance(200);
    expect((await replayer.stats()).B.oldestAgeMs).toBe(500);
    await waiting[0]!.answer(APPLIED);
    expect((await replayer.stats()).B.oldestAgeMs).toBe(200);
    await waiting[0]!.answer(APPLIED);
    expect((await replayer.stats()).B.oldestAgeMs).toBe(0);
  });

  it('is open while a lane delivers', async () => {
    const { replayer, consume } = await open();
    const isOpen = async () => (await replayer.stats()).B.open;
    expect(await isOpen()).toBe(false);
    const { lane } = consume();
    expect(await isOpen()).toBe(false);
    lane.concurrency = 2;
    expect(await isOpen()).toBe(true);
    await lane.stop();
    expect(await isOpen()).toBe(false);
  });
});

describe('MemoryReplayer positions', () => {
  it('settles at once when nothing is queued', async () => {
    const { replayer } = await open();
    expect(await (await replayer.position()).settled()).toEqual({ applied: 0, deadLettered: 0 });
  });

  it('waits for what was queued before it, on both sides, and for nothing that came later', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue([envelope('a', { cluster: 'A' }), ...envelopes('b', 2)]);
    const a = consume('A');
    const b = consume('B');
    a.lane.concurrency = b.lane.concurrency = 9;
    await b.waiting[0]!.answer(APPLIED);
    let result: unknown;
    void (await replayer.position()).settled().then((settled) => (result = settled));
    await replayer.enqueue([envelope('later')]);

    await a.waiting[0]!.answer(APPLIED);
    expect(result).toBeUndefined();
    await b.waiting[0]!.answer(retryAfter(10));
    await clock.advance(9);
    expect(result).toBeUndefined();
    await clock.advance(1);
    await b.waiting[1]!.answer(REJECTED);
    expect(result).toEqual({ applied: 1, deadLettered: 1 });
  });

  it('counts for each position what was queued when it was taken', async () => {
    const { replayer, consume } = await open();
    await replayer.enqueue(envelopes('e', 2));
    const first = (await replayer.position()).settled();
    const { lane, waiting } = consume();
    lane.concurrency = 9;
    await waiting[0]!.answer(APPLIED);
    await replayer.enqueue([envelope('e3')]);
    const second = (await replayer.position()).settled();
    const third = (await replayer.position()).settled();
    await waiting[1]!.answer(REJECTED);
    await waiting[0]!.answer(APPLIED);
    expect(await first).toEqual({ applied: 2, deadLettered: 0 });
    expect(await second).toEqual({ applied: 1, deadLettered: 1 });
    expect(await third).toEqual({ applied: 1, deadLettered: 1 });
  });

  it('waits for a requeued dead letter like for anything else that is queued', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.bury(envelope('op'), 'rejected');
    await replayer.deadLetters.requeue('all');
    let result: unknown;
    void (await replayer.position()).settled().then((settled) => (result = settled));
    await clock.settle();
    expect(result).toBeUndefined();
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    await waiting[0]!.answer(APPLIED);
    expect(result).toEqual({ applied: 1, deadLettered: 0 });
  });

  it('says so when the queue is closed and hands back what it waits for', async () => {
    const { replayer, consume } = await open();
    await replayer.enqueue([envelope('e1')]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    const reached = (await replayer.position()).settled();
    await waiting[0]!.answer(APPLIED);
    await replayer.enqueue(envelopes('e', 2));
    const handedBack = (await replayer.position()).settled();
    // One that nobody waits for ends nobody's process.
    await replayer.position();
    await replayer.close();
    expect(await reached).toEqual({ applied: 1, deadLettered: 0 });
    await expect(handedBack).rejects.toBeInstanceOf(SessionClosedError);
    await expect(replayer.position()).rejects.toBeInstanceOf(SessionClosedError);
  });
});

describe('MemoryReplayer opening and closing', () => {
  it('answers with everything it still holds and counts it as dropped', async () => {
    const { clock, replayer, consume } = await open();
    await replayer.enqueue(envelopes('e', 4));
    await replayer.enqueue([envelope('a', { cluster: 'A', priority: 'low' })]);
    const { lane, waiting } = consume();
    lane.concurrency = 3;
    await waiting[0]!.answer(REJECTED);
    await waiting[0]!.answer(retryAfter(10));
    await waiting[0]!.answer(APPLIED);
    lane.concurrency = 0;
    await waiting[0]!.answer(RELEASE);
    await lane.stop();
    expect(idsOf(await replayer.close())).toEqual(['a', 'e2', 'e4', 'e1']);
    expect(clock.pendingTimers).toBe(0);
    const { A, B } = await replayer.stats();
    expect(A).toMatchObject({ enqueued: 1, queued: 0, dropped: 1 });
    expect(B).toMatchObject({ enqueued: 4, queued: 0, inFlight: 0, deadLettered: 0, applied: 1, dropped: 3 });
    expect(await replayer.close()).toEqual([]);
  });

  it('hands back what is in flight too, and does not count its end twice', async () => {
    const { replayer, consume } = await open();
    await replayer.enqueue([envelope('e')]);
    const { lane, waiting } = consume();
    lane.concurrency = 1;
    expect(idsOf(await replayer.close())).toEqual(['e']);
    await waiting[0]!.answer(APPLIED);
    expect((await replayer.stats()).B).toMatchObject({
      enqueued: 1,
      applied: 0,
      inFlight: 0,
      dropped: 1,
      open: false,
    });
  });

  it('refuses and counts what comes after closing', async () => {
    const { replayer } = await open();
    await replayer.close();
    await expect(replayer.enqueue([envelope('e')])).rejects.toBeInstanceOf(SessionClosedError);
    await expect(replayer.bury(envelope('e'), 'inDoubt')).rejects.toBeInstanceOf(SessionClosedError);
    await expect(replayer.deadLetters.requeue('all')).rejects.toBeInstanceOf(SessionClosedError);
    expect((await replayer.stats()).B).toMatchObject({ enqueued: 2, dropped: 2 });
  });

  it('serves one instance only', async () => {
    const { replayer, clock } = await open();
    const again = replayer.open({ namespace: 'x', clock, describe: () => ({ statement: '' }) });
    await expect(again).rejects.toThrow('a replayer of its own');
  });

  it('refuses to work before it is opened', async () => {
    const replayer = new MemoryReplayer();
    await expect(replayer.enqueue([envelope('e')])).rejects.toBeInstanceOf(HelixUsageError);
    expect(() => replayer.consume('A', () => Promise.resolve(APPLIED))).toThrow(HelixUsageError);
  });

  it('has nothing to flush', async () => {
    const { replayer } = await open();
    await expect(replayer.flush()).resolves.toBeUndefined();
  });
});
