import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { type ClusterId, FailureDetector, type Listened, Rounds, type SignOfLife, Traffic } from './index.js';

const SUSPECT_AFTER_MS = 500;
const PING_MS = 500;

/** A wire as the detector hears it. */
class FakeWire implements Listened {
  readonly traffic = { A: new Traffic(), B: new Traffic() };
  readonly oldestMs = { A: Number.POSITIVE_INFINITY, B: Number.POSITIVE_INFINITY };
  readonly isUnderWay = true;

  constructor(private readonly clock: FakeClock) {}

  waitingSinceMs(cluster: ClusterId): number {
    return this.oldestMs[cluster];
  }

  /** A request is sent, and nothing comes back of it. */
  send(cluster: ClusterId): void {
    this.traffic[cluster].sent++;
    this.oldestMs[cluster] = Math.min(this.oldestMs[cluster], this.clock.monotonicMs());
  }

  /** The cluster answers a request, not the oldest one. */
  answer(cluster: ClusterId): void {
    this.traffic[cluster].sent++;
    this.traffic[cluster].ended++;
  }

  /** A request fails without a word from the cluster. */
  failMutely(cluster: ClusterId): void {
    this.answer(cluster);
    this.traffic[cluster].mute++;
  }

  inspect(): void {
    // Nothing of its own.
  }
}

function setUp(suspectAfterMs = SUSPECT_AFTER_MS) {
  const clock = new FakeClock();
  const rounds = new Rounds(clock);
  const asked: ClusterId[] = [];
  const pinged: ClusterId[] = [];
  const roundTripMs = { A: 5, B: 5 };
  const changes: string[] = [];
  const signs: Record<ClusterId, SignOfLife> = { A: 'answered', B: 'silent' };
  const policy = { asks: new Set<ClusterId>() };
  const detector: FailureDetector = new FailureDetector(
    {
      clock,
      suspectAfterMs,
      ask: (cluster, timeoutMs) => {
        asked.push(cluster);
        const sign = signs[cluster];
        return new Promise((resolve) =>
          clock.setTimer(() => resolve(sign), sign === 'silent' ? timeoutMs : 20),
        );
      },
      ping: (cluster) => {
        pinged.push(cluster);
        const latencyMs = roundTripMs[cluster];
        return new Promise((resolve, reject) => {
          clock.setTimer(
            () => {
              if (latencyMs === Infinity) reject(new Error('no answer'));
              else {
                detector.heardPing(cluster, latencyMs);
                resolve();
              }
            },
            Math.min(latencyMs, 2_000),
          );
        });
      },
      isAskedByPolicy: (cluster) => policy.asks.has(cluster),
      onChange: (cluster, liveness) => changes.push(`${cluster} ${liveness}`),
    },
    rounds,
  );
  const wire = new FakeWire(clock);
  rounds.include(wire);
  detector.listenTo(wire);
  rounds.begin();
  return { clock, detector, wire, asked, pinged, roundTripMs, changes, signs, policy };
}

async function setUpDead() {
  const made = setUp();
  made.wire.send('B');
  await made.clock.advance(SUSPECT_AFTER_MS + PING_MS);
  expect(made.detector.liveness('B')).toBe('dead');
  return made;
}

