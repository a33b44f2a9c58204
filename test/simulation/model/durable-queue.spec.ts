import { describe, expect, it, vi } from 'vitest';
import {
  type Clock,
  type ClusterId,
  type DeadLetterReason,
  type Delivery,
  type DeliveryVerdict,
  type Envelope,
  ReplayQueueFullError,
  type ReplayLane,
  type ReplayStats,
  SessionClosedError,
} from '../../../lib/core/index.js';
import { envelope, envelopes } from '../../support/envelope.js';
import { Random } from '../engine/random.js';
import { Scheduler } from '../engine/scheduler.js';
import type { QueueFault } from '../history.js';
import { ModelDurableQueue, OpenPosition } from './durable-queue.js';
import { ModelDurableReplayer } from './durable-replayer.js';

const LONG_MS = 60_000;
const START_MS = Date.UTC(2025, 0, 1);
const APPLIED: DeliveryVerdict = { kind: 'applied' };
const REJECTED: DeliveryVerdict = { kind: 'dead', reason: 'rejected', error: new TypeError('secret') };

/** What became of a promise by now. */
class Watched<T> {
  value: T | undefined;
  error: unknown;
  isOver = false;
  constructor(promise: Promise<T>) {
    promise.then(
      (value) => ((this.value = value), (this.isOver = true)),
      (error: unknown) => ((this.error = error), (this.isOver = true)),
    );
  }
}

class TestProcess {
  isAlive = true;
  readonly replayer: ModelDurableReplayer;
  readonly delivered: string[] = [];
  /** What handlers answer, and how long they take. */
  verdict: (delivery: Delivery) => DeliveryVerdict = () => APPLIED;
  handlerMs = 1;
  running = 0;
  mostRunning = 0;

  constructor(
    private readonly test: Test,
    spoolCapacity?: number,
  ) {
    this.replayer = new ModelDurableReplayer(test.queue, () => this.isAlive, spoolCapacity);
    const { scheduler } = test;
    const clock: Clock = {
      nowMs: () => START_MS + Math.floor(scheduler.nowMs),
      monotonicMs: () => scheduler.nowMs,
      setTimer: () => expect.fail('The model needs no timers of the process'),
    };
    void this.replayer.open({
      namespace: 'shop',
      clock,
      describe: ({ operationId }) => ({ statement: `masked ${operationId}` }),
    });
  }

  consume(cluster: ClusterId = 'B', concurrency = 0): ReplayLane {
    const lane = this.replayer.consume(cluster, (delivery) => this.#handle(delivery));
    lane.concurrency = concurrency;
    return lane;
  }

  enqueue(...handed: Envelope[]): Watched<'queued' | 'spooled'> {
    return new Watched(this.replayer.enqueue(handed));
  }

  get stats(): ReplayStats['B'] {
    return this.replayer.snapshot().B;
  }

  kill(): void {
    this.isAlive = false;
  }

  #handle(delivery: Delivery): Promise<DeliveryVerdict> {
    this.delivered.push(delivery.envelope.operationId);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    const verdict = this.verdict(delivery);
    return new Promise((resolve) =>
      this.test.scheduler.after(this.handlerMs, 'io', () => {
        this.running--;
        resolve(verdict);
      }),
    );
  }
}

class Test {
  readonly scheduler: Scheduler;
  readonly queue: ModelDurableQueue;
  readonly told: string[] = [];

  constructor(seed = 1) {
    this.scheduler = new Scheduler(new Random(seed));
    this.queue = new ModelDurableQueue(this.scheduler, new Random(seed).fork('queue'), {
      onTaken: ({ operationId }) => this.told.push(`taken ${operationId}`),
      onBuried: ({ operationId }, reason) => this.told.push(`buried ${operationId} ${reason}`),
      onPurged: (operationId, cluster) => this.told.push(`purged ${operationId} ${cluster}`),
      onRequeued: ({ operationId, generation }) => this.told.push(`requeued ${operationId} ${generation}`),
    });
  }

  start(spoolCapacity?: number): TestProcess {
    return new TestProcess(this, spoolCapacity);
  }

  pass(ms = LONG_MS): Promise<number> {
    this.scheduler.after(ms, 'world', () => undefined);
    return this.scheduler.run(this.scheduler.nowMs + ms);
  }

  /** Runs until the promise has settled, and answers with its value. */
  async answer<T>(promise: Promise<T>): Promise<T> {
    const watched = new Watched(promise);
    await this.scheduler.run(this.scheduler.nowMs + LONG_MS, () => watched.isOver);
    expect(watched.isOver).toBe(true);
    return promise;
  }

  async during(fault: QueueFault, run: () => Promise<void>): Promise<void> {
    this.queue.begin(fault);
    await run();
    this.queue.end(fault);
  }
}

function expectToAddUp(stats: ReplayStats): void {
  for (const lane of [stats.A, stats.B]) {
    const { enqueued, applied, queued, inFlight, deadLettered, purged, superseded, dropped } = lane;
    expect(enqueued).toBe(applied + queued + inFlight + deadLettered + purged + superseded + dropped);
    expect(
      Math.min(...[applied, queued, inFlight, deadLettered, purged, superseded, dropped]),
    ).toBeGreaterThan(-1);
  }
}

