import {
  type ClusterId,
  type DeadLetterReason,
  type DeadLetterStore,
  type DeliveryHandler,
  type Envelope,
  HelixError,
  HelixUsageError,
  type LaneStats,
  type ReplayContext,
  Replayer,
  type ReplayLane,
  type ReplayPosition,
  ReplayQueueFullError,
  type ReplayStats,
  type Reservation,
  SessionClosedError,
  toError,
} from '../../../lib/core/index.js';
import { ModelDeadLetters } from './durable-dead-letters.js';
import { type LaneProcess, ModelDurableLane } from './durable-lane.js';
import { type ModelDurableQueue, OpenPosition, Parcel, type StoredFigures } from './durable-queue.js';

/** A dropped connection is noticed so soon … */
const DISCONNECT_MS = 10;
/** … a server that is frozen, or cut off, only after so long. */
const LONGEST_NOTICE_MS = 2_200;
/** Share of what is under way when the connection is lost that nobody is told about until it is stored. */
const SILENT = 0.25;
/** Share of the confirmations that get lost while answers do, and how long they are waited for. */
const LOST_ANSWERS = 0.6;
const CONFIRMATION_MS = { min: 200, max: 3_000 };
/** What a full queue has refused, although it was spooled before, is sent again after so long. */
const FULL_AGAIN_MS = 500;
/** How long the end waits for what has been sent to be confirmed. */
const CLOSE_MS = 100;

/** The queue does not answer. What was asked for may have been done. */
class QueueUnreachableError extends HelixError {
  readonly code = 'MODEL_QUEUE_UNREACHABLE';
}

/** Envelopes that were handed over together, from then until the queue has confirmed them. */
interface Handed {
  readonly parcels: readonly Parcel[];
  /** Nobody is told that it was spooled. */
  readonly isSilent: boolean;
  /** Waits for the queue to be reachable, or to have room. */
  isSpooled: boolean;
  isAnswered: boolean;
  readonly answer: (kept: 'queued' | 'spooled') => void;
  readonly refuse: (error: Error) => void;
}

/**
 * One process's use of a {@link ModelDurableQueue}.
 *
 * - What is handed over stays here until the queue confirms it, and is sent again under the same ids, in order,
 *   until it does. That is the spool: it is bounded, and the only thing that is lost with the process.
 * - `enqueue` answers `queued` when the queue has confirmed, `spooled` when this process has noticed that the queue
 *   cannot be reached or does not confirm; that may be later than anybody waits. What a full queue refuses rejects
 *   with `ReplayQueueFullError`; but what was taken into the spool is kept until there is room.
 * - `bury` answers when the dead letter is stored, never before: no receipt has a word for one that is only spooled.
 * - `reserve` keeps room in the spool. Nobody can promise the queue's own.
 * - `position` waits until the queue can be reached; dead letters and `stats` reject when it cannot.
 * - `close` hands back what it had called `spooled`. Whatever was not answered yet rejects instead, so that nothing
 *   is reported as lost twice.
 */
export class ModelDurableReplayer extends Replayer implements LaneProcess {
  readonly durability = 'durable';
  readonly maxEnvelopeBytes = 1_000_000;
  readonly deadLetters: DeadLetterStore;
  #context: ReplayContext | undefined;
  readonly #spool = new Set<Handed>();
  /** Envelopes in the spool. */
  #held = 0;
  #reserved = 0;
  /** It has been noticed that the queue cannot be reached. */
  #isOffline = false;
  #isFlushing = false;
  #isClosed = false;
  #isGone = false;
  readonly #dropped = { A: 0, B: 0 };
  readonly #lanes: Partial<Record<ClusterId, ModelDurableLane>> = {};
  readonly #onceReachable: (() => void)[] = [];
  readonly #whenFlushed: (() => void)[] = [];
  /** Ends the wait for a position. */
  readonly #waiting: ((error: Error) => void)[] = [];
  readonly #stored: Record<ClusterId, StoredFigures>;