describe('FailureDetector', () => {
  it('suspects a cluster when a request has waited and nothing has come from it', async () => {
    const { clock, detector, wire, asked } = setUp();
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS - 1);
    expect([detector.liveness('B'), asked]).toEqual(['alive', []]);
    await clock.advance(1);
    expect([detector.liveness('B'), asked]).toEqual(['suspected', ['B']]);
    expect(detector.isGivenUp('B')).toBe(false);
  });

  it('takes it for dead when no host answers a ping, and gives it up', async () => {
    const { clock, detector, wire, changes } = setUp();
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS + PING_MS - 1);
    expect(detector.isDead('B')).toBe(false);
    await clock.advance(1);
    expect(changes).toEqual(['B suspected', 'B dead']);
    expect([detector.isGivenUp('A'), detector.isGivenUp('B')]).toEqual([false, true]);
  });

  it.each<SignOfLife>(['answered', 'notSent'])('believes that it is there after a ping: %s', async (sign) => {
    const { clock, detector, wire, signs, asked, changes } = setUp();
    signs.B = sign;
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS + 50);
    expect(detector.liveness('B')).toBe('alive');
    expect(changes).toEqual(['B suspected', 'B alive']);
    // The request still waits: its time begins anew.
    await clock.advance(SUSPECT_AFTER_MS - 40);
    expect(asked).toEqual(['B']);
    await clock.advance(50);
    expect(asked).toEqual(['B', 'B']);
  });

  it('suspects nobody while answers come, however long one request takes', async () => {
    const { clock, wire, asked } = setUp();
    wire.send('B');
    for (let i = 0; i < 20; i++) {
      await clock.advance(SUSPECT_AFTER_MS - 50);
      wire.answer('B');
    }
    expect(asked).toEqual([]);
  });

  it('takes errors that the cluster has no part in for no sign of life', async () => {
    const { clock, wire, asked } = setUp();
    wire.send('B');
    for (let i = 0; i < 9; i++) {
      await clock.advance(50);
      wire.failMutely('B');
    }
    await clock.advance(50);
    expect(asked).toEqual(['B']);
  });

  it('suspects nobody when nothing waits', async () => {
    const { clock, wire, asked } = setUp();
    wire.answer('B');
    await clock.advance(60_000);
    expect(asked).toEqual([]);
  });

  it('suspects nobody with suspectAfterMs: 0', async () => {
    const { clock, wire, asked } = setUp(0);
    wire.send('B');
    await clock.advance(60_000);
    expect(asked).toEqual([]);
  });

  it('begins the time anew when the process stood still', async () => {
    const { clock, wire, asked } = setUp();
    wire.send('B');
    await clock.advance(400);
    clock.standStill(6_000);
    await clock.advance(SUSPECT_AFTER_MS - 1);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toEqual(['B']);
  });

  it('does not believe a ping during which the process stood still: it sends another one', async () => {
    const { clock, detector, wire, asked } = setUp();
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS);
    clock.standStill(6_000);
    await clock.advance(0);
    expect([detector.liveness('B'), asked.length]).toEqual(['suspected', 2]);
    await clock.advance(PING_MS - 1);
    expect(detector.liveness('B')).toBe('suspected');
    await clock.advance(1);
    expect(detector.liveness('B')).toBe('dead');
  });

  it.each([
    [120, 30],
    [200, 100],
    [700, 20],
  ])(
    'finds out that it hangs also in a process that works for %d of each %d ms more',
    async (workMs, restMs) => {
      const { clock, detector, wire } = setUp();
      wire.send('B');
      const startMs = clock.monotonicMs();
      while (detector.liveness('B') !== 'dead') {
        clock.standStill(workMs);
        await clock.advance(restMs);
        expect(clock.monotonicMs() - startMs).toBeLessThan(6_000);
      }
    },
  );

  it('takes no cluster for dead that answers, however much the process works', async () => {
    const { clock, wire, signs, changes } = setUp();
    signs.B = 'answered';
    wire.send('B');
    for (let i = 0; i < 100; i++) {
      clock.standStill(200);
      await clock.advance(40);
    }
    expect(changes).not.toContain('B dead');
  });

  it('does not wait for a ping once something has come from the cluster', async () => {
    const { clock, detector, wire, changes } = setUp();
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS);
    wire.answer('B');
    await clock.advance(50);
    expect(detector.liveness('B')).toBe('alive');
    await clock.advance(PING_MS - 50);
    expect(changes).toEqual(['B suspected', 'B alive']);
  });

  it('hears what has come since the last round before it takes a cluster for dead', async () => {
    const { clock, detector, wire, changes } = setUp();
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS + PING_MS - 1);
    wire.answer('B');
    await clock.advance(1);
    expect([detector.liveness('B'), changes]).toEqual(['alive', ['B suspected', 'B alive']]);
  });

  it('takes a request that is sent once more, because its cluster did not know it, for answered', async () => {
    const { clock, wire, asked } = setUp();
    wire.send('B');
    await clock.advance(SUSPECT_AFTER_MS - 50);
    wire.traffic.B.interim++;
    await clock.advance(SUSPECT_AFTER_MS - 50);
    expect(asked).toEqual([]);
  });

  it.each<[string, (made: Awaited<ReturnType<typeof setUpDead>>) => void]>([
    ['a request', ({ wire }) => wire.answer('B')],
    ['a ping of anybody', ({ detector }) => detector.heardPing('B', 5)],
  ])('takes a dead cluster for alive once it has answered %s', async (_what, answer) => {
    const made = await setUpDead();
    answer(made);
    await made.clock.advance(50);
    expect(made.changes).toEqual(['B suspected', 'B dead', 'B alive']);
    expect(made.detector.isGivenUp('B')).toBe(false);
  });

  it('asks a dead cluster every 2 s, since nothing may be sent to it any more', async () => {
    const { clock, detector, asked, signs } = await setUpDead();
    await clock.advance(4_400);
    expect(asked).toEqual(['B', 'B', 'B']);
    signs.B = 'answered';
    await clock.advance(1_700);
    expect([asked.length, detector.liveness('B')]).toEqual([4, 'alive']);
    expect(detector.isDead('B')).toBe(false);
  });

  it('leaves that to the policy while it avoids the cluster', async () => {
    const { clock, asked, policy } = await setUpDead();
    policy.asks.add('B');
    await clock.advance(10_000);
    expect(asked).toEqual(['B']);
    policy.asks.clear();
    await clock.advance(2_000);
    expect(asked).toEqual(['B', 'B']);
  });

  it('gives up nobody while the other one is silent too', async () => {
    const { clock, detector, wire, signs } = setUp();
    signs.A = 'silent';
    wire.send('B');
    await clock.advance(200);
    wire.send('A');
    await clock.advance(SUSPECT_AFTER_MS - 200 + PING_MS);
    expect([detector.liveness('A'), detector.liveness('B')]).toEqual(['suspected', 'dead']);
    expect(detector.isGivenUp('B')).toBe(false);
    await clock.advance(200);
    expect([detector.liveness('A'), detector.isGivenUp('A'), detector.isGivenUp('B')]).toEqual([
      'dead',
      false,
      false,
    ]);
    wire.answer('A');
    // Before the next round.
    expect([detector.isGivenUp('A'), detector.isGivenUp('B')]).toEqual([false, true]);
  });

  it('does not give it up once anything has come from it, before the next round', async () => {
    const { detector, wire } = await setUpDead();
    expect(detector.isGivenUp('B')).toBe(true);
    wire.answer('B');
    expect([detector.isGivenUp('B'), detector.liveness('B')]).toEqual([false, 'alive']);
  });

  it('knows what has surely been heard after a request was sent', async () => {
    const { clock, detector, wire } = setUp();
    await clock.advance(100);
    const sentMs = clock.monotonicMs();
    await clock.advance(10);
    wire.answer('B');
    await clock.advance(90);
    // It may have been answered before.
    expect(detector.hasHeardSince('B', sentMs)).toBe(false);
    wire.answer('B');
    await clock.advance(50);
    expect([detector.hasHeardSince('B', sentMs), detector.hasHeardSince('A', sentMs)]).toEqual([true, false]);
  });

  describe('of a cluster that is slow', () => {
    const ROUND_TRIP_MS = 1_200;

    /** It is alive again, and every ping takes so long. */
    async function setUpSlow(latencyMs = ROUND_TRIP_MS) {
      const made = await setUpDead();
      made.roundTripMs.B = latencyMs;
      made.wire.oldestMs.B = Infinity;
      made.wire.answer('B');
      // One ping when it is back, and one that makes sure.
      await made.clock.advance(50 + 2 * latencyMs);
      expect(made.detector.liveness('B')).toBe('alive');
      return made;
    }

    it('finds out how slow it is when it is back', async () => {
      const { pinged } = await setUpSlow();
      expect(pinged).toEqual(['B', 'B']);
    });

    it('gives it half as long again as a round trip, for silence and for the ping', async () => {
      const { clock, detector, wire, asked } = await setUpSlow();
      const before = asked.length;
      wire.send('B');
      await clock.advance(1.5 * ROUND_TRIP_MS - 50);
      expect(asked.length).toBe(before);
      await clock.advance(100);
      expect([asked.length, detector.liveness('B')]).toEqual([before + 1, 'suspected']);
    });

    it('takes it for dead all the same when it hangs', async () => {
      const { clock, detector, wire, roundTripMs } = await setUpSlow();
      roundTripMs.B = Infinity;
      wire.send('B');
      await clock.advance(3 * ROUND_TRIP_MS + 150);
      expect(detector.liveness('B')).toBe('dead');
    });

    it('looks again whether it still is, and gives it no more time than others once it is not', async () => {
      const { clock, detector, wire, pinged, roundTripMs } = await setUpSlow();
      await clock.advance(5_000 + ROUND_TRIP_MS);
      const before = pinged.length;
      expect(before).toBe(3);
      roundTripMs.B = 5;
      await clock.advance(5_010);
      expect(pinged.length).toBe(before + 1);
      await clock.advance(60_000);
      expect(pinged.length).toBe(before + 1);
      wire.send('B');
      await clock.advance(SUSPECT_AFTER_MS + 50);
      expect(detector.liveness('B')).toBe('suspected');
    });

    it('looks again although a ping of its own was lost', async () => {
      const { clock, pinged, roundTripMs } = await setUpSlow();
      roundTripMs.B = Infinity;
      const before = pinged.length;
      await clock.advance(20_000);
      expect(pinged.length).toBeGreaterThan(before + 1);
    });

    it('may take longer than two seconds to answer, if two pings in a row do', async () => {
      const { clock, detector, wire, asked, roundTripMs } = await setUpSlow(2_600);
      await clock.advance(1_000);
      roundTripMs.B = Infinity;
      const before = asked.length;
      wire.send('B');
      await clock.advance(1.5 * 2_600 - 50);
      expect(asked.length).toBe(before);
      await clock.advance(100);
      expect(detector.liveness('B')).toBe('suspected');
    });

    it('has no more time than for a round trip of 5 s', async () => {
      const { clock, detector, wire, asked, roundTripMs } = setUp();
      roundTripMs.B = Infinity;
      for (let i = 0; i < 2; i++) detector.heardPing('B', 9_000);
      wire.send('B');
      await clock.advance(1.5 * 5_000 - 50);
      expect(asked).toEqual([]);
      await clock.advance(100);
      expect(asked).toEqual(['B']);
    });

    it.each([
      ['was only hung while it was pinged', 1_900, 5],
      ['hung for longer than most round trips take', 2_100, 5],
      ['hung for so long, and hangs again', 2_100, Infinity],
    ])('is not misled by one that %s', async (_what, latencyMs, then) => {
      const { clock, detector, wire, roundTripMs } = setUp();
      roundTripMs.B = then;
      detector.heardPing('B', latencyMs);
      await clock.advance(100);
      wire.send('B');
      await clock.advance(SUSPECT_AFTER_MS + 50);
      expect(detector.liveness('B')).toBe('suspected');
    });
  });

  it('takes what was asked before a request could be sent for an answer to one', async () => {
    const { clock, detector, wire, asked } = setUp();
    wire.send('B');
    const sentMs = clock.monotonicMs();
    await clock.advance(SUSPECT_AFTER_MS - 50);
    detector.heardAnswer('B');
    await clock.advance(SUSPECT_AFTER_MS - 50);
    expect([asked, detector.hasHeardSince('B', sentMs)]).toEqual([[], true]);
  });

  it('takes no ping for an answer to a request', async () => {
    const { clock, detector } = setUp();
    await clock.advance(1_000);
    detector.heardPing('B', 5);
    await clock.advance(50);
    expect(detector.hasHeardSince('B', 0)).toBe(false);
  });

  it('suspects nobody after its end, and leaves no timer', async () => {
    const { clock, detector, wire, changes } = await setUpDead();
    detector.end();
    detector.heardPing('B', 5);
    wire.send('A');
    await clock.advance(10_000);
    expect(changes).toEqual(['B suspected', 'B dead']);
  });
});