describe('A model durable queue', () => {
  it('confirms after a moment, and has the envelope whole for a later process', async () => {
    const test = new Test();
    const first = test.start();
    const original = envelope('op', { ttlSeconds: 7 });
    const handed = first.enqueue(original);
    expect(handed.isOver).toBe(false);
    expect(first.stats).toMatchObject({ enqueued: 1, queued: 1 });
    await test.pass();
    expect(handed.value).toBe('queued');
    first.kill();
    const second = test.start();
    const seen: Delivery[] = [];
    second.verdict = (delivery) => {
      seen.push(delivery);
      return APPLIED;
    };
    second.consume('B', 1);
    await test.pass();
    expect(seen).toEqual([{ envelope: original, attempts: 0 }]);
    expect(second.stats).toMatchObject({ enqueued: 1, applied: 1, queued: 0, inFlight: 0 });
    expect(test.told).toEqual(['taken op']);
  });

  it('delivers in order, ten of high priority before one of low, as many at once as the lane allows', async () => {
    const test = new Test();
    const process = test.start();
    for (const low of envelopes('low', 2, { priority: 'low' })) process.enqueue(low);
    await test.pass();
    for (const high of envelopes('high', 12)) await test.answer(process.replayer.enqueue([high]));
    const lane = process.consume();
    await test.pass();
    expect(process.delivered).toEqual([]);
    lane.concurrency = 1;
    await test.pass();
    expect(process.delivered.map((id) => id.replace(/\d/g, ''))).toEqual([
      ...Array.from({ length: 10 }, () => 'high'),
      'low',
      'high',
      'high',
      'low',
    ]);
    expect(process.delivered.slice(0, 10)).toEqual(
      Array.from({ length: 10 }, (_, index) => `high${index + 1}`),
    );
    expect(process.mostRunning).toBe(1);
    lane.concurrency = 3;
    process.enqueue(...envelopes('more', 9));
    await test.pass();
    expect(process.mostRunning).toBe(3);
  });

  it('puts what arrives at a closed lane back where it was, and ends a lane when its handlers have', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(...envelopes('e', 3));
    await test.pass();
    const lane = process.consume('B', 2);
    lane.concurrency = 0;
    await test.pass();
    expect(process.delivered).toEqual([]);
    expect(process.stats).toMatchObject({ queued: 3, inFlight: 0, open: false });
    process.handlerMs = 100;
    lane.concurrency = 1;
    await test.scheduler.run(Infinity, () => process.running === 1);
    expect(() => process.consume()).toThrow('in use');
    const stopped = new Watched(lane.stop());
    await test.pass(99);
    expect(stopped.isOver).toBe(false);
    await test.pass(2);
    expect(stopped.isOver).toBe(true);
    lane.concurrency = 1;
    await test.pass();
    expect(process.delivered).toEqual(['e1']);
    process.consume('B', 1);
    await test.pass();
    expect(process.delivered).toEqual(['e1', 'e2', 'e3']);
  });

  it('does what verdicts say: later, back in front, into the dead letters', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(...envelopes('e', 4));
    await test.pass();
    const attempts: number[] = [];
    const atMs: number[] = [];
    const verdicts: DeliveryVerdict[] = [
      { kind: 'retry', delayMs: 500 },
      { kind: 'release' },
      APPLIED,
      REJECTED,
    ];
    process.verdict = (delivery) => {
      if (delivery.envelope.operationId === 'e1') {
        attempts.push(delivery.attempts);
        atMs.push(test.scheduler.nowMs);
      }
      return verdicts.shift() ?? APPLIED;
    };
    process.handlerMs = 5;
    process.consume('B', 1);
    await test.pass();
    // A release is the one thing that may be overtaken by what the lane had room for in that moment.
    expect(process.delivered.filter((id) => id === 'e2')).toHaveLength(2);
    expect(process.delivered.at(-1)).toBe('e1');
    expect(attempts).toEqual([0, 1]);
    expect((atMs[1] ?? 0) - (atMs[0] ?? 0)).toBeGreaterThan(500);
    expect(process.stats).toMatchObject({ enqueued: 4, applied: 3, deadLettered: 1 });
    expect(await test.answer(process.replayer.deadLetters.list())).toMatchObject([
      { reason: 'rejected', error: 'TypeError', attempts: 1 },
    ]);
  });

  it('stores one id once while it is known', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(envelope('op'));
    process.enqueue(envelope('op'));
    await test.pass();
    process.consume('B', 2);
    await test.pass();
    process.enqueue(envelope('op'));
    await test.pass();
    expect(process.delivered).toEqual(['op']);
    expect(process.stats).toMatchObject({ enqueued: 3, applied: 1, superseded: 2 });
  });

  it('refuses when it is full, all of one call or nothing', async () => {
    const test = new Test();
    const process = test.start();
    await test.during('full', async () => {
      const refused = process.enqueue(envelope('a', { cluster: 'A' }), envelope('b'));
      expect(process.replayer.reserve('B', 1)).toBeUndefined();
      await test.pass();
      expect(refused.error).toBeInstanceOf(ReplayQueueFullError);
      const buried = new Watched(process.replayer.bury(envelope('dead'), 'inDoubt'));
      await test.pass();
      expect(buried.error).toBeInstanceOf(ReplayQueueFullError);
    });
    expect(process.replayer.snapshot()).toMatchObject({
      A: { enqueued: 1, dropped: 1, queued: 0 },
      B: { enqueued: 2, dropped: 2, queued: 0, deadLettered: 0 },
    });
    expect(test.told).toEqual([]);
  });
});

