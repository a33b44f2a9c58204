import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakePolicyContext } from '../../test/support/fake-policy-context.js';
import type { BreakerState, ClusterId } from '../core/index.js';
import { CircuitBreaker } from './index.js';

const THRESHOLD = 3;
const RESET_MS = 5_000;
const CLUSTERS = ['A', 'B'] as const;

type PingEnd = 'answerPing' | 'failPing';
type Told = 'recordSuccess' | 'recordFailure' | 'suspect' | 'recordPing' | 'hostUp' | 'isolate' | 'reset';
type Action = Told | PingEnd;
type Step =
  | { readonly do: Action; readonly cluster: ClusterId; readonly times: number }
  | { readonly do: 'advance'; readonly ms: number };

const cluster = fc.constantFrom<ClusterId[]>('A', 'B');
const isPingEnd = (action: Action): action is PingEnd => action === 'answerPing' || action === 'failPing';

const once = fc.constant(1);
const step: fc.Arbitrary<Step> = fc.oneof(
  // Several at once, or hardly a history would open a breaker twice.
  fc.record({ do: fc.constant('recordFailure' as const), cluster, times: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    do: fc.constantFrom<Told[]>(
      'recordSuccess',
      'suspect',
      'recordPing',
      'recordPing',
      'hostUp',
      'isolate',
      'reset',
      'reset',
    ),
    cluster,
    times: once,
  }),
  fc.record({ do: fc.constantFrom('answerPing' as const, 'failPing' as const), cluster, times: once }),
  fc.record({
    do: fc.constant('advance' as const),
    ms: fc.oneof(fc.nat(1_000), fc.constantFrom(250, 500, 1_000, 2_000), fc.constant(2 * RESET_MS)),
  }),
);

/** What is known of one cluster, looked at after each step; no timers, no callbacks. */
class Model {
  failuresInARow = 0;
  openedMs: number | undefined;
  isIsolated = false;
  isPingUnderWay = false;
  /** Whether what the ping finds decides. */
  isPingAwaited = false;
  failedPings = 0;
  flaps = 0;
  closedMs = Number.NEGATIVE_INFINITY;
  /** Since when it is avoided. */
  awayMs = Number.NEGATIVE_INFINITY;

  get state(): BreakerState {
    if (this.isPingAwaited) return 'half-open';
    return this.isIsolated || this.openedMs !== undefined ? 'open' : 'closed';
  }

  take(action: Action, nowMs: number): void {
    switch (action) {
      case 'recordSuccess':
        this.failuresInARow = 0;
        return;
      case 'recordFailure':
        this.failuresInARow++;
        if (this.state === 'closed' && this.failuresInARow >= THRESHOLD) this.#open(nowMs);
        return;
      case 'suspect':
        if (this.state === 'closed') this.#open(nowMs);
        return;
      case 'recordPing':
        if (this.state !== 'closed' && !this.isIsolated) this.#close(nowMs);
        return;
      case 'hostUp':
        if (this.openedMs !== undefined && (this.flaps <= 1 || nowMs - this.awayMs >= 4_000)) this.#ask();
        return;
      case 'isolate':
        this.#forget();
        this.isIsolated = true;
        return;
      case 'reset':
        if (this.state === 'closed') this.#forget();
        else this.#close(nowMs);
        return;
      case 'answerPing':
        this.isPingUnderWay = false;
        // One that was asked before counts as well.
        if (this.isPingAwaited || this.openedMs !== undefined) this.#close(nowMs);
        return;
      case 'failPing':
        this.isPingUnderWay = false;
        if (this.isPingAwaited) {
          this.openedMs = nowMs;
          this.failedPings++;
        }
        this.isPingAwaited = false;
    }
  }

  timeHasPassed(nowMs: number): void {
    if (this.openedMs === undefined) return;
    const usualMs = Math.min(2_000, 250 * 2 ** this.failedPings);
    if (nowMs - this.openedMs >= Math.min(RESET_MS, usualMs * 2 ** this.flaps)) this.#ask();
  }

  #open(nowMs: number): void {
    this.openedMs = this.awayMs = nowMs;
    this.flaps = nowMs - this.closedMs < RESET_MS ? this.flaps + 1 : 0;
    this.failedPings = 0;
  }

  #close(nowMs: number): void {
    this.#forget();
    this.closedMs = nowMs;
  }

  #ask(): void {
    this.openedMs = undefined;
    this.isPingUnderWay = true;
    this.isPingAwaited = true;
  }

  #forget(): void {
    this.failuresInARow = 0;
    this.openedMs = undefined;
    this.isIsolated = false;
    this.isPingAwaited = false;
  }
}

describe('CircuitBreaker', () => {
  it('does what a model without timers does, and never has two pings of a cluster under way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (history) => {
        const policy = new CircuitBreaker({ threshold: THRESHOLD, resetTimeoutMs: RESET_MS });
        const instance = new FakePolicyContext();
        const { clock } = instance;
        policy.open(instance);
        const models = { A: new Model(), B: new Model() };
        const told: Record<ClusterId, BreakerState> = { A: 'closed', B: 'closed' };
        // Not asserted in there: what a listener throws goes nowhere.
        const complaints: string[] = [];
        instance.onChange = (on, state) => {
          if (state === told[on]) complaints.push(`told of ${state} twice`);
          if (state !== policy.state(on)) complaints.push(`told of ${state} before it was so`);
          told[on] = state;
        };

        for (const taken of history) {
          if (taken.do === 'advance') {
            await clock.advance(taken.ms);
            for (const on of CLUSTERS) models[on].timeHasPassed(clock.monotonicMs());
          } else {
            const { do: action, cluster: on, times } = taken;
            if (isPingEnd(action) && !models[on].isPingUnderWay) continue;
            for (let i = 0; i < times; i++) {
              if (isPingEnd(action)) await instance[action](on);
              else policy[action](on);
              models[on].take(action, clock.monotonicMs());
            }
          }
          for (const on of CLUSTERS) {
            const { state, isPingUnderWay } = models[on];
            expect(policy.state(on)).toBe(state);
            expect(policy.isAvailable(on)).toBe(state === 'closed');
            expect(told[on]).toBe(state);
            expect(instance.pingsUnderWay(on)).toBe(isPingUnderWay ? 1 : 0);
            if (state === 'half-open') expect(isPingUnderWay).toBe(true);
          }
        }
        expect(complaints).toEqual([]);
        policy.close();
        expect(clock.pendingTimers).toBe(0);
      }),
    );
  });
});
