import { describe, expect, it } from 'vitest';
import { APPLIED, type ClusterId, HelixConfigError, type Outcome, type SideWrite } from '../core/index.js';
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
