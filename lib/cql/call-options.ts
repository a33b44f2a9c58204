import type { ClusterId, Priority } from '../core/index.js';
import type { Consistency } from './consistency.js';

/** What `dualWrite` sets for the calls made inside it; a query's own settings win. */
export interface DualWriteCallOptions {
  /** Default: the instance's `ack`. */
  readonly ack?: 'any' | 'both' | undefined;
  /** Order of replay of what one side misses. Default: the instance's `priority`. */
  readonly priority?: Priority | undefined;
  /** Of reads and writes. Default: each cluster's own. */
  readonly consistency?: Consistency | undefined;
  /** Longest wait of the caller for each call, in ms. Default: none beyond the instance's time limits. */
  readonly timeoutMs?: number | undefined;
}

/** What `stickyRead` sets for the calls made inside it; a query's own settings win. */
export interface StickyReadCallOptions {
  /** The side to read from. Default: the one that the first read is asked of. */
  readonly cluster?: ClusterId | undefined;
  /** Chooses the side: the same key gives the same side in every process. `cluster` wins over it. */
  readonly key?: string | undefined;
  /** Default: each cluster's own. */
  readonly consistency?: Consistency | undefined;
  /** Longest wait of the caller for each call, in ms. Default: none beyond the instance's time limits. */
  readonly timeoutMs?: number | undefined;
  /** No answer by then, in ms: the other side is asked too, and the first answer wins. Default: never. */
  readonly hedgeAfterMs?: number | undefined;
}

/** Runs calls in a context of their own. */
export interface CallRunner {
  dualWrite<T>(options: DualWriteCallOptions, call: () => T): T;
  stickyRead<T>(options: StickyReadCallOptions, call: () => T): T;
}
