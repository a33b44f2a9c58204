import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { envelope } from '../test/support/envelope.js';
import { FakeClock } from '../test/support/fake-clock.js';
import { FakePolicy } from '../test/support/fake-policy.js';
import { FakeWrite, Watched } from '../test/support/fake-operations.js';
import { FakeTarget } from '../test/support/replay.js';
import {
  type BlockedReason,
  type ClusterId,
  type ClusterIdentity,
  ClusterSession,
  delay,
  HelixConfigError,
  NoAvailableClusterError,
  type SignOfLife,
  type TopologyUpdate,
  TopologyWatcher,
} from './core/index.js';
import { HelixInstance } from './helix.instance.js';
import { HelixLifecycle } from './helix.lifecycle.js';
import type { InstanceOptions } from './helix.options.js';
import { HelixService } from './helix.service.js';
import { MemoryReplayer } from './replay/index.js';
import { ConcurrentDualWriteStrategy, StickyReadStrategy } from './strategies/index.js';

/** A session of no driver: it connects once its cluster is up. */
class ModelSession extends ClusterSession {
  attempts = 0;
  isClosed = false;
  failure: Error = new TypeError('secret');
  reason: BlockedReason | undefined;
  found: ClusterIdentity | undefined;
  protected override readonly isOwnClient = true;

  constructor(
    cluster: ClusterId,
    name: string,
    private readonly target: FakeTarget,
    clock: FakeClock,
  ) {
    super(cluster, name, clock);
  }

  override get isConnected(): boolean {
    return this.hasConnected && this.target.isUp;
  }

  protected override get address(): string {
    return this.name;
  }

  protected override connectOnce(): Promise<void> {
    this.attempts++;
    return this.target.isUp ? Promise.resolve() : Promise.reject(this.failure);
  }

  protected override blockedBy(): BlockedReason | undefined {
    return this.reason;
  }

  protected override identify(): Promise<ClusterIdentity | undefined> {
    return Promise.resolve(this.found);
  }

  /** As a driver does that has lost its cluster and found one again. */
  reconnected(): Promise<void> {
    return this.checkIdentity();
  }

  protected override askForLife(): Promise<void> {
    return this.target.ping();
  }

  override askEveryHost(): Promise<SignOfLife> {
    return this.target.ping().then(
      () => 'answered',
      () => 'notSent',
    );
  }