describe('While a model durable queue is down, a process', () => {
  it('spools, answers for most of it once it has noticed, then at once, and sends it in order later', async () => {
    const test = new Test();
    const process = test.start();
    await test.pass();
    test.queue.begin('down');
    const early = envelopes('early', 40).map((each) => process.enqueue(each));
    expect(early.some(({ isOver }) => isOver)).toBe(false);
    await test.pass(10_000);
    const spooled = early.filter(({ value }) => value === 'spooled').length;
    expect(spooled).toBeGreaterThan(20);
    expect(spooled).toBeLessThan(40);
    expect(early.filter(({ isOver }) => !isOver)).toHaveLength(40 - spooled);
    const late = process.enqueue(envelope('late'));
    await Promise.resolve();
    expect(late.value).toBe('spooled');
    expect(process.stats).toMatchObject({ enqueued: 41, queued: 41 });
    const flushed = new Watched(process.replayer.flush());
    await test.pass(10_000);
    expect(flushed.isOver).toBe(false);
    const controller = new AbortController();
    const aborted = new Watched(process.replayer.flush(controller.signal));
    controller.abort(new Error('no more time'));
    await expect(process.replayer.flush(controller.signal)).rejects.toThrow('no more time');
    expect(aborted.error).toMatchObject({ message: 'no more time' });
    test.queue.end('down');
    await test.pass();
    expect(flushed.isOver).toBe(true);
    expect(early.every(({ isOver }) => isOver)).toBe(true);
    process.consume('B', 1);
    await test.pass();
    expect(process.delivered).toEqual(
      [...envelopes('early', 40), envelope('late')].map((each) => each.operationId),
    );
    expect(test.told).toHaveLength(41);
  });

  it('loses its spool when it is killed, and hands it back when it is closed', async () => {
    const test = new Test();
    await test.during('down', async () => {
      const killed = test.start();
      killed.enqueue(envelope('gone'));
      await test.pass();
      killed.kill();
      const closed = test.start();
      const asked = envelopes('e', 20).map((each) => closed.enqueue(each));
      await test.pass();
      closed.enqueue(envelope('known to be down'));
      const promised = asked.filter(({ value }) => value === 'spooled').length;
      const unanswered = asked.filter(({ isOver }) => !isOver);
      expect(unanswered).not.toEqual([]);
      const remaining = await test.answer(closed.replayer.close());
      expect(remaining).toHaveLength(promised + 1);
      expect(unanswered[0]?.error).toBeInstanceOf(SessionClosedError);
      expect(closed.stats).toMatchObject({ enqueued: 21, queued: 0, dropped: 21 });
      await expect(closed.replayer.enqueue([envelope('late')])).rejects.toBeInstanceOf(SessionClosedError);
    });
    await test.pass();
    expect(test.start().stats).toMatchObject({ enqueued: 0 });
  });

  it('takes no more than its spool has room for, reserved room included', async () => {
    const test = new Test();
    const process = test.start(3);
    await test.during('down', async () => {
      process.enqueue(envelope('1'));
      await test.pass();
      const reserved = process.replayer.reserve('B', 1);
      expect(process.replayer.reserve('B', 2)).toBeUndefined();
      await expect(process.replayer.enqueue(envelopes('e', 2))).rejects.toBeInstanceOf(ReplayQueueFullError);
      reserved?.release();
      reserved?.release();
      await expect(process.replayer.enqueue(envelopes('e', 2))).resolves.toBe('spooled');
      expect(process.replayer.reserve('B', 1)).toBeUndefined();
      expect(process.stats).toMatchObject({ enqueued: 5, queued: 3, dropped: 2 });
    });
    await test.pass();
    expect(process.replayer.reserve('B', 3)).toBeDefined();
    expect(process.stats).toMatchObject({ enqueued: 5, queued: 3, dropped: 2 });
    expect(process.replayer.reserve('B', 1)).toBeUndefined();
  });

  it('says that something is buried only when the queue has it', async () => {
    const test = new Test();
    const process = test.start();
    const buried = new Watched(process.replayer.bury(envelope('op'), 'inDoubt'));
    await test.during('down', async () => {
      await test.pass();
      expect(buried.isOver).toBe(false);
      expect(test.told).toEqual([]);
    });
    await test.pass();
    expect(buried.isOver).toBe(true);
    expect(test.told).toEqual(['buried op inDoubt']);
    expect(process.stats).toMatchObject({ enqueued: 1, deadLettered: 1 });
  });

  it('gets nothing delivered and is not heard: what it holds comes again', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(...envelopes('e', 3));
    await test.pass();
    process.handlerMs = 50;
    process.consume('B', 1);
    await test.scheduler.run(Infinity, () => process.running === 1);
    test.queue.begin('down');
    await test.pass();
    expect(process.running).toBe(0);
    expect(process.delivered).toEqual(['e1']);
    expect(test.queue.figures('B')).toMatchObject({ queued: 2, inFlight: 1, applied: 0 });
    test.queue.end('down');
    expect(process.stats).toMatchObject({ enqueued: 3, applied: 0 });
    await test.pass();
    expect([...process.delivered].sort()).toEqual(['e1', 'e1', 'e2', 'e3']);
    expect(process.stats).toMatchObject({ enqueued: 3, applied: 3, queued: 0, inFlight: 0 });
  });

  it('knows the figures as they were, and has its questions refused', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(envelope('op'));
    await test.pass();
    expect(process.stats.queued).toBe(1);
    await test.during('down', async () => {
      expect(process.stats.queued).toBe(1);
      const { replayer } = process;
      const questions = [replayer.stats(), replayer.deadLetters.list(), replayer.deadLetters.purge('all')];
      const watched = questions.map((question) => new Watched<unknown>(question));
      await test.pass();
      expect(watched.map(({ error }) => (error as Error).name)).toEqual(
        Array.from({ length: 3 }, () => 'QueueUnreachableError'),
      );
    });
    const stats = await test.answer(process.replayer.stats());
    expect(stats.B).toMatchObject({ queued: 1, oldestAgeMs: 2 * LONG_MS });
  });
});

