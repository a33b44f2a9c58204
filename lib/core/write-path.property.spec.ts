import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import {
  type FakeWrite,
  type FakeWriteFields,
  type SideAnswer,
  Watched,
} from '../../test/support/fake-operations.js';
import { FakePolicy } from '../../test/support/fake-policy.js';
import { RecordingReplayer } from '../../test/support/recording-replayer.js';
import {
  BuiltIn,
  Custom,
  ENQUEUE_TIMEOUT_MS,
  leavesB,
  NO_LEFTOVERS,
  setUpWritePath,
  skipped,
  Strategy,
  WRITE_TIMEOUT_MS,
} from '../../test/support/write-path.js';
import { ConcurrentDualWriteStrategy, SyncDualWriteStrategy } from '../strategies/index.js';
import {
  type ClusterId,
  delay,
  type DeadLetterReason,
  type Envelope,
  isHelixError,
  PartialWriteError,
  type SideStatus,
  type WriteCall,
  type WriteReceipt,
  type WriteStrategy,
} from './index.js';

const CLUSTERS = ['A', 'B'] as const;

/** What one side does with a write. */
interface SidePlan {
  readonly answer: Exclude<SideAnswer, 'never'>;
  readonly afterMs: number;
  readonly prepareMs: number | undefined;
  /** Whether it has the row although its answer left that open. */
  readonly hasItInDoubt: boolean;
}

interface WritePlan {
  readonly A: SidePlan;
  readonly B: SidePlan;
  readonly class: 'idempotent' | 'once';
  readonly ack: 'any' | 'both';
  readonly startMs: number;
  /** How long it takes to be prepared; `undefined`: it is prepared already. */
  readonly prepareMs: number | undefined;
  readonly abortMs: number | undefined;
  readonly timeoutMs: number | undefined;
}

/** By then every caller has its answer: each side and the queue have had all their time. */
const ANSWERED_MS = 4 * WRITE_TIMEOUT_MS;
/** When a driver lets go of what is long decided. */
const LATE_MS = 2 * ANSWERED_MS;
const times = fc.constantFrom(0, 1, 5, 20, WRITE_TIMEOUT_MS, WRITE_TIMEOUT_MS + 500, LATE_MS);
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const sidePlan: fc.Arbitrary<SidePlan> = fc.record({
  answer: fc.constantFrom('applied', 'applied', 'unreached', 'blocked', 'ambiguous', 'rejected'),
  afterMs: times,
  prepareMs: seldom(times),
  hasItInDoubt: fc.boolean(),
});
const writePlan: fc.Arbitrary<WritePlan> = fc.record({
  A: sidePlan,
  B: sidePlan,
  class: fc.constantFrom('idempotent', 'once'),
  ack: fc.constantFrom('any', 'both'),
  startMs: fc.constantFrom(0, 0, 1, 10),
  prepareMs: seldom(fc.constantFrom(0, 3, 30)),
  abortMs: seldom(fc.constantFrom(0, 2, 10, WRITE_TIMEOUT_MS, WRITE_TIMEOUT_MS + 200)),
  timeoutMs: seldom(fc.constantFrom(1, 4, 25, WRITE_TIMEOUT_MS + 100)),
});
const history = fc.record({
  writes: fc.array(writePlan, { minLength: 1, maxLength: 6, size: 'max' }),
  queue: fc.array(fc.constantFrom('accept', 'accept', 'slow', 'refuse', 'throw', 'hang'), { maxLength: 8 }),
  roomFor: fc.constantFrom(0, 1, 2, Infinity),
  whenBothFail: fc.constantFrom('throw', 'queue'),
  onReplayLost: fc.constantFrom('throw', 'report'),
  maxInFlight: fc.constantFrom(1, 2, 100),
  unavailable: fc.subarray<ClusterId>(['A', 'B']),
  neverConnected: fc.subarray(['us_east', 'us_west']),
  /** When a side begins to drain, and when it does no longer. */
  drains: fc.array(
    fc.record({
      cluster: fc.constantFrom<ClusterId[]>('A', 'B'),
      fromMs: fc.constantFrom(0, 1, 4, 12, WRITE_TIMEOUT_MS),
      forMs: fc.constantFrom(2, 8, WRITE_TIMEOUT_MS, LATE_MS),
    }),
    { maxLength: 3 },
  ),
});
type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

/** A queue that takes some calls, refuses others and does not answer the rest. */
class UnreliableReplayer extends RecordingReplayer {
  readonly accepted: { envelope: Envelope; as: 'queued' | DeadLetterReason }[] = [];
  #calls = 0;

  constructor(
    private readonly clock: FakeClock,
    private readonly answers: History['queue'],
  ) {
    super();
  }

  override enqueue(envelopes: readonly Envelope[]): Promise<'queued' | 'spooled'> {
    return this.#next(envelopes, 'queued', () => super.enqueue(envelopes));
  }

