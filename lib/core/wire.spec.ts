import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import {
  Call,
  type ClusterId,
  type FailedOutcome,
  Failover,
  Invariants,
  type SettledOutcome,
  toError,
  Wire,
} from './index.js';

const TIMEOUT_MS = 100;

/** A promise that the test settles. */
class Answer {
  resolve!: (value?: unknown) => void;
  reject!: (error: Error) => void;
  readonly promise = new Promise<unknown>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** What settles as often as it is told to, as no promise of the platform does. */
class HastyAnswer {
  readonly #callbacks: (() => void)[] = [];

  then(onAnswer: () => void): void {
    this.#callbacks.push(onAnswer);
  }

  settle(): void {
    for (const callback of this.#callbacks) callback();
  }
}

class TestCall extends Call {
  readonly answers = { A: new Answer(), B: new Answer() };
  readonly told: [ClusterId, SettledOutcome['kind'], string?][] = [];
  answersWith: unknown;

  override request(cluster: ClusterId): Promise<unknown> {
    return (this.answersWith ?? this.answers[cluster].promise) as Promise<unknown>;
  }

  override classify(error: unknown): FailedOutcome {
    return { kind: 'unreached', error: toError(error) };
  }

  override unanswered(cluster: ClusterId): FailedOutcome {
    return { kind: 'ambiguous', error: new Error(`time is over on ${cluster}`) };
  }

  override ended(cluster: ClusterId, outcome: SettledOutcome): void {
    const message = 'error' in outcome ? outcome.error.message : undefined;
    this.told.push(message === undefined ? [cluster, outcome.kind] : [cluster, outcome.kind, message]);
  }

  override dispatch(cluster: ClusterId): void {
    super.dispatch(cluster);
  }

  override renew(cluster: ClusterId): boolean {
    return super.renew(cluster);
  }