describe('A model durable queue that does not say what it has taken', () => {
  it('is sent it again under the same id, and stores it once', async () => {
    const test = new Test();
    const process = test.start();
    test.queue.begin('answers lost');
    const handed = envelopes('e', 30).map((each) => process.enqueue(each));
    await test.pass(100);
    const unconfirmed = handed.filter(({ isOver }) => !isOver).length;
    expect(unconfirmed).toBeGreaterThan(5);
    expect(process.stats).toMatchObject({ enqueued: 30, queued: 30 });
    expect(process.replayer.isSpooling).toBe(true);
    const ended = new Watched(process.replayer.flush());
    await test.pass();
    expect(ended.isOver).toBe(true);
    expect(process.replayer.isSpooling).toBe(false);
    expect(handed.filter(({ value }) => value === 'spooled').length).toBeGreaterThan(0);
    process.consume('B', 3);
    await test.pass();
    expect([...process.delivered].sort()).toEqual(
      envelopes('e', 30)
        .map((each) => each.operationId)
        .sort(),
    );
    expect(test.told).toHaveLength(30);
  });

  it('stores what it is told to bury once', async () => {
    const test = new Test();
    const process = test.start();
    test.queue.begin('answers lost');
    for (const each of envelopes('e', 20)) void process.replayer.bury(each, 'inDoubt');
    await test.pass();
    expect(process.stats).toMatchObject({ enqueued: 20, deadLettered: 20, superseded: 0 });
    expect(test.told).toHaveLength(20);
  });

  it('confirms what it has already also when it is full', async () => {
    const test = new Test();
    const process = test.start();
    test.queue.begin('answers lost');
    const handed = envelopes('e', 20).map((each) => process.enqueue(each));
    await test.pass(10);
    test.queue.begin('full');
    test.queue.end('answers lost');
    await test.pass();
    expect(handed.map(({ error }) => error)).toEqual(handed.map(() => undefined));
    await test.answer(process.replayer.flush());
    expect(process.stats).toMatchObject({ enqueued: 20, queued: 20, dropped: 0 });
  });

  it('hands back nothing that was confirmed in time, and counts once what was stored all the same', async () => {
    const test = new Test();
    const calm = test.start();
    const handed = calm.enqueue(envelope('calm'));
    expect(await test.answer(calm.replayer.close())).toEqual([]);
    expect(handed.value).toBe('queued');
    const hasty = test.start();
    test.queue.begin('answers lost');
    for (const each of envelopes('e', 20)) hasty.enqueue(each);
    await test.answer(hasty.replayer.close());
    expect(hasty.stats).toMatchObject({ enqueued: 21, queued: 21, dropped: 0 });
  });

  it('keeps what was spooled when it is full by then', async () => {
    const test = new Test();
    const process = test.start();
    test.queue.begin('down');
    process.enqueue(envelope('e0'));
    await test.pass();
    const late = process.enqueue(envelope('op'));
    test.queue.begin('full');
    test.queue.end('down');
    await test.pass();
    expect(late.value).toBe('spooled');
    expect(process.stats).toMatchObject({ enqueued: 2, queued: 2, dropped: 0 });
    test.queue.end('full');
    process.consume('B', 1);
    await test.pass();
    expect(process.delivered).toEqual(['e0', 'op']);
  });
});

