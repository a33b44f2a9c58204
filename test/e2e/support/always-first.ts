import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import { ReadStrategy } from '../../../lib/index.js';

/** Asks this side first, whatever has happened before: nothing it does itself keeps reads away from it. */
export class AlwaysFirst extends ReadStrategy {
  constructor(private readonly cluster: ClusterId) {
    super();
  }

  override select(): ClusterId {
    return this.cluster;
  }

  override onSuccess(): void {
    // Nothing to learn.
  }

  override onFailure(failed: ClusterId): ClusterId {
    return otherCluster(failed);
  }
}