  override bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    return this.#next([envelope], reason, () => super.bury(envelope, reason, error));
  }

  async #next<T>(
    envelopes: readonly Envelope[],
    as: 'queued' | DeadLetterReason,
    take: () => Promise<T>,
  ): Promise<T> {
    const next = this.answers[this.#calls++] ?? 'accept';
    this.mode = next === 'slow' ? 'accept' : next;
    if (this.mode === 'accept') this.accepted.push(...envelopes.map((envelope) => ({ envelope, as })));
    const answer = take();
    if (next === 'slow') await delay(this.clock, ENQUEUE_TIMEOUT_MS - 1);
    return answer;
  }
}

const strategies: Record<string, (clock: FakeClock) => WriteStrategy> = {
  'built in': () => new BuiltIn(),
  'of the user': () => new Custom(),
  'A first': () => new SyncDualWriteStrategy(),
  'B first': () => new SyncDualWriteStrategy({ first: 'B' }),
  'with a straggler limit': (clock) => new ConcurrentDualWriteStrategy({ stragglerMs: 4 }, clock),
  'that leaves B pending': leavesB,
  'that takes its time': (clock) =>
    new Strategy(async (a, b) => {
      await delay(clock, 3);
      const [first] = await Promise.all([a.send(), delay(clock, 6)]);
      return [first, await b.send()];
    }),
  'that drains both': () => new Strategy(() => Promise.resolve([skipped('draining'), skipped('draining')])),
  'that drains B': () => new Strategy(async (a) => [await a.send(), skipped('draining')]),
};

interface Played {
  readonly plan: WritePlan;
  readonly write: FakeWrite;
  readonly answer: Watched<WriteReceipt>;
}

async function play(plan: History, makeStrategy: (clock: FakeClock) => WriteStrategy) {
  const clock = new FakeClock();
  const replayer = new UnreliableReplayer(clock, plan.queue);
  replayer.roomFor = plan.roomFor;
  const { maxInFlight, whenBothFail, onReplayLost, neverConnected, unavailable } = plan;
  const fixture = setUpWritePath({
    clock,
    strategy: makeStrategy(clock),
    replay: replayer,
    policy: new FakePolicy({ unavailable }),
    maxInFlight,
    whenBothFail,
    onReplayLost,
    neverConnected,
  });
  const { path, write, draining } = fixture;
  for (const { cluster, fromMs, forMs } of plan.drains) {
    const drain = (isDraining: boolean) => (draining[cluster] = isDraining);
    if (fromMs === 0) drain(true);
    else clock.setTimer(() => drain(true), fromMs);
    clock.setTimer(() => drain(false), fromMs + forMs);
  }
  let mostInFlight = 0;
  const sentWhileDraining: string[] = [];
  const played: Played[] = plan.writes.map((each, index) => {
    const fields: FakeWriteFields = { id: `op${index}`, class: each.class, ack: each.ack };
    const operation = write(scriptOf(each.A), scriptOf(each.B), fields);
    const attempt = operation.attempt.bind(operation);
    operation.attempt = (cluster) => {
      mostInFlight = Math.max(mostInFlight, path.wire.inFlight[cluster]);
      if (draining[cluster]) sentWhileDraining.push(`${operation.id} to ${cluster}`);
      return attempt(cluster);
    };
    const run = async (): Promise<WriteReceipt> => {
      await delay(clock, each.startMs);
      const { prepareMs } = each;
      const call = callOf(each, clock);
      if (prepareMs === undefined) return path.run(operation, call);
      return path.runPrepared(() => delay(clock, prepareMs).then(() => operation), 'a write', call);
    };
    return { plan: each, write: operation, answer: new Watched(run()) };
  });
  await clock.advance(ANSWERED_MS);
  const unanswered = played.filter(({ answer }) => !answer.isSettled).map(({ write: { id } }) => id);
  await clock.advance(2 * LATE_MS);
  return {
    played,
    unanswered,
    replayer,
    dropped: fixture.dropped,
    left: await fixture.leftovers(),
    mostInFlight,
    sentWhileDraining,
  };
}

function scriptOf({ answer, afterMs, prepareMs }: SidePlan) {
  return { answer, afterMs, ...(prepareMs !== undefined && { prepareMs }) };
}

function callOf({ abortMs, timeoutMs }: WritePlan, clock: FakeClock): WriteCall | undefined {
  if (abortMs === undefined && timeoutMs === undefined) return undefined;
  const controller = new AbortController();
  if (abortMs !== undefined) clock.setTimer(() => controller.abort(), abortMs);
  return { signal: controller.signal, timeoutMs };
}

/** Whether a side has the row in the end, by what it was told to do and not by what Helix believes. */
function hasRow({ plan, write }: Played, cluster: ClusterId): boolean {
  if (!write.sent.includes(cluster)) return false;
  const { answer, hasItInDoubt } = plan[cluster];
  return answer === 'applied' || (answer === 'ambiguous' && hasItInDoubt);
}

