import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { envelope } from '../../test/support/envelope.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeWrite, type SideScript } from '../../test/support/fake-operations.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import { noBreaches } from '../../test/support/invariants.js';
import { RecordingReplayer } from '../../test/support/recording-replayer.js';
import {
  bothWays,
  leavesB,
  setUpWritePath as setUp,
  statuses,
  Strategy,
  WRITE_TIMEOUT_MS,
} from '../../test/support/write-path.js';
import { MemoryReplayer } from '../replay/index.js';
import { ConcurrentDualWriteStrategy, SyncDualWriteStrategy } from '../strategies/index.js';
import {
  Admissions,
  type ClusterId,
  delay,
  type Draining,
  Failover,
  OverloadedError,
  ReplayQueueFullError,
  type SkipReason,
  Wire,
  type WriteStrategy,
} from './index.js';

type SideIs = 'well' | 'avoided' | 'full' | 'never reached' | 'draining';

const MAX_IN_FLIGHT = 3;
const other = (cluster: ClusterId): ClusterId => (cluster === 'A' ? 'B' : 'A');

function admissions(
  sides: { A: SideIs; B: SideIs | 'absent' },
  options: {
    replay?: 'off';
    onReplayLost?: 'throw' | 'report';
    whenBothFail?: 'throw' | 'queue';
    roomFor?: number;
    /** Beside what they are. */
    drains?: readonly ClusterId[];
  } = {},
) {
  const clock = new FakeClock();
  const replayer = new RecordingReplayer();
  replayer.roomFor = options.roomFor ?? Infinity;
  const unavailable = (['A', 'B'] as const).filter((cluster) => sides[cluster] === 'avoided');
  const draining: Draining = { A: false, B: false };
  for (const cluster of ['A', 'B'] as const) {
    draining[cluster] = sides[cluster] === 'draining' || (options.drains?.includes(cluster) ?? false);
  }
  const side = (is: SideIs) => ({ name: 'x', hasConnected: is !== 'never reached' });
  const failover = new Failover(new FakePolicy({ unavailable }), clock, (error) => {
    throw error;
  });
  const invariants = noBreaches();
  const wire = new Wire({ clock, timeoutMs: 5_000, failover, invariants });
  for (const cluster of ['A', 'B'] as const) {
    wire.traffic[cluster].sent = sides[cluster] === 'full' ? MAX_IN_FLIGHT : MAX_IN_FLIGHT - 1;
  }
  const made = new Admissions(
    {
      sides: sides.B === 'absent' ? { A: side(sides.A) } : { A: side(sides.A), B: side(sides.B) },
      failover,
      replayer: options.replay === 'off' ? undefined : replayer,
      draining,
      maxInFlight: MAX_IN_FLIGHT,
      onReplayLost: options.onReplayLost ?? 'throw',
      whenBothFail: options.whenBothFail ?? 'throw',
    },
    wire,
  );
  const operation = new FakeWrite(clock, { A: 'applied', B: 'applied' });
  const admit = () => made.admit(operation);
  return { admit, replayer, draining };
}

interface Admitted {
  readonly A?: SkipReason;
  readonly B?: SkipReason;
  readonly reserved: ClusterId[];
}

function admitted({ admit, replayer }: ReturnType<typeof admissions>): Admitted {
  const { A, B, reservations } = admit();
  expect(reservations).toHaveLength(replayer.reserved.length);
  return { ...(A && { A: A.reason }), ...(B && { B: B.reason }), reserved: replayer.reserved };
}

