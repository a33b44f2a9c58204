import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeRead, type SideScript, Watched } from '../../test/support/fake-operations.js';
import { noBreaches } from '../../test/support/invariants.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import { fakeWatch } from '../../test/support/fake-watch.js';
import { PrimaryOnlyReadStrategy, RoundRobinReadStrategy, StickyReadStrategy } from '../strategies/index.js';
import {
  CallContext,
  ClusterError,
  type ClusterId,
  type Draining,
  DualClusterError,
  Failover,
  NoAvailableClusterError,
  otherCluster,
  OperationAbortedError,
  OverloadedError,
  type ReadCall,
  type ReadContext,
  type ReadLag,
  ReadPath,
  ReadStrategy,
  SessionClosedError,
} from './index.js';

const READ_TIMEOUT_MS = 5_000;

/** Begins on one side, fails over to the other, and notes what it is told. */
class FakeStrategy extends ReadStrategy {
  readonly successes: ClusterId[] = [];
  readonly failures: ClusterId[] = [];
  readonly contexts: ReadContext[] = [];
  givesUp = false;
  brokenIn: 'select' | 'onSuccess' | 'onFailure' | undefined;

  constructor(private readonly first: ClusterId = 'A') {
    super();
  }

  override select(context: ReadContext): ClusterId {
    this.#check('select');
    this.contexts.push(context);
    return context.preferred ?? this.first;
  }

  override onSuccess(cluster: ClusterId): void {
    this.successes.push(cluster);
    this.#check('onSuccess');
  }

  override onFailure(cluster: ClusterId): ClusterId | undefined {
    this.failures.push(cluster);
    this.#check('onFailure');
    return this.givesUp ? undefined : otherCluster(cluster);
  }

  #check(method: typeof this.brokenIn): void {
    if (this.brokenIn === method) throw new Error('broken strategy');
  }
}

/** Names A, whatever the call has bound itself to. */
class Stubborn extends FakeStrategy {
  override select(): ClusterId {
    return 'A';
  }
}

interface Setup {
  readonly strategy?: ReadStrategy;
  readonly policy?: FakePolicy;
  readonly single?: boolean;
  readonly neverConnected?: readonly ClusterId[];
  readonly clock?: FakeClock;
  /** Sides whose rows are old. */
  readonly behind?: readonly ClusterId[];
  readonly drains?: readonly ClusterId[];
  /** Default: no limit that any test comes near to. */
  readonly maxInFlight?: number;
  /** Clusters that are dead and given up. */
  readonly givenUp?: Set<ClusterId>;
}

function setUp(setup: Setup = {}) {
  const { policy = new FakePolicy(), single = false, neverConnected = [], clock = new FakeClock() } = setup;
  const strategy = setup.strategy ?? new FakeStrategy();
  const strategyErrors: Error[] = [];
  const moved: string[] = [];
  const draining: Draining = { A: false, B: false };
  for (const cluster of setup.drains ?? []) draining[cluster] = true;
  const A = { name: 'us_east', hasConnected: !neverConnected.includes('A') };
  const B = { name: 'us_west', hasConnected: !neverConnected.includes('B') };
  const path = new ReadPath({
    sides: single ? { A } : { A, B },
    clock,
    strategy,
    failover: new Failover(policy, clock, (error) => strategyErrors.push(error)),
    draining,
    readTimeoutMs: READ_TIMEOUT_MS,
    maxInFlight: setup.maxInFlight ?? 1_000,
    invariants: noBreaches(),
    watch: fakeWatch(clock, setup.givenUp ?? new Set()),
    lag: { isBehind: (cluster: ClusterId) => setup.behind?.includes(cluster) ?? false } as ReadLag,
    onStrategyError: (error) => strategyErrors.push(error),
    onMoved: (from, to) => moved.push(`${from} to ${to}`),
  });
  const read = (a: SideScript, b: SideScript = 'applied') => new FakeRead(clock, { A: a, B: b });
  const run = async (operation: FakeRead, call?: ReadCall): Promise<Watched<ClusterId>> => {
    const watched = new Watched(path.run(operation, call));
    await clock.settle();
    return watched;
  };
  return { clock, path, policy, draining, strategyErrors, moved, read, run };
}

const failures = ['unreached', 'blocked', 'ambiguous'] as const;

describe('a read', () => {
  it.each<ClusterId>(['A', 'B'])('is answered by side %s when the strategy names it', async (cluster) => {
    const { run, read } = setUp({ strategy: new FakeStrategy(cluster) });
    const operation = read('applied');
    expect((await run(operation)).value).toBe(cluster);
    expect(operation.asked).toEqual([cluster]);
  });

  it.each(failures)('is tried on the other side when the first is %s', async (kind) => {
    const strategy = new FakeStrategy();
    const { run, read, policy } = setUp({ strategy });
    const operation = read(kind, 'applied');
    expect((await run(operation)).value).toBe('B');
    expect(operation.asked).toEqual(['A', 'B']);
    expect(policy.failures).toEqual(kind === 'blocked' ? [] : ['A']);
    expect(strategy.failures).toEqual(['A']);
    expect(strategy.successes).toEqual(['B']);
  });

  it('is not tried on the other side when the first rejects it, and nobody is blamed', async () => {
    const strategy = new FakeStrategy();
    const { run, read, policy } = setUp({ strategy });
    const operation = read('rejected', 'applied');
    const { error } = await run(operation);
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', operation: 'read', outcome: 'notApplied' });
    expect(operation.asked).toEqual(['A']);
    expect(policy.failures).toEqual([]);
    expect(strategy.failures).toEqual([]);
  });

  it.each(failures)('fails only after both were tried: A %s, B unreached', async (kind) => {
    const { run, read, policy } = setUp();
    const operation = read(kind, 'unreached');
    const { error } = await run(operation);
    expect(error).toBeInstanceOf(DualClusterError);
    expect(error).toMatchObject({ outcome: 'notApplied', errors: { A: { kind }, B: { kind: 'unreached' } } });
    expect(operation.asked).toEqual(['A', 'B']);
    expect(policy.failures).toEqual(kind === 'blocked' ? ['B'] : ['A', 'B']);
  });

  it('keeps the errors apart by side when B was asked first', async () => {
    const { run, read } = setUp({ strategy: new FakeStrategy('B') });
    const operation = read('blocked', 'unreached');
    expect((await run(operation)).error).toMatchObject({
      errors: { A: { kind: 'blocked' }, B: { kind: 'unreached' } },
    });
    expect(operation.asked).toEqual(['B', 'A']);
  });

  it('fails with the refusal of the second side when that rejects it', async () => {
    const { run, read } = setUp();
    expect((await run(read('unreached', 'rejected'))).error).toMatchObject({
      code: 'HELIX_CLUSTER',
      cluster: 'B',
    });
  });

  it('names clusters, kinds of errors and the masked statement, never what a driver said', async () => {
    const { run, read } = setUp();
    const both = (await run(read('unreached', 'unreached'))).error as Error;
    const one = (await run(read('rejected'))).error as Error;
    expect(both.message).toContain('SELECT * FROM users WHERE id = ?');
    expect(one.message).toContain('cluster A ("us_east")');
    expect(both.message + one.message).not.toContain('secret');
  });

  it('counts what waits for each side, and leaves nothing behind', async () => {
    const { clock, path, run, read } = setUp();
    await run(read({ answer: 'unreached', afterMs: 10 }, { answer: 'unreached', afterMs: 10 }));
    expect(path.wire.inFlight).toEqual({ A: 1, B: 0 });
    await clock.advance(10);
    expect(path.wire.inFlight).toEqual({ A: 0, B: 1 });
    await clock.advance(10);
    expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
  });
});

