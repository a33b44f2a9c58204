import { randomBytes } from 'node:crypto';
import type { ClusterId, Priority } from './cluster.js';
import type { FailedOutcome } from './outcome.js';
import type { Envelope, OperationClass } from './ports/envelope.js';

/** One logical write, with everything both sides and the replay must agree on already fixed. */
export interface WriteOperation {
  readonly id: string;
  readonly timestampUs: number;
  /** The monotonic clock's ms when it was made, if it was read. */
  readonly startedMs?: number;
  readonly priority: Priority;
  readonly class: OperationClass;
  readonly ack: 'any' | 'both';
  /** The caller went before anything was sent, so nothing ever is. */
  readonly isCancelled: boolean;
  /** Statement text without literals, for messages. */
  readonly masked: string;
  /** Sends to one side, once; the promise is the driver's own, so that success costs nothing extra. */
  attempt(cluster: ClusterId): Promise<unknown>;
  classify(error: unknown, cluster: ClusterId): FailedOutcome;
  /** The side's time is over: what has not been sent by now must never be. */
  expire(cluster: ClusterId): FailedOutcome;
  envelope(cluster: ClusterId): Envelope;
  /** The caller has gone. True if nothing has been sent to either side: then nothing ever will be. */
  cancel(): boolean;
}

export interface ReadOperation<Result> {
  readonly masked: string;
  /**
   * `onProgress` begins the deadline anew for the next of several answers; false says that this attempt is
   * not waited for any longer.
   */
  attempt(cluster: ClusterId, onProgress: () => boolean): Promise<Result>;
  classify(error: unknown, cluster: ClusterId): FailedOutcome;
}

/** Ids unique across processes: 90 random bits of the process, then a counter. */
export class OperationIds {
  readonly #process = `${randomBytes(12).toString('base64url')}-`;
  #blocks = 0;
  #block = '';
  #next = SUFFIXES.length;

  next(): string {
    if (this.#next === SUFFIXES.length) {
      this.#block = this.#process + (this.#blocks++).toString(36);
      this.#next = 0;
    }
    return this.#block + String(SUFFIXES[this.#next++]);
  }
}

/** The last two digits of a count, made once: spelling a number out costs more than all else of an id. */
const SUFFIXES: readonly string[] = Array.from({ length: 36 ** 2 }, (_, i) =>
  i.toString(36).padStart(2, '0'),
);
