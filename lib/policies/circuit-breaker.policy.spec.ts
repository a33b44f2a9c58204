import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { columns, FakeCqlClient, type, unreachable } from '../../test/support/fake-cql-client.js';
import { FakePolicyContext } from '../../test/support/fake-policy-context.js';
import { type BreakerState, type ClusterId, type FailoverPolicy, HelixConfigError } from '../core/index.js';
import { HelixCqlService, HelixModule } from '../index.js';
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  LatencyCircuitBreaker,
  type LatencyCircuitBreakerOptions,
} from './index.js';

const RESET_MS = 10_000;
const FIRST_PING_MS = 250;

function fail(policy: FailoverPolicy, cluster: ClusterId, times: number): void {
  for (let i = 0; i < times; i++) policy.recordFailure(cluster, new Error('down'));
}

function start(policy = new CircuitBreaker({ threshold: 3, resetTimeoutMs: RESET_MS })) {
  const instance = new FakePolicyContext();
  policy.open(instance);
  return { policy, instance, clock: instance.clock };
}

/** A breaker of B that has opened. */
function startOpen() {
  const started = start();
  fail(started.policy, 'B', 3);
  return started;
}

/** A breaker of B whose ping is under way. */
async function startHalfOpen() {
  const started = startOpen();
  await started.clock.advance(FIRST_PING_MS);
  return started;
}

/** The pauses before the next pings, none of which is answered. */
async function pauses({ instance, clock }: ReturnType<typeof start>, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = instance.pinged.length;
    let pauseMs = 0;
    while (instance.pinged.length === before) {
      await clock.advance(50);
      pauseMs += 50;
    }
    found.push(pauseMs);
    await instance.failPing('B');
  }
  return found;
}

