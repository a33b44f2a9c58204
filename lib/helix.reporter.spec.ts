import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { envelope, envelopes } from '../test/support/envelope.js';
import { FakeClock } from '../test/support/fake-clock.js';
import { connectionError } from '../test/support/replay.js';
import { type ClusterId, ClusterSession, type ClusterState, type SignOfLife } from './core/index.js';
import { Backlog } from './helix.backlog.js';
import type { HelixEvent } from './helix.events.js';
import { Reporter } from './helix.reporter.js';
import { MemoryReplayer, WatchedReplayer } from './replay/index.js';

class ModelSession extends ClusterSession {
  isUp = true;
  protected override readonly isOwnClient = true;

  override get isConnected(): boolean {
    return this.isUp;
  }

  protected override get address(): string {
    return `10.0.0.${this.cluster === 'A' ? 1 : 2}`;
  }

  protected override connectOnce = (): Promise<void> => Promise.resolve();
  protected override askForLife = (): Promise<void> => Promise.resolve();
  override askEveryHost = (): Promise<SignOfLife> => Promise.resolve('answered');
  protected override blockedBy = (): undefined => undefined;
  protected override end = (): Promise<void> => Promise.resolve();
}

/** A reporter of two clusters that are connected and well, and a queue of 1,000 that it watches. */
async function setUp({ single = false } = {}) {
  const clock = new FakeClock();
  const sessions = {
    A: new ModelSession('A', 'us_east', clock),
    ...(!single && { B: new ModelSession('B', 'us_west', clock) }),
  };
  const states: Record<ClusterId, ClusterState> = { A: 'well', B: 'well' };
  const lines: string[] = [];
  const seen: HelixEvent[] = [];
  const events = new Subject<HelixEvent>();
  events.subscribe((event) => seen.push(event));
  const raw = new MemoryReplayer({ capacity: 1_000 });
  const reporter = new Reporter({
    sessions,
    clock,
    logger: {
      log: (message) => lines.push(`log ${message}`),
      warn: (message) => lines.push(`warn ${message}`),
      error: (message) => lines.push(`error ${message}`),
    },
    events,
    describe: ({ operationId }) => ({ statement: `INSERT ${operationId}` }),
    stateOf: (cluster) => states[cluster],
    backlog: (listener) => (single ? undefined : new Backlog(raw, clock, listener)),
  });
  const replayer = reporter.backlog ? new WatchedReplayer(raw, reporter.backlog) : raw;
  await replayer.open({ namespace: 'shop', clock, describe: () => ({ statement: '' }) });
  await Promise.all([sessions.A.connect(), sessions.B?.connect()]);
  for (const cluster of single ? (['A'] as const) : (['A', 'B'] as const)) reporter.onConnected(cluster);
  reporter.onStarted();
  const started = lines.splice(0);
  seen.length = 0;
  /** What was said and told since the last time. */
  const said = (): string[] => lines.splice(0);
  const told = (): Omit<HelixEvent, 'at'>[] => seen.splice(0).map(({ at: _, ...event }) => event);
  return { clock, sessions, states, reporter, replayer, started, said, told, seen };
}

