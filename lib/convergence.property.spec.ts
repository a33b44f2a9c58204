import fc from 'fast-check';
import { expect, it } from 'vitest';
import { envelope } from '../test/support/envelope.js';
import { FakeClock } from '../test/support/fake-clock.js';
import { FakeDriverError, Watched } from '../test/support/fake-operations.js';
import { type Cell, ModelCluster, type Weather } from '../test/support/model-cluster.js';
import {
  type ClusterId,
  type DeadLetter,
  DualClusterError,
  type Envelope,
  type FailedOutcome,
  Failover,
  type LaneStats,
  type WriteOperation,
  WritePath,
  type WriteReceipt,
  type WriteStrategy,
} from './core/index.js';
import { ActiveFailover } from './policies/index.js';
import { decodeEnvelope, encodeEnvelope, MemoryReplayer, ReplayWorker } from './replay/index.js';
import { ConcurrentDualWriteStrategy, SyncDualWriteStrategy } from './strategies/index.js';

const WRITE_TIMEOUT_MS = 500;

/** A queue that keeps bytes, so that what an envelope lacks is missed. */
class EncodingReplayer extends MemoryReplayer {
  override enqueue(envelopes: readonly Envelope[]): Promise<'queued'> {
    return super.enqueue(envelopes.map((each) => decodeEnvelope(encodeEnvelope(each))));
  }
}

class ModelWrite implements WriteOperation {
  readonly priority = 'high';
  readonly class = 'idempotent';
  readonly ack = 'any';
  readonly isCancelled = false;
  readonly masked = 'a write';

  constructor(
    private readonly clusters: Record<ClusterId, ModelCluster>,
    readonly id: string,
    readonly timestampUs: number,
    readonly key: string,
  ) {}

  attempt(cluster: ClusterId): Promise<void> {
    return this.clusters[cluster].write(this.key, { value: this.id, timestampUs: this.timestampUs });
  }

  classify(error: unknown): FailedOutcome {
    const failure = error as FakeDriverError;
    return { kind: failure.kind, error: failure };
  }

  expire(): FailedOutcome {
    return { kind: 'ambiguous', error: new FakeDriverError('ambiguous') };
  }

  cancel(): boolean {
    return false;
  }

  envelope(cluster: ClusterId): Envelope {
    const text = JSON.stringify([this.key, this.id]);
    return envelope(this.id, {
      cluster,
      timestampUs: this.timestampUs,
      statements: [{ text, signature: '', params: [] }],
    });
  }
}

type Step =
  | { readonly do: 'write'; readonly key: string }
  | { readonly do: 'change'; readonly cluster: ClusterId; readonly weather: Weather }
  | { readonly do: 'wait'; readonly ms: number };

const clusterIds = fc.constantFrom<ClusterId>('A', 'B');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write'), key: fc.constantFrom('x', 'y', 'z') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('change'),
      cluster: clusterIds,
      weather: fc.constantFrom<Weather>('well', 'down', 'hangs', 'doubtful', 'refuses'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(0, 1, 5, 40, 499, 500, 501, 3_000) }),
  },
);

const strategies: Record<string, () => WriteStrategy> = {
  concurrent: () => new ConcurrentDualWriteStrategy(),
  'A first': () => new SyncDualWriteStrategy(),
  'B first': () => new SyncDualWriteStrategy({ first: 'B' }),
};

