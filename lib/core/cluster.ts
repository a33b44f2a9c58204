/** One of the two clusters of a pair. */
export type ClusterId = 'A' | 'B';

/** Replay priority: within a lane, high and low are consumed 10 : 1 (or strictly). */
export type Priority = 'high' | 'low';

export function otherCluster(cluster: ClusterId): ClusterId {
  return cluster === 'A' ? 'B' : 'A';
}

/** A value for each cluster that is configured: `B` is missing in single-cluster mode. */
export interface PerCluster<T> {
  readonly A: T;
  readonly B?: T;
}