describe('Redelivery by a model durable queue', () => {
  it('gives all that a killed process held to the next one, in another order', async () => {
    const test = new Test();
    const first = test.start();
    first.enqueue(...envelopes('e', 8));
    await test.pass();
    first.handlerMs = LONG_MS;
    first.consume('B', 6);
    await test.scheduler.run(Infinity, () => first.running === 6);
    first.kill();
    await test.pass(2 * LONG_MS);
    const second = test.start();
    expect(second.stats).toMatchObject({ queued: 8, inFlight: 0 });
    second.consume('B', 1);
    await test.pass();
    expect(second.delivered.slice(0, 2)).toEqual(['e7', 'e8']);
    expect([...second.delivered].sort()).toEqual(envelopes('e', 8).map((each) => each.operationId));
    expect(second.delivered.slice(2)).not.toEqual(envelopes('e', 6).map((each) => each.operationId));
  });

  it('gives what a process held when it closed to one that began before', async () => {
    const test = new Test();
    const first = test.start();
    first.enqueue(envelope('e'));
    await test.pass();
    first.handlerMs = LONG_MS;
    first.consume('B', 1);
    await test.scheduler.run(Infinity, () => first.running === 1);
    const second = test.start();
    second.consume('B', 1);
    await test.pass();
    expect(second.delivered).toEqual([]);
    void first.replayer.close();
    await test.pass();
    expect(second.delivered).toEqual(['e']);
    expect(second.stats).toMatchObject({ applied: 1, inFlight: 0 });
  });

  it('brings back some that were settled, each until it is settled again', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(...envelopes('e', 6));
    process.consume('B', 2);
    await test.pass();
    expect(process.delivered).toHaveLength(6);
    test.queue.begin('redelivers');
    process.enqueue(...envelopes('f', 20));
    await test.pass();
    const again = process.delivered.slice(6);
    expect(again.filter((id) => id.startsWith('e')).length).toBeGreaterThan(0);
    expect(again.filter((id) => id.startsWith('f')).length).toBeGreaterThan(20);
    expect(process.stats).toMatchObject({ queued: 0, inFlight: 0 });
    expectToAddUp(process.replayer.snapshot());
  });

  it('loses what is on its way with the process, and with the connection', async () => {
    const test = new Test();
    const killed = test.start();
    killed.enqueue(envelope('op'));
    await test.pass();
    killed.consume('B', 1);
    expect(test.queue.figures('B').inFlight).toBe(1);
    killed.kill();
    await test.pass();
    expect(killed.delivered).toEqual([]);
    const next = test.start();
    next.consume('B', 1);
    test.queue.begin('down');
    await test.pass();
    expect(next.delivered).toEqual([]);
    test.queue.end('down');
    await test.pass();
    expect(next.delivered).toEqual(['op']);
  });

  it('does not bring back what an earlier delivery has settled, or what a later one still runs with', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(envelope('op'));
    await test.pass();
    const lane = process.consume('B', 5);
    const twice = async (
      firstMs: number,
      first: DeliveryVerdict,
      secondMs: number,
      second: DeliveryVerdict,
    ) => {
      process.handlerMs = firstMs;
      process.verdict = () => first;
      await test.scheduler.run(Infinity, () => process.running === 1);
      process.handlerMs = secondMs;
      process.verdict = () => second;
      test.queue.begin('down');
      test.queue.end('down');
      await test.scheduler.run(Infinity, () => process.running === 2);
    };
    await twice(20_000, { kind: 'release' }, 30_000, { kind: 'release' });
    await test.pass(25_000);
    expect(process.delivered).toHaveLength(2);
    lane.concurrency = 0;
    await test.pass(25_000);
    lane.concurrency = 5;
    await twice(10_000, APPLIED, 1, { kind: 'retry', delayMs: 30_000 });
    await test.pass();
    expect(process.delivered).toHaveLength(4);
    expect(process.stats).toMatchObject({ enqueued: 1, applied: 1, queued: 0 });
  });

  it('takes the first final word of several deliveries of one envelope', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(envelope('op'));
    await test.pass();
    process.handlerMs = 10_000;
    const verdicts: DeliveryVerdict[] = [APPLIED, { kind: 'retry', delayMs: 1 }];
    process.verdict = () => verdicts.shift() ?? REJECTED;
    process.consume('B', 5);
    await test.scheduler.run(Infinity, () => process.running === 1);
    test.queue.begin('down');
    test.queue.end('down');
    await test.pass();
    expect(process.delivered).toEqual(['op', 'op']);
    expect(process.stats).toMatchObject({ enqueued: 1, applied: 1, queued: 0, inFlight: 0, deadLettered: 0 });
  });
});