describe('the sides that a write is not sent to at first, and what is reserved for them', () => {
  const rows: [a: SideIs, b: SideIs, Admitted][] = [
    ['well', 'well', { reserved: [] }],
    ['well', 'avoided', { B: 'breaker', reserved: ['B'] }],
    ['well', 'full', { B: 'limit', reserved: ['B'] }],
    ['well', 'never reached', { reserved: ['B'] }],
    ['avoided', 'avoided', { reserved: ['A', 'B'] }],
    ['avoided', 'full', { B: 'limit', reserved: ['A', 'B'] }],
    ['avoided', 'never reached', { A: 'breaker', reserved: ['A', 'B'] }],
    ['full', 'never reached', { A: 'limit', reserved: ['A', 'B'] }],
    ['never reached', 'never reached', { reserved: ['A', 'B'] }],
    ['well', 'draining', { B: 'draining', reserved: ['B'] }],
    ['avoided', 'draining', { B: 'draining', reserved: ['A', 'B'] }],
    ['never reached', 'draining', { B: 'draining', reserved: ['A', 'B'] }],
  ];

  it.each(rows)('A %s, B %s', (A, B, expected) => {
    expect(admitted(admissions({ A, B }))).toEqual(expected);
  });

  it.each(rows)('the other way round: B %s, A %s', (b, a, { A: skipB, B: skipA, reserved }) => {
    expect(admitted(admissions({ A: a, B: b }))).toEqual({
      ...(skipA && { A: skipA }),
      ...(skipB && { B: skipB }),
      reserved: reserved.map(other).sort(),
    });
  });

  it.each(rows)('A %s, B %s: the same when the queue is full and losing is reported', (A, B, expected) => {
    const full = admissions({ A, B }, { onReplayLost: 'report', roomFor: 0 });
    expect(admitted(full)).toEqual({ ...expected, reserved: [] });
  });

  it.each(rows.filter(([, , { reserved }]) => reserved.length > 0))(
    'A %s, B %s: refused when the queue is full and losing is an error',
    (A, B) => {
      const { admit, replayer } = admissions({ A, B }, { roomFor: 0 });
      expect(admit).toThrow(ReplayQueueFullError);
      expect(replayer.reserved).toEqual([]);
    },
  );

  it('gives the first place back when there is none for the second', () => {
    const { admit, replayer } = admissions({ A: 'avoided', B: 'avoided' }, { roomFor: 1 });
    expect(admit).toThrow(ReplayQueueFullError);
    expect([replayer.reserved, replayer.released]).toEqual([['A'], ['A']]);
  });

  it('gives the first place back when the replayer throws about the second', () => {
    const { admit, replayer } = admissions({ A: 'avoided', B: 'avoided' });
    const reserve = replayer.reserve.bind(replayer);
    vi.spyOn(replayer, 'reserve').mockImplementation((cluster) => {
      if (cluster === 'B') throw new Error('broken replayer');
      return reserve(cluster);
    });
    expect(admit).toThrow('broken replayer');
    expect(replayer.released).toEqual(['A']);
  });

  it('names the cluster and the statement when the queue is full', () => {
    const { admit } = admissions({ A: 'well', B: 'avoided' }, { roomFor: 0 });
    expect(admit).toThrow(/cluster B \("x"\) would miss it.*not to cluster A \("x"\).*INSERT INTO users/);
    expect(admit).toThrow(expect.objectContaining({ outcome: 'notApplied' }));
  });

  it('refuses a write when both are full, and reserves nothing', () => {
    const { admit, replayer } = admissions({ A: 'full', B: 'full' });
    expect(admit).toThrow(OverloadedError);
    expect(admit).toThrow(expect.objectContaining({ outcome: 'notApplied' }));
    expect(admit).toThrow(/Both clusters are at maxInFlight = 3/);
    expect(replayer.reserved).toEqual([]);
  });
});

