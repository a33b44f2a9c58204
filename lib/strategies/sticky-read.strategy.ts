import {
  type Clock,
  type ClusterId,
  HelixConfigError,
  otherCluster,
  type ReadContext,
  ReadStrategy,
  systemClock,
} from '../core/index.js';

/** Options of {@link StickyReadStrategy}. */
export interface StickyReadOptions {
  /** Side to begin with. Default: one at random, so that processes spread over both. */
  readonly preferred?: ClusterId;
  /** For so long after a switch the preference stays where it is, in ms. Default 300,000. */
  readonly cooldownMs?: number;
}

/**
 * Stays on one side, whose caches are then warm, and moves to the other when a read fails over.
 *
 * The cooldown limits how often the preference moves, never an attempt: a read that fails inside it is
 * still tried on the other side.
 */
export class StickyReadStrategy extends ReadStrategy {
  readonly #cooldownMs: number;
  #preferred: ClusterId;
  #switchedMs = Number.NEGATIVE_INFINITY;

  /** @throws HelixConfigError an option is out of range */
  constructor(
    options: StickyReadOptions = {},
    private readonly clock: Clock = systemClock,
  ) {
    super();
    const { cooldownMs = 300_000, preferred } = options;
    if (!Number.isFinite(cooldownMs) || cooldownMs < 0) {
      throw new HelixConfigError(
        `StickyReadStrategy: cooldownMs must be a number of milliseconds >= 0, received ${cooldownMs}`,
      );
    }
    if (preferred !== undefined && !['A', 'B'].includes(preferred)) {
      throw new HelixConfigError(`StickyReadStrategy: preferred must be 'A' or 'B', received ${preferred}`);
    }
    this.#cooldownMs = cooldownMs;
    this.#preferred = preferred ?? (Math.random() < 0.5 ? 'A' : 'B');
  }

  override select(context?: ReadContext): ClusterId {
    return context?.preferred ?? this.#preferred;
  }

  override onSuccess(_cluster?: ClusterId): void {
    // Success changes nothing: the preference moves only when a read fails over.
  }

  override onFailure(cluster: ClusterId, _error?: Error): ClusterId {
    const other = otherCluster(cluster);
    const nowMs = this.clock.monotonicMs();
    if (cluster === this.#preferred && nowMs - this.#switchedMs >= this.#cooldownMs) {
      this.#preferred = other;
      this.#switchedMs = nowMs;
    }
    return other;
  }
}