describe('a side that is known to be bad', () => {
  it.each<[why: string, setup: Setup]>([
    ['the policy avoids it', { policy: new FakePolicy({ unavailable: ['A'] }) }],
    ['it has never been connected', { neverConnected: ['A'] }],
    ['it is draining', { drains: ['A'] }],
  ])('is asked last when %s', async (_why, setup) => {
    const { run, read } = setUp(setup);
    const good = read('applied', 'applied');
    expect((await run(good)).value).toBe('B');
    expect(good.asked).toEqual(['B']);
    const bad = read('applied', 'unreached');
    expect((await run(bad)).value).toBe('A');
    expect(bad.asked).toEqual(['B', 'A']);
  });

  it('is asked as the strategy says when the other is bad too', async () => {
    const { run, read } = setUp({ policy: new FakePolicy({ unavailable: ['A', 'B'] }) });
    const operation = read('unreached', 'applied');
    expect((await run(operation)).value).toBe('B');
    expect(operation.asked).toEqual(['A', 'B']);
  });

  it('does not count as a failure of the strategy or the policy while it is left out', async () => {
    const strategy = new FakeStrategy();
    const { run, read, policy } = setUp({ strategy, policy: new FakePolicy({ unavailable: ['A'] }) });
    await run(read('applied', 'applied'));
    expect(strategy.failures).toEqual([]);
    expect(policy.failures).toEqual([]);
  });
});

describe('failing over is forbidden', () => {
  it('by the policy: the read fails with the error of its side', async () => {
    const { run, read, policy } = setUp();
    policy.allowsFailover = false;
    const operation = read('unreached', 'applied');
    const { error } = await run(operation);
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', outcome: 'notApplied', cause: { kind: 'unreached' } });
    expect(operation.asked).toEqual(['A']);
    expect(policy.failures).toEqual(['A']);
  });

  it('by the policy: the strategy is not told of a failover that never was', async () => {
    const strategy = new FakeStrategy();
    const { run, read, policy } = setUp({ strategy });
    policy.allowsFailover = false;
    await run(read('unreached'));
    expect(strategy.failures).toEqual([]);
  });

  it('by the strategy: the read fails with the error of its side', async () => {
    const strategy = new FakeStrategy();
    strategy.givesUp = true;
    const { run, read } = setUp({ strategy });
    const operation = read('unreached', 'applied');
    expect((await run(operation)).error).toMatchObject({ code: 'HELIX_CLUSTER', cluster: 'A' });
    expect(operation.asked).toEqual(['A']);
  });
});

describe('clusters that were never reached', () => {
  it('make NoAvailableClusterError when it is both', async () => {
    const { run, read } = setUp({ neverConnected: ['A', 'B'] });
    expect((await run(read('unreached', 'unreached'))).error).toBeInstanceOf(NoAvailableClusterError);
  });

  it.each<ClusterId>(['A', 'B'])('make DualClusterError when it is only %s', async (cluster) => {
    const { run, read } = setUp({ neverConnected: [cluster] });
    expect((await run(read('unreached', 'unreached'))).error).toBeInstanceOf(DualClusterError);
  });
});

describe('the deadline of a read', () => {
  it('makes the other side be asked', async () => {
    const { clock, run, read, policy } = setUp();
    const operation = read('never', 'applied');
    const answer = await run(operation);
    await clock.advance(READ_TIMEOUT_MS - 1);
    expect(operation.asked).toEqual(['A']);
    await clock.advance(1);
    expect(answer.value).toBe('B');
    expect(policy.failures).toEqual(['A']);
  });

  it('begins anew for the other side', async () => {
    const { clock, run, read } = setUp();
    const answer = await run(read('never', { answer: 'applied', afterMs: READ_TIMEOUT_MS - 1 }));
    await clock.advance(2 * READ_TIMEOUT_MS);
    expect(answer.value).toBe('B');
  });

  it('comes no later because an older read fails over when its own is over', async () => {
    const { clock, run, read } = setUp();
    await run(read('never', 'never'));
    await clock.advance(10);
    const second = read('never', 'applied');
    const answer = await run(second);
    await clock.advance(READ_TIMEOUT_MS - 1);
    expect(second.asked).toEqual(['A']);
    await clock.advance(1);
    expect(answer.value).toBe('B');
  });

  it('fails the read when neither answers', async () => {
    const { clock, path, run, read } = setUp();
    const answer = await run(read('never', 'never'));
    await clock.advance(2 * READ_TIMEOUT_MS);
    expect(answer.error).toMatchObject({
      code: 'HELIX_BOTH_FAILED',
      errors: { A: { name: 'TimeoutError' }, B: { name: 'TimeoutError' } },
    });
    // Nobody waits for them any more, but their drivers do.
    expect(path.wire.inFlight).toEqual({ A: 1, B: 1 });
  });

  it.each(['applied', 'unreached', 'rejected'] as const)(
    'makes a late answer of the first side mean nothing: %s',
    async (late) => {
      const strategy = new FakeStrategy();
      const { clock, path, run, read, policy } = setUp({ strategy });
      const answer = await run(
        read({ answer: late, afterMs: READ_TIMEOUT_MS + 1 }, { answer: 'applied', afterMs: 2 }),
      );
      await clock.advance(READ_TIMEOUT_MS + 1);
      expect(answer.isSettled).toBe(false);
      await clock.advance(1);
      expect(answer.value).toBe('B');
      await clock.advance(READ_TIMEOUT_MS);
      expect(policy.failures).toEqual(['A']);
      expect(strategy.successes).toEqual(['B']);
      expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
    },
  );

  it('begins anew with each sign of progress', async () => {
    const { clock, run, read } = setUp();
    const operation = read({ answer: 'applied', afterMs: 3 * READ_TIMEOUT_MS }, 'applied');
    const answer = await run(operation);
    for (let i = 0; i < 4; i++) {
      await clock.advance(READ_TIMEOUT_MS - 1);
      operation.progress.A?.();
    }
    expect(operation.asked).toEqual(['A']);
    expect(answer.value).toBe('A');
  });

  it('is over for good once the read has moved on: progress says so', async () => {
    const { clock, run, read } = setUp();
    const operation = read('never', { answer: 'applied', afterMs: 100 });
    const answer = await run(operation);
    expect(operation.progress.A?.()).toBe(true);
    await clock.advance(READ_TIMEOUT_MS);
    expect(operation.progress.A?.()).toBe(false);
    expect(operation.progress.B?.()).toBe(true);
    await clock.advance(100);
    expect(answer.value).toBe('B');
    expect(operation.progress.B?.()).toBe(false);
  });
});

