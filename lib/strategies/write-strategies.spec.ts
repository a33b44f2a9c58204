import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { Watched } from '../../test/support/fake-operations.js';
import { NO_LEFTOVERS, setUpWritePath, statuses } from '../../test/support/write-path.js';
import {
  APPLIED,
  type ClusterId,
  HelixConfigError,
  type Outcome,
  type SideWrite,
  type WriteContext,
} from '../core/index.js';
import { ConcurrentDualWriteStrategy, SyncDualWriteStrategy } from './index.js';

const failed = (kind: 'unreached' | 'blocked' | 'ambiguous' | 'rejected'): Outcome => ({
  kind,
  error: new Error(kind),
});

/** Sides that answer when they are told to. */
function sides() {
  const sent: ClusterId[] = [];
  const answer: Partial<Record<ClusterId, (outcome: Outcome) => Promise<void>>> = {};
  const side = (cluster: ClusterId): SideWrite => ({
    cluster,
    send: () => {
      sent.push(cluster);
      return new Promise((resolve) => {
        answer[cluster] = async (outcome) => {
          resolve(outcome);
          await new Promise(setImmediate);
        };
      });
    },
  });
  return { sent, answer, a: side('A'), b: side('B') };
}

describe('ConcurrentDualWriteStrategy', () => {
  it('sends to both at once and waits for both', async () => {
    const { sent, answer, a, b } = sides();
    const outcomes = new ConcurrentDualWriteStrategy().execute(a, b);
    expect(sent).toEqual(['A', 'B']);
    await answer.B?.(failed('unreached'));
    await answer.A?.(APPLIED);
    expect(await outcomes).toMatchObject([{ kind: 'applied' }, { kind: 'unreached' }]);
  });

  it('lets the write path take its short way', () => {
    expect(new ConcurrentDualWriteStrategy().sendsBothAtOnce).toBe(true);
    const { sendsBothAtOnce, stragglerMs } = new ConcurrentDualWriteStrategy({ stragglerMs: 5 });
    expect([sendsBothAtOnce, stragglerMs]).toEqual([true, 5]);
    expect(new ConcurrentDualWriteStrategy().stragglerMs).toBe(1_000);
  });

  describe('with a straggler limit', () => {
    const LIMIT_MS = 20;
    const any = { ack: 'any', priority: 'high' } as const;

    function setUp(context: WriteContext = any, stragglerMs = LIMIT_MS) {
      const clock = new FakeClock();
      const { sent, answer, a, b } = sides();
      const outcomes = new Watched(
        new ConcurrentDualWriteStrategy({ stragglerMs }, clock).execute(a, b, context),
      );
      const kinds = () => outcomes.value.map(({ kind }) => kind);
      return { clock, sent, answer, outcomes, kinds };
    }

    it('sends to both at once', () => {
      expect(setUp().sent).toEqual(['A', 'B']);
    });

    it.each<[first: ClusterId, second: ClusterId, kinds: string[]]>([
      ['A', 'B', ['applied', 'pending']],
      ['B', 'A', ['pending', 'applied']],
    ])(
      'waits so long, once %s has applied it, for %s, and says what became of it',
      async (first, second, kinds) => {
        const { clock, answer, outcomes, kinds: answered } = setUp();
        await clock.advance(100);
        await answer[first]?.(APPLIED);
        await clock.advance(LIMIT_MS - 1);
        expect(outcomes.isSettled).toBe(false);
        await clock.advance(1);
        expect(answered()).toEqual(kinds);
        const pending = outcomes.value.find((each) => each.kind === 'pending');
        await answer[second]?.(failed('unreached'));
        expect(await pending?.settled).toMatchObject({ kind: 'unreached' });
      },
    );

    it('answers with both when the second comes in time, and leaves no timer', async () => {
      const { clock, answer, kinds } = setUp();
      await answer.A?.(APPLIED);
      await clock.advance(LIMIT_MS - 1);
      await answer.B?.(failed('ambiguous'));
      expect(kinds()).toEqual(['applied', 'ambiguous']);
      await clock.advance(1);
      expect([clock.pendingTimers, kinds()]).toEqual([0, ['applied', 'ambiguous']]);
    });

    it.each(['unreached', 'blocked', 'ambiguous', 'rejected'] as const)(
      'waits as long as it takes for the second when the first is %s',
      async (kind) => {
        const { clock, answer, outcomes, kinds } = setUp();
        await answer.A?.(failed(kind));
        await clock.advance(1_000);
        expect(outcomes.isSettled).toBe(false);
        await answer.B?.(APPLIED);
        expect(kinds()).toEqual([kind, 'applied']);
      },
    );

    it('does not wait for a side that was left out', async () => {
      const { answer, kinds } = setUp();
      await answer.B?.({ kind: 'skipped', reason: 'breaker' });
      await answer.A?.(APPLIED);
      expect(kinds()).toEqual(['applied', 'skipped']);
    });

    it("waits as long as it takes under ack: 'both'", async () => {
      const { clock, answer, outcomes, kinds } = setUp({ ack: 'both', priority: 'high' });
      await answer.A?.(APPLIED);
      await clock.advance(1_000);
      expect(outcomes.isSettled).toBe(false);
      await answer.B?.(APPLIED);
      expect(kinds()).toEqual(['applied', 'applied']);
    });

    it('may be none at all', async () => {
      const { clock, answer, kinds } = setUp(any, 0);
      await answer.A?.(APPLIED);
      await clock.advance(0);
      expect(kinds()).toEqual(['applied', 'pending']);
    });

    it('has one timer for all writes', async () => {
      const clock = new FakeClock();
      const strategy = new ConcurrentDualWriteStrategy({ stragglerMs: LIMIT_MS }, clock);
      const writes = [1, 2, 3].map(() => {
        const { answer, a, b } = sides();
        return { answer, outcomes: new Watched(strategy.execute(a, b, any)) };
      });
      for (const { answer } of writes) await answer.A?.(APPLIED);
      expect(clock.pendingTimers).toBe(1);
      await writes[1]?.answer.B?.(APPLIED);
      await clock.advance(LIMIT_MS);
      expect(writes.map(({ outcomes }) => outcomes.value.map(({ kind }) => kind))).toEqual([
        ['applied', 'pending'],
        ['applied', 'applied'],
        ['applied', 'pending'],
      ]);
    });

    it.each([-1, NaN, Infinity, '5' as never, null as never])('refuses stragglerMs: %s', (stragglerMs) => {
      expect(() => new ConcurrentDualWriteStrategy({ stragglerMs })).toThrow(HelixConfigError);
      expect(() => new ConcurrentDualWriteStrategy({ stragglerMs })).toThrow('stragglerMs');
    });

    it('on the path: the caller is answered, and what the straggler misses is queued', async () => {
      const clock = new FakeClock();
      const strategy = new ConcurrentDualWriteStrategy({ stragglerMs: LIMIT_MS }, clock);
      const { run, write, replayer, leftovers } = setUpWritePath({ strategy, clock });
      const answer = await run(write('applied', { answer: 'unreached', afterMs: 50 }));
      await clock.advance(LIMIT_MS - 1);
      expect(answer.isSettled).toBe(false);
      // To within a tenth, and a round.
      await clock.advance(1 + 0.2 * LIMIT_MS);
      expect(statuses(answer.value)).toBe('applied, pending');
      await clock.advance(30);
      expect(replayer.enqueuedFor).toEqual([['B']]);
      expect(await leftovers()).toEqual(NO_LEFTOVERS);
    });
  });
});