  protected override end(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

class ModelTopology extends TopologyWatcher {
  readonly changes = new Subject<TopologyUpdate>();
  readonly draining = new Set<ClusterId>();

  isDraining(cluster: ClusterId): boolean {
    return this.draining.has(cluster);
  }

  setDrain(cluster: ClusterId, draining: boolean, reason?: string): Promise<void> {
    if (draining) this.draining.add(cluster);
    else this.draining.delete(cluster);
    this.changes.next({ cluster, draining, ...(reason !== undefined && { reason }) });
    return Promise.resolve();
  }
}

const OPTIONS: InstanceOptions = {
  clusterNames: { A: 'us_east', B: 'us_west' },
  replayWorker: { mode: 'embedded', executeTimeoutMs: 30_000 },
  onReplayDropped: () => undefined,
  connect: 'any',
  connectTimeoutMs: 30_000,
  ack: 'any',
  whenBothFail: 'throw',
  onReplayLost: undefined,
  maxInFlight: 1_024,
  suspectAfterMs: 500,
  maxReadLagMs: 5_000,
  priority: 'high',
  writeTimeoutMs: 5_000,
  readTimeoutMs: 5_000,
  enqueueTimeoutMs: 500,
  maxReadsInFlight: 1_024,
  timestampProvider: undefined,
  shutdownTimeoutMs: 10_000,
};

interface Setup {
  readonly options?: Partial<InstanceOptions>;
  readonly beforeOpening?: () => void;
  readonly random?: () => number;
}

/** An instance over two model clusters: no driver, no container, a clock that stands still. */
function setUp({ options, beforeOpening = () => undefined, random = () => 0 }: Setup = {}) {
  const clock = new FakeClock();
  const targets = { A: new FakeTarget(clock), B: new FakeTarget(clock) };
  const sessions = {
    A: new ModelSession('A', 'us_east', targets.A, clock),
    B: new ModelSession('B', 'us_west', targets.B, clock),
  };
  const lines: string[] = [];
  const replayer = new MemoryReplayer();
  const topology = new ModelTopology();
  const policy = new FakePolicy();
  const instance = new HelixInstance({
    name: 'shop',
    kind: 'cql',
    options: { ...OPTIONS, ...options },
    clock,
    sessions,
    targets,
    describe: ({ operationId }) => ({ statement: `what ${operationId} was`, table: 'users' }),
    readStrategy: new StickyReadStrategy({ preferred: 'A' }, clock),
    writeStrategy: new ConcurrentDualWriteStrategy(),
    failoverPolicy: policy,
    replayer,
    topology,
    logger: {
      log: (message) => lines.push(`log ${message}`),
      warn: (message) => lines.push(`warn ${message}`),
      error: (message) => lines.push(`error ${message}`),
    },
    random,
  });
  const lifecycle = new HelixLifecycle(instance, beforeOpening);
  /** Starts as Nest would. */
  const start = async (): Promise<Watched<void>> => {
    const started = new Watched(
      lifecycle.onModuleInit().then(() => {
        lifecycle.onApplicationBootstrap();
      }),
    );
    await clock.settle();
    return started;
  };
  const calls = { dualWrite: undefined as never, stickyRead: undefined as never };
  const helix = new HelixService(instance, lifecycle, calls);
  return { clock, targets, sessions, lines, replayer, topology, policy, instance, lifecycle, helix, start };
}

/** A write that B misses. */
const missedByB = (clock: FakeClock): FakeWrite => new FakeWrite(clock, { A: 'applied', B: 'unreached' });

describe('an instance over sessions of no driver', () => {
  it('starts when they are connected, and closes them at its end', async () => {
    const { clock, sessions, lifecycle, start } = setUp();
    expect((await start()).value).toBeUndefined();
    expect([sessions.A.hasConnected, sessions.B.hasConnected]).toEqual([true, true]);
    const closed = new Watched(lifecycle.close());
    await clock.advance(1_000);
    expect(closed.isSettled).toBe(true);
    expect([sessions.A.isClosed, sessions.B.isClosed]).toEqual([true, true]);
  });

  it('replays to one what it missed, once it is there', async () => {
    const { clock, targets, instance, start } = setUp();
    targets.B.isUp = false;
    await start();
    expect(await instance.writePath.run(missedByB(clock))).toMatchObject({ A: 'applied', B: 'queued' });
    await clock.advance(1_000);
    expect(targets.B.applied).toEqual([]);
    targets.B.isUp = true;
    await clock.advance(10_000);
    expect(targets.B.applied).toEqual(['op1']);
  });

  it('tells why it could not start, and goes on with nothing', async () => {
    const { clock, targets, sessions, start } = setUp({ options: { connectTimeoutMs: 1_000 } });
    targets.A.isUp = false;
    targets.B.isUp = false;
    const started = await start();
    await clock.advance(1_000);
    expect(started.error).toBeInstanceOf(NoAvailableClusterError);
    expect((started.error as Error).message).toContain('Cannot connect to A at us_east: TypeError');
    const attempts = sessions.A.attempts;
    await clock.advance(10_000);
    expect(sessions.A.attempts).toBe(attempts);
  });

  it('fails at once when the driver of a cluster cannot be used, however long it may connect', async () => {
    const { clock, targets, sessions, start } = setUp();
    targets.A.isUp = targets.B.isUp = false;
    sessions.A.failure = new HelixConfigError('This version of the driver will not do');
    const started = await start();
    expect(started.error).toBe(sessions.A.failure);
    const { attempts } = sessions.A;
    await clock.advance(60_000);
    expect(sessions.A.attempts).toBe(attempts);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives its dead letters the description it was given', async () => {
    const { replayer, start } = setUp();
    await start();
    await replayer.bury(envelope('op7'), 'rejected');
    expect(await replayer.deadLetters.list()).toMatchObject([{ statement: 'what op7 was', table: 'users' }]);
  });

  it('spreads its probes by the chance it was given', async () => {
    const probedAtMs = async (random: () => number): Promise<number[]> => {
      const { clock, targets, start } = setUp({ random });
      targets.B.isUp = false;
      targets.B.latencyMs = 0;
      await start();
      await clock.advance(10_000);
      return targets.B.pingedAtMs.slice(0, 5).map((ms) => ms - (targets.B.pingedAtMs[0] ?? NaN));
    };
    const soonest = await probedAtMs(() => 0);
    expect(soonest).toHaveLength(5);
    expect(await probedAtMs(() => 1)).toEqual(soonest.map((ms) => 2 * ms));
  });

  it('tells its status of what it was made of', async () => {
    const { targets, helix, start } = setUp();
    await start();
    targets.B.isUp = false;
    expect(helix.status()).toMatchObject({
      instance: 'shop',
      kind: 'cql',
      A: { name: 'us_east', connected: true, inFlight: 0 },
      B: { name: 'us_west', connected: false, inFlight: 0 },
    });
  });
});

describe('a drain', () => {
  it('keeps writes, replay and pings from a cluster until it ends', async () => {
    const { clock, targets, topology, instance, start } = setUp();
    await start();
    const pings = targets.B.pingedAtMs.length;
    await topology.setDrain('B', true);
    const write = new FakeWrite(clock, { A: 'applied', B: 'applied' });
    expect(await instance.writePath.run(write)).toMatchObject({ A: 'applied', B: 'queued' });
    await clock.advance(60_000);
    expect(write.sent).toEqual(['A']);
    expect(targets.B.pingedAtMs).toHaveLength(pings);
    expect(instance.readPath.isUsable('B')).toBe(false);
    await topology.setDrain('B', false);
    await clock.advance(1_000);
    expect(targets.B.applied).toEqual(['op1']);
    expect(instance.readPath.isUsable('B')).toBe(true);
  });

  it('is in the status with since when and why, and is the state of the cluster', async () => {
    const { clock, topology, helix, start, lines } = setUp();
    await start();
    await clock.advance(5_000);
    const since = new Date(clock.nowMs());
    await topology.setDrain('B', true, 'new disks');
    await clock.advance(5_000);
    expect(helix.status().B).toMatchObject({ state: 'draining', draining: { since, reason: 'new disks' } });
    expect(helix.status().A).not.toHaveProperty('draining');
    expect(lines.at(-1)).toBe('log cluster B ("us_west") is draining (new disks)');
    await topology.setDrain('B', false);
    expect(helix.status().B).toMatchObject({ state: 'well' });
    expect(helix.status().B).not.toHaveProperty('draining');
  });

  it('that began before the application holds from its start', async () => {
    const { clock, targets, topology, instance, start } = setUp();
    topology.draining.add('B');
    await start();
    expect(targets.B.pingedAtMs).toEqual([]);
    const write = new FakeWrite(clock, { A: 'applied', B: 'applied' });
    expect(await instance.writePath.run(write)).toMatchObject({ A: 'applied', B: 'queued' });
  });

  it('does not end what an operator has paused', async () => {
    const { clock, targets, topology, instance, start } = setUp();
    await start();
    instance.worker?.pause('B');
    await topology.setDrain('B', true);
    await topology.setDrain('B', false);
    await instance.writePath.run(missedByB(clock));
    await clock.advance(60_000);
    expect(targets.B.applied).toEqual([]);
  });

  it('is not heard of any more when the application has ended or could not start', async () => {
    const ended = setUp();
    await ended.start();
    const closed = new Watched(ended.lifecycle.close());
    await ended.clock.advance(1_000);
    expect([closed.isSettled, ended.topology.changes.observed]).toEqual([true, false]);

    const failed = setUp({ options: { connectTimeoutMs: 1_000 } });
    failed.targets.A.isUp = false;
    failed.targets.B.isUp = false;
    const started = await failed.start();
    await failed.clock.advance(1_000);
    expect([started.isSettled, failed.topology.changes.observed]).toEqual([true, false]);
  });
});

describe('a cluster that cannot be used until somebody acts', () => {
  const MINUTE_MS = 60_000;
  const blocked = (setup: Setup = {}, ...clusters: ClusterId[]) => {
    const made = setUp(setup);
    for (const cluster of clusters) {
      made.targets[cluster].isUp = false;
      made.sessions[cluster].reason = 'unauthorized';
    }
    return made;
  };
  const ofLevel = (lines: readonly string[], level: string): string[] =>
    lines.filter((line) => line.startsWith(`${level} `));

  it('is an error with what the driver said, again every five minutes', async () => {
    const { clock, lines, start } = blocked({}, 'B');
    expect((await start()).value).toBeUndefined();
    const errors = (): string[] => ofLevel(lines, 'error');
    expect(errors()).toEqual([
      expect.stringMatching(
        /cluster B \("us_west"\) cannot be used until somebody acts \(unauthorized\).*: Cannot connect to B at us_west: TypeError$/,
      ),
    ]);
    await clock.advance(4 * MINUTE_MS);
    expect(errors()).toHaveLength(1);
    await clock.advance(2 * MINUTE_MS);
    expect(errors()).toHaveLength(2);
  });

  it('is tried less and less, twice a minute in the end, and used once it can be', async () => {
    const { clock, sessions, targets, lines, start } = blocked({}, 'B');
    await start();
    await clock.advance(5 * MINUTE_MS);
    const before = sessions.B.attempts;
    await clock.advance(MINUTE_MS);
    expect(sessions.B.attempts - before).toBe(2);
    expect([sessions.B.blocked, sessions.B.connectError?.message]).toEqual([
      'unauthorized',
      'Cannot connect to B at us_west: TypeError',
    ]);
    targets.B.isUp = true;
    await clock.advance(30_000);
    expect([sessions.B.hasConnected, sessions.B.blocked, sessions.B.connectError]).toEqual([
      true,
      undefined,
      undefined,
    ]);
    expect(lines.at(-1)).toMatch(/us_west.* is connected after \d+ failed/);
  });

  it.each<[connect: 'any' | 'both', clusters: ClusterId[]]>([
    ['any', ['A', 'B']],
    ['both', ['A', 'B']],
    ['both', ['B']],
  ])("fails the start at once with connect: '%s' when it is %s", async (connect, clusters) => {
    const { clock, start } = blocked({ options: { connect } }, ...clusters);
    const { error } = await start();
    expect(error).toBeInstanceOf(NoAvailableClusterError);
    expect((error as Error).message).toContain('cannot start until somebody acts');
    for (const cluster of clusters) {
      expect((error as Error).message).toContain(`Cannot connect to ${cluster}`);
    }
    await clock.advance(60_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not fail the start with connect: 'lazy'", async () => {
    const { start } = blocked({ options: { connect: 'lazy' } }, 'A', 'B');
    expect((await start()).value).toBeUndefined();
  });

  it('is something else than one that is only away, of which a warning reminds every five minutes', async () => {
    const { clock, targets, lines, start } = setUp();
    targets.B.isUp = false;
    await start();
    await clock.advance(11 * MINUTE_MS);
    expect(ofLevel(lines, 'error')).toEqual([]);
    const said = /cannot be connected yet|has not been connected for \d+ min/;
    expect(ofLevel(lines, 'warn').flatMap((line) => said.exec(line)?.[0] ?? [])).toEqual([
      'cannot be connected yet',
      'has not been connected for 5 min',
      'has not been connected for 10 min',
    ]);
  });
});

describe('two sides that lead to one cluster', () => {
  const one: ClusterIdentity = { name: 'shop', nodes: [{ hostId: 'h1', address: '10.0.0.1' }] };
  const other: ClusterIdentity = { name: 'shop', nodes: [{ hostId: 'h2', address: '10.0.0.2' }] };
  const pairOf = (a: ClusterIdentity, b: ClusterIdentity, options: Setup['options'] = {}) => {
    const made = setUp({ options });
    made.sessions.A.found = a;
    made.sessions.B.found = b;
    const warnings: string[] = [];
    made.sessions.A.mustDifferFrom(made.sessions.B, (message) => warnings.push(message));
    return { ...made, warnings };
  };

  it('fail the start at once', async () => {
    const { start, clock } = pairOf(one, one);
    const { error } = await start();
    expect(error).toBeInstanceOf(HelixConfigError);
    expect((error as Error).message).toContain('cql.B and cql.A lead to one cluster');
    await clock.advance(60_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('are refused when it is found later, and used again once they differ', async () => {
    const { start, clock, sessions, lines } = pairOf(one, other);
    await start();
    sessions.B.found = one;
    await sessions.B.reconnected();
    expect([sessions.B.hasConnected, sessions.B.blocked]).toEqual([false, 'sameCluster']);
    expect(lines.at(-1)).toContain(
      'error cluster B ("us_west") cannot be used until somebody acts (sameCluster)',
    );
    // A is still what it was, though it has a node in common now.
    await sessions.A.reconnected();
    expect([sessions.A.hasConnected, sessions.A.blocked]).toEqual([true, undefined]);
    sessions.B.found = other;
    await clock.advance(1_000);
    expect([sessions.B.hasConnected, sessions.B.blocked]).toEqual([true, undefined]);
  });

  it('are found by a ping, too', async () => {
    const { start, clock, sessions } = pairOf(one, other);
    await start();
    sessions.B.found = one;
    const pinged = async (): Promise<void> => {
      void sessions.B.ping(1_000);
      await clock.advance(100);
    };
    await pinged();
    expect(sessions.B.blocked).toBeUndefined();
    await clock.advance(30_000);
    await pinged();
    expect(sessions.B.blocked).toBe('sameCluster');
  });

  it('are warned of once when only the disks were copied', async () => {
    const { start, sessions, warnings } = pairOf(one, {
      name: 'shop',
      nodes: [{ hostId: 'h1', address: '10.9.0.1' }],
    });
    expect((await start()).value).toBeUndefined();
    expect(warnings).toHaveLength(1);
    await sessions.B.reconnected();
    expect(warnings).toEqual([expect.stringContaining('the same host_id')]);
  });
});

describe('what is cut off at the end', () => {
  it('is in the queue before that is closed', async () => {
    const { clock, instance, replayer, lifecycle, start } = setUp({ options: { writeTimeoutMs: 30_000 } });
    await start();
    const order: string[] = [];
    const { enqueue, close } = replayer;
    replayer.enqueue = async (...given) => {
      await delay(clock, 300);
      order.push('queued');
      return enqueue.apply(replayer, given);
    };
    replayer.close = () => {
      order.push('closed');
      return close.apply(replayer);
    };
    const write = new FakeWrite(clock, { A: 'applied', B: 'never' });
    const answer = new Watched(instance.writePath.run(write));
    const closed = new Watched(lifecycle.close());
    await clock.advance(10_000);
    expect([closed.isSettled, order]).toEqual([true, ['queued', 'closed']]);
    expect(answer.isSettled).toBe(true);
  });
});

describe('what is spooled', () => {
  it('reaches the queue before it is closed, if it can be reached in time', async () => {
    const { clock, replayer, lifecycle, start } = setUp();
    await start();
    const order: string[] = [];
    replayer.flush = async () => {
      await delay(clock, 9_000);
      order.push('flushed');
    };
    const close = replayer.close.bind(replayer);
    replayer.close = () => {
      order.push('closed');
      return close();
    };
    const closed = new Watched(lifecycle.close());
    await clock.advance(10_000);
    expect([closed.isSettled, order]).toEqual([true, ['flushed', 'closed']]);
  });

  it('holds nothing up that cannot be reached, nor does a replayer that fails', async () => {
    for (const flush of [() => new Promise<void>(() => undefined), () => Promise.reject(new Error('no'))]) {
      const { clock, replayer, lines, lifecycle, start } = setUp();
      await start();
      replayer.flush = flush;
      const closed = new Watched(lifecycle.close());
      await clock.advance(10_000);
      expect(closed.isSettled).toBe(true);
      expect(lines.filter((line) => /spooled|flush/.test(line))).toHaveLength(1);
    }
  });

  it('is reported when it is handed back, also by a replayer that takes longer to close than it has', async () => {
    const lost: string[] = [];
    const { clock, replayer, lines, lifecycle, start } = setUp({
      options: { onReplayDropped: ({ operationId }) => lost.push(operationId) },
    });
    await start();
    replayer.close = async () => {
      await delay(clock, 30_000);
      return [envelope('op9')];
    };
    const closed = new Watched(lifecycle.close());
    await clock.advance(10_000);
    expect([closed.isSettled, lost]).toEqual([true, []]);
    expect(lines).toContain('error The replayer did not close in time');
    await clock.advance(30_000);
    expect(lost).toEqual(['op9']);
  });

  it('is not passed over in silence when the replayer fails to close, be it after its time', async () => {
    const { clock, replayer, lines, lifecycle, start } = setUp();
    await start();
    replayer.close = async () => {
      await delay(clock, 30_000);
      throw new TypeError('secret');
    };
    const closed = new Watched(lifecycle.close());
    await clock.advance(60_000);
    expect(closed.isSettled).toBe(true);
    expect(lines).toContain('error The replayer failed to close: TypeError');
  });

  it('is told that its time is over', async () => {
    const { clock, replayer, lifecycle, start } = setUp();
    await start();
    let signal: AbortSignal | undefined;
    replayer.flush = (given?: AbortSignal) => {
      signal = given;
      return new Promise(() => undefined);
    };
    const closed = new Watched(lifecycle.close());
    await clock.advance(9_000);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1_000);
    expect([closed.isSettled, signal?.aborted]).toEqual([true, true]);
  });
});

describe('what is to be done before anything is opened', () => {
  it('is done while nothing is open', async () => {
    const attempts: number[] = [];
    const made = setUp({ beforeOpening: () => attempts.push(made.sessions.A.attempts) });
    await made.start();
    expect(attempts).toEqual([0]);
    expect(made.sessions.A.attempts).toBe(1);
  });

  it('keeps everything closed when it throws', async () => {
    const refusal = new Error('two of one name');
    const { sessions, replayer, start } = setUp({
      beforeOpening: () => {
        throw refusal;
      },
    });
    expect((await start()).error).toBe(refusal);
    expect([sessions.A.attempts, sessions.B.attempts]).toEqual([0, 0]);
    await expect(replayer.enqueue([envelope('op1')])).rejects.toThrow();
  });
});

describe('the state of a cluster', () => {
  it('goes from one word to the next as an outage goes on', async () => {
    const { clock, targets, sessions, instance, policy, helix, start } = setUp();
    targets.B.isUp = false;
    const state = (): string | undefined => helix.status().B?.state;
    const states: (string | undefined)[] = [];
    const started = start();
    sessions.B.reason = 'wrongDataCenter';
    await clock.settle();
    states.push(state());
    sessions.B.reason = undefined;
    await clock.advance(1_000);
    states.push(state());
    targets.B.isUp = true;
    await clock.advance(3_000);
    await started;
    states.push(state());
    policy.unavailable.add('B');
    states.push(state());
    await instance.writePath.run(new FakeWrite(clock, { A: 'applied', B: 'applied' }));
    policy.unavailable.clear();
    states.push(state());
    await clock.advance(60_000);
    states.push(state());
    expect(states).toEqual(['blocked', 'connecting', 'well', 'avoided', 'catchingUp', 'well']);
  });
});

describe('what happens to an instance', () => {
  it('is told from its write path, its replay and its end', async () => {
    const { clock, targets, instance, lifecycle, helix, start } = setUp();
    const types: string[] = [];
    helix.events$.subscribe(({ type }) => types.push(type));
    await start();
    targets.B.isUp = false;
    await instance.writePath.run(missedByB(clock));
    await clock.advance(1_000);
    targets.B.isUp = true;
    await clock.advance(60_000);
    const refused = new FakeWrite(clock, { A: 'applied', B: 'rejected' });
    await instance.writePath.run(refused);
    const closed = new Watched(lifecycle.close());
    await clock.advance(10_000);
    expect(closed.isSettled).toBe(true);
    expect(types).toEqual([
      ...['connected', 'connected', 'queued', 'disconnected', 'connected', 'caughtUp'],
      ...['divergence', 'deadLetter', 'shutdown', 'lost'],
    ]);
  });

  it('does not end the process when a listener throws, and is logged once for all of it', async () => {
    const { clock, helix, lines, start } = setUp();
    helix.events$.subscribe(() => {
      throw new TypeError('secret');
    });
    await start();
    await clock.advance(60_000);
    expect(lines.filter((line) => line.includes('listener'))).toEqual([
      'error A listener of events$ threw TypeError',
      'error 1 more: A listener of events$ threw TypeError',
    ]);
  });

  it('leaves no timer behind', async () => {
    const { clock, targets, instance, lifecycle, start } = setUp();
    await start();
    targets.B.isUp = false;
    await instance.writePath.run(missedByB(clock));
    await clock.advance(5_000);
    const closed = new Watched(lifecycle.close());
    await clock.advance(10_000);
    expect([closed.isSettled, clock.pendingTimers]).toEqual([true, 0]);
  });
});