  /**
   * @param isAlive of the process: when it says no, nothing is called back any more
   * @param spoolCapacity most envelopes that the queue has not confirmed
   */
  constructor(
    private readonly queue: ModelDurableQueue,
    private readonly isProcessAlive: () => boolean,
    private readonly spoolCapacity = 1_000,
  ) {
    super();
    this.deadLetters = new ModelDeadLetters(queue, this);
    this.#stored = { A: queue.figures('A'), B: queue.figures('B') };
  }

  get isAlive(): boolean {
    return this.isProcessAlive();
  }

  get isThere(): boolean {
    return !this.#isGone && this.isAlive;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The queue has not confirmed all that was handed over. It may have it all the same. */
  get isSpooling(): boolean {
    return this.#spool.size > 0;
  }

  /** Also while the queue is down: it is used as soon as it can be. */
  open(context: ReplayContext): Promise<void> {
    if (this.#context) return Promise.reject(new HelixUsageError('This replayer is in use already.'));
    this.#context = context;
    this.queue.connect(this);
    return new Promise((resolve) => this.queue.travel('io', () => this.isAlive && resolve()));
  }

  enqueue(envelopes: readonly Envelope[]): Promise<'queued' | 'spooled'> {
    return this.#hand(envelopes.map((envelope) => new Parcel(envelope)));
  }

  async bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    await this.#hand([new Parcel(envelope, { reason, error, atMs: this.nowMs() })]);
  }

  reserve(_cluster: ClusterId, count: number): Reservation | undefined {
    const isKnownFull = this.queue.isReachable && this.queue.isFull;
    if (isKnownFull || this.#held + this.#reserved + count > this.spoolCapacity) return undefined;
    this.#reserved += count;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.#reserved -= count;
        isHeld = false;
      },
    };
  }

  consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane {
    if (this.#lanes[cluster]?.isStopped === false) {
      throw new HelixUsageError(
        `The replay lane of cluster ${cluster} is in use: stop it before consuming again.`,
      );
    }
    const lane = new ModelDurableLane(this.queue, this, cluster, handler);
    this.#lanes[cluster] = lane;
    this.queue.consume(cluster, lane);
    return lane;
  }

  position(): Promise<ReplayPosition> {
    if (this.#isClosed) return Promise.reject(new SessionClosedError('The replay queue is closed.'));
    return new Promise((resolve, reject) => {
      let reach: () => void = () => undefined;
      const reached = new Promise<void>((onReached, onEnd) => {
        reach = onReached;
        this.#waiting.push(reject, onEnd);
      });
      const position = new OpenPosition(this.#spooledKeys(), () =>
        this.queue.travel('io', () => this.#whenReachable(reach)),
      );
      const settled = reached.then(() => ({
        applied: position.applied,
        deadLettered: position.deadLettered,
      }));
      // Nobody need wait for it.
      settled.catch(() => undefined);
      this.queue.open(position);
      const take = (): void =>
        this.ask(
          () => this.queue.take(position),
          () => resolve({ settled: () => settled }),
          () => this.#whenReachable(take),
        );
      take();
    });
  }

  stats(): Promise<ReplayStats> {
    return this.request(() => this.snapshot());
  }

  /** The store's figures as they are, or as they were when it could be asked last, and those of the spool. */
  snapshot(): ReplayStats {
    if (this.queue.isReachable) {
      this.#stored.A = this.queue.figures('A');
      this.#stored.B = this.queue.figures('B');
    }
    return { A: this.#statsOf('A'), B: this.#statsOf('B') };
  }

  async flush(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#spool.size === 0) return;
    await new Promise<void>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(toError(signal.reason)), { once: true });
      this.#whenFlushed.push(resolve);
    });
  }