describe('CircuitBreaker', () => {
  it('always fails over', () => {
    const policy: FailoverPolicy = startOpen().policy;
    expect(policy.shouldFailover('B', new Error('down'))).toBe(true);
  });

  it('opens after 3 failures in a row, if not told otherwise, and asks after 250 ms', async () => {
    const { policy, instance, clock } = start(new CircuitBreaker());
    fail(policy, 'B', 2);
    expect(policy.isAvailable('B')).toBe(true);
    fail(policy, 'B', 1);
    expect(policy.isAvailable('B')).toBe(false);
    await clock.advance(249);
    expect(instance.pinged).toEqual([]);
    await clock.advance(1);
    expect(instance.pinged).toEqual(['B']);
  });

  it('opens at once when the cluster hangs', () => {
    const { policy, instance } = start();
    policy.suspect('B');
    expect([policy.state('A'), policy.state('B')]).toEqual(['closed', 'open']);
    expect(instance.changes).toEqual([['B', 'open']]);
  });

  it('closes when any ping is answered, whoever has sent it', async () => {
    const { policy, instance, clock } = startOpen();
    policy.recordPing('A');
    expect(policy.state('B')).toBe('open');
    policy.recordPing('B');
    expect(policy.state('B')).toBe('closed');
    await clock.advance(10 * RESET_MS);
    expect(instance.pinged).toEqual([]);
  });

  it('stays isolated whatever is answered or suspected', () => {
    const { policy } = start();
    policy.isolate('B');
    policy.recordPing('B');
    policy.suspect('B');
    policy.hostUp('B');
    expect(policy.state('B')).toBe('open');
    policy.reset('B');
    expect(policy.state('B')).toBe('closed');
  });

  it('asks again at growing pauses, 2 s apart at most', async () => {
    expect(await pauses(startOpen(), 6)).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000]);
  });

  it('never waits longer than resetTimeoutMs', async () => {
    const started = start(new CircuitBreaker({ resetTimeoutMs: 400 }));
    fail(started.policy, 'B', 3);
    expect(await pauses(started, 3)).toEqual([250, 400, 400]);
  });

  it('leaves a quarter of a pause to chance', async () => {
    const { policy, instance, clock } = start();
    instance.random = () => 0.999;
    fail(policy, 'B', 3);
    await clock.advance(187);
    expect(instance.pinged).toEqual([]);
    await clock.advance(2);
    expect(instance.pinged).toEqual(['B']);
  });

  describe('of a cluster that comes and goes', () => {
    /** It is back, and fails again at once, so often. */
    function flap(policy: CircuitBreaker, times: number): void {
      for (let i = 0; i < times; i++) {
        policy.recordPing('B');
        fail(policy, 'B', 3);
      }
    }

    it.each([
      [1, [500, 1_000, 2_000, 4_000, 4_000]],
      [2, [1_000, 2_000, 4_000, 8_000, 8_000]],
      [3, [2_000, 4_000, 8_000, 10_000, 10_000]],
      [9, [10_000, 10_000, 10_000, 10_000, 10_000]],
    ])('doubles its pauses each time, up to resetTimeoutMs: %d', async (times, expected) => {
      const started = startOpen();
      flap(started.policy, times);
      expect(await pauses(started, 5)).toEqual(expected);
    });

    it('begins anew once the cluster has been there for resetTimeoutMs', async () => {
      const started = startOpen();
      const { policy, clock } = started;
      flap(policy, 3);
      policy.recordPing('B');
      await clock.advance(RESET_MS);
      fail(policy, 'B', 3);
      expect(await pauses(started, 2)).toEqual([250, 500]);
    });
  });

  it.each([0, 1])('asks at once when the driver sees a host again, after %d returns', async (times) => {
    const { policy, instance } = startOpen();
    for (let i = 0; i < times; i++) {
      policy.recordPing('B');
      fail(policy, 'B', 3);
    }
    policy.hostUp('B');
    expect(instance.pinged).toEqual(['B']);
    await instance.answerPing('B');
    expect(policy.state('B')).toBe('closed');
  });

  it('does not ask at once when the cluster has come and gone too often, until it has been away for 4 s', async () => {
    const { policy, instance, clock } = startOpen();
    for (let i = 0; i < 4; i++) {
      policy.recordPing('B');
      fail(policy, 'B', 3);
    }
    policy.hostUp('B');
    expect(instance.pinged).toEqual([]);
    // The first ping, after 250 ms × 2⁴, is due at the very moment.
    await clock.advance(3_999);
    policy.hostUp('B');
    expect(instance.pinged).toEqual([]);
    await clock.advance(1);
    await instance.failPing('B');
    policy.hostUp('B');
    expect(instance.pinged).toEqual(['B', 'B']);
  });

  it('counts only failures in a row', () => {
    const { policy } = start();
    fail(policy, 'A', 2);
    policy.recordSuccess('A');
    fail(policy, 'A', 2);
    expect(policy.isAvailable('A')).toBe(true);
  });

  it('keeps a breaker for each cluster', () => {
    const { policy } = startOpen();
    expect([policy.state('A'), policy.state('B')]).toEqual(['closed', 'open']);
    expect([policy.isAvailable('A'), policy.isAvailable('B')]).toEqual([true, false]);
  });

  it('is half-open, and still avoids the cluster, while the ping is under way', async () => {
    const { policy, instance, clock } = await startHalfOpen();
    expect(policy.state('B')).toBe('half-open');
    expect(policy.isAvailable('B')).toBe(false);
    await clock.advance(10 * RESET_MS);
    expect(instance.pinged).toEqual(['B']);
  });

  it('closes when the ping is answered, and counts from 0', async () => {
    const { policy, instance } = await startHalfOpen();
    await instance.answerPing('B');
    expect(policy.state('B')).toBe('closed');
    expect(policy.isAvailable('B')).toBe(true);
    fail(policy, 'B', 2);
    expect(policy.isAvailable('B')).toBe(true);
  });

  it('is open for longer when the ping fails, counted from then', async () => {
    const { policy, instance, clock } = await startHalfOpen();
    await clock.advance(400);
    await instance.failPing('B');
    expect(policy.state('B')).toBe('open');
    await clock.advance(2 * FIRST_PING_MS - 1);
    expect(instance.pinged).toEqual(['B']);
    await clock.advance(1);
    expect(instance.pinged).toEqual(['B', 'B']);
  });

  it('takes a ping that throws at once for one that failed', async () => {
    const { policy, instance, clock } = startOpen();
    instance.ping = () => {
      throw new Error('broken ping');
    };
    await clock.advance(FIRST_PING_MS);
    expect(policy.state('B')).toBe('open');
    expect(instance.changes).toEqual([
      ['B', 'open'],
      ['B', 'half-open'],
      ['B', 'open'],
    ]);
  });

  describe.each([
    ['open', startOpen],
    ['half-open', startHalfOpen],
  ] as const)('while %s', (state, make) => {
    it('is not closed by calls that succeed', async () => {
      const { policy } = await make();
      for (let i = 0; i < 100; i++) policy.recordSuccess('B');
      expect(policy.state('B')).toBe(state);
    });

    it('does not begin its time anew for calls that fail', async () => {
      const { policy, instance, clock } = await make();
      await clock.advance(RESET_MS - 1);
      fail(policy, 'B', 100);
      await clock.advance(1);
      expect(policy.state('B')).toBe('half-open');
      expect(instance.pinged).toEqual(['B']);
    });

    it('closes at once on reset, and asks no more', async () => {
      const { policy, instance, clock } = await make();
      const pings = instance.pinged.length;
      policy.reset('B');
      expect(policy.state('B')).toBe('closed');
      await clock.advance(10 * RESET_MS);
      expect(instance.pinged).toHaveLength(pings);
    });

    it('stays open, and asks no more, once it is isolated', async () => {
      const { policy, instance, clock } = await make();
      const pings = instance.pinged.length;
      policy.isolate('B');
      await clock.advance(10 * RESET_MS);
      expect(policy.state('B')).toBe('open');
      expect(instance.pinged).toHaveLength(pings);
    });
  });

  describe('isolated', () => {
    it('is open although nothing failed, until it is reset', () => {
      const { policy } = start();
      policy.isolate('A');
      policy.recordSuccess('A');
      expect(policy.state('A')).toBe('open');
      expect(policy.isAvailable('A')).toBe(false);
      policy.reset('A');
      expect(policy.isAvailable('A')).toBe(true);
    });

    it('ignores the answer to a ping that was under way', async () => {
      const { policy, instance } = await startHalfOpen();
      policy.isolate('B');
      await instance.answerPing('B');
      expect(policy.state('B')).toBe('open');
    });
  });

  it('counts its time from when it opened last', async () => {
    const { policy, instance, clock } = startOpen();
    await clock.advance(FIRST_PING_MS - 1);
    policy.reset('B');
    fail(policy, 'B', 3);
    await clock.advance(2 * FIRST_PING_MS - 1);
    expect(instance.pinged).toEqual([]);
    await clock.advance(1);
    expect(instance.pinged).toEqual(['B']);
  });

  it('ignores a ping that fails after a reset', async () => {
    const { policy, instance, clock } = await startHalfOpen();
    policy.reset('B');
    await instance.failPing('B');
    await clock.advance(10 * RESET_MS);
    expect(policy.state('B')).toBe('closed');
    expect(instance.pinged).toEqual(['B']);
  });

  it('never has two pings under way, and lets one that a reset has outrun decide', async () => {
    const { policy, instance, clock } = await startHalfOpen();
    policy.reset('B');
    fail(policy, 'B', 3);
    await clock.advance(RESET_MS);
    expect(policy.state('B')).toBe('half-open');
    expect(instance.pinged).toEqual(['B']);
    await instance.answerPing('B');
    expect(policy.state('B')).toBe('closed');
  });

  describe('telling of changes', () => {
    it('is done once for each, when the policy is in the new state', async () => {
      const { policy, instance, clock } = start();
      const seen: BreakerState[] = [];
      instance.onChange = (cluster) => seen.push(policy.state(cluster));
      fail(policy, 'B', 5);
      await clock.advance(RESET_MS);
      await instance.failPing('B');
      await clock.advance(RESET_MS);
      await instance.answerPing('B');
      expect(instance.changes).toEqual([
        ['B', 'open'],
        ['B', 'half-open'],
        ['B', 'open'],
        ['B', 'half-open'],
        ['B', 'closed'],
      ]);
      expect(seen).toEqual(instance.changes.map(([, state]) => state));
    });

    it('is left out where nothing changes for others', () => {
      const { policy, instance } = startOpen();
      policy.isolate('B');
      policy.isolate('B');
      policy.reset('B');
      policy.reset('B');
      policy.reset('A');
      expect(instance.changes).toEqual([
        ['B', 'open'],
        ['B', 'closed'],
      ]);
    });

    it('may throw', async () => {
      const { policy, instance, clock } = start();
      instance.onChange = () => {
        throw new Error('broken listener');
      };
      fail(policy, 'B', 3);
      await clock.advance(RESET_MS);
      await instance.answerPing('B');
      expect(policy.state('B')).toBe('closed');
    });

    it('may reset the breaker', async () => {
      const { policy, instance, clock } = start();
      instance.onChange = (cluster, state) => {
        if (state === 'open') policy.reset(cluster);
      };
      fail(policy, 'B', 3);
      expect(policy.state('B')).toBe('closed');
      await clock.advance(10 * RESET_MS);
      expect(instance.pinged).toEqual([]);
    });
  });

  describe('without an instance', () => {
    it('counts, and stays open', async () => {
      const policy = new CircuitBreaker({ threshold: 2, resetTimeoutMs: 1 });
      fail(policy, 'A', 1);
      expect(policy.state('A')).toBe('closed');
      fail(policy, 'A', 1);
      expect(policy.state('A')).toBe('open');
      policy.reset('A');
      expect(policy.isAvailable('A')).toBe(true);
    });
  });

  describe('the instance', () => {
    it('is one at a time', () => {
      const { policy, instance } = start();
      const second = () => policy.open(new FakePolicyContext());
      expect(second).toThrow(HelixConfigError);
      expect(second).toThrow(
        'This CircuitBreaker is in use already: give each instance a policy of its own.',
      );
      fail(policy, 'B', 3);
      expect(instance.changes).toEqual([['B', 'open']]);
    });

    it('ends timers', () => {
      const { policy, clock } = startOpen();
      policy.close();
      expect(clock.pendingTimers).toBe(0);
    });

    it('ends pings, and leaves the cluster avoided', async () => {
      const { policy, instance } = await startHalfOpen();
      policy.close();
      expect(policy.state('B')).toBe('open');
      await instance.answerPing('B');
      expect(policy.state('B')).toBe('open');
      expect(instance.changes.at(-1)).toEqual(['B', 'half-open']);
    });

    it('is told nothing after its end', () => {
      const { policy, instance } = start();
      policy.close();
      fail(policy, 'B', 3);
      expect(instance.changes).toEqual([]);
      expect(instance.clock.pendingTimers).toBe(0);
    });

    it('may be followed by another, which begins with closed breakers', async () => {
      const { policy, instance } = await startHalfOpen();
      policy.close();
      const next = new FakePolicyContext();
      policy.open(next);
      expect(policy.state('B')).toBe('closed');
      fail(policy, 'B', 3);
      await next.clock.advance(RESET_MS);
      expect(next.pinged).toEqual(['B']);
      await instance.answerPing('B');
      expect(policy.state('B')).toBe('half-open');
      await next.answerPing('B');
      expect(policy.state('B')).toBe('closed');
    });

    it('may be followed by another, for which an isolated cluster stays isolated', () => {
      const { policy } = start();
      policy.isolate('A');
      policy.close();
      policy.open(new FakePolicyContext());
      expect(policy.state('A')).toBe('open');
    });
  });

  it.each<[option: string, options: unknown]>([
    ['treshold', { treshold: 3 }],
    ['threshold', { threshold: 0 }],
    ['threshold', { threshold: 1.5 }],
    ['threshold', { threshold: '3' }],
    ['resetTimeoutMs', { resetTimeoutMs: 0 }],
    ['resetTimeoutMs', { resetTimeoutMs: Number.NaN }],
    ['resetTimeoutMs', { resetTimeoutMs: 2 ** 31 }],
    ['slowMs', { slowMs: 100 }],
    ['options', null],
  ])('refuses a wrong %s: %o', (option, options) => {
    const make = () => new CircuitBreaker(options as CircuitBreakerOptions);
    expect(make).toThrow(HelixConfigError);
    expect(make).toThrow(new RegExp(`^CircuitBreaker: .*${option}`));
  });
});

