import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeRead, type SideScript, Watched } from '../../test/support/fake-operations.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import { PrimaryOnlyReadStrategy, StickyReadStrategy } from '../strategies/index.js';
import {
  ClusterError,
  type ClusterId,
  DualClusterError,
  Failover,
  NoAvailableClusterError,
  otherCluster,
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
  givesUp = false;
  brokenIn: 'select' | 'onSuccess' | 'onFailure' | undefined;

  constructor(private readonly first: ClusterId = 'A') {
    super();
  }

  override select(): ClusterId {
    this.#check('select');
    return this.first;
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

interface Setup {
  readonly strategy?: ReadStrategy;
  readonly policy?: FakePolicy;
  readonly single?: boolean;
  readonly neverConnected?: readonly ClusterId[];
  readonly clock?: FakeClock;
  readonly lag?: ReadLag;
}

function setUp(setup: Setup = {}) {
  const { policy = new FakePolicy(), single = false, neverConnected = [], clock = new FakeClock() } = setup;
  const strategy = setup.strategy ?? new FakeStrategy();
  const strategyErrors: Error[] = [];
  const A = { name: 'us_east', hasConnected: !neverConnected.includes('A') };
  const B = { name: 'us_west', hasConnected: !neverConnected.includes('B') };
  const path = new ReadPath({
    sides: single ? { A } : { A, B },
    clock,
    strategy,
    failover: new Failover(policy, clock, (error) => strategyErrors.push(error)),
    readTimeoutMs: READ_TIMEOUT_MS,
    lag: setup.lag,
    onStrategyError: (error) => strategyErrors.push(error),
  });
  const read = (a: SideScript, b: SideScript = 'applied') => new FakeRead(clock, { A: a, B: b });
  const run = async (operation: FakeRead): Promise<Watched<ClusterId>> => {
    const watched = new Watched(path.run(operation));
    await clock.settle();
    return watched;
  };
  return { clock, path, policy, strategyErrors, read, run };
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
    expect(policy.failures).toEqual(['A']);
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
    expect(policy.failures).toEqual(['A', 'B']);
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
    expect(path.inFlight).toEqual({ A: 1, B: 0 });
    await clock.advance(10);
    expect(path.inFlight).toEqual({ A: 0, B: 1 });
    await clock.advance(10);
    expect(path.inFlight).toEqual({ A: 0, B: 0 });
  });
});

describe('a side that is known to be bad', () => {
  it.each<[why: string, setup: Setup]>([
    ['the policy avoids it', { policy: new FakePolicy({ unavailable: ['A'] }) }],
    ['it has never been connected', { neverConnected: ['A'] }],
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
    expect(path.inFlight).toEqual({ A: 0, B: 0 });
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
      expect(path.inFlight).toEqual({ A: 0, B: 0 });
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
});