it.each(Object.entries(strategies))(
  'whatever happens to writes at once, each side gets them or it is said that it does not (%s)',
  async (_name, makeStrategy) => {
    await fc.assert(
      fc.asyncProperty(history, async (plan) => {
        const { played, unanswered, replayer, dropped, left, ...seen } = await play(plan, makeStrategy);
        expect(unanswered).toEqual([]);
        expect(left).toEqual(NO_LEFTOVERS);
        expect(seen.mostInFlight).toBeLessThanOrEqual(plan.maxInFlight);
        expect(seen.sentWhileDraining).toEqual([]);

        for (const one of played) {
          const { write, answer } = one;
          const kept = (cluster: ClusterId): string[] => [
            ...replayer.accepted
              .filter(({ envelope }) => envelope.operationId === write.id && envelope.cluster === cluster)
              .map(({ as }): string => as),
            ...dropped
              .filter(({ envelope }) => envelope.operationId === write.id && envelope.cluster === cluster)
              .map(() => 'lost'),
          ];
          // Everything has one end: queued, dead or lost, and once.
          for (const cluster of CLUSTERS) expect(kept(cluster).length).toBeLessThanOrEqual(1);
          // Sides that differ will not for ever, unless an operator or the application knows.
          const [onA, onB] = [hasRow(one, 'A'), hasRow(one, 'B')];
          if (onA !== onB) {
            const [holder, missing] = onA ? (['A', 'B'] as const) : (['B', 'A'] as const);
            const isSaid = kept(holder).some((end) => end === 'inDoubt' || end === 'lost');
            if (!isSaid) expect(kept(missing)).toHaveLength(1);
          }
          // What must not be applied twice is never sent again to a side that has it.
          for (const cluster of CLUSTERS) {
            if (write.class === 'once' && hasRow(one, cluster)) expect(kept(cluster)).not.toContain('queued');
          }

          const receipt = receiptOf(answer);
          if (receipt) expectReceipt(receipt, one, kept);
          expectAnswer(answer, one, plan, kept, onA || onB);
        }
      }),
      { numRuns: 400 },
    );
  },
  60_000,
);

function receiptOf({ state }: Watched<WriteReceipt>): WriteReceipt | undefined {
  if (typeof state !== 'object') return undefined;
  if ('value' in state) return state.value;
  return state.error instanceof PartialWriteError ? state.error.receipt : undefined;
}

function expectReceipt(receipt: WriteReceipt, one: Played, kept: (cluster: ClusterId) => string[]): void {
  for (const cluster of CLUSTERS) {
    const status: SideStatus = receipt[cluster];
    const end = kept(cluster);
    switch (status) {
      case 'applied':
        expect([hasRow(one, cluster), end]).toEqual([true, []]);
        break;
      case 'pending':
        // Whatever it was in the end: without an end of another kind it has the row.
        if (end.length === 0) expect(hasRow(one, cluster)).toBe(true);
        break;
      default:
        expect(end).toEqual([status]);
    }
  }
}

function expectAnswer(
  { state }: Watched<WriteReceipt>,
  { plan, write }: Played,
  { onReplayLost }: History,
  kept: (cluster: ClusterId) => string[],
  isAnywhere: boolean,
): void {
  if (typeof state !== 'object') return;
  const receipt = 'value' in state ? state.value : undefined;
  if (receipt) {
    const both = [receipt.A, receipt.B];
    if (plan.ack === 'both') expect(both).toEqual(['applied', 'applied']);
    if (onReplayLost === 'throw') expect(both).not.toContain('lost');
    expect(both.includes('applied') || both.every((each) => each === 'queued')).toBe(true);
    return;
  }
  const error = 'error' in state ? state.error : undefined;
  if (!isHelixError(error)) throw new Error('an error of another kind', { cause: error });
  const outcome = 'outcome' in error ? error.outcome : 'notApplied';
  switch (error.code) {
    case 'HELIX_PARTIAL_WRITE': {
      const { A, B } = (error as PartialWriteError).receipt;
      // Only at the caller's own deadline.
      if (plan.ack === 'both' && plan.timeoutMs === undefined) expect([A, B]).not.toContain('pending');
      const isLost = [A, B].includes('lost') && onReplayLost === 'throw';
      expect(isLost || (plan.ack === 'both' && !(A === 'applied' && B === 'applied'))).toBe(true);
      return;
    }
    case 'HELIX_OVERLOADED':
    case 'HELIX_REPLAY_QUEUE_FULL':
    case 'HELIX_BOTH_DRAINING':
      expect(write.sent).toEqual([]);
      break;
    case 'HELIX_ABORTED':
      if (outcome === 'notApplied') expect(write.sent).toEqual([]);
  }
  // What is safe to retry is nowhere, and comes from nowhere later.
  if (outcome === 'notApplied') expect([isAnywhere, kept('A'), kept('B')]).toEqual([false, [], []]);
}
