import {
  type ClusterId,
  type DeadLetterReason,
  type DeadLetterStore,
  type DeliveryHandler,
  type DeliveryVerdict,
  type Envelope,
  HelixUsageError,
  type LaneStats,
  type QueueUsage,
  type ReplayContext,
  Replayer,
  type ReplayLane,
  type ReplayPosition,
  ReplayQueueFullError,
  type Reservation,
  type ReplayStats,
  SessionClosedError,
} from '../../core/index.js';
import { DelayedSet } from './delayed-set.js';
import { type DeadLetterOwner, MemoryDeadLetters } from './memory-dead-letters.js';
import { type MemoryReplayerOptions, resolveMemoryReplayerOptions } from './memory-replayer.options.js';
import { Positions } from './positions.js';
import { Side } from './side.js';
import { Held } from './weighted-queue.js';

interface Opened {
  readonly context: ReplayContext;
  readonly delayed: DelayedSet<Held>;
}

/**
 * A replay queue in this process's memory: needs nothing, and is gone with the process.
 *
 * It is bounded as a whole: what is queued, delayed and in flight, on both sides and in both priorities, is at most
 * `capacity` envelopes. What does not fit is refused with {@link ReplayQueueFullError}, all of one call or nothing.
 *
 * Dead letters have a bound of their own, `deadLetterCapacity`, and take no room from the queue. When they are full a
 * further one cannot be kept: it is lost, and reported like every write that is.
 *
 * @example
 * new MemoryReplayer({ capacity: 50_000 })             // 10 high, then 1 low
 * new MemoryReplayer({ capacity: 50_000, strict: true }) // low only when no high waits
 */
export class MemoryReplayer extends Replayer {
  readonly durability = 'volatile';
  readonly maxEnvelopeBytes = Infinity;
  readonly #capacity: number;
  readonly #sides: Readonly<Record<ClusterId, Side>>;
  #positions = new Positions();
  readonly #deadLetters: MemoryDeadLetters;
  #opened: Opened | undefined;
  #reserved = 0;
  #isClosed = false;

  /** @throws {HelixConfigError} an option is unknown, out of range or contradicts another */
  constructor(options: MemoryReplayerOptions = {}) {
    super();
    const { capacity, deadLetterCapacity, ratio } = resolveMemoryReplayerOptions(options);
    this.#capacity = capacity;
    const settle = (held: Held, verdict: DeliveryVerdict): void => this.#settle(held, verdict);
    this.#sides = { A: new Side(ratio, settle), B: new Side(ratio, settle) };
    const owner: DeadLetterOwner = {
      room: () => this.#room(),
      requeue: (envelope) => this.#admit(envelope),
      onPurged: (cluster) => this.#sides[cluster].purged++,
      isClosed: () => this.#isClosed,
      describe: (envelope) => this.#require().context.describe(envelope),
    };
    this.#deadLetters = new MemoryDeadLetters(owner, deadLetterCapacity);
  }

  get deadLetters(): DeadLetterStore {
    return this.#deadLetters;
  }

  open(context: ReplayContext): Promise<void> {
    if (this.#opened) {
      const message =
        'This MemoryReplayer is in use already: give each Helix instance a replayer of its own.';
      return Promise.reject(new HelixUsageError(message));
    }
    const delayed = new DelayedSet<Held>(context.clock, (held) =>
      this.#sides[held.envelope.cluster].append(held),
    );
    this.#positions = new Positions(context.invariants);
    this.#opened = { context, delayed };
    return Promise.resolve();
  }

  enqueue(envelopes: readonly Envelope[]): Promise<'queued'> {
    const refusal = this.#refusal(envelopes);
    if (refusal) return this.#refuse(envelopes, refusal);
    for (const envelope of envelopes) {
      this.#sides[envelope.cluster].enqueued++;
      this.#admit(envelope);
    }
    return Promise.resolve('queued');
  }