describe('LatencyCircuitBreaker', () => {
  const SLOW_MS = 200;
  function startLatency() {
    const policy = new LatencyCircuitBreaker({ threshold: 3, resetTimeoutMs: RESET_MS, slowMs: SLOW_MS });
    return { ...start(policy), policy };
  }

  it('needs latencies', () => {
    const policy: FailoverPolicy = startLatency().policy;
    expect(policy.needsLatency).toBe(true);
  });

  it('counts answers slower than slowMs, together with failures', () => {
    const { policy } = startLatency();
    policy.recordSuccess('B', SLOW_MS + 0.1);
    fail(policy, 'B', 1);
    expect(policy.state('B')).toBe('closed');
    policy.recordSuccess('B', SLOW_MS + 0.1);
    expect(policy.state('B')).toBe('open');
  });

  it('begins anew after an answer that took slowMs or less', () => {
    const { policy } = startLatency();
    for (const latencyMs of [500, 500, SLOW_MS, 500, 500]) policy.recordSuccess('B', latencyMs);
    expect(policy.state('B')).toBe('closed');
  });

  it('takes an answer of unknown latency for a sign of life, which ends a run of failures', () => {
    const { policy } = startLatency();
    fail(policy, 'B', 2);
    policy.recordSuccess('B');
    fail(policy, 'B', 2);
    expect(policy.state('B')).toBe('closed');
  });

  it('takes an answer of unknown latency neither for a fast one nor for a slow one', () => {
    const { policy } = startLatency();
    for (let i = 0; i < 10; i++) policy.recordSuccess('A');
    expect(policy.state('A')).toBe('closed');
    for (let i = 0; i < 3; i++) {
      policy.recordSuccess('B', SLOW_MS + 1);
      policy.recordSuccess('B');
    }
    expect(policy.state('B')).toBe('open');
  });

  it.each([
    [SLOW_MS, 'closed'],
    [SLOW_MS + 1, 'open'],
  ] as const)('after a ping that took %d ms is %s', async (tookMs, state) => {
    const { policy, instance, clock } = startLatency();
    fail(policy, 'B', 3);
    await clock.advance(FIRST_PING_MS);
    await clock.advance(tookMs);
    await instance.answerPing('B');
    expect(policy.state('B')).toBe(state);
    expect(instance.changes.at(-1)).toEqual(['B', state]);
  });

  it.each([
    [SLOW_MS, 'closed'],
    [SLOW_MS + 1, 'open'],
  ] as const)('after a ping of somebody else that took %d ms is %s', (tookMs, state) => {
    const { policy } = startLatency();
    fail(policy, 'B', 3);
    policy.recordPing('B', tookMs);
    expect(policy.state('B')).toBe(state);
  });

  it('is open again after a ping that failed at once', async () => {
    const { policy, instance, clock } = startLatency();
    fail(policy, 'B', 3);
    await clock.advance(FIRST_PING_MS);
    await instance.failPing('B');
    expect(policy.state('B')).toBe('open');
  });

  it('says its own name when a second instance opens it', () => {
    const { policy } = startLatency();
    expect(() => policy.open(new FakePolicyContext())).toThrow(
      'This LatencyCircuitBreaker is in use already',
    );
  });

  it.each<[option: string, options: unknown]>([
    ['slowMs', {}],
    ['slowMs', { slowMs: 0 }],
    ['slowMs', { slowMs: Infinity }],
    ['threshold', { slowMs: 1, threshold: 0 }],
    ['slow', { slowMs: 1, slow: 1 }],
    ['options', undefined],
  ])('refuses a wrong %s: %o', (option, options) => {
    const make = () => new LatencyCircuitBreaker(options as LatencyCircuitBreakerOptions);
    expect(make).toThrow(HelixConfigError);
    expect(make).toThrow(new RegExp(`^LatencyCircuitBreaker: .*${option}`));
  });
});

