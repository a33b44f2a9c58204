import { type ClusterId, type Priority } from '../cluster.js';
import { type Outcome } from '../outcome.js';

/** A write to one side, not sent yet. */
export interface SideWrite {
  readonly cluster: ClusterId;
  /** Never rejects, sends at most once (later calls answer with the same outcome). Never called = skipped. */
  send(): Promise<Outcome>;
}

export interface WriteContext {
  readonly ack: 'any' | 'both';
  readonly priority: Priority;
  readonly signal?: AbortSignal;
}

/** Decides in which order, and how long awaited, a write goes to the two sides. */
export abstract class WriteStrategy {
  /**
   * True when `execute` would only send both at once and await both: the write path then does that itself,
   * without the objects between.
   */
  readonly sendsBothAtOnce?: boolean;

  /** Answers with the outcome of A and of B, in this order. Must not reject. */
  abstract execute(a: SideWrite, b: SideWrite, context: WriteContext): Promise<readonly [Outcome, Outcome]>;
}
