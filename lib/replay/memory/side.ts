import {
  type ClusterId,
  type DeliveryHandler,
  type DeliveryVerdict,
  HelixUsageError,
  type LaneStats,
  type ReplayLane,
} from '../../core/index.js';
import { type LaneSource, MemoryLane } from './memory-lane.js';
import { type Held, WeightedQueue } from './weighted-queue.js';

/** What one side has missed, and the lane it is delivered on. */
export class Side implements LaneSource {
  enqueued = 0;
  applied = 0;
  purged = 0;
  superseded = 0;
  dropped = 0;
  readonly #queue: WeightedQueue;
  readonly #onSettled: (held: Held, verdict: DeliveryVerdict) => void;
  /** Queued, delayed and in flight. */
  readonly #held = new Set<Held>();
  #inFlight = 0;
  #lane: MemoryLane | undefined;

  constructor(ratio: number, onSettled: (held: Held, verdict: DeliveryVerdict) => void) {
    this.#queue = new WeightedQueue(ratio);
    this.#onSettled = onSettled;
  }

  get size(): number {
    return this.#held.size;
  }

  admit(held: Held): void {
    this.#held.add(held);
    this.append(held);
  }

  append(held: Held): void {
    this.#queue.append(held);
    this.#lane?.deliver();
  }

  putBack(held: Held): void {
    this.#queue.putBack(held);
  }

  remove(held: Held): void {
    this.#held.delete(held);
  }

  take(): Held | undefined {
    const held = this.#queue.take();
    if (held) this.#inFlight++;
    return held;
  }

  settle(held: Held, verdict: DeliveryVerdict): void {
    // Handed back by close() while it was in flight: somebody else answers for it now.
    if (!this.#held.has(held)) return;
    this.#inFlight--;
    this.#onSettled(held, verdict);
  }

  consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane {
    if (this.#lane && !this.#lane.isStopped) {
      throw new HelixUsageError(
        `The replay lane of cluster ${cluster} is in use: stop it before consuming again.`,
      );
    }
    return (this.#lane = new MemoryLane(this, handler));
  }

  /** Ends the lane and answers with what was held. */
  close(): readonly Held[] {
    void this.#lane?.stop();
    const held = [...this.#held];
    this.#held.clear();
    this.#queue.clear();
    this.#inFlight = 0;
    return held;
  }

  stats(nowMs: number, deadLettered: number): LaneStats {
    let oldestMs = nowMs;
    for (const { envelope } of this.#held) oldestMs = Math.min(oldestMs, envelope.createdAtMs);
    return {
      queued: this.#held.size - this.#inFlight,
      inFlight: this.#inFlight,
      deadLettered,
      oldestAgeMs: nowMs - oldestMs,
      open: (this.#lane?.concurrency ?? 0) > 0,
      applied: this.applied,
      enqueued: this.enqueued,
      purged: this.purged,
      superseded: this.superseded,
      dropped: this.dropped,
    };
  }
}
