import {
  type ClusterId,
  type DeadLetterReason,
  type DeadLetterStore,
  type DeliveryHandler,
  type DeliveryVerdict,
  type Envelope,
  HelixUsageError,
  type LaneStats,
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
import { MemoryDeadLetters } from './memory-dead-letters.js';
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
 * It is bounded as a whole: what is queued, delayed, in flight and dead, on both sides and in both priorities,
 * is at most `capacity` envelopes. What does not fit is refused with {@link ReplayQueueFullError}, all of one
 * call or nothing.
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
    const { capacity, ratio } = resolveMemoryReplayerOptions(options);
    this.#capacity = capacity;
    const settle = (held: Held, verdict: DeliveryVerdict): void => this.#settle(held, verdict);
    this.#sides = { A: new Side(ratio, settle), B: new Side(ratio, settle) };
    this.#deadLetters = new MemoryDeadLetters({
      requeue: (envelope) => this.#admit(envelope),
      onPurged: (cluster) => this.#sides[cluster].purged++,
      isClosed: () => this.#isClosed,
      describe: (envelope) => this.#require().context.describe(envelope),
    });
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
    if (refusal) return Promise.reject(refusal);
    for (const envelope of envelopes) {
      this.#sides[envelope.cluster].enqueued++;
      this.#admit(envelope);
    }
    return Promise.resolve('queued');
  }

  reserve(_cluster: ClusterId, count: number): Reservation | undefined {
    if (this.#held() + this.#reserved + count > this.#capacity) return undefined;
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
    const refusal = this.#refusal([envelope]);
    if (refusal) return Promise.reject(refusal);
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
    const dead = this.#deadLetters.sizes;
    return A.size + B.size + dead.A + dead.B;
  }

  /** Why these envelopes cannot be taken; counts them as dropped then. */
  #refusal(envelopes: readonly Envelope[]): Error | undefined {
    const held = this.#held();
    let refusal: Error | undefined;
    if (this.#isClosed)
      refusal = new SessionClosedError('The replay queue is closed and takes no more envelopes.');
    else if (!this.#opened) refusal = notOpened();
    else if (held + this.#reserved + envelopes.length > this.#capacity)
      refusal = this.#queueFull(held, envelopes.length);
    if (!refusal) return undefined;
    for (const { cluster } of envelopes) {
      this.#sides[cluster].enqueued++;
      this.#sides[cluster].dropped++;
    }
    return refusal;
  }

  #queueFull(held: number, asked: number): ReplayQueueFullError {
    return new ReplayQueueFullError(
      `The replay queue is full: it holds ${held} of ${this.#capacity} envelopes (dead letters included), has ${this.#reserved} reserved and was ` +
        `given ${asked} more. Bring back the cluster that is down, requeue or purge dead letters, raise ` +
        `MemoryReplayer's capacity, or use a durable replayer.`,
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
        this.#addDeadLetter(held.envelope, verdict.reason, verdict.error, held.attempts + 1);
        this.#positions.leave(held.presence, 'deadLettered');
        return;
      case 'retry':
        held.attempts++;
        this.#require().delayed.add(held, verdict.delayMs);
        return;
      case 'release':
        side.putBack(held);
    }
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
