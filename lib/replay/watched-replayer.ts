import {
  type ClusterId,
  type DeadLetterReason,
  type DeadLetterStore,
  type DeliveryHandler,
  type DeliveryVerdict,
  type Envelope,
  type QueueUsage,
  type ReplayContext,
  Replayer,
  type ReplayLane,
  type ReplayPosition,
  type ReplayStats,
  type Reservation,
} from '../core/index.js';

/** Is told what becomes of envelopes. What it throws changes nothing. */
export interface ReplayWatcher {
  /** They were accepted. */
  onQueued(envelopes: readonly Envelope[]): void;
  /** A write went straight into the dead letters. */
  onBuried(envelope: Envelope, reason: DeadLetterReason, error: Error | undefined): void;
  /** A delivery begins. */
  onDelivering(cluster: ClusterId): void;
  /** A delivery has ended; the queue itself knows of it a moment later. */
  onDelivered(envelope: Envelope, verdict: DeliveryVerdict): void;
}

/** A replayer as it is, and somebody who watches what goes in and what comes out. */
export class WatchedReplayer extends Replayer {
  constructor(
    private readonly replayer: Replayer,
    private readonly watcher: ReplayWatcher,
  ) {
    super();
  }

  override get durability(): Replayer['durability'] {
    return this.replayer.durability;
  }

  override get maxEnvelopeBytes(): number {
    return this.replayer.maxEnvelopeBytes;
  }

  override get deadLetters(): DeadLetterStore {
    return this.replayer.deadLetters;
  }

  override open(context: ReplayContext): Promise<void> {
    return this.replayer.open(context);
  }

  override enqueue(...args: Parameters<Replayer['enqueue']>): ReturnType<Replayer['enqueue']> {
    const [envelopes] = args;
    const accepted = this.replayer.enqueue(...args);
    accepted.then(
      () => this.#tell((watcher) => watcher.onQueued(envelopes)),
      () => undefined,
    );
    return accepted;
  }

  override reserve(...args: Parameters<Replayer['reserve']>): Reservation | undefined {
    return this.replayer.reserve(...args);
  }

  override bury(...args: Parameters<Replayer['bury']>): Promise<void> {
    const [envelope, reason, error] = args;
    const accepted = this.replayer.bury(...args);
    accepted.then(
      () => this.#tell((watcher) => watcher.onBuried(envelope, reason, error)),
      () => undefined,
    );
    return accepted;
  }

  override consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane {
    return this.replayer.consume(cluster, async (delivery) => {
      this.#tell((watcher) => watcher.onDelivering(cluster));
      const verdict = await handler(delivery);
      this.#tell((watcher) => watcher.onDelivered(delivery.envelope, verdict));
      return verdict;
    });
  }

  override position(): Promise<ReplayPosition> {
    return this.replayer.position();
  }

  override stats(): Promise<ReplayStats> {
    return this.replayer.stats();
  }

  override snapshot(): ReplayStats {
    return this.replayer.snapshot();
  }

  override usage(): QueueUsage | undefined {
    return this.replayer.usage?.();
  }

  override flush(signal?: AbortSignal): Promise<void> {
    return this.replayer.flush(signal);
  }

  override close(): Promise<readonly Envelope[]> {
    return this.replayer.close();
  }

  #tell(tell: (watcher: ReplayWatcher) => void): void {
    try {
      tell(this.watcher);
    } catch {
      // Who only looks on must not make a write that was applied one that is delivered again.
    }
  }
}