describe('a policy or a strategy that throws', () => {
  it.each([['C'], [Promise.resolve('B')], [7]])(
    'is one that answers a failure with %s: the error is told, and the other side asked',
    async (rubbish) => {
      const strategy = new FakeStrategy();
      strategy.onFailure = () => rubbish as never;
      const { run, read, strategyErrors } = setUp({ strategy });
      const answer = await run(read('unreached', 'applied'));
      expect(answer.value).toBe('B');
      expect(strategyErrors).toMatchObject([{ code: 'HELIX_USAGE' }]);
    },
  );

  it('does not keep an answer from its caller', async () => {
    const strategy = new FakeStrategy();
    strategy.brokenIn = 'onSuccess';
    const { run, read, strategyErrors } = setUp({ strategy });
    expect((await run(read('applied'))).value).toBe('A');
    expect(strategyErrors.map(({ message }) => message)).toEqual(['broken strategy']);
  });

  it('does not keep a failed read from the other side', async () => {
    const strategy = new FakeStrategy();
    strategy.brokenIn = 'onFailure';
    const { run, read, strategyErrors } = setUp({ strategy });
    expect((await run(read('unreached', 'applied'))).value).toBe('B');
    expect(strategyErrors).toHaveLength(1);
  });

  it('does not keep a read from being sent: the side counts as available', async () => {
    const { run, read, policy, strategyErrors } = setUp();
    policy.isBroken = true;
    expect((await run(read('applied'))).value).toBe('A');
    expect((await run(read('unreached', 'applied'))).value).toBe('B');
    expect(strategyErrors[0]?.message).toBe('broken policy');
  });

  it('ends a read that has failed on both sides', async () => {
    const strategy = new FakeStrategy();
    strategy.brokenIn = 'onFailure';
    const { run, read } = setUp({ strategy });
    expect((await run(read('unreached', 'unreached'))).error).toBeInstanceOf(DualClusterError);
  });

  it('fails the read when it cannot even name a side', async () => {
    const strategy = new FakeStrategy();
    strategy.brokenIn = 'select';
    const { clock, path, run, read } = setUp({ strategy });
    const operation = read('applied');
    expect((await run(operation)).error).toMatchObject({ message: 'broken strategy' });
    expect(operation.asked).toEqual([]);
    const settled = new Watched(path.settled());
    await clock.settle();
    expect(settled.isSettled).toBe(true);
  });
});

describe('the policy', () => {
  it('gets latencies if it needs them', async () => {
    const policy = new FakePolicy({ needsLatency: true });
    const { clock, run, read } = setUp({ policy });
    await clock.advance(777);
    await run(read({ answer: 'unreached', afterMs: 100 }, { answer: 'applied', afterMs: 7 }));
    await clock.advance(200);
    expect(policy.successes).toEqual([['B', 7]]);
  });
});

describe('StickyReadStrategy on the path', () => {
  it('never fails a read when A fails, and then B inside the cooldown while A is back', async () => {
    const clock = new FakeClock();
    const strategy = new StickyReadStrategy({ preferred: 'A', cooldownMs: 300_000 }, clock);
    const { run, read } = setUp({ strategy, clock });
    expect((await run(read('unreached', 'applied'))).value).toBe('B');
    await clock.advance(1_000);
    for (let i = 0; i < 3; i++) {
      const operation = read('applied', 'unreached');
      expect((await run(operation)).value).toBe('A');
      expect(operation.asked).toEqual(['B', 'A']);
    }
    const back = read('applied', 'applied');
    expect((await run(back)).value).toBe('B');
  });

  it('does not move for a side that is only asked last', async () => {
    const policy = new FakePolicy({ unavailable: ['A'] });
    const { run, read } = setUp({ strategy: new StickyReadStrategy({ preferred: 'A' }), policy });
    expect((await run(read('applied', 'applied'))).value).toBe('B');
    policy.unavailable.clear();
    expect((await run(read('applied', 'applied'))).value).toBe('A');
  });

  it('does not move for a read that is rejected', async () => {
    const { run, read } = setUp({ strategy: new StickyReadStrategy({ preferred: 'A' }) });
    await run(read('rejected'));
    const next = read('applied');
    await run(next);
    expect(next.asked).toEqual(['A']);
  });
});

describe('PrimaryOnlyReadStrategy on the path', () => {
  it('asks A again when B fails, without moving back to it', async () => {
    const { run, read } = setUp({ strategy: new PrimaryOnlyReadStrategy() });
    await run(read('unreached', 'applied'));
    expect((await run(read('applied', 'unreached'))).value).toBe('A');
    expect((await run(read('applied', 'applied'))).value).toBe('B');
  });
});

describe('a draining side', () => {
  it.each<[a: string, b: string, first: ClusterId, asked: ClusterId[], setup: Setup]>([
    ['draining', 'well', 'A', ['B', 'A'], { drains: ['A'] }],
    ['draining', 'draining', 'B', ['B', 'A'], { drains: ['A', 'B'] }],
    ['draining', 'behind', 'A', ['B', 'A'], { drains: ['A'], behind: ['B'] }],
    ['behind', 'draining', 'B', ['A', 'B'], { drains: ['B'], behind: ['A'] }],
    [
      'draining',
      'avoided',
      'B',
      ['A', 'B'],
      { drains: ['A'], policy: new FakePolicy({ unavailable: ['B'] }) },
    ],
    ['draining', 'never reached', 'B', ['A', 'B'], { drains: ['A'], neverConnected: ['B'] }],
    [
      'draining and avoided',
      'avoided',
      'A',
      ['A', 'B'],
      { drains: ['A'], policy: new FakePolicy({ unavailable: ['A', 'B'] }) },
    ],
  ])('A %s, B %s: asked in their order when the strategy names %s', async (_a, _b, first, asked, setup) => {
    const { run, read } = setUp({ strategy: new FakeStrategy(first), ...setup });
    const operation = read('unreached', 'unreached');
    await run(operation);
    expect(operation.asked).toEqual(asked);
  });

  it('is not usable, as strategies see it, until its drain has ended', async () => {
    const strategy = new FakeStrategy();
    const { run, read, draining } = setUp({ strategy, drains: ['B'] });
    await run(read('applied'));
    const [context] = strategy.contexts;
    expect([context?.isUsable('A'), context?.isUsable('B')]).toEqual([true, false]);
    draining.B = false;
    expect(context?.isUsable('B')).toBe(true);
  });
});

