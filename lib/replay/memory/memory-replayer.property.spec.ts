import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelope } from '../../../test/support/envelope.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import type { ClusterId, DeliveryVerdict, Envelope, LaneStats, ReplayLane } from '../../core/index.js';
import { MemoryReplayer } from './memory-replayer.js';

const CAPACITY = 12;
const DEAD_LETTER_CAPACITY = 5;

type Step =
  | {
      readonly do: 'enqueue';
      readonly count: number;
      readonly sides: 'A' | 'B' | 'both';
      readonly low: boolean;
    }
  | { readonly do: 'bury' | 'requeue' | 'purge'; readonly pick: number; readonly force: boolean }
  | { readonly do: 'concurrency'; readonly side: ClusterId; readonly value: number }
  | { readonly do: 'answer'; readonly pick: number; readonly verdict: DeliveryVerdict }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'position' };

const side = fc.constantFrom<ClusterId[]>('A', 'B');
const verdict = fc.oneof(
  fc.constant<DeliveryVerdict>({ kind: 'applied' }),
  fc.constant<DeliveryVerdict>({ kind: 'release' }),
  fc.nat(50).map((delayMs): DeliveryVerdict => ({ kind: 'retry', delayMs })),
  fc
    .constantFrom('rejected' as const, 'inDoubt' as const)
    .map((reason): DeliveryVerdict => ({ kind: 'dead', reason })),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('enqueue' as const),
    count: fc.integer({ min: 1, max: 4 }),
    sides: fc.constantFrom('A' as const, 'B' as const, 'both' as const),
    low: fc.boolean(),
  }),
  fc.record({
    do: fc.constantFrom('bury' as const, 'requeue' as const, 'purge' as const),
    pick: fc.nat(),
    force: fc.boolean(),
  }),
  fc.record({ do: fc.constant('concurrency' as const), side, value: fc.nat(3) }),
  fc.record({ do: fc.constant('answer' as const), pick: fc.nat(), verdict }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.nat(60) }),
  fc.record({ do: fc.constant('position' as const) }),
);

/** Long enough to fill the queue: without `size`, fast-check prefers a handful. */
const steps = fc.array(step, { maxLength: 60, size: 'max' });

type Place = 'waiting' | 'applied' | 'dead' | 'purged' | 'dropped';

/** Where every envelope ought to be, by its operation id. */
class Model {
  readonly places = new Map<string, { readonly cluster: ClusterId; place: Place; inDoubt: boolean }>();
  readonly positions: {
    readonly open: Set<string>;
    applied: number;
    deadLettered: number;
    settled?: unknown;
  }[] = [];

  idsIn(place: Place, cluster?: ClusterId): string[] {
    return [...this.places]
      .filter(([, entry]) => entry.place === place && (!cluster || entry.cluster === cluster))
      .map(([id]) => id);
  }

  fits(count: number): boolean {
    return count <= this.room;
  }

  get room(): number {
    return CAPACITY - this.idsIn('waiting').length;
  }

  get fitsOneDead(): boolean {
    return this.idsIn('dead').length < DEAD_LETTER_CAPACITY;
  }

  add({ operationId, cluster }: Envelope, place: Place, inDoubt = false): void {
    this.places.set(operationId, { cluster, place, inDoubt });
  }

  leave(operationId: string, { kind, reason }: { kind: 'applied' | 'dead'; reason?: string }): void {
    const entry = this.places.get(operationId)!;
    entry.place = kind === 'dead' && !this.fitsOneDead ? 'dropped' : kind;
    entry.inDoubt = reason === 'inDoubt';
    for (const position of this.positions) {
      if (!position.open.delete(operationId) || entry.place === 'dropped') continue;
      position[kind === 'dead' ? 'deadLettered' : 'applied']++;
    }
  }
}

/** A replayer and its model, taken through the same steps. */
class Run {
  readonly clock = new FakeClock();
  readonly replayer = new MemoryReplayer({
    capacity: CAPACITY,
    deadLetterCapacity: DEAD_LETTER_CAPACITY,
    ratio: 2,
  });
  readonly model = new Model();
  readonly lanes = {} as Record<ClusterId, ReplayLane>;
  readonly inFlight: { id: string; cluster: ClusterId; answer: (verdict: DeliveryVerdict) => void }[] = [];
  #made = 0;