describe('a draining side', () => {
  const bothLeftOut: [a: SideIs, b: SideIs, Admitted][] = [
    ['draining', 'draining', { A: 'draining', B: 'draining', reserved: [] }],
    ['draining', 'full', { A: 'draining', B: 'limit', reserved: [] }],
    ['full', 'draining', { A: 'limit', B: 'draining', reserved: [] }],
  ];

  it.each(bothLeftOut)(
    'is left out beside one that is left out too, and nothing is reserved for what nobody gets: A %s, B %s',
    (A, B, expected) => {
      expect(admitted(admissions({ A, B }))).toEqual(expected);
      // So the caller hears of what is in the way, also when the queue is full.
      expect(admitted(admissions({ A, B }, { roomFor: 0 }))).toEqual(expected);
    },
  );

  it.each(bothLeftOut)(
    'has its place in the queue when the queue gets what nobody could be sent: A %s, B %s',
    (A, B, expected) => {
      const queues = admissions({ A, B }, { whenBothFail: 'queue' });
      expect(admitted(queues)).toEqual({ ...expected, reserved: ['A', 'B'] });
      const { admit } = admissions({ A, B }, { whenBothFail: 'queue', roomFor: 1 });
      expect(admit).toThrow(ReplayQueueFullError);
    },
  );

  it.each<SideIs>(['avoided', 'full', 'never reached'])('is left out as draining also when it is %s', (A) => {
    const both = admissions({ A, B: 'well' }, { drains: ['A'] });
    expect(admitted(both)).toEqual({ A: 'draining', reserved: ['A'] });
  });

  it('is sent to again when its drain has ended', () => {
    const drained = admissions({ A: 'draining', B: 'well' });
    drained.draining.A = false;
    expect(admitted(drained)).toEqual({ reserved: [] });
  });
});

describe('without a replayer', () => {
  it.each<[a: SideIs, b: SideIs, expected: Admitted]>([
    ['draining', 'well', { A: 'draining', reserved: [] }],
    ['avoided', 'draining', { B: 'draining', reserved: [] }],
    ['draining', 'draining', { A: 'draining', B: 'draining', reserved: [] }],
  ])('a draining side is left out, as was asked for: A %s, B %s', (A, B, expected) => {
    expect(admitted(admissions({ A, B }, { replay: 'off' }))).toEqual(expected);
  });

  it.each<[a: SideIs, b: SideIs]>([
    ['well', 'avoided'],
    ['avoided', 'avoided'],
    ['well', 'never reached'],
  ])('both are sent to: A %s, B %s', (A, B) => {
    expect(admitted(admissions({ A, B }, { replay: 'off' }))).toEqual({ reserved: [] });
  });

  it.each<[a: SideIs, b: SideIs]>([
    ['well', 'full'],
    ['full', 'well'],
    ['avoided', 'full'],
    ['full', 'full'],
    ['draining', 'full'],
  ])('a write that a full side would never get is refused: A %s, B %s', (A, B) => {
    expect(admissions({ A, B }, { replay: 'off' }).admit).toThrow(OverloadedError);
  });
});

describe('on a single cluster', () => {
  it.each<SideIs>(['well', 'avoided', 'never reached', 'draining'])('a write is sent to it: %s', (A) => {
    expect(admitted(admissions({ A, B: 'absent' }))).toEqual({ reserved: [] });
  });

  it('a write is refused when it is full', () => {
    const { admit } = admissions({ A: 'full', B: 'absent' });
    expect(admit).toThrow(OverloadedError);
    expect(admit).toThrow(/A cluster is at maxInFlight = 3/);
  });
});