describe('connections', () => {
  it('are named in one line at a good start, with names and addresses', async () => {
    const { started, told } = await setUp();
    expect(started).toEqual([
      'log Connected to cluster A ("us_east") at 10.0.0.1 and cluster B ("us_west") at 10.0.0.2',
    ]);
    expect(told()).toEqual([]);
    expect((await setUp({ single: true })).started).toEqual([
      'log Connected to cluster A ("us_east") at 10.0.0.1',
    ]);
  });

  it('have a line each when they come later', async () => {
    const { reporter, said, told } = await setUp();
    reporter.onConnected('B', 3);
    expect(said()).toEqual(['log cluster B ("us_west") at 10.0.0.2 is connected after 3 failed attempt(s)']);
    expect(told()).toEqual([{ type: 'connected', cluster: 'B' }]);
  });

  it('that are lost are told by the next look, once, and so is that they are back', async () => {
    const { clock, sessions, reporter, said, told } = await setUp();
    sessions.B!.isUp = false;
    reporter.onHosts('B');
    expect(told()).toEqual([]);
    await clock.advance(60_000);
    expect(told()).toEqual([{ type: 'disconnected', cluster: 'B' }]);
    expect(said()).toEqual([
      'warn cluster B ("us_west") cannot be reached: its driver has no host left that is up',
    ]);
    sessions.B!.isUp = true;
    reporter.onHosts('B');
    expect(told()).toEqual([{ type: 'connected', cluster: 'B' }]);
    expect(said()).toEqual(['log cluster B ("us_west") can be reached again']);
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('that are away for a moment are no news', async () => {
    const { clock, sessions, reporter, said, told } = await setUp();
    for (const isUp of [false, true]) {
      sessions.B!.isUp = isUp;
      reporter.onHosts('B');
    }
    await clock.advance(60_000);
    expect([said(), told(), clock.pendingTimers]).toEqual([[], [], 0]);
  });

  it('that wait for somebody are told once for each reason, and anew after they were connected', async () => {
    const { reporter, told } = await setUp();
    const reasons = ['wrongDataCenter', 'wrongDataCenter', 'unauthorized'] as const;
    for (const reason of reasons) reporter.onBlocked('B', reason);
    reporter.onConnected('B');
    reporter.onBlocked('B', 'unauthorized');
    const reasonsTold = told().filter(({ type }) => type === 'blocked');
    expect(reasonsTold).toEqual(
      ['wrongDataCenter', 'unauthorized', 'unauthorized'].map((reason) => ({
        type: 'blocked',
        cluster: 'B',
        reason,
      })),
    );
  });
});

describe('a breaker', () => {
  it('is an event at each change, and a line only when it opens and when it closes', async () => {
    const { reporter, said, told } = await setUp();
    const states = ['open', 'half-open', 'open', 'half-open', 'closed'] as const;
    for (const state of states) reporter.onBreaker('B', state);
    expect(told()).toEqual(states.map((state) => ({ type: 'breaker', cluster: 'B', state })));
    expect(said()).toEqual([
      'warn cluster B ("us_west") is being avoided: its breaker is open',
      'log cluster B ("us_west") is in use again: its breaker is closed',
    ]);
  });

  it('that closes says how much is to be replayed', async () => {
    const { reporter, replayer, said } = await setUp();
    reporter.onBreaker('B', 'open');
    await replayer.enqueue(envelopes('e', 1_000));
    said();
    reporter.onBreaker('B', 'closed');
    expect(said()).toEqual([
      'log cluster B ("us_west") is in use again: its breaker is closed, 1,000 writes to replay',
    ]);
  });
});

describe('suspicion', () => {
  it('is told at each turn', async () => {
    const { reporter, said, told } = await setUp();
    reporter.onSuspected('B');
    reporter.onDead('B');
    reporter.onAlive('B');
    expect(told()).toEqual(
      ['silent', 'dead', 'alive'].map((verdict) => ({ type: 'suspected', cluster: 'B', verdict })),
    );
    expect(said()).toEqual([
      'warn cluster B ("us_west") is silent: its hosts are being pinged',
      'warn cluster B ("us_west") is taken for dead: none of its hosts answers a ping',
      'log cluster B ("us_west") answers again',
    ]);
  });

  it('of a cluster that falls silent again and again is a line in ten seconds', async () => {
    const { clock, reporter, said } = await setUp();
    for (let second = 0; second < 20; second++) {
      reporter.onSuspected('B');
      reporter.onAlive('B');
      await clock.advance(1_000);
    }
    expect(said()).toHaveLength(4);
  });
});

describe('a cluster that is behind', () => {
  it('is told of with the first write, and with figures after a second', async () => {
    const { clock, states, replayer, said, told } = await setUp();
    states.B = 'avoided';
    for (let tenth = 0; tenth < 10; tenth++) {
      await replayer.enqueue(envelopes('e', 10));
      await clock.advance(100);
    }
    expect(told()).toEqual([{ type: 'queued', cluster: 'B' }]);
    expect(said()).toEqual([
      'warn cluster B ("us_west") is behind: 100 writes queued for it, 100 more a second; the queue holds 1,000, full in about 9 s at this rate',
    ]);
    await clock.advance(60_000);
    expect([said(), told()]).toEqual([[], []]);
  });

  it('has caught up, with figures', async () => {
    const { clock, states, replayer, said, told } = await setUp();
    states.B = 'avoided';
    await replayer.enqueue(envelopes('e', 700));
    await clock.advance(21_000);
    said();
    told();
    states.B = 'well';
    replayer.consume('B', () => Promise.resolve({ kind: 'applied' })).concurrency = 1;
    await clock.advance(10_000);
    expect(told()).toEqual([
      { type: 'caughtUp', cluster: 'B', replayed: 700, deadLettered: 0, tookMs: 0, behindMs: 21_000 },
    ]);
    expect(said()).toEqual(['log cluster B ("us_west") has caught up: 700 writes in 0 s, 21 s behind']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('has caught up with what is not lost, and says how many are', async () => {
    const { clock, reporter, replayer, said } = await setUp();
    // Nobody was behind then.
    reporter.onLost(envelope('before'), new Error('no answer'));
    await replayer.enqueue(envelopes('e', 10));
    await clock.advance(5_000);
    for (const each of envelopes('lost', 3)) reporter.onLost(each, new Error('no room'));
    replayer.consume('B', () => Promise.resolve({ kind: 'applied' })).concurrency = 1;
    await clock.advance(10_000);
    expect(said()).toContain(
      'log cluster B ("us_west") has caught up: 10 writes in 0 s, 5 s behind, 3 more are lost',
    );
    await replayer.enqueue(envelopes('later', 10));
    await clock.advance(1);
    expect(said()).toEqual([]);
  });

  it('for less than a second is an event, and no line', async () => {
    const { clock, replayer, said, told } = await setUp();
    replayer.consume('B', () => Promise.resolve({ kind: 'applied' })).concurrency = 1;
    await replayer.enqueue([envelope('e1')]);
    await clock.advance(10_000);
    expect(told().map(({ type }) => type)).toEqual(['queued', 'caughtUp']);
    expect(said()).toEqual([]);
  });
});

describe('a queue that is nearly full', () => {
  it('is warned of once, and so is that it has room again', async () => {
    const { clock, replayer, said, told } = await setUp();
    await replayer.enqueue(envelopes('e', 801));
    await clock.settle();
    expect(told().slice(1)).toEqual([
      { type: 'queueNearlyFull', count: 801, capacity: 1_000, lastsSeconds: undefined },
    ]);
    expect(said()).toEqual([
      'warn The replay queue is nearly full: 801 of 1,000 writes. What does not fit is lost for the cluster that misses it',
    ]);
    replayer.consume('B', () => Promise.resolve({ kind: 'applied' })).concurrency = 1;
    await clock.settle();
    expect(said()).toEqual(['log The replay queue has room again: 599 of 1,000 writes']);
  });
});

describe('what there may be thousands of', () => {
  it('is an event each, a line for the first, and a count when the burst is over', async () => {
    const { clock, reporter, said, told } = await setUp();
    for (let i = 1; i <= 30; i++) reporter.onLost(envelope(`op${i}`), connectionError());
    expect(told()).toHaveLength(30);
    await clock.advance(1_000);
    expect(said()).toEqual([
      'error A write is lost for cluster B ("us_west"), operation op1: Error ECONNREFUSED',
      'error 29 more: A write is lost for cluster B ("us_west")',
    ]);
  });

  it('is counted at the end, although the time for it has not come', async () => {
    const { reporter, said } = await setUp();
    for (let i = 1; i <= 3; i++) reporter.onMistake('A listener of events$', new TypeError('secret'));
    reporter.close();
    expect(said()).toEqual([
      'error A listener of events$ threw TypeError',
      'error 2 more: A listener of events$ threw TypeError',
    ]);
  });

  it('is a divergence, a dead letter and a loss, without a value in any of them', async () => {
    const { clock, reporter, replayer, said, told } = await setUp();
    const refusal = Object.assign(new Error('secret'), { name: 'ResponseError', code: 0x2200 });
    reporter.onDivergence('B', refusal, { id: 'op1', masked: 'INSERT ?' });
    await replayer.bury(envelope('op1'), 'rejected', refusal);
    await replayer.bury(envelope('op2', { class: 'once' }), 'inDoubt');
    await clock.settle();
    expect(told()).toEqual([
      { type: 'divergence', cluster: 'B', operationId: 'op1', error: 'ResponseError 0x2200' },
      {
        type: 'deadLetter',
        cluster: 'B',
        operationId: 'op1',
        reason: 'rejected',
        error: 'ResponseError 0x2200',
      },
      { type: 'deadLetter', cluster: 'B', operationId: 'op2', reason: 'inDoubt' },
    ]);
    // What was refused has one line, not two.
    expect(said()).toEqual([
      'error divergence: cluster B ("us_west") refused (ResponseError 0x2200) what the other applied, kept in the dead letters: INSERT ?',
      'error A write for cluster B ("us_west") is a dead letter (inDoubt), operation op2: INSERT op2',
    ]);
  });
});

describe('reads that move', () => {
  it('are told once, until the cluster has been well for a while', async () => {
    const { clock, states, reporter, said, told } = await setUp();
    states.B = 'avoided';
    for (let i = 0; i < 100; i++) {
      reporter.onReadsMoved('B', 'A');
      await clock.advance(100);
    }
    expect(told()).toEqual([{ type: 'readsMoved', from: 'B', to: 'A' }]);
    expect(said()).toEqual([
      'warn Reads go to cluster A ("us_east") instead of cluster B ("us_west"), which is being avoided',
    ]);
    states.B = 'well';
    reporter.onReadsMoved('B', 'A');
    await clock.advance(9_000);
    reporter.onReadsMoved('B', 'A');
    await clock.advance(20_000);
    expect([told(), clock.pendingTimers]).toEqual([[], 0]);
    reporter.onReadsMoved('B', 'A');
    expect(told()).toHaveLength(1);
  });

  it('may move back when the other one fails in turn', async () => {
    const { reporter, told } = await setUp();
    reporter.onReadsMoved('B', 'A');
    reporter.onReadsMoved('A', 'B');
    expect(told()).toHaveLength(2);
  });
});

describe('a drain', () => {
  it('is a line, with the reason', async () => {
    const { reporter, said } = await setUp();
    reporter.onDraining('B', true, 'new disks');
    reporter.onDraining('B', false, undefined);
    expect(said()).toEqual([
      'log cluster B ("us_west") is draining (new disks)',
      'log cluster B ("us_west") does not drain any more',
    ]);
  });
});

describe('the end', () => {
  it('is an event, and a line if something is queued; then nothing is told and no timer is left', async () => {
    const { clock, reporter, replayer, said, told } = await setUp();
    await replayer.enqueue(envelopes('e', 2));
    await clock.settle();
    told();
    reporter.onShutdown();
    expect(told()).toEqual([{ type: 'shutdown' }]);
    expect(said()).toEqual(['log Shutting down with 2 writes still queued for cluster B ("us_west")']);
    reporter.close();
    reporter.onBreaker('B', 'open');
    await replayer.enqueue([envelope('e3')]);
    await clock.settle();
    expect([told(), clock.pendingTimers]).toEqual([[], 0]);
  });
});

it('says when things happened', async () => {
  const { clock, reporter, seen } = await setUp();
  await clock.advance(1_234);
  reporter.onBreaker('A', 'open');
  expect(seen[0]?.at).toEqual(new Date(clock.nowMs()));
});