  override abandon(): void {
    super.abandon();
  }
}

function setUp() {
  const clock = new FakeClock();
  const policy = new FakePolicy({ needsLatency: true });
  const reports: string[] = [];
  const invariants = new Invariants((message) => reports.push(message));
  const failover = new Failover(policy, clock, (error) => {
    throw error;
  });
  const wire = new Wire({ clock, timeoutMs: TIMEOUT_MS, failover, invariants });
  const call = (...clusters: ClusterId[]): TestCall => {
    const made = new TestCall(wire);
    for (const cluster of clusters) made.dispatch(cluster);
    return made;
  };
  return { clock, policy, wire, call, reports, invariants };
}

describe('a call over a wire', () => {
  it('is told of each side once, and the policy with the time since it was sent', async () => {
    const { clock, policy, wire, call, reports } = setUp();
    const both = call('A', 'B');
    expect(wire.inFlight).toEqual({ A: 1, B: 1 });
    await clock.advance(10);
    both.answers.A.resolve();
    await clock.advance(20);
    both.answers.B.reject(new Error('no'));
    await clock.advance(2 * TIMEOUT_MS);
    expect(both.told).toEqual([
      ['A', 'applied'],
      ['B', 'unreached', 'no'],
    ]);
    expect([policy.successes, policy.failures]).toEqual([[['A', 10]], ['B']]);
    expect(wire.traffic).toMatchObject({
      A: { sent: 1, ended: 1, failed: 0, late: 0 },
      B: { sent: 1, ended: 1, failed: 1, late: 0 },
    });
    expect([reports, clock.pendingTimers]).toEqual([[], 0]);
  });

  it('is over when its time is, while what is on the wire is counted until the driver answers', async () => {
    const { clock, policy, wire, call } = setUp();
    const both = call('A', 'B');
    both.answers.A.resolve();
    await clock.advance(TIMEOUT_MS - 1);
    expect(both.told).toEqual([['A', 'applied']]);
    await clock.advance(1);
    expect(both.told).toEqual([
      ['A', 'applied'],
      ['B', 'ambiguous', 'time is over on B'],
    ]);
    expect(wire.inFlight).toEqual({ A: 0, B: 1 });
    both.answers.B.resolve();
    await clock.settle();
    expect(both.told).toHaveLength(2);
    expect(wire.traffic.B).toMatchObject({ sent: 1, ended: 1, failed: 1, late: 1 });
    expect([policy.successes, policy.failures]).toEqual([[['A', 0]], ['B']]);
  });

  it('asks what both sides come to before it tells of the first, so that no side is forgotten', async () => {
    const { clock, call } = setUp();
    const both = call('A', 'B');
    await clock.advance(TIMEOUT_MS);
    expect(both.told).toEqual([
      ['A', 'ambiguous', 'time is over on A'],
      ['B', 'ambiguous', 'time is over on B'],
    ]);
  });

  it('has its whole time again for a side that it turns to later', async () => {
    const { clock, policy, call } = setUp();
    const one = call('A');
    await clock.advance(60);
    one.answers.A.reject(new Error('no'));
    await clock.settle();
    one.dispatch('B');
    await clock.advance(TIMEOUT_MS - 1);
    expect(one.told).toHaveLength(1);
    one.answers.B.resolve();
    await clock.settle();
    expect(policy.successes).toEqual([['B', TIMEOUT_MS - 1]]);
  });

  it('begins its deadline anew with each sign of progress, until nothing is waited for', async () => {
    const { clock, call } = setUp();
    const one = call('A');
    await clock.advance(60);
    expect(one.renew('A')).toBe(true);
    await clock.advance(TIMEOUT_MS - 1);
    expect(one.told).toEqual([]);
    await clock.advance(1);
    expect(one.told).toHaveLength(1);
    expect(one.renew('A')).toBe(false);
  });

  it('is told nothing once it is abandoned, nor is the policy', async () => {
    const { clock, policy, wire, call } = setUp();
    const one = call('A');
    one.abandon();
    one.abandon();
    one.answers.A.reject(new Error('no'));
    await clock.advance(2 * TIMEOUT_MS);
    expect([one.told, policy.failures]).toEqual([[], []]);
    expect(wire.traffic.A).toMatchObject({ sent: 1, ended: 1, failed: 0, late: 1 });
  });

  it('takes a client that throws for one that rejects', async () => {
    const { clock, wire } = setUp();
    const one = new TestCall(wire);
    one.request = () => {
      throw new Error('thrown');
    };
    one.dispatch('A');
    await clock.settle();
    expect(one.told).toEqual([['A', 'unreached', 'thrown']]);
    expect(wire.inFlight.A).toBe(0);
  });

  it('takes a client that answers with no promise for one that rejects', async () => {
    const { clock, wire } = setUp();
    const one = new TestCall(wire);
    one.request = () => undefined as never;
    one.dispatch('A');
    one.dispatch('B');
    await clock.settle();
    expect(one.told.map(([cluster, kind]) => [cluster, kind])).toEqual([
      ['A', 'unreached'],
      ['B', 'unreached'],
    ]);
    expect(wire.inFlight).toEqual({ A: 0, B: 0 });
  });

  it('is in doubt when its error cannot be understood, and not left for ever', async () => {
    const { clock, call, wire } = setUp();
    const one = call('A');
    one.classify = () => {
      throw new TypeError('cannot read it');
    };
    one.answers.A.reject(new Error('no'));
    await clock.advance(2 * TIMEOUT_MS);
    expect(one.told).toEqual([['A', 'ambiguous', 'no']]);
    expect([wire.inFlight.A, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('that is answered twice counts once, and says so once', async () => {
    const { clock, wire, call, reports, invariants } = setUp();
    const other = call('A');
    const one = new TestCall(wire);
    const hasty = new HastyAnswer();
    one.answersWith = hasty;
    one.dispatch('A');
    for (let i = 0; i < 4; i++) hasty.settle();
    expect(wire.inFlight.A).toBe(1);
    expect(one.told).toEqual([['A', 'applied']]);
    expect(reports).toEqual([expect.stringContaining('inFlightBelowZero')]);
    expect(invariants.breaches).toEqual(new Map([['inFlightBelowZero', 3]]));
    other.answers.A.resolve();
    await clock.settle();
    expect(wire.inFlight.A).toBe(0);
  });
});

describe('a wire that is cut off', () => {
  it('ends what waits, and sends nothing more', async () => {
    const { clock, wire, call } = setUp();
    const waiting = call('A', 'B');
    wire.cutOff();
    expect(waiting.told.map(([cluster, kind]) => [cluster, kind])).toEqual([
      ['A', 'ambiguous'],
      ['B', 'ambiguous'],
    ]);
    const late = call('A');
    expect(late.told).toEqual([['A', 'unreached', expect.stringContaining('nothing was sent')]]);
    expect(wire.traffic.A.sent).toBe(1);
    // The last round.
    await clock.advance(50);
    expect(clock.pendingTimers).toBe(0);
  });
});