describe('SyncDualWriteStrategy', () => {
  it.each<[first: ClusterId, second: ClusterId]>([
    ['A', 'B'],
    ['B', 'A'],
  ])('with first: %s sends to %s only after the first has answered', async (first, second) => {
    const { sent, answer, a, b } = sides();
    const outcomes = new SyncDualWriteStrategy({ first }).execute(a, b);
    expect(sent).toEqual([first]);
    await answer[first]?.(APPLIED);
    expect(sent).toEqual([first, second]);
    await answer[second]?.(failed('unreached'));
    const byCluster = { [first]: 'applied', [second]: 'unreached' };
    expect((await outcomes).map(({ kind }) => kind)).toEqual([byCluster['A'], byCluster['B']]);
  });

  it('begins with A by default', () => {
    const { sent, a, b } = sides();
    void new SyncDualWriteStrategy().execute(a, b);
    expect(sent).toEqual(['A']);
  });

  it.each(['unreached', 'blocked', 'ambiguous'] as const)(
    'sends to the second although the first is %s',
    async (kind) => {
      const { sent, answer, a, b } = sides();
      const outcomes = new SyncDualWriteStrategy().execute(a, b);
      await answer.A?.(failed(kind));
      await answer.B?.(APPLIED);
      expect(sent).toEqual(['A', 'B']);
      expect((await outcomes).map((outcome) => outcome.kind)).toEqual([kind, 'applied']);
    },
  );

  it('sends to the second although the first was left out', async () => {
    const { sent, answer, a, b } = sides();
    void new SyncDualWriteStrategy().execute(a, b);
    await answer.A?.({ kind: 'skipped', reason: 'breaker' });
    expect(sent).toEqual(['A', 'B']);
  });

  it.each<[first: ClusterId, outcomes: object[]]>([
    ['A', [{ kind: 'rejected' }, { kind: 'skipped', reason: 'firstRejected' }]],
    ['B', [{ kind: 'skipped', reason: 'firstRejected' }, { kind: 'rejected' }]],
  ])('never sends to the second what the first rejects: first %s', async (first, expected) => {
    const { sent, answer, a, b } = sides();
    const outcomes = new SyncDualWriteStrategy({ first }).execute(a, b);
    await answer[first]?.(failed('rejected'));
    expect(await outcomes).toMatchObject(expected);
    expect(sent).toEqual([first]);
  });

  it.each(['C', '', null])('refuses first: %s', (first) => {
    expect(() => new SyncDualWriteStrategy({ first: first as 'A' })).toThrow(HelixConfigError);
  });
});