describe('a side whose rows are old', () => {
  it.each<[a: string, b: string, first: ClusterId, asked: ClusterId[], setup: Setup]>([
    ['well', 'behind', 'B', ['A', 'B'], { behind: ['B'] }],
    ['well', 'avoided', 'B', ['A', 'B'], { policy: new FakePolicy({ unavailable: ['B'] }) }],
    ['behind', 'behind', 'A', ['A', 'B'], { behind: ['A', 'B'] }],
    ['avoided', 'behind', 'A', ['B', 'A'], { behind: ['B'], policy: new FakePolicy({ unavailable: ['A'] }) }],
    ['behind', 'avoided', 'A', ['A', 'B'], { behind: ['A'], policy: new FakePolicy({ unavailable: ['B'] }) }],
    ['never reached', 'behind', 'A', ['B', 'A'], { behind: ['B'], neverConnected: ['A'] }],
    [
      'never reached',
      'avoided',
      'A',
      ['B', 'A'],
      { policy: new FakePolicy({ unavailable: ['B'] }), neverConnected: ['A'] },
    ],
    [
      'avoided and behind',
      'avoided',
      'A',
      ['A', 'B'],
      { behind: ['A'], policy: new FakePolicy({ unavailable: ['A', 'B'] }) },
    ],
  ])('A %s, B %s: asked in their order when the strategy names %s', async (_a, _b, first, asked, setup) => {
    const { run, read } = setUp({ strategy: new FakeStrategy(first), ...setup });
    const operation = read('unreached', 'unreached');
    await run(operation);
    expect(operation.asked).toEqual(asked);
  });

  it('is not usable, as strategies see it', async () => {
    const strategy = new FakeStrategy();
    const { run, read } = setUp({ strategy, behind: ['B'] });
    await run(read('applied'));
    const [context] = strategy.contexts;
    expect([context?.isUsable('A'), context?.isUsable('B')]).toEqual([true, false]);
  });
});

describe('a read that only one side may answer', () => {
  const stale = () => {
    const context = CallContext.dualWrite({});
    context.onWrite({ id: 'op1', timestamp: 1, A: 'queued', B: 'applied' });
    return context;
  };

  it.each<[why: string, call: () => ReadCall, message: string]>([
    ['it continues another one', () => ({ cluster: 'B' }), 'what was read before came from this one'],
    [
      'it has the writes of its call',
      () => ({ context: stale() }),
      'it has not got what this call has written',
    ],
  ])('is never asked of the other when %s', async (_why, call, message) => {
    const strategy = new FakeStrategy('A');
    const { run, read, policy } = setUp({ strategy });
    const operation = read('applied', 'unreached');
    const { error } = await run(operation, call());
    expect(operation.asked).toEqual(['B']);
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'B', outcome: 'notApplied', cause: { kind: 'unreached' } });
    expect((error as Error).message).toContain(`The other cluster was not asked: ${message}`);
    expect(policy.failures).toEqual(['B']);
    expect([strategy.contexts, strategy.failures]).toEqual([[], []]);
  });

  it('is asked of that side although it is known to be bad', async () => {
    const policy = new FakePolicy({ unavailable: ['B'] });
    const { run, read } = setUp({ policy, behind: ['B'] });
    expect((await run(read('applied', 'applied'), { cluster: 'B' })).value).toBe('B');
  });

  it('is not hedged', async () => {
    const { clock, run, read } = setUp();
    const operation = read('applied', { answer: 'applied', afterMs: 100 });
    const answer = await run(operation, { cluster: 'B', hedgeAfterMs: 10 });
    await clock.advance(100);
    expect([answer.value, operation.asked]).toEqual(['B', ['B']]);
  });

  it('goes to the page’s side rather than to the one that has the writes of its call', async () => {
    const { run, read } = setUp();
    expect((await run(read('applied', 'applied'), { cluster: 'A', context: stale() })).value).toBe('A');
  });

  it('says nothing of the other cluster where there is none, or when the policy forbids it', async () => {
    const single = setUp({ single: true });
    const alone = (await single.run(single.read('unreached'), { cluster: 'A' })).error as Error;
    const pair = setUp();
    pair.policy.allowsFailover = false;
    const forbidden = (await pair.run(pair.read('unreached'))).error as Error;
    expect(alone.message + forbidden.message).not.toContain('other cluster');
  });
});