async function play(steps: readonly Step[], strategy: WriteStrategy) {
  const clock = new FakeClock();
  const clusters = { A: new ModelCluster(clock, 3), B: new ModelCluster(clock, 7) };
  const replayer = new EncodingReplayer();
  await replayer.open({ namespace: 'shop', clock, describe: () => ({ statement: 'a write' }) });
  const lost: Envelope[] = [];
  const path = new WritePath({
    sides: { A: { name: 'A', hasConnected: true }, B: { name: 'B', hasConnected: true } },
    clock,
    strategy,
    failover: new Failover(new ActiveFailover(), clock, (error) => {
      throw error;
    }),
    replayer,
    maxInFlight: 1_024,
    onReplayLost: 'report',
    whenBothFail: 'throw',
    writeTimeoutMs: WRITE_TIMEOUT_MS,
    enqueueTimeoutMs: 500,
    onDropped: (each) => lost.push(each),
    onStrategyError: (error) => {
      throw error;
    },
    onDivergence: () => undefined,
  });
  const target = (cluster: ModelCluster) => ({
    ping: () => cluster.ping(),
    apply: (each: Envelope, timeoutMs: number) => cluster.replay(each, timeoutMs),
  });
  const worker = new ReplayWorker({
    replayer,
    targets: { A: target(clusters.A), B: target(clusters.B) },
    namespace: 'shop',
    clock,
    options: { executeTimeoutMs: 2_000 },
    random: () => 0.5,
  });
  worker.start();

  const writes: { readonly write: ModelWrite; readonly answer: Watched<WriteReceipt> }[] = [];
  for (const each of steps) {
    if (each.do === 'write') {
      const write = new ModelWrite(clusters, `w${writes.length}`, 1_000 + writes.length, each.key);
      writes.push({ write, answer: new Watched(path.run(write)) });
    } else if (each.do === 'change') clusters[each.cluster].change(each.weather);
    else await clock.advance(each.ms);
  }

  clusters.A.change('well');
  clusters.B.change('well');
  const settled = new Watched(
    path
      .settled()
      .then(() => replayer.position())
      .then((position) => position.settled()),
  );
  for (let i = 0; i < 120 && !settled.isSettled; i++) await clock.advance(1_000);
  const letters = await replayer.deadLetters.list({ limit: 1_000 });
  await worker.stop();
  const { inFlight } = path.admissions;
  return {
    clusters,
    writes,
    isSettled: settled.isSettled,
    stats: replayer.snapshot(),
    letters,
    lost,
    inFlight,
  };
}

/** Key and write times of what a write left behind, whatever later writes to the key did. */
const has = (cells: ReadonlyMap<string, Cell>, write: ModelWrite): boolean =>
  (cells.get(write.key)?.timestampUs ?? 0) >= write.timestampUs;

const addsUp = (lane: LaneStats): boolean =>
  lane.enqueued ===
  lane.applied +
    lane.queued +
    lane.inFlight +
    lane.deadLettered +
    lane.purged +
    lane.superseded +
    lane.dropped;

it.each(Object.entries(strategies))(
  'whatever the clusters do, nothing accepted is lost and both end up equal but for dead letters (%s)',
  async (_name, strategy) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const { clusters, writes, isSettled, stats, letters, lost, inFlight } = await play(steps, strategy());
        expect(isSettled).toBe(true);
        expect(lost).toEqual([]);
        expect(inFlight).toEqual({ A: 0, B: 0 });
        expect([addsUp(stats.A), addsUp(stats.B)]).toEqual([true, true]);
        expect([stats.A.queued, stats.A.inFlight, stats.B.queued, stats.B.inFlight]).toEqual([0, 0, 0, 0]);

        const isDead = (write: ModelWrite, cluster: ClusterId): boolean =>
          letters.some((each: DeadLetter) => each.operationId === write.id && each.cluster === cluster);
        for (const { write, answer } of writes) {
          const { state } = answer;
          if (state === 'waiting') throw new Error(`${write.id} was never answered`);
          for (const cluster of ['A', 'B'] as const) {
            const isThere = has(clusters[cluster].cells, write);
            const status = 'value' in state ? state.value[cluster] : undefined;
            // What was acknowledged is there, and what was queued is there or waits for somebody to decide.
            if (status === 'applied') expect(isThere).toBe(true);
            if (status === 'queued') expect(isThere || isDead(write, cluster)).toBe(true);
            if (status === 'rejected') expect(isDead(write, cluster)).toBe(true);
            // What was said not to be applied never is.
            const cell = clusters[cluster].cells.get(write.key);
            const error = 'error' in state ? state.error : undefined;
            const isSafeToRetry = error instanceof DualClusterError && error.outcome === 'notApplied';
            if (isSafeToRetry) expect(cell?.timestampUs).not.toBe(write.timestampUs);
          }
        }
        if (letters.length === 0) expect([...clusters.A.cells].sort()).toEqual([...clusters.B.cells].sort());
      }),
      { numRuns: 500 },
    );
  },
  60_000,
);
