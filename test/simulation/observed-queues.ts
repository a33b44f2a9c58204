import { type DeadLetterReason, type Envelope, type LaneStats } from '../../lib/core/index.js';
import { decodeEnvelope, encodeEnvelope, MemoryReplayer } from '../../lib/replay/index.js';
import { type Timeline } from './engine/timeline.js';
import { type Ledger, type SideTruth } from './ledger.js';
import { type ModelDurableQueue, type QueueObserver } from './model/durable-queue.js';
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
      truthOf(envelope)?.buried.push(reason);
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
function noteHanded(ledger: Ledger, envelopes: readonly Envelope[]): void {
  for (const envelope of envelopes) {
    const truth = ledger.writeOf(envelope)?.[envelope.cluster];
    if (truth) truth.handed++;
  }
}

/** The memory queue; if asked to, keeping bytes, so that what an envelope lacks is missed. */
export class ObservedMemoryReplayer extends MemoryReplayer {
  constructor(
    options: { readonly capacity: number; readonly keepsBytes: boolean },
    private readonly ledger: Ledger,
    private readonly observer: Required<QueueObserver>,
  ) {
    super({ capacity: options.capacity });
    this.#keepsBytes = options.keepsBytes;
    this.#checkedCapacity = options.capacity <= LARGEST_CHECKED ? options.capacity : undefined;
  }

  readonly #keepsBytes: boolean;
  readonly #checkedCapacity: number | undefined;

  override enqueue(envelopes: readonly Envelope[]): Promise<'queued'> {
    noteHanded(this.ledger, envelopes);
    const kept = this.#keepsBytes ? envelopes.map((each) => decodeEnvelope(encodeEnvelope(each))) : envelopes;
    return noted(super.enqueue(kept), () => {
      for (const envelope of envelopes) this.observer.onTaken(envelope);
      this.#checkCapacity();
    });
  }

  override bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    noteHanded(this.ledger, [envelope]);
    return noted(super.bury(envelope, reason, error), () => {
      this.observer.onBuried(envelope, reason);
      this.#checkCapacity();
    });
  }

  #checkCapacity(): void {
    const capacity = this.#checkedCapacity;
    if (capacity === undefined) return;
    const held = Object.values(this.snapshot()).reduce((sum, side: LaneStats) => {
      return sum + side.queued + side.inFlight + side.deadLettered;
    }, 0);
    if (held > capacity) this.ledger.violate('capacity', `The queue holds ${held} of ${capacity} envelopes`);
  }
}

/** One process's use of the durable queue, which itself tells what it takes. */
export class ObservedDurableReplayer extends ModelDurableReplayer {
  constructor(
    queue: ModelDurableQueue,
    isAlive: () => boolean,
    private readonly ledger: Ledger,
  ) {
    super(queue, isAlive);
  }

  override enqueue(envelopes: readonly Envelope[]): Promise<'queued' | 'spooled'> {
    noteHanded(this.ledger, envelopes);
    return super.enqueue(envelopes);
  }

  override bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    noteHanded(this.ledger, [envelope]);
    return super.bury(envelope, reason, error);
  }
}

/** The same promise; what it comes to is noted before anybody else hears of it. */
function noted<T>(promise: Promise<T>, note: () => void): Promise<T> {
  promise.then(note, () => undefined);
  return promise;
}
