import { randomBytes } from 'node:crypto';
import type { ClusterId, Priority } from './cluster.js';
import type { FailedOutcome } from './outcome.js';
import type { Envelope, OperationClass } from './ports/envelope.js';
import { Call, type Wire } from './wire.js';

/** How far an attempt had come when it failed. */
export type Stage =
  /** It was not on its way yet: connecting, preparing. */
  | 'prepare'
  /** It was handed to the driver to be executed. */
  | 'execute';

/** What has become of a write so far, as bits: sides that were handed to the driver, and that must not be any more. */
const SENT = { A: 1, B: 2 } as const;
const EXPIRED = { A: 4, B: 8 } as const;
const CANCELLED = 16;
/** Sides that it was sent to once more, because nothing had been executed. */
const SENT_AGAIN = { A: 32, B: 64 } as const;

/** A side whose statements have to be prepared again each time before they can be sent is given up after so often. */
const MOST_PREPARATIONS = 5;

/**
 * One logical write, with everything both sides and the replay must agree on already fixed, and its life: on each side
 * it is prepared if it has to be, then sent once; a side whose time is over, and a write whose caller has gone, is
 * never sent any more. What is prepared, sent and classified is the subclass's.
 */
export abstract class WriteOperation {
  abstract readonly id: string;
  abstract readonly timestampUs: number;
  /** The monotonic clock's ms when it was made, if it was read. */
  abstract readonly startedMs: number | undefined;
  abstract readonly priority: Priority;
  abstract readonly class: OperationClass;
  abstract readonly ack: 'any' | 'both';
  /** Statement text without literals, for messages. */
  abstract readonly masked: string;
  #state = 0;

  /** Whether there is something to queue: parameters whose types no side has told cannot be kept. */
  abstract readonly canBeQueued: boolean;
  /** What is queued for a side that misses it. */
  abstract envelope(cluster: ClusterId): Envelope;
  /** Whether it can be sent to the side as it is. */
  protected abstract isPreparedOn(cluster: ClusterId): boolean;
  /** A step of its own: if it fails, nothing has been sent. */
  protected abstract prepareOn(cluster: ClusterId): Promise<unknown>;
  /** Hands it to the driver; the promise is the driver's own, so that success costs nothing extra. */
  protected abstract send(cluster: ClusterId): Promise<unknown>;
  /**
   * Whether the side has executed nothing because it does not know any more what it was prepared under. It is to be
   * prepared anew then.
   */
  protected mustPrepareAgain(_error: unknown, _cluster: ClusterId): boolean {
    return false;
  }

  /** What an error means that was thrown at that stage. */
  protected abstract classifyAt(error: unknown, stage: Stage): FailedOutcome;
  /** What is said of a side that did not answer: in time, or that is dead. */
  protected abstract silenceOf(cluster: ClusterId, why: 'late' | 'dead'): Error;

  /** The caller went before anything was sent, so nothing ever is. */
  get isCancelled(): boolean {
    return (this.#state & CANCELLED) !== 0;
  }

  /** Brings it to one side; call it once for each. */
  attempt(cluster: ClusterId): Promise<unknown> {
    return this.isPreparedOn(cluster) ? this.sendInTime(cluster) : this.prepareAndSend(cluster);
  }

  /** Sends it once more if nothing was executed for want of preparation; `undefined`: the error stands. */
  again(cluster: ClusterId, error: unknown): Promise<unknown> | undefined {
    const mark = cluster === 'A' ? SENT_AGAIN.A : SENT_AGAIN.B;
    if (this.#state & mark || !this.wasSent(cluster) || !this.mustPrepareAgain(error, cluster))
      return undefined;
    this.#state = (this.#state | mark) & ~(cluster === 'A' ? SENT.A : SENT.B);
    return this.prepareAndSend(cluster);
  }

  classify(error: unknown, cluster: ClusterId): FailedOutcome {
    return this.said(this.classifyAt(error, this.wasSent(cluster) ? 'execute' : 'prepare'));
  }

  /** The side is not waited for any longer: what has not been sent by now must never be. */
  expire(cluster: ClusterId, why: 'late' | 'dead' = 'late'): FailedOutcome {
    this.#state |= cluster === 'A' ? EXPIRED.A : EXPIRED.B;
    const kind = this.wasSent(cluster) ? 'ambiguous' : 'unreached';
    return this.said({ kind, error: this.silenceOf(cluster, why) });
  }

  /** The caller has gone. True if nothing has been sent to either side: then nothing ever will be. */
  cancel(): boolean {
    if (this.#state & (SENT.A | SENT.B)) return false;
    this.#state |= EXPIRED.A | EXPIRED.B | CANCELLED;
    return true;
  }

  // `private` and not `#`, as in wire.ts: one object for every write.

  private async prepareAndSend(cluster: ClusterId): Promise<unknown> {
    for (let count = 0; count < MOST_PREPARATIONS; count++) {
      await this.prepareOn(cluster);
      if (this.isPreparedOn(cluster)) return this.sendInTime(cluster);
    }
    throw new Error('What was prepared was out of date each time before it could be sent');
  }

  private sendInTime(cluster: ClusterId): Promise<unknown> {
    const isOver = this.#state & (cluster === 'A' ? EXPIRED.A : EXPIRED.B);
    if (isOver) return Promise.reject(new Error('Its time was over before it could be sent'));
    this.#state |= cluster === 'A' ? SENT.A : SENT.B;
    return this.send(cluster);
  }

  private wasSent(cluster: ClusterId): boolean {
    return (this.#state & (cluster === 'A' ? SENT.A : SENT.B)) !== 0;
  }

  /** What was never sent because its caller went says nothing of the cluster. */
  private said(outcome: FailedOutcome): FailedOutcome {
    return this.isCancelled ? { ...outcome, scope: 'local' } : outcome;
  }
}

/** A write on its way to one side, or to both. */
export abstract class WriteOnWire extends Call {
  constructor(
    wire: Wire,
    protected readonly operation: WriteOperation,
  ) {
    super(wire);
  }

  protected override request(cluster: ClusterId): Promise<unknown> {
    return this.operation.attempt(cluster);
  }

  protected override again(cluster: ClusterId, error: unknown): Promise<unknown> | undefined {
    return this.operation.again(cluster, error);
  }

  protected override classify(error: unknown, cluster: ClusterId): FailedOutcome {
    return this.operation.classify(error, cluster);
  }

  protected override unanswered(cluster: ClusterId, why: 'late' | 'dead'): FailedOutcome {
    return this.operation.expire(cluster, why);
  }

  /** Whether that side is not waited for once it alone is: it is dead, and what it may have got may be repeated. */
  protected isGivenUp(cluster: ClusterId): boolean {
    const { detector } = this.wire;
    // The class comes last: a statement has to work it out.
    return detector.hasDead && detector.isGivenUp(cluster) && this.operation.class === 'idempotent';
  }
}

export interface ReadOperation<Result> {
  readonly masked: string;
  /**
   * `onProgress` begins the deadline anew for the next of several answers; false says that this attempt is
   * not waited for any longer.
   */
  attempt(cluster: ClusterId, onProgress: () => boolean): Promise<Result>;
  /** Whether the side has read nothing for want of preparation, so that another attempt may succeed. */
  mustPrepareAgain?(error: unknown, cluster: ClusterId): boolean;
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
