import type { ClusterId, Priority } from '../cluster.js';
import type { Outcome } from '../outcome.js';

/** A write to one side, not sent yet. */
export interface SideWrite {
  /** The side it goes to. */
  readonly cluster: ClusterId;
  /** Never rejects, sends at most once (later calls answer with the same outcome). Never called = skipped. */
  send(): Promise<Outcome>;
}

/** What the caller of a write has asked for. */
export interface WriteContext {
  /** `both`: whatever the strategy leaves pending is waited for. */
  readonly ack: 'any' | 'both';
  /** Order of replay of what one side misses. */
  readonly priority: Priority;
  /** The caller's own. What was sent goes on when it aborts, so there is no need to heed it. */
  readonly signal?: AbortSignal;
}

/** Decides in which order, and how long awaited, a write goes to the two sides. */
export abstract class WriteStrategy {
  /**
   * True when `execute` would only send both at once and await both: the write path then does that itself,
   * without the objects between.
   */
  readonly sendsBothAtOnce?: boolean;
  /**
   * With {@link sendsBothAtOnce}: once one side has applied a write, the other is waited for so long, in ms (to within
   * a tenth or 50 ms, whichever is less); then the call answers, with `pending` for it. Never with `ack: 'both'`.
   * Default: as long as it takes.
   */
  readonly stragglerMs?: number | undefined;

  /** Answers with the outcome of A and of B, in this order. Must not reject. */
  abstract execute(a: SideWrite, b: SideWrite, context: WriteContext): Promise<readonly [Outcome, Outcome]>;
}