describe('the reads of a sticky call', () => {
  const sticky = (settings: Parameters<typeof CallContext.stickyRead>[0] = {}) => ({
    context: CallContext.stickyRead(settings),
  });

  it.each<[name: string, strategy: () => ReadStrategy]>([
    ['StickyReadStrategy', () => new StickyReadStrategy({ preferred: 'A' })],
    ['PrimaryOnlyReadStrategy', () => new PrimaryOnlyReadStrategy()],
    ['RoundRobinReadStrategy', () => new RoundRobinReadStrategy()],
    ['a strategy that does not look at the call', () => new Stubborn()],
  ])('go to the side that was asked for, with %s', async (_name, strategy) => {
    const { run, read } = setUp({ strategy: strategy() });
    for (const cluster of ['B', 'A', 'A', 'B'] as const) {
      expect((await run(read('applied', 'applied'), sticky({ cluster }))).value).toBe(cluster);
    }
  });

  it('leave the turns of a round robin as they were', async () => {
    const { run, read } = setUp({ strategy: new RoundRobinReadStrategy() });
    expect((await run(read('applied'))).value).toBe('A');
    await run(read('applied', 'applied'), sticky({ cluster: 'B' }));
    expect((await run(read('applied', 'applied'))).value).toBe('B');
  });

  it('tell strategies the key and the side', async () => {
    const strategy = new FakeStrategy();
    const { run, read } = setUp({ strategy });
    const call = sticky({ key: 'user:1' });
    await run(read('applied', 'applied'), call);
    expect(strategy.contexts).toMatchObject([{ key: 'user:1', preferred: 'B' }]);
    await run(read('applied', 'applied'), { context: CallContext.dualWrite({}) });
    expect(strategy.contexts[1]).not.toHaveProperty('key');
    expect(strategy.contexts[1]).not.toHaveProperty('preferred');
  });

  it('stay on the side of the first, one after the other', async () => {
    const { run, read } = setUp({ strategy: new RoundRobinReadStrategy() });
    const call = sticky();
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push((await run(read('applied', 'applied'), call)).value);
    expect(answers).toEqual(['A', 'A', 'A', 'A']);
  });

  it('stay on the side of the first also when they are made at once', async () => {
    const { clock, path, read } = setUp({ strategy: new RoundRobinReadStrategy() });
    const call = sticky();
    const answers = Promise.all([1, 2, 3].map(() => path.run(read('applied', 'applied'), call)));
    await clock.settle();
    expect(await answers).toEqual(['A', 'A', 'A']);
  });

  it('stay on the side that a page was resumed on', async () => {
    const { run, read } = setUp({ strategy: new FakeStrategy('A') });
    const call = sticky();
    await run(read('applied', 'applied'), { ...call, cluster: 'B' });
    expect((await run(read('applied', 'applied'), call)).value).toBe('B');
  });

  it('do not move to the side that a page was resumed on once they have one', async () => {
    const { run, read } = setUp();
    const call = sticky({ cluster: 'A' });
    await run(read('applied', 'applied'), { ...call, cluster: 'B' });
    expect((await run(read('applied', 'applied'), call)).value).toBe('A');
  });

  it('move when one of them fails over', async () => {
    const { run, read } = setUp();
    const call = sticky({ cluster: 'A' });
    expect((await run(read('unreached', 'applied'), call)).value).toBe('B');
    expect((await run(read('applied', 'applied'), call)).value).toBe('B');
  });

  it('do not move back when an older one is answered late', async () => {
    const { clock, run, read } = setUp();
    const call = sticky();
    const slow = await run(read({ answer: 'applied', afterMs: 50 }, 'applied'), call);
    expect((await run(read('unreached', 'applied'), call)).value).toBe('B');
    await clock.advance(50);
    expect(slow.value).toBe('A');
    expect((await run(read('applied', 'applied'), call)).value).toBe('B');
  });

  it('do not move when both sides fail', async () => {
    const { run, read } = setUp();
    const call = sticky({ cluster: 'A' });
    await run(read('unreached', 'unreached'), call);
    expect((await run(read('applied', 'applied'), call)).value).toBe('A');
  });

  it('move away from a side that is known to be bad, and stay there', async () => {
    const policy = new FakePolicy({ unavailable: ['A'] });
    const { run, read } = setUp({ policy });
    const call = sticky({ cluster: 'A' });
    expect((await run(read('applied', 'applied'), call)).value).toBe('B');
    policy.unavailable.clear();
    expect((await run(read('applied', 'applied'), call)).value).toBe('B');
  });

  it('do not move when a hedge is faster', async () => {
    const { clock, run, read } = setUp();
    const call = sticky();
    const hedged = await run(read('never', 'applied'), { ...call, hedgeAfterMs: 10 });
    await clock.advance(10);
    expect(hedged.value).toBe('B');
    expect((await run(read('applied', 'applied'), call)).value).toBe('A');
  });

  it('move when a hedge answers in place of a side that has failed by then', async () => {
    const { clock, run, read } = setUp();
    const call = sticky();
    const slow: SideScript = { answer: 'applied', afterMs: 50 };
    const hedged = await run(read({ answer: 'unreached', afterMs: 20 }, slow), { ...call, hedgeAfterMs: 10 });
    await clock.advance(100);
    expect(hedged.value).toBe('B');
    expect((await run(read('applied', 'applied'), call)).value).toBe('B');
  });

  it('follow what the call has written, whatever they were bound to', async () => {
    const { run, read } = setUp();
    const context = CallContext.dualWrite({}, CallContext.stickyRead({ cluster: 'A' }));
    expect((await run(read('applied', 'applied'), { context })).value).toBe('A');
    context.onWrite({ id: 'op1', timestamp: 1, A: 'queued', B: 'applied' });
    expect((await run(read('applied', 'applied'), { context })).value).toBe('B');
  });
});

