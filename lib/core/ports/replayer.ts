import type { ClusterId } from '../cluster.js';
import type { Clock } from '../clock.js';
import type { Invariants } from '../invariant.js';
import type { Envelope } from './envelope.js';

/**
 * Why an envelope will not be retried by itself.
 *
 * - `rejected` its cluster refuses it
 * - `expired` it is too old to be applied safely
 * - `inDoubt` it may have been applied, and must not be applied twice
 * - `undecodable` its bytes are damaged
 * - `conflict` the data it was made for has changed meanwhile
 */
export type DeadLetterReason = 'rejected' | 'expired' | 'inDoubt' | 'undecodable' | 'conflict';

/** An envelope that waits for an operator. */
export interface DeadLetter {
  /** For `get`, `requeue` and `purge`. */
  readonly id: string;
  /** That of the receipt. */
  readonly operationId: string;
  /** The side that has not got it. */
  readonly cluster: ClusterId;
  readonly reason: DeadLetterReason;
  /** Name and code of the error, never its message: messages may carry values. */
  readonly error?: string;
  /** How often it was tried; 0 if it came here straight from the write. */
  readonly attempts: number;
  /** When the operation was accepted. */
  readonly createdAt: Date;
  /** When it became a dead letter. */
  readonly deadAt: Date;
  /** Statement text with every literal masked; the whole text when read with `reveal`. */
  readonly statement: string;
  /** Table of the first statement, where it is known. */
  readonly table?: string;
}

/** Which dead letters to list; what is left out does not restrict. */
export interface DeadLetterFilter {
  readonly cluster?: ClusterId;
  readonly reason?: DeadLetterReason;
  /** At most so many, oldest first. Default 100. */
  readonly limit?: number;
  /** Continue behind the dead letter with this id. */
  readonly after?: string;
}

/** The writes that an operator has to decide on. Ids that are gone by now are passed over. */
export interface DeadLetterStore {
  /**
   * Oldest first.
   *
   * @throws HelixUsageError `limit` is not a whole number, 1 or more
   */
  list(filter?: DeadLetterFilter): Promise<DeadLetter[]>;
  /** `undefined`: there is none with this id. `reveal: true` shows the statement's text unmasked. */
  get(id: string, options?: { reveal?: boolean }): Promise<DeadLetter | undefined>;
  /**
   * Puts dead letters back into the queue as the next generation and answers how many: the oldest first, or in the
   * order of `ids`, as many as the queue has room for. Those with reason `inDoubt` may have been applied: they are left
   * alone unless `force` is set.
   *
   * @throws ReplayQueueFullError there is room for none of them
   */
  requeue(ids: readonly string[] | 'all', options?: { force?: boolean }): Promise<number>;
  /** Removes dead letters for good and answers how many. */
  purge(ids: readonly string[] | 'all'): Promise<number>;
  /** How many there are. */
  count(): Promise<number>;
}

/**
 * Figures of one side's lane, counted in envelopes. They always add up:
 * `enqueued = applied + queued + inFlight + deadLettered + purged + superseded + dropped`.
 */
export interface LaneStats {
  /** Waiting to be replayed, those that wait for their next attempt included. */
  readonly queued: number;
  /** Being replayed now. */
  readonly inFlight: number;
  /** In the dead letters now. */
  readonly deadLettered: number;
  /** Age of the oldest envelope that is queued or in flight, 0 when there is none. */
  readonly oldestAgeMs: number;
  /** Whether envelopes are being delivered; closed while the target is down. */
  readonly open: boolean;
  /** Replayed since the start. */
  readonly applied: number;
  /** Given to the queue since the start, refused ones included. */
  readonly enqueued: number;
  /** Dead letters that were removed for good. */
  readonly purged: number;
  /** Replaced by a newer dead letter of the same operation. */
  readonly superseded: number;
  /** Not kept: what receipts call `lost`, and dead letters for which there was no room. */
  readonly dropped: number;
}

/** Figures of the lanes of both sides. */
export type ReplayStats = Record<ClusterId, LaneStats>;

/** How full a queue is that has a bound. */
export interface QueueUsage {
  /** Envelopes it holds now, of both sides. */
  readonly held: number;
  /** Most that it can hold. */
  readonly capacity: number;
}

/** One envelope on its way to its target. */
export interface Delivery {
  /** What is to be applied. */
  readonly envelope: Envelope;
  /** How often it was delivered before and asked to be retried. */
  readonly attempts: number;
}

