import {
  type ClusterId,
  type DeadLetterReason,
  type DeliveryHandler,
  type Envelope,
  type LaneStats,
  type Replayer,
  type ReplayLane,
  ReplayQueueFullError,
  type Reservation,
} from '../../lib/core/index.js';
import { decodeEnvelope, encodeEnvelope, MemoryReplayer } from '../../lib/replay/index.js';
import type { Timeline } from './engine/timeline.js';
import type { Ledger, SideTruth } from './ledger.js';
import type { ModelDurableQueue, QueueObserver } from './model/durable-queue.js';
import { ModelDurableReplayer } from './model/durable-replayer.js';

// The queues under test, and what is noted of them: what they are given, take, bury and let go.

/** Queues of this capacity, and smaller ones, are looked into whenever they take something: it takes time. */
const LARGEST_CHECKED = 100;

/** Notes in the ledger what becomes of envelopes in a queue. */
export function observeQueue(ledger: Ledger, timeline: Timeline): Required<QueueObserver> {
  const truthOf = (envelope: Envelope): SideTruth | undefined => ledger.writeOf(envelope)?.[envelope.cluster];
  const note = (what: string, { operationId, cluster }: Envelope): void => {
    if (timeline.isOn) timeline.add('queue', `${what} ${operationId} for ${cluster}`);
  };
  return {
    onTaken: (envelope) => {
      const truth = truthOf(envelope);
      if (truth) truth.queued++;
      note('takes', envelope);
    },
    onBuried: (envelope, reason) => {
      const truth = truthOf(envelope);
      truth?.buried.push(reason);
      truth?.burials.push(reason);
      note(`buries as ${reason}`, envelope);
    },
    onPurged: (operationId, cluster) => {
      const truth = ledger.writes.get(operationId)?.[cluster];
      if (truth) truth.purged = true;
    },
    onRequeued: (envelope) => {
      const truth = truthOf(envelope);
      // It must be applied now, or become a dead letter once more.
      if (truth) truth.buried = [];
      note('takes back', envelope);
    },
  };
}

/** Notes that something was given to a queue, which may refuse it. */
function noteHanded(
  ledger: Ledger,
  envelopes: readonly Envelope[],
  as: 'envelope' | DeadLetterReason = 'envelope',
): void {
  for (const envelope of envelopes) {
    const truth = ledger.writeOf(envelope)?.[envelope.cluster];
    if (!truth) continue;
    truth.handed++;
    truth.handedAs.push(as);
  }
}

/** Notes of each that it was refused, if that is what the error says. */
function noteRefused(ledger: Ledger, envelopes: readonly Envelope[], error: unknown, atMs: number): void {
  if (!(error instanceof ReplayQueueFullError)) return;
  for (const envelope of envelopes) {
    const truth = ledger.writeOf(envelope)?.[envelope.cluster];
    if (truth) truth.refusedMs = atMs;
  }
}

/** Room in a queue, from when it is kept until it is given back. */
class Reservations {
  held = 0;

  constructor(private readonly ledger: Ledger) {}

  observe(cluster: ClusterId, count: number, reservation: Reservation | undefined): Reservation | undefined {
    if (!reservation) return undefined;
    this.held += count;
    const truth = this.ledger.accepting?.[cluster];
    if (truth) truth.reserved += count;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.held -= count;
        isHeld = false;
        reservation.release();
      },
    };
  }
}

/** A queue under test. */
export type ObservedReplayer = Replayer & { readonly reservations: Reservations };

/** The memory queue; if asked to, keeping bytes, so that what an envelope lacks is missed. */
export class ObservedMemoryReplayer extends MemoryReplayer {
  constructor(
    options: { readonly capacity: number; readonly keepsBytes: boolean },
    private readonly ledger: Ledger,
    private readonly observer: Required<QueueObserver>,
    private readonly virtualMs: () => number,
  ) {
    super({ capacity: options.capacity });
    this.reservations = new Reservations(ledger);
    this.#keepsBytes = options.keepsBytes;
    this.#checkedCapacity = options.capacity <= LARGEST_CHECKED ? options.capacity : undefined;
  }

  readonly reservations: Reservations;
  readonly #keepsBytes: boolean;
  readonly #checkedCapacity: number | undefined;

  override enqueue(envelopes: readonly Envelope[]): Promise<'queued'> {
    noteHanded(this.ledger, envelopes);
    const kept = this.#keepsBytes ? envelopes.map((each) => decodeEnvelope(encodeEnvelope(each))) : envelopes;
    const onTaken = (): void => {
      for (const envelope of envelopes) this.observer.onTaken(envelope);
      this.#checkCapacity();
    };
    return noted(super.enqueue(kept), onTaken, (error) =>
      noteRefused(this.ledger, envelopes, error, this.virtualMs()),
    );
  }

  override reserve(cluster: ClusterId, count: number): Reservation | undefined {
    return this.reservations.observe(cluster, count, super.reserve(cluster, count));
  }

  override consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane {
    return super.consume(cluster, (delivery) => {
      this.#checkGeneration(delivery.envelope);
      return handler(delivery);
    });
  }

  override bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    noteHanded(this.ledger, [envelope], reason);
    const onBuried = (): void => {
      this.observer.onBuried(envelope, reason);
      this.#checkCapacity();
    };
    return noted(super.bury(envelope, reason, error), onBuried, (refusal) =>
      noteRefused(this.ledger, [envelope], refusal, this.virtualMs()),
    );
  }

  /** Each time that an operator takes it out of the dead letters it is of the next one. */
  #checkGeneration(envelope: Envelope): void {
    const { operationId, cluster, generation } = envelope;
    const burials = this.ledger.writeOf(envelope)?.[cluster].burials.length;
    if (burials === undefined || burials === generation) return;
    this.ledger.violate(
      'generation',
      `${operationId} for ${cluster} is of generation ${generation}; it has been a dead letter ${burials} times`,
    );
  }

  #checkCapacity(): void {
    const capacity = this.#checkedCapacity;
    if (capacity === undefined) return;
    const held = Object.values(this.snapshot()).reduce((sum, side: LaneStats) => {
      return sum + side.queued + side.inFlight;
    }, 0);
    if (held > capacity) this.ledger.violate('capacity', `The queue holds ${held} of ${capacity} envelopes`);
  }
}

/** One process's use of the durable queue, which itself tells what it takes. */
export class ObservedDurableReplayer extends ModelDurableReplayer {
  readonly reservations: Reservations;

  constructor(
    queue: ModelDurableQueue,
    isAlive: () => boolean,
    private readonly ledger: Ledger,
    private readonly virtualMs: () => number,
  ) {
    super(queue, isAlive);
    this.reservations = new Reservations(ledger);
  }

  override reserve(cluster: ClusterId, count: number): Reservation | undefined {
    return this.reservations.observe(cluster, count, super.reserve(cluster, count));
  }

  override enqueue(envelopes: readonly Envelope[]): Promise<'queued' | 'spooled'> {
    noteHanded(this.ledger, envelopes);
    const onFailure = (error: unknown): void => noteRefused(this.ledger, envelopes, error, this.virtualMs());
    return noted(super.enqueue(envelopes), () => undefined, onFailure);
  }

  override bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    noteHanded(this.ledger, [envelope], reason);
    return super.bury(envelope, reason, error);
  }
}

/** The same promise; what it comes to is noted before anybody else hears of it. */
function noted<T>(promise: Promise<T>, note: () => void, noteFailure: (error: unknown) => void): Promise<T> {
  promise.then(note, noteFailure);
  return promise;
}