describe.each(bothWays)('the limit, with %s', (_name, strategy) => {
  it('counts what the driver has not let go of, also after its time', async () => {
    const { clock, run, write, replayer } = setUp({ strategy: strategy(), maxInFlight: 1 });
    await run(write('applied', { answer: 'applied', afterMs: WRITE_TIMEOUT_MS + 10 }));
    await clock.advance(WRITE_TIMEOUT_MS);
    const during = write('applied', 'applied');
    expect(statuses((await run(during)).value)).toBe('applied, queued');
    expect(during.sent).toEqual(['A']);
    await clock.advance(10);
    const after = write('applied', 'applied');
    await run(after);
    expect(after.sent).toEqual(['A', 'B']);
    expect(replayer.enqueuedFor).toEqual([['B'], ['B']]);
  });

  it('refuses a write before anything of it is sent when both are full', async () => {
    const { run, write, replayer, policy } = setUp({ strategy: strategy(), maxInFlight: 1 });
    await run(write('never', 'never'));
    const refused = write('applied', 'applied');
    expect((await run(refused)).error).toBeInstanceOf(OverloadedError);
    expect(refused.sent).toEqual([]);
    expect(replayer.enqueued).toEqual([]);
    expect(policy.failures).toEqual([]);
  });

  it('has the other tried although its breaker is open', async () => {
    const policy = new FakePolicy({ unavailable: ['B'] });
    const { run, write } = setUp({ strategy: strategy(), maxInFlight: 1, policy });
    await run(write('never', 'applied'));
    const operation = write('applied', 'applied');
    expect(statuses((await run(operation)).value)).toBe('queued, applied');
    expect(operation.sent).toEqual(['B']);
  });

  it('has a full side tried after all when the other fails and there is room again', async () => {
    const { clock, run, write } = setUp({ strategy: strategy(), maxInFlight: 1 });
    await run(write('applied', { answer: 'applied', afterMs: 10 }));
    const operation = write({ answer: 'unreached', afterMs: 20 }, 'applied');
    const answer = await run(operation);
    await clock.advance(20);
    expect(operation.sent).toEqual(['A', 'B']);
    expect(statuses(answer.value)).toBe('queued, applied');
  });

  it.each<[skipped: ClusterId, skippedFor: 'limit' | 'breaker']>([
    ['A', 'limit'],
    ['A', 'breaker'],
    ['B', 'limit'],
    ['B', 'breaker'],
  ])('has %s, which was left out for its %s, not tried while there is no room', async (left, reason) => {
    const policy = new FakePolicy();
    const { clock, run, write, replayer } = setUp({ strategy: strategy(), maxInFlight: 1, policy });
    const on = (side: SideScript, rest: SideScript) => (left === 'A' ? write(side, rest) : write(rest, side));
    const fill = () => run(on('never', 'applied'));
    if (reason === 'limit') await fill();
    else policy.unavailable.add(left);
    const operation = on('applied', { answer: 'unreached', afterMs: 20 });
    const answer = await run(operation);
    if (reason === 'breaker') {
      policy.unavailable.clear();
      policy.unavailable.add(other(left));
      await fill();
    }
    await clock.advance(20);
    expect(answer.error).toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' });
    expect(operation.sent).toEqual([other(left)]);
    expect(replayer.enqueued).toEqual([]);
  });

  it('refuses on a single cluster', async () => {
    const { run, write } = setUp({ strategy: strategy(), maxInFlight: 1, single: true });
    await run(write('never', 'never'));
    const refused = write('applied', 'applied');
    expect((await run(refused)).error).toBeInstanceOf(OverloadedError);
    expect(refused.sent).toEqual([]);
  });
});

