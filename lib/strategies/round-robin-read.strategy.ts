import { type ClusterId, otherCluster, type ReadContext, ReadStrategy } from '../core/index.js';

/** Alternates between the sides: even load, colder caches. */
export class RoundRobinReadStrategy extends ReadStrategy {
  #next: ClusterId = 'A';

  override select(context?: ReadContext): ClusterId {
    if (context?.preferred) return context.preferred;
    const selected = this.#next;
    this.#next = otherCluster(selected);
    return selected;
  }

  override onSuccess(_cluster?: ClusterId): void {
    // Every read takes its turn, whatever became of the one before.
  }

  override onFailure(cluster: ClusterId, _error?: Error): ClusterId {
    return otherCluster(cluster);
  }
}
