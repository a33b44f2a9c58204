import { randomBytes } from 'node:crypto';
import { type ClusterId, type Priority } from './cluster.js';
import { type FailedOutcome } from './outcome.js';
import { type Envelope, type OperationClass } from './ports/envelope.js';

/** One logical write, with everything both sides and the replay must agree on already fixed. */
export interface WriteOperation {
  readonly id: string;
  readonly timestampUs: number;
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
  readonly #prefix = `${randomBytes(12).toString('base64url')}-`;
  #count = 0;

  next(): string {
    return this.#prefix + (this.#count++).toString(36);
  }
}