describe('the limit, when a strategy sends late', () => {
  /** Begins with B when A has answered, and 10 ms later still. */
  const sendsBLate = (clock: FakeClock) =>
    new Strategy(async (a, b) => {
      const outcome = await a.send();
      await delay(clock, 10);
      const answer = await b.send();
      // Also when there is room by now.
      await delay(clock, 200);
      expect(await b.send()).toBe(answer);
      return [outcome, answer];
    });

  it('is kept: what finds no room by then is queued', async () => {
    const clock = new FakeClock();
    const fixture = setUp({ clock, strategy: sendsBLate(clock), maxInFlight: 1 });
    const { path, run, write, replayer } = fixture;
    const operations = [1, 2].map(() => write('applied', { answer: 'applied', afterMs: 100 }));
    const answers = [];
    for (const operation of operations) answers.push(await run(operation));
    await clock.advance(10);
    expect(path.wire.inFlight).toEqual({ A: 0, B: 1 });
    await clock.advance(300);
    expect(answers.map(({ value }) => statuses(value))).toEqual(['applied, applied', 'applied, queued']);
    expect(operations.map(({ sent }) => sent)).toEqual([['A', 'B'], ['A']]);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('is not kept when nobody would replay what the side then missed', async () => {
    const clock = new FakeClock();
    const { run, write } = setUp({ clock, strategy: sendsBLate(clock), maxInFlight: 1, replay: 'off' });
    const answers = [];
    for (let i = 0; i < 2; i++) {
      answers.push(await run(write('applied', { answer: 'applied', afterMs: 100 })));
    }
    await clock.advance(310);
    expect(answers.map(({ value }) => statuses(value))).toEqual(['applied, applied', 'applied, applied']);
  });
});

describe('a reservation', () => {
  const avoidB = () => new FakePolicy({ unavailable: ['B'] });
  const failing = fc.constantFrom<SideScript>(
    'applied',
    'unreached',
    'blocked',
    'ambiguous',
    'rejected',
    'never',
  );
  const strategies: Record<string, (clock: FakeClock) => WriteStrategy> = {
    'built in': () => new ConcurrentDualWriteStrategy(),
    'with a straggler limit': (clock) => new ConcurrentDualWriteStrategy({ stragglerMs: 10 }, clock),
    'A first': () => new SyncDualWriteStrategy(),
    'that leaves B pending': leavesB,
    'that throws': () => new Strategy(() => Promise.reject(new Error('broken strategy'))),
    'that throws after sending': () =>
      new Strategy((a) => a.send().then(() => Promise.reject(new Error('broken strategy')))),
  };

  it.each(Object.entries(strategies))(
    'is given back in every row of the table, by a strategy %s',
    async (_, make) => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            a: failing,
            b: failing,
            kind: fc.constantFrom('idempotent' as const, 'once' as const),
            ack: fc.constantFrom('any' as const, 'both' as const),
            whenBothFail: fc.constantFrom('throw' as const, 'queue' as const),
            onReplayLost: fc.constantFrom('throw' as const, 'report' as const),
            mode: fc.constantFrom('accept' as const, 'refuse' as const, 'throw' as const, 'hang' as const),
            unavailable: fc.subarray<ClusterId>(['A', 'B']),
            neverConnected: fc.subarray(['us_east', 'us_west']),
            drains: fc.subarray<ClusterId>(['A', 'B']),
            abortAtMs: fc.constantFrom(undefined, 0, 5, WRITE_TIMEOUT_MS + 1),
          }),
          async ({
            a,
            b,
            kind,
            ack,
            whenBothFail,
            onReplayLost,
            mode,
            unavailable,
            neverConnected,
            drains,
            abortAtMs,
          }) => {
            const policy = new FakePolicy({ unavailable });
            const clock = new FakeClock();
            const { run, write, replayer, leftovers } = setUp({
              strategy: make(clock),
              policy,
              whenBothFail,
              onReplayLost,
              neverConnected,
              drains,
              clock,
            });
            replayer.mode = mode;
            const controller = new AbortController();
            const answer = await run(write(a, b, { class: kind, ack }), { signal: controller.signal });
            if (abortAtMs !== undefined) {
              await clock.advance(abortAtMs);
              controller.abort();
            }
            await clock.advance(4 * WRITE_TIMEOUT_MS);
            expect(answer.isSettled).toBe(true);
            expect(replayer.released).toEqual(replayer.reserved);
            // What never answers stays on the wire.
            expect(await leftovers()).toMatchObject({ isSettled: true, reservations: 0, timers: 0 });
          },
        ),
        { numRuns: 150 },
      );
    },
  );

  it('is given back to a write that was aborted before it was sent', async () => {
    const { clock, path, replayer } = setUp({ policy: avoidB() });
    const controller = new AbortController();
    const operation = new FakeWrite(clock, { A: 'applied', B: 'applied' });
    const prepare = async () => {
      await clock.settle();
      return operation;
    };
    const call = path.runPrepared(prepare, 'a write', { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ outcome: 'notApplied' });
    await clock.settle();
    await clock.settle();
    expect(replayer.released).toEqual(replayer.reserved);
    expect(operation.sent).toEqual([]);
  });

  it('is held for a side that is left pending, until that has settled', async () => {
    const policy = new FakePolicy({ unavailable: ['A', 'B'] });
    const { clock, run, write, replayer } = setUp({ strategy: leavesB(), policy });
    const answer = await run(write('applied', { answer: 'unreached', afterMs: 50 }));
    expect(statuses(answer.value)).toBe('applied, pending');
    expect(replayer.released).toEqual([]);
    await clock.advance(50);
    expect(replayer.enqueuedFor).toEqual([['B']]);
    expect(replayer.released).toEqual(['A', 'B']);
  });

  it('is not used by dead letters, which have room of their own', async () => {
    const policy = new FakePolicy({ unavailable: ['A', 'B'] });
    const replay = await opened(new MemoryReplayer({ capacity: 2 }));
    const bury = replay.bury.bind(replay);
    vi.spyOn(replay, 'bury').mockImplementation(async (...args) => {
      const buried = bury(...args);
      // Somebody else comes while the first is being buried.
      await Promise.resolve();
      await replay.enqueue([envelope('other')]).catch(() => undefined);
      return buried;
    });
    const { run, write, dropped } = setUp({ policy, replay });
    await run(write('ambiguous', 'ambiguous', { class: 'once' }));
    expect(dropped).toEqual([]);
    expect(replay.snapshot()).toMatchObject({ A: { deadLettered: 1 }, B: { deadLettered: 1, queued: 2 } });
  });

  describe('in a memory queue with room for one, while B is known to be bad', () => {
    const twoAtOnce = async (onReplayLost: 'throw' | 'report') => {
      const replay = await opened(new MemoryReplayer({ capacity: 1 }));
      const fixture = setUp({ policy: avoidB(), replay, onReplayLost });
      const { clock, path, write } = fixture;
      const operations = [1, 2].map((id) =>
        write({ answer: 'applied', afterMs: 10 }, 'applied', { id: `op${id}` }),
      );
      const answers = operations.map((each) => path.run(each));
      const settled = Promise.allSettled(answers);
      await clock.advance(10);
      return { ...fixture, replay, operations, answers: await settled };
    };

    it("the second of two writes is refused before anything is sent: 'throw'", async () => {
      const { operations, answers, replay, dropped } = await twoAtOnce('throw');
      expect(answers).toMatchObject([
        { value: { A: 'applied', B: 'queued' } },
        { reason: { code: 'HELIX_REPLAY_QUEUE_FULL', outcome: 'notApplied' } },
      ]);
      expect(operations.map(({ sent }) => sent)).toEqual([['A'], []]);
      expect(replay.snapshot().B).toMatchObject({ enqueued: 1, queued: 1, dropped: 0 });
      expect(dropped).toEqual([]);
    });

    it("the second of two writes is lost, and says so: 'report'", async () => {
      const { operations, answers, replay, dropped } = await twoAtOnce('report');
      expect(answers).toMatchObject([
        { value: { A: 'applied', B: 'queued' } },
        { value: { A: 'applied', B: 'lost' } },
      ]);
      expect(operations.map(({ sent }) => sent)).toEqual([['A'], ['A']]);
      expect(replay.snapshot().B).toMatchObject({ enqueued: 2, queued: 1, dropped: 1 });
      expect(dropped).toMatchObject([{ envelope: { operationId: 'op2', cluster: 'B' } }]);
    });

    it('the place is free again after a write that did not need it', async () => {
      const replay = await opened(new MemoryReplayer({ capacity: 1 }));
      const { run, write } = setUp({ policy: avoidB(), replay, onReplayLost: 'throw' });
      await run(write('unreached', 'unreached'));
      await run(write('rejected', 'applied'));
      expect(statuses((await run(write('applied', 'applied'))).value)).toBe('applied, queued');
    });
  });
});

async function opened(replayer: MemoryReplayer): Promise<MemoryReplayer> {
  await replayer.open({ namespace: 'shop', clock: new FakeClock(), describe: () => ({ statement: '' }) });
  return replayer;
}
