import { type ClusterId, otherCluster, type ReadContext, ReadStrategy } from '../core/index.js';

/**
 * Reads from A until A fails, then from B until {@link reset}, so that readers do not return to a side that
 * is still catching up before an operator says so.
 */
export class PrimaryOnlyReadStrategy extends ReadStrategy {
  #current: ClusterId = 'A';

  override select(context?: ReadContext): ClusterId {
    return context?.preferred ?? this.#current;
  }

  override onSuccess(_cluster?: ClusterId): void {
    // Success does not lead back to A: reset() does.
  }

  override onFailure(cluster: ClusterId, _error?: Error): ClusterId {
    if (cluster === 'A') this.#current = 'B';
    return otherCluster(cluster);
  }

  /** Returns to A. */
  reset(): void {
    this.#current = 'A';
  }
}
