import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeDriverError } from '../../test/support/fake-operations.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import { setUpWritePath } from '../../test/support/write-path.js';
import { APPLIED, type FailedOutcome, Failover, type FailureScope } from './index.js';

function setUp(policy = new FakePolicy()) {
  const clock = new FakeClock();
  const errors: Error[] = [];
  const failover = new Failover(policy, clock, (error) => errors.push(error));
  return { clock, policy, errors, failover };
}

const failure = (kind: FailedOutcome['kind'], scope?: FailureScope): FailedOutcome => {
  const error = new FakeDriverError(kind);
  return scope ? { kind, error, scope } : { kind, error };
};

describe('what the policy is told', () => {
  it.each<
    [kind: FailedOutcome['kind'], scope: FailureScope | undefined, told: 'failure' | 'answer' | 'nothing']
  >([
    ['unreached', undefined, 'failure'],
    ['unreached', 'cluster', 'failure'],
    ['unreached', 'connection', 'failure'],
    ['unreached', 'request', 'answer'],
    ['unreached', 'local', 'nothing'],
    ['ambiguous', undefined, 'failure'],
    ['ambiguous', 'cluster', 'failure'],
    ['ambiguous', 'connection', 'failure'],
    ['ambiguous', 'request', 'answer'],
    ['ambiguous', 'local', 'nothing'],
    ['rejected', undefined, 'nothing'],
    ['rejected', 'request', 'answer'],
    ['rejected', 'local', 'nothing'],
    ['blocked', undefined, 'nothing'],
    ['blocked', 'request', 'answer'],
    ['blocked', 'local', 'nothing'],
  ])('of %s, scope %s: %s', async (kind, scope, told) => {
    // How long a refusal took is nobody's business.
    const { policy, failover, clock } = setUp(new FakePolicy({ needsLatency: true }));
    await clock.advance(30);
    failover.record('A', failure(kind, scope), 0);
    expect(policy.failures).toEqual(told === 'failure' ? ['A'] : []);
    expect(policy.successes).toEqual(told === 'answer' ? [['A', undefined]] : []);
  });

  it('of a success, with its latency only if it needs that', async () => {
    const plain = setUp();
    plain.failover.record('B', APPLIED, 0);
    expect(plain.policy.successes).toEqual([['B', undefined]]);
    const timed = setUp(new FakePolicy({ needsLatency: true }));
    await timed.clock.advance(30);
    timed.failover.record('B', APPLIED, 10);
    expect(timed.policy.successes).toEqual([['B', 20]]);
  });

  it('of a side that was left out: nothing', () => {
    const { policy, failover } = setUp();
    failover.record('A', { kind: 'skipped', reason: 'breaker' }, 0);
    expect([policy.failures, policy.successes]).toEqual([[], []]);
  });
});

describe('a connection that is lost', () => {
  const lost = failure('ambiguous', 'connection');

  it('is one failure, however many calls were under way on it', async () => {
    const { clock, policy, failover } = setUp();
    const started = [];
    for (let i = 0; i < 64; i++) {
      started.push(clock.monotonicMs());
      await clock.advance(1);
    }
    for (const startedMs of started) {
      failover.record('A', lost, startedMs);
      await clock.advance(1);
    }
    expect(policy.failures).toEqual(['A']);
  });

  it('is another failure for a call that began after it', async () => {
    const { clock, policy, failover } = setUp();
    await clock.advance(10);
    failover.record('A', lost, 0);
    failover.record('A', lost, 10);
    await clock.advance(1);
    failover.record('A', lost, 11);
    expect(policy.failures).toEqual(['A', 'A']);
  });

  it('of one cluster says nothing of the other', () => {
    const { policy, failover } = setUp();
    failover.record('A', lost, 0);
    failover.record('B', lost, 0);
    expect(policy.failures).toEqual(['A', 'B']);
  });

  it('does not hide failures that came without it', () => {
    const { policy, failover } = setUp();
    failover.record('A', lost, 0);
    failover.record('A', failure('unreached'), 0);
    expect(policy.failures).toEqual(['A', 'A']);
  });

  it('counts once for 64 writes on the path', async () => {
    const { clock, policy, write, run } = setUpWritePath();
    for (let i = 0; i < 64; i++) {
      await run(write('applied', { answer: 'ambiguous', afterMs: 100 - i, scope: 'connection' }));
      await clock.advance(1);
    }
    await clock.advance(100);
    expect(policy.failures).toEqual(['B']);
  });
});

describe('a policy that throws', () => {
  const broken = () => {
    const fixture = setUp();
    fixture.policy.isBroken = true;
    return fixture;
  };

  it.each<[what: string, ask: (failover: Failover) => unknown, answer: unknown]>([
    ['has nothing against a side', (failover) => failover.isAvailable('A'), true],
    ['forbids no failover', (failover) => failover.shouldFailover('A', new Error('x')), true],
    ['is closed', (failover) => failover.state('A'), 'closed'],
    ['hears of no failure', (failover) => failover.record('A', failure('unreached'), 0), undefined],
    ['hears of no answer', (failover) => failover.record('A', failure('unreached', 'request'), 0), undefined],
    ['hears of no success', (failover) => failover.record('A', APPLIED, 0), undefined],
  ])('%s', (_what, ask, answer) => {
    const { failover, errors } = broken();
    expect(ask(failover)).toBe(answer);
    expect(errors).toMatchObject([{ message: 'broken policy' }]);
  });
});

describe('the state of a side', () => {
  it('is what the policy says, or follows from whether it is available', () => {
    const { policy, failover } = setUp(new FakePolicy({ unavailable: ['B'] }));
    expect([failover.state('A'), failover.state('B')]).toEqual(['closed', 'open']);
    Object.assign(policy, { state: () => 'half-open' });
    expect(failover.state('A')).toBe('half-open');
  });
});