describe('CircuitBreaker in an instance', () => {
  const INSERT = 'INSERT INTO users (id) VALUES (?)';

  function client(): FakeCqlClient {
    const made = new FakeCqlClient();
    made.statements.set(INSERT, columns({ id: type('int') }));
    return made;
  }

  it('keeps writes from a cluster that failed, and has them queued, until it is reset', async () => {
    const [A, B] = [client(), client()];
    const failoverPolicy = new CircuitBreaker({ threshold: 2 });
    const module = await Test.createTestingModule({
      imports: [
        HelixModule.forRoot({
          cql: { A, B },
          connect: 'lazy',
          replayWorker: { mode: 'off' },
          failoverPolicy,
        }),
      ],
    })
      .setLogger({ log: () => undefined, warn: () => undefined, error: () => undefined })
      .compile();
    await module.init();
    const helix = module.get(HelixCqlService);
    const write = async () => {
      const sent = B.executed.length;
      const { A: a, B: b } = await helix.query(INSERT, [1]).exec();
      return [a, b, B.executed.length - sent];
    };
    expect(await write()).toEqual(['applied', 'applied', 1]);
    B.answers.push(unreachable(), unreachable());
    expect(await write()).toEqual(['applied', 'queued', 1]);
    expect(await write()).toEqual(['applied', 'queued', 1]);
    expect(await write()).toEqual(['applied', 'queued', 0]);
    failoverPolicy.reset('B');
    expect(await write()).toEqual(['applied', 'applied', 1]);
    await module.close();
  });
});