describe('An envelope of class once', () => {
  const once = envelope('add', { class: 'once' });

  async function runningIn(test: Test): Promise<TestProcess> {
    const process = test.start();
    process.enqueue(once);
    await test.pass();
    process.handlerMs = 100;
    process.consume('B', 1);
    await test.scheduler.run(Infinity, () => process.running === 1);
    return process;
  }

  it('is in doubt, and is executed by nobody else, when its process is killed', async () => {
    const test = new Test();
    const first = await runningIn(test);
    expect(first.stats).toMatchObject({ inFlight: 1, deadLettered: 0 });
    first.kill();
    const second = test.start();
    second.consume('B', 1);
    await test.pass();
    expect(second.delivered).toEqual([]);
    expect(test.told).toEqual(['taken add', 'buried add inDoubt']);
    expect(await test.answer(second.replayer.deadLetters.list())).toMatchObject([{ reason: 'inDoubt' }]);
  });

  it('is in doubt when nobody can be told that it was applied', async () => {
    const test = new Test();
    const process = await runningIn(test);
    expect(process.stats).toMatchObject({ inFlight: 1 });
    await test.during('down', async () => {
      await test.pass();
      expect(process.running).toBe(0);
      expect(process.stats).toMatchObject({ inFlight: 1, deadLettered: 0 });
    });
    await test.pass();
    expect(process.delivered).toEqual(['add']);
    expect(process.stats).toMatchObject({ enqueued: 1, deadLettered: 1 });
  });

  it('is in doubt when its process has gone by the time the queue is back', async () => {
    const test = new Test();
    const first = await runningIn(test);
    await test.during('down', async () => {
      first.kill();
      test.start();
      await test.pass();
      expect(test.told).toEqual(['taken add']);
    });
    expect(test.told).toEqual(['taken add', 'buried add inDoubt']);
  });

  it('is executed only if the claim is granted, and others need not wait for it', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(once, envelope('next', { class: 'once' }));
    await test.pass();
    vi.spyOn(test.queue, 'claim').mockReturnValueOnce(false);
    process.consume('B', 1);
    await test.pass();
    expect(process.delivered).toEqual(['next']);
  });

  it('is in doubt when it cannot be known whether the claim was granted', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(once);
    await test.pass();
    process.consume('B', 1);
    const claim = vi.spyOn(test.queue, 'claim');
    await test.scheduler.run(Infinity, () => claim.mock.calls.length > 0);
    await test.during('down', () => test.pass().then(() => undefined));
    await test.pass();
    expect(process.delivered).toEqual([]);
    expect(process.stats).toMatchObject({ deadLettered: 1, inFlight: 0 });
  });

  it('is not in doubt because an earlier delivery of it is', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(once);
    await test.pass();
    process.handlerMs = 1_000;
    process.consume('B', 1);
    const claim = vi.spyOn(test.queue, 'claim');
    await test.scheduler.run(Infinity, () => process.running === 1);
    const [stored, delivery] = claim.mock.calls[0] ?? expect.fail('no claim');
    test.queue.abandon(stored, delivery - 1);
    await test.pass();
    expect(process.stats).toMatchObject({ applied: 1, deadLettered: 0 });
  });

  it('is stored and applied once however often it is sent, also by a server that has forgotten other ids', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const test = new Test(seed);
      const process = await runningIn(test);
      await test.pass();
      await test.during('down', () => test.pass().then(() => undefined));
      await test.pass();
      test.queue.begin('redelivers');
      process.enqueue(once);
      await test.pass();
      expect(process.delivered).toEqual(['add']);
      expect(process.stats).toMatchObject({ applied: 1, superseded: 1, deadLettered: 0 });
    }
  });

  it('is queued again as the next generation when it was certainly not applied', async () => {
    const test = new Test();
    const process = test.start();
    const generations: number[] = [];
    const verdicts: DeliveryVerdict[] = [{ kind: 'release' }, { kind: 'retry', delayMs: 20 }];
    process.verdict = ({ envelope: { generation } }) => {
      generations.push(generation);
      return verdicts.shift() ?? APPLIED;
    };
    process.enqueue(once);
    process.consume('B', 1);
    await test.pass();
    expect(generations).toEqual([0, 1, 2]);
    expect(process.stats).toMatchObject({ enqueued: 1, applied: 1, queued: 0, deadLettered: 0 });
  });

  it('is not executed when its lane has closed while it was claimed', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(once);
    await test.pass();
    const lane = process.consume('B', 1);
    const claim = vi.spyOn(test.queue, 'claim');
    await test.scheduler.run(Infinity, () => claim.mock.calls.length > 0);
    expect(process.stats).toMatchObject({ inFlight: 1 });
    lane.concurrency = 0;
    await test.pass();
    expect(process.delivered).toEqual([]);
    expect(process.stats).toMatchObject({ queued: 1, inFlight: 0 });
  });
});

