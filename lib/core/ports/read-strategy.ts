import type { ClusterId } from '../cluster.js';

/** What a strategy is told about the read it chooses a side for. */
export interface ReadContext {
  /** The key of the call (`@StickyRead({ key })`); {@link preferred} is the side it stands for. */
  readonly key?: string;
  /** The side that the call this read belongs to has bound itself to, if any: to be answered with. */
  readonly preferred?: ClusterId;
  /** False while the side is known to be bad; it is then asked last, never left out. */
  isUsable(cluster: ClusterId): boolean;
}

/** Chooses the side of a read. One instance belongs to one pair. */
export abstract class ReadStrategy {
  /**
   * The side to ask first. If the other one is better off (connected, available, not draining, up to date), that
   * one is asked first all the same. What it throws is the error of the read.
   */
  abstract select(context: ReadContext): ClusterId;
  /** The side answered. */
  abstract onSuccess(cluster: ClusterId): void;
  /** The side failed: the side to ask now, or `undefined` to give up. */
  abstract onFailure(cluster: ClusterId, error: Error): ClusterId | undefined;
}