describe('a hedged read', () => {
  const HEDGE_MS = 10;
  const hedged = { hedgeAfterMs: HEDGE_MS };
  const after = (afterMs: number, answer: 'applied' | 'unreached' | 'rejected' = 'applied'): SideScript => ({
    answer,
    afterMs,
  });

  it('asks the other side when there is no answer by then, and not before', async () => {
    const { clock, run, read, path } = setUp();
    const operation = read(after(100), after(20));
    const answer = await run(operation, hedged);
    await clock.advance(HEDGE_MS - 1);
    expect(operation.asked).toEqual(['A']);
    await clock.advance(1);
    expect(operation.asked).toEqual(['A', 'B']);
    expect(path.wire.inFlight).toEqual({ A: 1, B: 1 });
    await clock.advance(20);
    expect(answer.value).toBe('B');
    expect(path.wire.inFlight).toEqual({ A: 1, B: 0 });
    await clock.advance(70);
    expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
  });

  it('takes the first answer of the side it had asked first', async () => {
    const { clock, run, read } = setUp();
    const answer = await run(read(after(15), after(20)), hedged);
    await clock.advance(15);
    expect(answer.value).toBe('A');
  });

  it('asks nobody else when the answer is there in time', async () => {
    const { clock, run, read } = setUp();
    const operation = read(after(HEDGE_MS - 1), 'applied');
    await run(operation, hedged);
    await clock.advance(1_000);
    expect(operation.asked).toEqual(['A']);
  });

  it.each<[why: string, setup: Setup]>([
    ['avoided', { policy: new FakePolicy({ unavailable: ['B'] }) }],
    ['behind', { behind: ['B'] }],
    ['draining', { drains: ['B'] }],
    ['never reached', { neverConnected: ['B'] }],
    ['absent', { single: true }],
  ])('asks nobody else when the other side is %s', async (_why, setup) => {
    const { clock, run, read } = setUp(setup);
    const operation = read(after(100), 'applied');
    const answer = await run(operation, hedged);
    await clock.advance(100);
    expect([answer.value, operation.asked]).toEqual(['A', ['A']]);
  });

  it('is like any other on a single cluster', async () => {
    const { clock, run, read } = setUp({ single: true });
    await run(read('never'), hedged);
    // That of the deadlines, and that of the rounds.
    expect(clock.pendingTimers).toBe(2);
  });

  it.each<[why: string, b: SideScript, asked: ClusterId[]]>([
    ['been asked already', after(100), ['A', 'B']],
    ['failed already', 'unreached', ['A', 'B']],
  ])('does not ask a side again that has %s', async (_why, b, asked) => {
    const { clock, run, read } = setUp();
    const operation = read(after(5, 'unreached'), b);
    await run(operation, hedged);
    await clock.advance(200);
    expect(operation.asked).toEqual(asked);
  });

  it.each(['applied', 'unreached', 'rejected'] as const)(
    'is changed by nothing that the slower side says afterwards: %s',
    async (late) => {
      const strategy = new FakeStrategy();
      const { clock, run, read, policy, path } = setUp({ strategy });
      const answer = await run(read(after(100, late), 'applied'), hedged);
      await clock.advance(HEDGE_MS);
      expect(answer.value).toBe('B');
      await clock.advance(2 * READ_TIMEOUT_MS);
      expect(policy.successes).toEqual([['B', undefined]]);
      expect([policy.failures, strategy.failures]).toEqual([[], []]);
      expect(strategy.successes).toEqual(['B']);
      expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
    },
  );

  it.each<[a: SideScript, b: SideScript, answer: ClusterId]>([
    [after(50), after(5, 'unreached'), 'A'],
    [after(15, 'unreached'), after(50), 'B'],
  ])('waits for the other when one of them fails', async (a, b, expected) => {
    const { clock, run, read } = setUp();
    const answer = await run(read(a, b), hedged);
    await clock.advance(49);
    expect(answer.isSettled).toBe(false);
    await clock.advance(100);
    expect(answer.value).toBe(expected);
  });

  it.each<[a: SideScript, b: SideScript]>([
    [after(50, 'unreached'), after(5, 'unreached')],
    [after(15, 'unreached'), after(50, 'unreached')],
    ['never', 'never'],
  ])('fails when both have failed, each asked once', async (a, b) => {
    const { clock, run, read, path, policy } = setUp();
    const operation = read(a, b);
    const answer = await run(operation, hedged);
    await clock.advance(2 * READ_TIMEOUT_MS);
    expect(answer.error).toBeInstanceOf(DualClusterError);
    expect(operation.asked).toEqual(['A', 'B']);
    expect(policy.failures.sort()).toEqual(['A', 'B']);
    expect(path.wire.inFlight).toEqual(a === 'never' ? { A: 1, B: 1 } : { A: 0, B: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  it.each<[a: SideScript, b: SideScript, by: ClusterId]>([
    ['never', after(5, 'rejected'), 'B'],
    [after(15, 'rejected'), 'never', 'A'],
  ])('ends when one of them refuses it', async (a, b, by) => {
    const { clock, run, read, path } = setUp();
    const answer = await run(read(a, b), hedged);
    await clock.advance(15);
    expect(answer.error).toMatchObject({ code: 'HELIX_CLUSTER', cluster: by });
    expect(path.wire.inFlight).toEqual({ A: a === 'never' ? 1 : 0, B: b === 'never' ? 1 : 0 });
  });

  it('still waits for the other when the policy forbids failing over', async () => {
    const { clock, run, read, policy } = setUp();
    policy.allowsFailover = false;
    const answer = await run(read(after(15, 'unreached'), after(20)), hedged);
    await clock.advance(30);
    expect(answer.value).toBe('B');
  });
});

describe('a read whose caller goes', () => {
  const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

  it('is not asked of anybody when its signal has aborted before', async () => {
    const strategy = new FakeStrategy();
    const { run, read } = setUp({ strategy });
    const operation = read('applied');
    const reason = new Error('the user went');
    const { error } = await run(operation, { signal: AbortSignal.abort(reason) });
    expect(error).toBeInstanceOf(OperationAbortedError);
    expect(error).toMatchObject({ name: 'AbortError', outcome: 'notApplied', cause: reason });
    expect([operation.asked, strategy.contexts]).toEqual([[], []]);
  });

  it.each<[how: string, limits: ReadCall, go: (controller: AbortController) => void, cause: object]>([
    ['signal aborts', {}, (controller) => controller.abort(new Error('gone')), { message: 'gone' }],
    ['time is over', { timeoutMs: 20 }, () => undefined, { name: 'TimeoutError' }],
  ])('rejects at once when its %s, and nothing is left behind', async (_how, limits, go, cause) => {
    const strategy = new FakeStrategy();
    const { clock, path, policy, run, read } = setUp({ strategy });
    const controller = new AbortController();
    const operation = read({ answer: 'unreached', afterMs: 50 }, 'applied');
    const answer = await run(operation, { signal: controller.signal, ...limits });
    await clock.advance(20);
    go(controller);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    expect(answer.error).toMatchObject({ name: 'AbortError', outcome: 'notApplied', cause });
    const settled = new Watched(path.settled());
    await clock.settle();
    expect(settled.isSettled).toBe(true);
    await clock.advance(2 * READ_TIMEOUT_MS);
    expect(operation.asked).toEqual(['A']);
    expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
    expect([policy.failures, strategy.failures]).toEqual([[], []]);
    expect([listeners(controller.signal), clock.pendingTimers]).toEqual([0, 0]);
  });

  it('asks no hedge any more', async () => {
    const { clock, run, read, path } = setUp();
    const controller = new AbortController();
    const operation = read('never', 'applied');
    await run(operation, { signal: controller.signal, hedgeAfterMs: 10 });
    controller.abort();
    await clock.advance(READ_TIMEOUT_MS);
    expect(operation.asked).toEqual(['A']);
    expect([path.wire.inFlight, clock.pendingTimers]).toEqual([{ A: 1, B: 0 }, 0]);
  });

  it('waits for neither side of a hedged read', async () => {
    const { clock, run, read, path, policy } = setUp();
    const late = { answer: 'applied', afterMs: 50 } as const;
    const answer = await run(read(late, { ...late, answer: 'unreached' }), {
      timeoutMs: 20,
      hedgeAfterMs: 10,
    });
    await clock.advance(10);
    expect(path.wire.inFlight).toEqual({ A: 1, B: 1 });
    await clock.advance(10);
    expect(answer.error).toMatchObject({ cause: { name: 'TimeoutError' } });
    await clock.advance(50);
    expect(path.wire.inFlight).toEqual({ A: 0, B: 0 });
    expect(path.wire.traffic).toMatchObject({ A: { late: 1, failed: 0 }, B: { late: 1, failed: 0 } });
    expect([policy.successes, policy.failures]).toEqual([[], []]);
  });

  it('tells the operation that it is not waited for any longer', async () => {
    const { clock, run, read } = setUp();
    const operation = read('never');
    await run(operation, { timeoutMs: 20 });
    expect(operation.progress.A?.()).toBe(true);
    await clock.advance(20);
    expect(operation.progress.A?.()).toBe(false);
  });

  it('leaves no listener and no timer when it is answered', async () => {
    const { clock, run, read } = setUp();
    const { signal } = new AbortController();
    const answer = await run(read('applied'), { signal, timeoutMs: 20 });
    expect([answer.value, listeners(signal)]).toEqual(['A', 0]);
    await clock.advance(READ_TIMEOUT_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  it('fails with what the strategy throws, and leaves no listener', async () => {
    const strategy = new FakeStrategy();
    strategy.brokenIn = 'select';
    const { run, read } = setUp({ strategy });
    const { signal } = new AbortController();
    expect((await run(read('applied'), { signal })).error).toMatchObject({ message: 'broken strategy' });
    expect(listeners(signal)).toBe(0);
  });
});

describe('a failure that says nothing of the cluster', () => {
  it('fails over, and does not count', async () => {
    const { run, read, policy } = setUp();
    const operation = read({ answer: 'unreached', afterMs: 0, scope: 'request' }, 'applied');
    expect((await run(operation)).value).toBe('B');
    expect(policy.failures).toEqual([]);
  });

  it('is counted once for all reads that fell with one connection', async () => {
    const { clock, path, read, policy } = setUp();
    const lost: SideScript = { answer: 'unreached', afterMs: 10, scope: 'connection' };
    const reads = Promise.all(Array.from({ length: 64 }, () => path.run(read(lost, 'applied'))));
    await clock.advance(10);
    expect(new Set(await reads)).toEqual(new Set(['B']));
    expect(policy.failures).toEqual(['A']);
    const later = new Watched(path.run(read(lost, 'applied')));
    await clock.advance(10);
    expect(later.value).toBe('B');
    expect(policy.failures).toEqual(['A']);
    void path.run(read(lost, 'applied'));
    await clock.advance(10);
    expect(policy.failures).toEqual(['A', 'A']);
  });
});

describe('a side with as many reads under way as it may have', () => {
  const SLOW: SideScript = { answer: 'applied', afterMs: 100 };

  it('is left to them, and the other side is asked, without anybody being blamed', async () => {
    const strategy = new FakeStrategy();
    const { run, read, path, policy } = setUp({ strategy, maxInFlight: 2 });
    for (let i = 0; i < 2; i++) await run(read(SLOW, SLOW));
    const third = read(SLOW, 'applied');
    expect((await run(third)).value).toBe('B');
    expect(third.asked).toEqual(['B']);
    expect(path.wire.inFlight).toEqual({ A: 2, B: 0 });
    expect([policy.failures, strategy.failures, strategy.successes]).toEqual([[], [], ['B']]);
  });

  it('beside another one like it: OverloadedError, and nothing is sent', async () => {
    const { clock, run, read, policy } = setUp({ maxInFlight: 1 });
    const first = await run(read(SLOW, SLOW));
    const second = await run(read(SLOW, SLOW));
    const third = read('applied', 'applied');
    const { error } = await run(third);
    expect(error).toBeInstanceOf(OverloadedError);
    expect(error).toMatchObject({
      outcome: 'notApplied',
      message: expect.stringMatching(/both clusters are at maxReadsInFlight = 1 reads.*SELECT/) as string,
    });
    expect(third.asked).toEqual([]);
    expect(policy.failures).toEqual([]);
    await clock.advance(100);
    expect([first.value, second.value]).toEqual(['A', 'B']);
    expect((await run(read('applied'))).value).toBe('A');
  });

  it('is full until its driver has answered, also when nobody waits for it any more', async () => {
    const { clock, run, read } = setUp({ maxInFlight: 1 });
    await run(read({ answer: 'applied', afterMs: 2 * READ_TIMEOUT_MS }));
    await clock.advance(READ_TIMEOUT_MS);
    expect((await run(read('applied', 'applied'))).value).toBe('B');
    await clock.advance(READ_TIMEOUT_MS);
    expect((await run(read('applied', 'applied'))).value).toBe('A');
  });

  it.each<[what: string, call: ReadCall]>([
    ['a page that only it can answer', { cluster: 'A' }],
    ['what this call has written', { context: CallContext.dualWrite({}) }],
  ])('refuses %s', async (_what, call) => {
    call.context?.onWrite({ id: 'op', timestamp: 1, A: 'applied', B: 'queued' });
    const { run, read } = setUp({ maxInFlight: 1 });
    await run(read(SLOW));
    const second = read('applied', 'applied');
    expect((await run(second, call)).error).toMatchObject({
      code: 'HELIX_OVERLOADED',
      message: expect.stringContaining('the cluster is at maxReadsInFlight') as string,
    });
    expect(second.asked).toEqual([]);
  });

  it('is the only cluster', async () => {
    const { run, read } = setUp({ single: true, maxInFlight: 1 });
    await run(read(SLOW));
    expect((await run(read('applied'))).error).toBeInstanceOf(OverloadedError);
  });

  it('is asked after all when the other has failed and it has room by then', async () => {
    const { clock, run, read } = setUp({ maxInFlight: 1 });
    await run(read({ answer: 'applied', afterMs: 5 }));
    const second = read('applied', { answer: 'unreached', afterMs: 10 });
    const answer = await run(second);
    await clock.advance(10);
    expect([answer.value, second.asked]).toEqual(['A', ['B', 'A']]);
  });

  it('has no room for what the other could not answer', async () => {
    const { clock, run, read } = setUp({ maxInFlight: 1 });
    await run(read(SLOW));
    const answer = await run(read('applied', { answer: 'unreached', afterMs: 10 }));
    await clock.advance(10);
    expect(answer.error).toMatchObject({
      code: 'HELIX_BOTH_FAILED',
      outcome: 'notApplied',
      errors: { A: { code: 'HELIX_OVERLOADED' }, B: { kind: 'unreached' } },
    });
  });

  it('is not hedged to', async () => {
    const { clock, run, read } = setUp({ maxInFlight: 1 });
    await run(read(SLOW, SLOW), { cluster: 'B' });
    const hedged = read(SLOW, 'applied');
    const answer = await run(hedged, { hedgeAfterMs: 10 });
    await clock.advance(100);
    expect([answer.value, hedged.asked]).toEqual(['A', ['A']]);
  });

  it('does not move the reads of a call that stays on it', async () => {
    const { clock, run, read } = setUp({ maxInFlight: 1 });
    const context = CallContext.stickyRead({});
    await run(read(SLOW), { context });
    expect((await run(read('applied', 'applied'), { context })).value).toBe('B');
    expect(context.preferred).toBe('A');
    await clock.advance(100);
    expect((await run(read('applied', 'applied'), { context })).value).toBe('A');
  });
});

describe('what this process or the driver has refused by itself', () => {
  it('is asked of the other side, and neither the strategy nor the call moves for it', async () => {
    const strategy = new FakeStrategy();
    const { run, read, policy } = setUp({ strategy });
    const context = CallContext.stickyRead({});
    const busy: SideScript = { answer: 'unreached', afterMs: 0, scope: 'local' };
    expect((await run(read(busy, 'applied'), { context })).value).toBe('B');
    expect([strategy.failures, policy.failures, context.preferred]).toEqual([[], [], 'A']);
    expect((await run(read(busy, busy))).error).toBeInstanceOf(DualClusterError);
  });
});

describe('in single-cluster mode', () => {
  it('A is asked, whatever the strategy says', async () => {
    const { run, read } = setUp({ single: true, strategy: new FakeStrategy('B') });
    expect((await run(read('applied', 'never'))).value).toBe('A');
  });

  it.each([...failures, 'rejected'] as const)('a read that is %s fails with ClusterError', async (kind) => {
    const { run, read } = setUp({ single: true });
    const operation = read(kind, 'applied');
    const { error } = await run(operation);
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', operation: 'read', cause: { kind } });
    expect(operation.asked).toEqual(['A']);
  });

  it('the deadline ends it', async () => {
    const { clock, run, read } = setUp({ single: true });
    const answer = await run(read('never'));
    await clock.advance(READ_TIMEOUT_MS);
    expect(answer.error).toMatchObject({ code: 'HELIX_CLUSTER', cause: { name: 'TimeoutError' } });
  });
});

describe('closing', () => {
  it('refuses what comes afterwards, and asks nobody', async () => {
    const { path, run, read } = setUp();
    path.close();
    const operation = read('applied');
    expect((await run(operation)).error).toBeInstanceOf(SessionClosedError);
    expect(operation.asked).toEqual([]);
  });

  it('is settled when the reads that were accepted before have answered or failed', async () => {
    const { clock, path, run, read } = setUp();
    await run(read({ answer: 'applied', afterMs: 10 }));
    await run(read({ answer: 'unreached', afterMs: 10 }, { answer: 'unreached', afterMs: 10 }));
    await run(read({ answer: 'rejected', afterMs: 15 }));
    const settled = new Watched(path.settled());
    await run(read('never', 'never'));
    await clock.advance(19);
    expect(settled.isSettled).toBe(false);
    await clock.advance(1);
    expect(settled.isSettled).toBe(true);
  });

  it('asks nobody once it is cut off', async () => {
    const { clock, path, run, read } = setUp();
    const operation = read('never', 'applied');
    const answer = await run(operation);
    path.cutOff();
    await clock.settle();
    expect(answer.error).toMatchObject({ code: 'HELIX_CLUSTER' });
    expect(operation.asked).toEqual(['A']);
  });
});

describe('a read of a side that turns out to be dead', () => {
  const ROUND_MS = 50;

  it('is asked of the other one as well, which the strategy is told, and the policy is not', async () => {
    const givenUp = new Set<ClusterId>();
    const strategy = new FakeStrategy();
    const { clock, run, read, policy } = setUp({ givenUp, strategy });
    const answer = await run(read('never', { answer: 'applied', afterMs: 10 }));
    await clock.advance(1_000);
    expect(answer.isSettled).toBe(false);
    givenUp.add('A');
    await clock.advance(ROUND_MS + 10);
    expect(answer.value).toBe('B');
    expect([strategy.failures, strategy.successes, policy.failures]).toEqual([['A'], ['B'], []]);
  });

  it('takes the first answer: that of the dead one, if it comes', async () => {
    const givenUp = new Set<ClusterId>(['A']);
    const { clock, run, read } = setUp({ givenUp, strategy: new Stubborn(), neverConnected: [] });
    const answer = await run(read({ answer: 'applied', afterMs: 100 }, 'never'), { cluster: 'A' });
    await clock.advance(100);
    expect(answer.value).toBe('A');
  });

  it('is waited for when the other one fails', async () => {
    const givenUp = new Set<ClusterId>();
    const { clock, run, read } = setUp({ givenUp });
    const answer = await run(read({ answer: 'applied', afterMs: 200 }, 'unreached'));
    givenUp.add('A');
    await clock.advance(100);
    expect(answer.isSettled).toBe(false);
    await clock.advance(100);
    expect(answer.value).toBe('A');
  });

  it.each<[string, Setup, ReadCall]>([
    ['only that side may answer', {}, { cluster: 'A' }],
    ['there is only that side', { single: true }, {}],
    ['the policy forbids it', { policy: Object.assign(new FakePolicy(), { allowsFailover: false }) }, {}],
    ['the strategy gives up', { strategy: Object.assign(new FakeStrategy(), { givesUp: true }) }, {}],
  ])('waits for its own deadline when %s', async (_why, setup, call) => {
    const givenUp = new Set<ClusterId>();
    const { clock, run, read } = setUp({ ...setup, givenUp });
    const operation = read('never');
    const answer = await run(operation, call);
    givenUp.add('A');
    await clock.advance(READ_TIMEOUT_MS - 1);
    expect(answer.isSettled).toBe(false);
    await clock.advance(1);
    expect(answer.error).toBeInstanceOf(ClusterError);
  });

  it('waits until the other one has room', async () => {
    const givenUp = new Set<ClusterId>();
    const strategy = new FakeStrategy();
    const { clock, run, read } = setUp({ givenUp, strategy, maxInFlight: 1 });
    const waiting = await run(read('never'));
    const busy = await run(read('applied', { answer: 'applied', afterMs: 120 }), { cluster: 'B' });
    givenUp.add('A');
    await clock.advance(100);
    expect([waiting.isSettled, strategy.failures]).toEqual([false, []]);
    await clock.advance(2 * ROUND_MS);
    expect([busy.value, waiting.value, strategy.failures]).toEqual(['B', 'B', ['A']]);
  });

  it('is made of the other side first from then on', async () => {
    const { run, read } = setUp({ givenUp: new Set<ClusterId>(['A']) });
    expect((await run(read('applied'))).value).toBe('B');
  });

  it('has the reads of its call follow', async () => {
    const givenUp = new Set<ClusterId>();
    const { clock, run, read } = setUp({ givenUp });
    const context = CallContext.stickyRead({});
    const answer = await run(read('never'), { context });
    givenUp.add('A');
    await clock.advance(ROUND_MS);
    expect(answer.value).toBe('B');
    expect(context.preferred).toBe('B');
  });
});

describe('a read that goes to another side than it was meant for', () => {
  it('is told when the other side has answered it', async () => {
    const { moved, read, run } = setUp();
    await run(read('unreached'));
    expect(moved).toEqual(['A to B']);
  });

  it.each<[why: string, setup: Setup]>([
    ['was never reached', { neverConnected: ['A'] }],
    ['is avoided', { policy: new FakePolicy({ unavailable: ['A'] }) }],
    ['drains', { drains: ['A'] }],
    ['is behind', { behind: ['A'] }],
  ])('is told when the first one %s', async (_, setup) => {
    const { moved, read, run } = setUp(setup);
    await run(read('applied'));
    expect(moved).toEqual(['A to B']);
  });

  it.each<[why: string, setup: Setup, a: SideScript]>([
    ['all is well', {}, 'applied'],
    ['the first one refused it', {}, 'rejected'],
    ['the other is no better', { drains: ['A', 'B'] }, 'applied'],
    ['there is only one', { single: true, drains: ['A'] }, 'applied'],
  ])('is told of nothing when %s', async (_, setup, a) => {
    const { moved, read, run } = setUp(setup);
    await run(read(a));
    expect(moved).toEqual([]);
  });

  it('is told of nothing when neither answers', async () => {
    const { moved, read, run } = setUp();
    await run(read('unreached', 'unreached'));
    expect(moved).toEqual([]);
  });
});