describe('Dead letters in a model durable queue', () => {
  it('are listed, shown, requeued as the next generation and purged', async () => {
    const test = new Test();
    const process = test.start();
    const { deadLetters } = process.replayer;
    const buried: [string, DeadLetterReason][] = [
      ['one', 'rejected'],
      ['two', 'inDoubt'],
      ['three', 'expired'],
    ];
    for (const [id, reason] of buried) {
      await test.answer(process.replayer.bury(envelope(id), reason, new RangeError('secret')));
    }
    expect(await test.answer(deadLetters.list({ after: 'one:B:0', limit: 1 }))).toEqual([
      {
        id: 'two:B:0',
        operationId: 'two',
        cluster: 'B',
        reason: 'inDoubt',
        error: 'RangeError',
        attempts: 0,
        createdAt: new Date(START_MS),
        deadAt: expect.any(Date) as Date,
        statement: 'masked two',
      },
    ]);
    expect(await test.answer(deadLetters.list({ reason: 'expired', cluster: 'B' }))).toHaveLength(1);
    expect(await test.answer(deadLetters.list({ cluster: 'A' }))).toEqual([]);
    await expect(deadLetters.list({ limit: 0 })).rejects.toThrow('received limit 0');
    expect(await test.answer(deadLetters.get('one:B:0', { reveal: true }))).toMatchObject({
      statement: 'INSERT INTO users (id) VALUES (?)',
    });
    expect(await test.answer(deadLetters.requeue('all'))).toBe(2);
    expect(await test.answer(deadLetters.requeue(['two:B:0', 'unknown']))).toBe(0);
    expect(await test.answer(deadLetters.count())).toBe(1);
    expect(await test.answer(deadLetters.purge('all'))).toBe(1);
    const generations: number[] = [];
    process.verdict = ({ envelope: { generation } }) => {
      generations.push(generation);
      return APPLIED;
    };
    process.consume('B', 1);
    await test.pass();
    expect(generations).toEqual([1, 1]);
    expect(process.stats).toMatchObject({ enqueued: 3, applied: 2, purged: 1, deadLettered: 0 });
    expect(test.told.slice(3)).toEqual(['requeued one 1', 'requeued three 1', 'purged two B']);
  });

  it('are requeued under an id that is free', async () => {
    const test = new Test();
    const process = test.start();
    const { replayer } = process;
    await test.answer(replayer.bury(envelope('op'), 'rejected'));
    await test.answer(replayer.deadLetters.requeue('all'));
    // Until it has forgotten the first one: a late resend of it is a dead letter once more.
    for (let i = 0; i < 20; i++) {
      test.queue.begin('down');
      test.queue.end('down');
    }
    await test.pass();
    await test.answer(replayer.bury(envelope('op'), 'rejected'));
    expect(await test.answer(replayer.deadLetters.requeue('all'))).toBe(1);
    process.consume('B', 1);
    await test.pass();
    expect(test.told.filter((line) => line.startsWith('requeued'))).toEqual([
      'requeued op 1',
      'requeued op 2',
    ]);
    expect(process.stats).toMatchObject({ enqueued: 2, applied: 2, queued: 0, inFlight: 0 });
  });

  it('are requeued in doubt only by force', async () => {
    const test = new Test();
    const process = test.start();
    await test.answer(process.replayer.bury(envelope('op'), 'inDoubt'));
    expect(await test.answer(process.replayer.deadLetters.requeue('all', { force: true }))).toBe(1);
    expect(process.stats).toMatchObject({ enqueued: 1, queued: 1, deadLettered: 0 });
  });
});

describe('A position in a model durable queue', () => {
  it('is reached when all that was accepted before has left, and does not wait for more', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(...envelopes('e', 3), envelope('a', { cluster: 'A' }));
    await test.pass();
    const position = await test.answer(process.replayer.position());
    const settled = new Watched(position.settled());
    process.consume('B', 1);
    process.verdict = ({ envelope: { operationId } }) => (operationId === 'e2' ? REJECTED : APPLIED);
    await test.pass();
    expect(settled.isOver).toBe(false);
    process.verdict = () => ({ kind: 'retry', delayMs: 10 });
    process.enqueue(envelope('later'));
    await test.pass(1_000);
    process.verdict = ({ envelope: { operationId } }) =>
      operationId === 'later' ? { kind: 'retry', delayMs: 10 } : APPLIED;
    process.consume('A', 1);
    await test.pass(1_000);
    expect(settled.value).toEqual({ applied: 3, deadLettered: 1 });
  });

  it('waits for no more than what the queue answers for', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(...envelopes('e', 2));
    await test.pass();
    test.queue.begin('full');
    process.enqueue(envelope('refused'));
    const refused = new Watched(process.replayer.position().then((position) => position.settled()));
    await test.pass();
    test.queue.end('full');
    process.consume('B', 5);
    await test.pass();
    expect(refused.value).toEqual({ applied: 2, deadLettered: 0 });

    test.queue.begin('answers lost');
    for (const each of envelopes('unconfirmed', 20)) process.enqueue(each);
    await test.pass(100);
    expect(process.stats).toMatchObject({ queued: 0, inFlight: 0 });
    const known = new Watched(process.replayer.position().then((position) => position.settled()));
    await test.pass();
    expect(known.isOver).toBe(true);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'does not wait for what has left the queue already and is confirmed only now (seed %i)',
    async (seed) => {
      const test = new Test(seed);
      const process = test.start();
      process.consume('B', 20);
      const confirmations = envelopes('e', 20).map((each) => process.enqueue(each));
      // Applied, while confirmations are still on their way.
      while (process.stats.applied === 0) await test.pass(0.1);
      expect(confirmations.some(({ isOver }) => !isOver)).toBe(true);
      const settled = new Watched(process.replayer.position().then((position) => position.settled()));
      await test.pass();
      expect(settled.isOver).toBe(true);
    },
  );

  it('is not reached before the queue has been asked', () => {
    const { queue } = new Test();
    const onReached = vi.fn();
    const position = new OpenPosition(new Set(['refused:B']), onReached);
    queue.open(position);
    queue.leave('refused:B', 'lost');
    expect(onReached).not.toHaveBeenCalled();
    queue.take(position);
    expect(onReached).toHaveBeenCalledOnce();
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'waits for what was only in the spool, and for the queue itself (seed %i)',
    async (seed) => {
      const test = new Test(seed);
      const process = test.start();
      process.consume('B', 1);
      let settled: Watched<unknown> | undefined;
      await test.during('down', async () => {
        process.enqueue(envelope('spooled'));
        settled = new Watched(process.replayer.position().then((position) => position.settled()));
        await test.pass();
        expect(settled.isOver).toBe(false);
      });
      await test.pass();
      expect(settled?.value).toEqual({ applied: 1, deadLettered: 0 });
      expect(await test.answer((await test.answer(process.replayer.position())).settled())).toEqual({
        applied: 0,
        deadLettered: 0,
      });
    },
  );

  it('is not reached any more once its process has closed the queue', async () => {
    const test = new Test();
    const process = test.start();
    process.enqueue(envelope('op'));
    await test.pass();
    const settled = new Watched((await test.answer(process.replayer.position())).settled());
    await test.answer(process.replayer.close());
    expect(settled.error).toBeInstanceOf(SessionClosedError);
  });
});