  reserve(_cluster: ClusterId, count: number): Reservation | undefined {
    if (count > this.#room()) return undefined;
    this.#reserved += count;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.#reserved -= count;
        isHeld = false;
      },
    };
  }

  bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    const refusal = this.#closedOrNotOpened() ?? this.#deadLetters.refusal(envelope);
    if (refusal) return this.#refuse([envelope], refusal);
    this.#sides[envelope.cluster].enqueued++;
    this.#addDeadLetter(envelope, reason, error, 0);
    return Promise.resolve();
  }

  /** @throws {HelixUsageError} the side's lane is in use, or the queue was not opened */
  consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane {
    this.#require();
    return this.#sides[cluster].consume(cluster, handler);
  }

  position(): Promise<ReplayPosition> {
    if (this.#isClosed) return Promise.reject(new SessionClosedError('The replay queue is closed.'));
    return Promise.resolve(this.#positions.take());
  }

  stats(): Promise<ReplayStats> {
    return Promise.resolve(this.snapshot());
  }

  snapshot(): ReplayStats {
    return { A: this.#statsOf('A'), B: this.#statsOf('B') };
  }

  override usage(): QueueUsage {
    return { held: this.#held(), capacity: this.#capacity };
  }

  /** Resolves at once: memory spools nothing. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Ends the queue and answers with everything it still held, dead letters last. An envelope whose delivery has
   * not ended is among them, because nobody would learn about its failure any more.
   */
  close(): Promise<readonly Envelope[]> {
    this.#isClosed = true;
    this.#opened?.delayed.clear();
    const remaining: Envelope[] = [];
    for (const side of [this.#sides.A, this.#sides.B]) {
      for (const held of side.close()) {
        side.dropped++;
        remaining.push(held.envelope);
      }
    }
    this.#positions.fail(
      new SessionClosedError(
        'The replay queue was closed while envelopes were waited for: they were handed back.',
      ),
    );
    for (const envelope of this.#deadLetters.clear()) {
      this.#sides[envelope.cluster].dropped++;
      remaining.push(envelope);
    }
    return Promise.resolve(remaining);
  }

  #admit(envelope: Envelope): void {
    this.#sides[envelope.cluster].admit(new Held(envelope, this.#positions.enter()));
  }

  #held(): number {
    const { A, B } = this.#sides;
    return A.size + B.size;
  }

  #room(): number {
    return this.#capacity - this.#held() - this.#reserved;
  }

  /** Why these envelopes cannot be queued, if they cannot. */
  #refusal(envelopes: readonly Envelope[]): Error | undefined {
    const refusal = this.#closedOrNotOpened();
    if (refusal) return refusal;
    return envelopes.length > this.#room() ? this.#queueFull(envelopes.length) : undefined;
  }

  #closedOrNotOpened(): Error | undefined {
    if (this.#isClosed)
      return new SessionClosedError('The replay queue is closed and takes no more envelopes.');
    return this.#opened ? undefined : notOpened();
  }

  #refuse(envelopes: readonly Envelope[], refusal: Error): Promise<never> {
    for (const { cluster } of envelopes) {
      this.#sides[cluster].enqueued++;
      this.#sides[cluster].dropped++;
    }
    return Promise.reject(refusal);
  }

  #queueFull(asked: number): ReplayQueueFullError {
    return new ReplayQueueFullError(
      `The replay queue is full: it holds ${this.#held()} of ${this.#capacity} envelopes, has ${this.#reserved} reserved and was ` +
        `given ${asked} more. Bring back the cluster that is down, raise MemoryReplayer's capacity, or use a ` +
        `durable replayer.`,
    );
  }

  #settle(held: Held, verdict: DeliveryVerdict): void {
    const side = this.#sides[held.envelope.cluster];
    switch (verdict.kind) {
      case 'applied':
        side.applied++;
        side.remove(held);
        this.#positions.leave(held.presence, 'applied');
        return;
      case 'dead':
        side.remove(held);
        this.#buryHeld(held, verdict.reason, verdict.error);
        return;
      case 'retry':
        held.attempts++;
        this.#require().delayed.add(held, verdict.delayMs);
        return;
      case 'release':
        side.putBack(held);
    }
  }

  /** What the queue has held becomes a dead letter, or is lost if there is no room for one. */
  #buryHeld(
    { envelope, attempts, presence }: Held,
    reason: DeadLetterReason,
    error: Error | undefined,
  ): void {
    const refusal = this.#deadLetters.refusal(envelope);
    if (!refusal) {
      this.#addDeadLetter(envelope, reason, error, attempts + 1);
      this.#positions.leave(presence, 'deadLettered');
      return;
    }
    this.#sides[envelope.cluster].dropped++;
    this.#positions.leave(presence, undefined);
    this.#require().context.onDropped?.(envelope, refusal);
  }

  #addDeadLetter(
    envelope: Envelope,
    reason: DeadLetterReason,
    error: Error | undefined,
    attempts: number,
  ): void {
    const deadAtMs = this.#require().context.clock.nowMs();
    // The same operation, side and generation twice is one dead letter: the newer one tells more.
    const isReplaced = this.#deadLetters.add({ envelope, reason, error, attempts, deadAtMs });
    if (isReplaced) this.#sides[envelope.cluster].superseded++;
  }

  #statsOf(cluster: ClusterId): LaneStats {
    const { context } = this.#opened ?? {};
    const nowMs = context?.clock.nowMs() ?? 0;
    const stats = this.#sides[cluster].stats(nowMs, this.#deadLetters.sizes[cluster]);
    if (!addsUp(stats)) context?.invariants?.breached('laneDoesNotAddUp');
    return stats;
  }

  #require(): Opened {
    if (!this.#opened) throw notOpened();
    return this.#opened;
  }
}

/** Whether every envelope is in exactly one place. */
function addsUp(lane: LaneStats): boolean {
  const { queued, inFlight, deadLettered, applied, enqueued, purged, superseded, dropped } = lane;
  const places = [queued, inFlight, deadLettered, applied, purged, superseded, dropped];
  return places.every((count) => count >= 0) && enqueued === places.reduce((sum, count) => sum + count);
}

function notOpened(): HelixUsageError {
  return new HelixUsageError('The replay queue was not opened: call open(context) before anything else.');
}