  async open(): Promise<void> {
    await this.replayer.open({ namespace: 'shop', clock: this.clock, describe: () => ({ statement: '' }) });
    for (const cluster of ['A', 'B'] as const) {
      this.lanes[cluster] = this.replayer.consume(cluster, ({ envelope: { operationId: id } }) => {
        expect(this.model.places.get(id)).toMatchObject({ cluster });
        return new Promise((answer) => this.inFlight.push({ id, cluster, answer }));
      });
    }
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'enqueue':
        return this.#enqueue(step.count, step.sides === 'both' ? ['A', 'B'] : [step.sides], step.low);
      case 'bury': {
        const one = this.#make(step.force ? 'A' : 'B', false);
        const isTaken = this.model.fitsOneDead;
        this.model.add(one, isTaken ? 'dead' : 'dropped', step.force);
        return this.#expectTaken(this.replayer.bury(one, step.force ? 'inDoubt' : 'rejected'), isTaken);
      }
      case 'requeue': {
        const ids = await this.#letterIds(this.#pickDead(step.pick));
        const allowed = ids
          .map((id) => this.model.places.get(id.split(':')[0]!)!)
          .filter(({ inDoubt }) => step.force || !inDoubt);
        const { room } = this.model;
        const requeued = this.replayer.deadLetters.requeue(ids, { force: step.force });
        if (allowed.length > 0 && room === 0) return this.#expectTaken(requeued, false);
        for (const entry of allowed.slice(0, room)) entry.place = 'waiting';
        expect(await requeued).toBe(Math.min(allowed.length, room));
        return;
      }
      case 'purge': {
        const picked = this.#pickDead(step.pick);
        const ids = await this.#letterIds(picked);
        for (const id of picked) this.model.places.get(id)!.place = 'purged';
        expect(await this.replayer.deadLetters.purge(ids)).toBe(picked.length);
        return;
      }
      case 'concurrency':
        this.lanes[step.side].concurrency = step.value;
        return;
      case 'answer':
        return this.answer(step.pick, step.verdict);
      case 'advance':
        return this.clock.advance(step.ms);
      case 'position': {
        const position = { open: new Set(this.model.idsIn('waiting')), applied: 0, deadLettered: 0 };
        this.model.positions.push(position);
        const taken = await this.replayer.position();
        taken.settled().then(
          (settled) => Object.assign(position, { settled }),
          (refused: unknown) => Object.assign(position, { refused }),
        );
      }
    }
  }

  async answer(pick: number, given: DeliveryVerdict): Promise<void> {
    if (this.inFlight.length === 0) return;
    const [delivery] = this.inFlight.splice(pick % this.inFlight.length, 1);
    if (given.kind === 'applied' || given.kind === 'dead') this.model.leave(delivery!.id, given);
    delivery!.answer(given);
    await this.clock.settle();
  }

  async check(): Promise<void> {
    await this.clock.settle();
    const stats = await this.replayer.stats();
    for (const cluster of ['A', 'B'] as const) {
      const count = (place: Place): number => this.model.idsIn(place, cluster).length;
      const inFlight = this.inFlight.filter((delivery) => delivery.cluster === cluster).length;
      expect(stats[cluster]).toMatchObject({
        inFlight,
        queued: count('waiting') - inFlight,
        applied: count('applied'),
        deadLettered: count('dead'),
        purged: count('purged'),
        dropped: count('dropped'),
      });
      expect(stats[cluster].enqueued).toBe(sum(stats[cluster]));
    }
    for (const { open, applied, deadLettered, settled } of this.model.positions) {
      expect(settled).toEqual(open.size === 0 ? { applied, deadLettered } : undefined);
    }
  }

  async #enqueue(count: number, sides: ClusterId[], low: boolean): Promise<void> {
    const all = Array.from({ length: count }, () => sides.map((cluster) => this.#make(cluster, low))).flat();
    const isTaken = this.model.fits(all.length);
    for (const one of all) this.model.add(one, isTaken ? 'waiting' : 'dropped');
    return this.#expectTaken(this.replayer.enqueue(all), isTaken);
  }

  async #expectTaken(call: Promise<unknown>, isTaken: boolean): Promise<void> {
    const result = await call.then(
      () => 'taken',
      (error: unknown) => (error as { code: string }).code,
    );
    expect(result).toBe(isTaken ? 'taken' : 'HELIX_REPLAY_QUEUE_FULL');
  }

  #make(cluster: ClusterId, low: boolean): Envelope {
    return Object.freeze(envelope(`op${this.#made++}`, { cluster, priority: low ? 'low' : 'high' }));
  }

  #pickDead(pick: number): string[] {
    return this.model.idsIn('dead').filter((_, index) => (pick >> (index % 30)) % 2 === 0);
  }

  async #letterIds(operationIds: string[]): Promise<string[]> {
    const letters = await this.replayer.deadLetters.list();
    return letters.filter(({ operationId }) => operationIds.includes(operationId)).map(({ id }) => id);
  }
}

function sum(stats: LaneStats): number {
  const { applied, queued, inFlight, deadLettered, purged, superseded, dropped } = stats;
  return applied + queued + inFlight + deadLettered + purged + superseded + dropped;
}

describe('MemoryReplayer', () => {
  it('has every envelope in exactly one place after every step, and settles positions exactly', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const run = new Run();
        await run.open();
        for (const one of taken) {
          await run.take(one);
          await run.check();
        }
      }),
      { numRuns: 150 },
    );
  });

  it('delivers everything that is not dead once both lanes are open and well', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const run = new Run();
        await run.open();
        for (const one of taken) await run.take(one);
        run.lanes.A.concurrency = run.lanes.B.concurrency = 2;
        await run.clock.advance(60);
        while (run.inFlight.length > 0) await run.answer(0, { kind: 'applied' });
        expect(run.model.idsIn('waiting')).toEqual([]);
        await run.check();
      }),
    );
  });

  it('hands back at the end exactly what was neither applied, purged nor refused', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const run = new Run();
        await run.open();
        for (const one of taken) await run.take(one);
        const held = [...run.model.idsIn('waiting'), ...run.model.idsIn('dead')];
        const remaining = (await run.replayer.close()).map(({ operationId }) => operationId);
        expect(remaining.sort()).toEqual(held.sort());
        const stats = await run.replayer.stats();
        expect(stats.A.enqueued).toBe(sum(stats.A));
        expect(stats.B.enqueued).toBe(sum(stats.B));
      }),
    );
  });
});