  /** Waits a moment for what has been sent to be confirmed. What is not may be stored all the same. */
  async close(): Promise<readonly Envelope[]> {
    if (this.#isClosed) return [];
    this.#isClosed = true;
    void this.#lanes.A?.stop();
    void this.#lanes.B?.stop();
    const error = new SessionClosedError('The replay queue is closed.');
    for (const end of this.#waiting.splice(0)) end(error);
    if (this.#spool.size > 0 && !this.#isOffline) {
      await new Promise<void>((resolve) => {
        this.#whenFlushed.push(resolve);
        this.#later(CLOSE_MS, resolve);
      });
    }
    this.#isGone = true;
    this.queue.disconnect(this);
    const remaining = [...this.#spool];
    const promised = remaining.filter(({ isAnswered }) => isAnswered);
    for (const handed of remaining) this.#drop(handed, error);
    return promised.flatMap(({ parcels }) => parcels.map(({ envelope }) => envelope));
  }

  onReachable(): void {
    if (!this.queue.isReachable) return;
    this.#isOffline = false;
    for (const run of this.#onceReachable.splice(0)) run();
    this.#flushSpool();
  }

  nowMs(): number {
    return this.#context?.clock.nowMs() ?? 0;
  }

  describe(envelope: Envelope): ReturnType<ReplayContext['describe']> {
    return this.#context?.describe(envelope) ?? { statement: '' };
  }

  ask<T>(work: () => T, answer: (result: T) => void, lost: () => void): void {
    this.queue.travel('world', () => {
      if (!this.queue.isReachable) {
        this.#later(this.#noticeMs(), lost);
        return;
      }
      const result = work();
      this.queue.travel('io', () => {
        if (!this.isAlive) return;
        if (this.queue.isReachable) answer(result);
        else this.#later(this.#noticeMs(), lost);
      });
    });
  }

  /** {@link ask} with a promise, which rejects when there is no answer. */
  request<T>(work: () => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(new SessionClosedError('The replay queue is closed.'));
    return new Promise((resolve, reject) => {
      this.ask(work, resolve, () => reject(new QueueUnreachableError('The replay queue cannot be reached.')));
    });
  }

  /** What it takes counts, in the spool, before this returns. */
  #hand(parcels: readonly Parcel[]): Promise<'queued' | 'spooled'> {
    const refusal = this.#refusal(parcels);
    if (refusal) {
      for (const { envelope } of parcels) this.#dropped[envelope.cluster]++;
      return Promise.reject(refusal);
    }
    return new Promise((answer, refuse) => {
      const isSilent = !this.#isOffline && this.queue.random.chance(SILENT);
      const handed: Handed = { parcels, isSilent, isSpooled: false, isAnswered: false, answer, refuse };
      this.#spool.add(handed);
      this.#held += parcels.length;
      if (this.#isOffline) this.#keep(handed);
      else this.#send([handed], false);
    });
  }

  #refusal(parcels: readonly Parcel[]): Error | undefined {
    if (this.#isClosed)
      return new SessionClosedError('The replay queue is closed and takes no more envelopes.');
    if (!this.#context) return new HelixUsageError('The replay queue was not opened.');
    if (this.#held + this.#reserved + parcels.length <= this.spoolCapacity) return undefined;
    return new ReplayQueueFullError(
      `The spool holds ${this.#held} of ${this.spoolCapacity} envelopes already.`,
    );
  }

  #send(batch: readonly Handed[], isFlush: boolean): void {
    const lost = (): void => {
      for (const handed of batch) if (this.#spool.has(handed)) this.#keep(handed);
      if (!this.queue.isReachable) this.#isOffline = true;
      if (isFlush) this.#isFlushing = false;
      this.#flushSpool();
    };
    const confirmed = (areStored: readonly boolean[]): void => {
      for (const [index, handed] of batch.entries()) this.#answer(handed, areStored[index] === true);
      if (!isFlush) return;
      this.#isFlushing = false;
      if (areStored.every(Boolean)) this.#flushSpool();
      else this.#later(FULL_AGAIN_MS, () => this.#flushSpool());
    };
    this.ask(
      () => batch.map(({ parcels }) => this.queue.store(parcels)),
      (areStored) => {
        const isLost = this.queue.losesAnswers && this.queue.random.chance(LOST_ANSWERS);
        if (isLost) this.#later(this.queue.random.int(CONFIRMATION_MS.min, CONFIRMATION_MS.max), lost);
        else confirmed(areStored);
      },
      lost,
    );
  }

  /** Sends what is spooled, in order. */
  #flushSpool(): void {
    if (this.#isFlushing || this.#isOffline || !this.isThere) return;
    const batch = [...this.#spool].filter(({ isSpooled }) => isSpooled);
    if (batch.length === 0) return;
    this.#isFlushing = true;
    this.#send(batch, true);
  }

  /** The queue has not confirmed it: from now on this process answers for it. */
  #keep(handed: Handed): void {
    handed.isSpooled = true;
    for (const parcel of handed.parcels) {
      if (parcel.burial) return;
      if (!parcel.isTaken) this.queue.observer.onTaken?.(parcel.envelope);
      parcel.isTaken = true;
    }
    if (handed.isSilent) return;
    handed.isAnswered = true;
    handed.answer('spooled');
  }

  #answer(handed: Handed, isStored: boolean): void {
    if (!this.#spool.has(handed)) return;
    if (isStored) {
      this.#release(handed);
      handed.answer('queued');
    } else if (!handed.parcels.some(({ isTaken }) => isTaken)) {
      this.#drop(handed, new ReplayQueueFullError('The replay queue is full.'));
    }
  }

  #drop(handed: Handed, error: Error): void {
    for (const { envelope, key, isStored } of handed.parcels) {
      if (isStored) continue;
      this.#dropped[envelope.cluster]++;
      this.queue.leave(key, 'lost');
    }
    this.#release(handed);
    handed.refuse(error);
  }

  #release(handed: Handed): void {
    this.#spool.delete(handed);
    this.#held -= handed.parcels.length;
    if (this.#spool.size === 0) for (const resolve of this.#whenFlushed.splice(0)) resolve();
  }

  #spooledKeys(): Set<string> {
    const keys = new Set<string>();
    for (const { parcels } of this.#spool) {
      // One that is stored, and only not confirmed yet, the queue itself knows of, or it has left already.
      for (const { key, burial, isStored } of parcels) if (!burial && !isStored) keys.add(key);
    }
    return keys;
  }

  #statsOf(cluster: ClusterId): LaneStats {
    const {
      enqueued,
      applied,
      queued,
      inFlight,
      deadLettered,
      purged,
      superseded,
      oldestMs: oldestStoredMs,
    } = this.#stored[cluster];
    const nowMs = this.nowMs();
    let oldestMs = Math.min(nowMs, oldestStoredMs);
    let spooled = 0;
    for (const { parcels } of this.#spool) {
      for (const { envelope, isStored } of parcels) {
        if (isStored || envelope.cluster !== cluster) continue;
        spooled++;
        oldestMs = Math.min(oldestMs, envelope.createdAtMs);
      }
    }
    const dropped = this.#dropped[cluster];
    return {
      enqueued: enqueued + spooled + dropped,
      applied,
      queued: queued + spooled,
      inFlight,
      deadLettered,
      purged,
      superseded,
      dropped,
      oldestAgeMs: nowMs - oldestMs,
      open: (this.#lanes[cluster]?.concurrency ?? 0) > 0,
    };
  }

  #whenReachable(run: () => void): void {
    if (!this.isAlive) return;
    if (this.queue.isReachable) run();
    else this.#onceReachable.push(run);
  }

  #later(delayMs: number, run: () => void): void {
    this.queue.scheduler.after(delayMs, 'io', () => {
      if (this.isAlive) run();
    });
  }

  #noticeMs(): number {
    const { random } = this.queue;
    return random.next() * (random.chance(0.5) ? DISCONNECT_MS : LONGEST_NOTICE_MS);
  }
}
