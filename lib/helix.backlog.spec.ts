import { describe, expect, it } from 'vitest';
import { envelope, envelopes } from '../test/support/envelope.js';
import { FakeClock } from '../test/support/fake-clock.js';
import type { ClusterId, DeliveryVerdict, ReplayLane } from './core/index.js';
import { delay } from './core/index.js';
import { Backlog, type CaughtUp } from './helix.backlog.js';
import { MemoryReplayer, WatchedReplayer } from './replay/index.js';

/** A queue that is watched, and a cluster B that takes one delivery in 10 ms. */
async function setUp(capacity = 100) {
  const clock = new FakeClock();
  const told: string[] = [];
  const caughtUp: CaughtUp[] = [];
  const raw = new MemoryReplayer({ capacity });
  const backlog = new Backlog(raw, clock, {
    onFellBehind: (cluster) => told.push(`${cluster} fell behind`),
    onCaughtUp: (cluster, figures) => {
      told.push(`${cluster} caught up`);
      caughtUp.push(figures);
    },
    onDeadLetter: ({ operationId }, reason, error, source) =>
      told.push(`${operationId} ${reason} by ${source}${error ? `: ${error.message}` : ''}`),
    onNearlyFull: ({ held }, lastsSeconds) => told.push(`nearly full: ${held}, lasts ${lastsSeconds}`),
    onEased: ({ held }) => told.push(`eased: ${held}`),
  });
  const replayer = new WatchedReplayer(raw, backlog);
  await replayer.open({ namespace: 'shop', clock, describe: () => ({ statement: '' }) });
  const verdicts = new Map<string, DeliveryVerdict>();
  const laneTo = (cluster: ClusterId): ReplayLane =>
    replayer.consume(cluster, async ({ envelope: { operationId } }) => {
      await delay(clock, 10);
      return verdicts.get(operationId) ?? { kind: 'applied' };
    });
  return { clock, told, caughtUp, backlog, raw, replayer, verdicts, laneTo };
}

describe('a side that misses writes', () => {
  it('is behind from the first of them until it has all, with the figures of it', async () => {
    const { clock, told, caughtUp, backlog, replayer, laneTo } = await setUp();
    const lane = laneTo('B');
    await replayer.enqueue(envelopes('e', 30));
    await clock.settle();
    expect([told, backlog.isBehind('B'), backlog.isBehind('A')]).toEqual([['B fell behind'], true, false]);
    await clock.advance(20_000);
    expect(backlog.behindMs('B')).toBe(20_000);
    lane.concurrency = 1;
    await clock.advance(299);
    expect(told).toHaveLength(1);
    await clock.advance(101);
    expect(told).toEqual(['B fell behind', 'B caught up']);
    expect(caughtUp).toEqual([{ replayed: 30, deadLettered: 0, tookMs: 300, behindMs: 20_300 }]);
    expect([backlog.isBehind('B'), backlog.behindMs('B'), clock.pendingTimers]).toEqual([false, 0, 0]);
  });

  it('is behind anew after that', async () => {
    const { clock, told, replayer, laneTo } = await setUp();
    laneTo('B').concurrency = 1;
    for (let i = 0; i < 2; i++) {
      await replayer.enqueue([envelope(`e${i}`)]);
      await clock.advance(1_000);
    }
    expect(told).toEqual(['B fell behind', 'B caught up', 'B fell behind', 'B caught up']);
  });

  it('took as long as it did since it began to take what it was given', async () => {
    const { clock, caughtUp, replayer, verdicts, laneTo } = await setUp();
    const lane = laneTo('B');
    verdicts.set('e1', { kind: 'release' });
    await replayer.enqueue(envelopes('e', 5));
    lane.concurrency = 1;
    await clock.advance(10);
    lane.concurrency = 0;
    await clock.advance(5_000);
    verdicts.clear();
    lane.concurrency = 1;
    await clock.advance(1_000);
    expect(caughtUp[0]).toMatchObject({ replayed: 5, tookMs: 50 });
  });

  it('has caught up when what is left are dead letters, which are told one by one', async () => {
    const { clock, told, caughtUp, replayer, verdicts, laneTo } = await setUp();
    verdicts.set('e2', { kind: 'dead', reason: 'rejected', error: new Error('no such table') });
    await replayer.enqueue(envelopes('e', 3));
    laneTo('B').concurrency = 1;
    await clock.advance(1_000);
    expect(told).toEqual(['B fell behind', 'e2 rejected by replay: no such table', 'B caught up']);
    expect(caughtUp[0]).toMatchObject({ replayed: 2, deadLettered: 1 });
  });

  it('is not behind for what goes straight into the dead letters', async () => {
    const { clock, told, backlog, replayer } = await setUp();
    await replayer.bury(envelope('e1'), 'inDoubt');
    await clock.settle();
    expect([told, backlog.isBehind('B')]).toEqual([['e1 inDoubt by write'], false]);
  });

  it('is not behind for what was refused', async () => {
    const { clock, told, replayer } = await setUp(1);
    await expect(replayer.enqueue(envelopes('e', 2))).rejects.toThrow('full');
    await clock.settle();
    expect(told).toEqual([]);
  });

  it('is behind with what comes back from the dead letters', async () => {
    const { clock, told, caughtUp, replayer, laneTo } = await setUp();
    for (const each of envelopes('e', 4)) await replayer.bury(each, 'rejected');
    await clock.settle();
    told.length = 0;
    laneTo('B').concurrency = 1;
    await replayer.deadLetters.requeue('all');
    await clock.advance(1_000);
    expect(told).toEqual(['B fell behind', 'B caught up']);
    expect(caughtUp[0]).toMatchObject({ replayed: 4 });
  });

  it('is behind with what the queue held when it was opened', async () => {
    const { clock, told, backlog, raw, laneTo } = await setUp();
    await raw.enqueue(envelopes('e', 2));
    backlog.onOpened();
    expect(told).toEqual(['B fell behind']);
    laneTo('B').concurrency = 1;
    await clock.advance(1_000);
    expect(told).toEqual(['B fell behind', 'B caught up']);
  });

  it('has not grown by what the queue held when it was opened', async () => {
    const { clock, backlog, raw } = await setUp(1_000);
    await raw.enqueue(envelopes('e', 500));
    backlog.onOpened();
    await clock.advance(1_000);
    expect(backlog.figures('B')).toMatchObject({ queued: 500, perSecond: 0, lastsSeconds: undefined });
  });

  it('has caught up although somebody else has emptied the queue, by the next look', async () => {
    const { clock, told, backlog, raw, replayer } = await setUp();
    await replayer.enqueue(envelopes('e', 2));
    await clock.settle();
    raw.consume('B', () => Promise.resolve({ kind: 'applied' })).concurrency = 1;
    await clock.settle();
    backlog.tick();
    expect(told).toEqual(['B fell behind', 'B caught up']);
  });
});