/** What the queue is to do with an envelope after its handler has run. */
export type DeliveryVerdict =
  /** It is on its side: it leaves the queue. */
  | { readonly kind: 'applied' }
  /** Deliver it again after the delay; it does not hold up others. */
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Put it back where it was: the target was not well, the attempt does not count. */
  | { readonly kind: 'release' }
  /** It becomes a dead letter. */
  | { readonly kind: 'dead'; readonly reason: DeadLetterReason; readonly error?: Error };

/** Applies an envelope and says what became of it. Must not reject. */
export type DeliveryHandler = (delivery: Delivery) => Promise<DeliveryVerdict>;

/** The stream of envelopes for one side. Starts closed (`concurrency` 0). */
export interface ReplayLane {
  /** How many deliveries may run at once; 0 closes the lane, raising it delivers at once. */
  concurrency: number;
  /** Ends the lane: nothing more is delivered; resolves when the running handlers have finished. */
  stop(): Promise<void>;
}

/** Room in the queue that nobody else is given. */
export interface Reservation {
  /** Gives the room back; later calls do nothing. */
  release(): void;
}

/** A moment in the queue that can be awaited. */
export interface ReplayPosition {
  /**
   * Resolves when every envelope accepted before this position was applied or became a dead letter; rejects with
   * {@link SessionClosedError} if the queue is closed before, and does not keep them.
   */
  settled(): Promise<{ readonly applied: number; readonly deadLettered: number }>;
}

/** What a replayer is told about the instance it belongs to. */
export interface ReplayContext {
  /** Name of the instance. */
  readonly namespace: string;
  /** For timers and for telling the time. */
  readonly clock: Clock;
  /**
   * To be told of an envelope that was accepted and could not be kept all the same: nobody will get it, so that it is
   * as loud as one that is refused.
   */
  readonly onDropped?: (envelope: Envelope, error: Error) => void;
  /** @internal Told when a rule of Helix's own is found broken. Default: a warning of the process. */
  readonly invariants?: Invariants;
  /** Readable, masked description of an envelope, for dead letters. */
  describe(envelope: Envelope): { readonly statement: string; readonly table?: string };
}

/**
 * A queue of what each side has missed.
 *
 * An envelope leaves it only by being applied or by becoming a dead letter; there are no retry counts. Dead letters
 * take no room from what waits to be applied. Where they have a bound of their own, one that does not fit is dropped,
 * loudly: {@link bury} rejects, and for what was in the queue {@link ReplayContext.onDropped} is called.
 * `enqueue` and `bury` are all or nothing: what they refuse is counted as `dropped` and rejects with
 * {@link ReplayQueueFullError} or the store's own error.
 */
export abstract class Replayer {
  /** Whether what it holds outlives the process. */
  abstract readonly durability: 'volatile' | 'durable';
  /** Largest envelope it accepts, in encoded bytes. */
  abstract readonly maxEnvelopeBytes: number;
  /** What will not be retried by itself. */
  abstract readonly deadLetters: DeadLetterStore;

  /** Called once, before anything else. */
  abstract open(context: ReplayContext): Promise<void>;
  /**
   * Takes envelopes, all or none. `queued`: they are as safe as {@link durability} says; `spooled`: held in this
   * process until the queue itself can be reached.
   */
  abstract enqueue(envelopes: readonly Envelope[]): Promise<'queued' | 'spooled'>;
  /**
   * Keeps room for `count` envelopes of a side that is known to be bad, before a write is sent to the other;
   * `undefined` if there is none. It is released in the same turn in which {@link enqueue} is called for what it
   * was for, so what enqueue takes must count before it returns its promise.
   */
  abstract reserve(cluster: ClusterId, count: number): Reservation | undefined;
  /** Puts an operation straight into the dead letters. */
  abstract bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void>;
  /** Begins to deliver what a side has missed; one lane at a time for each side. */
  abstract consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane;
  /** This moment, so that one can wait until everything accepted before it has left the queue. */
  abstract position(): Promise<ReplayPosition>;
  /** The figures of the queue itself, whoever else uses it. */
  abstract stats(): Promise<ReplayStats>;
  /** The figures as this process knows them by now, without asking anybody: exact for a volatile queue. */
  abstract snapshot(): ReplayStats;
  /**
   * How full it is, without asking anybody and without walking through it: asked for every envelope that is queued, so
   * that somebody is warned before one is lost. Left out, or `undefined`: it has no bound that is known here.
   */
  usage?(): QueueUsage | undefined;
  /** Resolves when everything spooled has reached the queue. */
  abstract flush(signal?: AbortSignal): Promise<void>;
  /** Ends the queue and answers with what it held and cannot keep: nothing if it is durable. */
  abstract close(): Promise<readonly Envelope[]>;
}