describe('Whatever happens to a model durable queue', () => {
  const FAULTS: [QueueFault, ...QueueFault[]] = ['down', 'answers lost', 'full', 'redelivers'];
  const VERDICTS: [DeliveryVerdict, ...DeliveryVerdict[]] = [
    ...([APPLIED, APPLIED, APPLIED, REJECTED] as const),
    { kind: 'retry', delayMs: 30 },
    { kind: 'release' },
  ];

  /** Faults, kills and verdicts of all kinds; then all is well, and everything comes to rest. */
  class Life {
    readonly test: Test;
    readonly random: Random;
    readonly queued: string[] = [];
    /** By operation and generation. */
    readonly executions = new Map<string, number>();
    readonly applied = new Set<string>();
    process: TestProcess;

    constructor(seed: number) {
      this.test = new Test(seed);
      this.random = new Random(seed).fork('life');
      this.process = this.#begin();
    }

    async run(): Promise<void> {
      for (let step = 0; step < 150; step++) {
        await this.test.pass(this.random.int(1, 60));
        expectToAddUp(this.process.replayer.snapshot());
        this.#step(step);
      }
      for (const fault of FAULTS) for (let i = 0; i < 150; i++) this.test.queue.end(fault);
      this.process.kill();
      this.process = this.#begin(2);
      this.process.verdict = (delivery) => this.#execute(delivery, APPLIED);
      await this.test.pass();
    }

    #step(step: number): void {
      const { random, test, process } = this;
      if (random.chance(0.06)) {
        const fault = random.pick(FAULTS);
        test.queue.begin(fault);
        test.scheduler.after(random.int(10, 3_000), 'world', () => test.queue.end(fault));
      } else if (random.chance(0.03)) {
        process.kill();
        this.process = this.#begin();
      } else if (random.chance(0.05)) {
        const { deadLetters } = process.replayer;
        const done = random.chance(0.5) ? deadLetters.requeue('all') : deadLetters.purge('all');
        done.catch(() => undefined);
      } else {
        const fields = {
          class: random.pick<Envelope['class']>(['once', 'idempotent']),
          cluster: random.pick<ClusterId>(['A', 'B']),
          priority: random.pick<Envelope['priority']>(['high', 'low']),
        };
        void process.replayer.enqueue([envelope(`${step}`, fields)]).then(
          (kept) => kept === 'queued' && this.queued.push(`${step}`),
          () => undefined,
        );
      }
    }

    #begin(concurrency?: number): TestProcess {
      const process = this.test.start();
      process.handlerMs = this.random.int(1, 40);
      process.verdict = (delivery) => this.#execute(delivery, this.random.pick(VERDICTS));
      for (const cluster of ['A', 'B'] as const)
        process.consume(cluster, concurrency ?? this.random.int(0, 3));
      return process;
    }

    #execute(
      { envelope: { operationId, generation, class: kind } }: Delivery,
      verdict: DeliveryVerdict,
    ): DeliveryVerdict {
      const id = `${operationId}:${generation}`;
      if (kind === 'once') this.executions.set(id, (this.executions.get(id) ?? 0) + 1);
      if (verdict.kind === 'applied') this.applied.add(operationId);
      return verdict;
    }
  }

  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'nothing that it has confirmed is lost, and nothing of class once executed twice (seed %i)',
    async (seed) => {
      const life = new Life(seed);
      await life.run();
      const { A, B } = life.process.replayer.snapshot();
      expectToAddUp({ A, B });
      expect([A.queued, A.inFlight, B.queued, B.inFlight]).toEqual([0, 0, 0, 0]);
      const isAccountedFor = (id: string): boolean =>
        life.applied.has(id) || life.test.told.some((line) => line.startsWith(`buried ${id} `));
      expect(life.queued.filter((id) => !isAccountedFor(id))).toEqual([]);
      expect([...life.executions].filter(([, count]) => count > 1)).toEqual([]);
      const taken = life.test.told.filter((line) => line.startsWith('taken'));
      expect(new Set(taken).size).toBe(taken.length);
    },
  );

  it('the same seed tells the same story', async () => {
    const stories = await Promise.all(
      [5, 5, 6].map(async (seed) => {
        const life = new Life(seed);
        await life.run();
        return JSON.stringify([life.test.told, [...life.executions], life.process.replayer.snapshot()]);
      }),
    );
    expect(stories[0]).toBe(stories[1]);
    expect(stories[0]).not.toBe(stories[2]);
  });
});