it('survives a replayer that throws when it is asked, and a listener that throws does not undo a delivery', async () => {
  const { clock, raw, backlog, replayer, laneTo, told } = await setUp();
  raw.snapshot = raw.usage = () => {
    throw new Error('broken');
  };
  await replayer.enqueue(envelopes('e', 2));
  await clock.settle();
  backlog.tick();
  expect(backlog.figures('B')).toMatchObject({ queued: 2 });
  const push = told.push.bind(told);
  told.push = (...lines) => {
    if (lines.some((line) => line.includes('fell behind'))) throw new Error('broken');
    return push(...lines);
  };
  laneTo('B').concurrency = 1;
  await replayer.enqueue([envelope('a1', { cluster: 'A' })]);
  laneTo('A').concurrency = 1;
  await clock.advance(1_000);
  const { A, B } = MemoryReplayer.prototype.snapshot.call(raw);
  expect([A.applied, B.applied, A.queued + A.inFlight + B.queued + B.inFlight]).toEqual([1, 2, 0]);
});

describe('the queue', () => {
  it('is nearly full above 80 %, and again only after it was below 60 %', async () => {
    const { clock, told, replayer, laneTo } = await setUp(100);
    const lane = laneTo('B');
    const fill = async (count: number): Promise<string[]> => {
      await replayer.enqueue(envelopes('e', count));
      await clock.settle();
      return told.splice(0).filter((line) => /full|eased/.test(line));
    };
    const drainTo = async (left: number): Promise<string[]> => {
      const { B } = replayer.snapshot();
      lane.concurrency = 1;
      await clock.advance(10 * (B.queued - left - 1));
      lane.concurrency = 0;
      await clock.advance(10);
      expect(replayer.snapshot().B.queued).toBe(left);
      return told.splice(0).filter((line) => /full|eased/.test(line));
    };
    expect(await fill(80)).toEqual([]);
    expect(await fill(1)).toEqual(['nearly full: 81, lasts undefined']);
    expect(await fill(1)).toEqual([]);
    expect(await drainTo(60)).toEqual([]);
    expect(await fill(30)).toEqual([]);
    expect(await drainTo(59)).toEqual([]);
    // What is told is the queue as it stands while its last delivery ends.
    expect(await drainTo(58)).toEqual(['eased: 59']);
    expect((await fill(30))[0]).toMatch(/^nearly full: 88/);
  });

  it('lasts as long as it does at the present rate', async () => {
    const { clock, told, backlog, replayer } = await setUp(1_000);
    for (let tenth = 1; tenth <= 90; tenth++) {
      await replayer.enqueue(envelopes('e', 10));
      await clock.advance(100);
      if (tenth % 10 === 0) backlog.tick();
      if (tenth !== 45) continue;
      const { perSecond, lastsSeconds, ...figures } = backlog.figures('B');
      expect(figures).toEqual({ queued: 450, usage: { held: 450, capacity: 1_000 } });
      expect([perSecond, lastsSeconds]).toEqual([100, 5.5]);
    }
    const [line, ...others] = told.filter((each) => each.includes('full'));
    expect(others).toEqual([]);
    expect(line).toMatch(/^nearly full: 810, lasts 1\.[789]/);
  });

  it('is told of each side by itself, and how long it lasts of both', async () => {
    const { clock, backlog, replayer } = await setUp(1_000);
    for (let second = 1; second <= 2; second++) {
      const ofA = Array.from({ length: 50 }, (_, i) => envelope(`a${second}-${i}`, { cluster: 'A' }));
      await replayer.enqueue([...envelopes('e', 100), ...ofA]);
      await clock.advance(1_000);
      backlog.tick();
    }
    await clock.advance(1_000);
    expect(backlog.figures('A')).toMatchObject({ queued: 100, perSecond: 25, lastsSeconds: 700 / 75 });
    expect(backlog.figures('B')).toMatchObject({ queued: 200, perSecond: 50, lastsSeconds: 700 / 75 });
  });

  it('lasts for as long as nobody knows once it does not grow any more', async () => {
    const { clock, backlog, replayer } = await setUp(1_000);
    for (let second = 1; second <= 5; second++) {
      if (second <= 3) await replayer.enqueue(envelopes('e', 100));
      await clock.advance(1_000);
      backlog.tick();
    }
    expect(backlog.figures('B')).toMatchObject({ queued: 300, perSecond: 0, lastsSeconds: undefined });
  });
});
