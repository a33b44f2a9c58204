import type { SettledOutcome } from '../outcome.js';
import type { Envelope } from './envelope.js';

/** A cluster as the replay worker sees it. */
export interface ReplayTarget {
  /** Resolves when the cluster answers. */
  ping(timeoutMs: number): Promise<void>;
  /** Applies an envelope once, with its own timestamp. Never rejects. */
  apply(envelope: Envelope, timeoutMs: number): Promise<SettledOutcome>;
}
