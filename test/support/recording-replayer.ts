import {
  type ClusterId,
  type DeadLetterReason,
  type DeadLetterStore,
  type Envelope,
  type LaneStats,
  Replayer,
  type ReplayLane,
  type ReplayPosition,
  type ReplayStats,
  type Reservation,
} from '../../lib/core/index.js';

/** A replayer that only notes what it is given, and refuses or hangs when it is told to. */
export class RecordingReplayer extends Replayer {
  override readonly durability = 'durable';
  override readonly maxEnvelopeBytes = Infinity;
  /** The envelopes of each call. */
  readonly enqueued: (readonly Envelope[])[] = [];
  readonly buried: { envelope: Envelope; reason: DeadLetterReason; error: Error | undefined }[] = [];
  /** What both calls do from now on. */
  mode: 'accept' | 'refuse' | 'throw' | 'hang' = 'accept';
  accepts: 'queued' | 'spooled' = 'queued';
  /** How many reservations can be held at once. */
  roomFor = Infinity;
  readonly reserved: ClusterId[] = [];
  readonly released: ClusterId[] = [];
  refusal: Error = new Error('no room');

  /** Sides of the envelopes of each call. */
  get enqueuedFor(): ClusterId[][] {
    return this.enqueued.map((call) => call.map(({ cluster }) => cluster));
  }

  get deadLetters(): DeadLetterStore {
    throw new Error('not part of this fake');
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  enqueue(envelopes: readonly Envelope[]): Promise<'queued' | 'spooled'> {
    this.enqueued.push(envelopes);
    return this.#answer(this.accepts);
  }

  bury(envelope: Envelope, reason: DeadLetterReason, error?: Error): Promise<void> {
    this.buried.push({ envelope, reason, error });
    return this.#answer(undefined);
  }

  reserve(cluster: ClusterId): Reservation | undefined {
    if (this.reserved.length - this.released.length >= this.roomFor) return undefined;
    this.reserved.push(cluster);
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.released.push(cluster);
        isHeld = false;
      },
    };
  }

  consume(): ReplayLane {
    return { concurrency: 0, stop: () => Promise.resolve() };
  }

  position(): Promise<ReplayPosition> {
    return Promise.resolve({ settled: () => Promise.resolve({ applied: 0, deadLettered: 0 }) });
  }

  stats(): Promise<ReplayStats> {
    return Promise.resolve(this.snapshot());
  }

  snapshot(): ReplayStats {
    return { A: NO_STATS, B: NO_STATS };
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<readonly Envelope[]> {
    return Promise.resolve([]);
  }

  #answer<T>(value: T): Promise<T> {
    switch (this.mode) {
      case 'accept':
        return Promise.resolve(value);
      case 'refuse':
        return Promise.reject(this.refusal);
      case 'throw':
        throw this.refusal;
      case 'hang':
        return new Promise(() => undefined);
    }
  }
}

/** Figures of a lane that has never had anything. */
export const NO_STATS: LaneStats = {
  queued: 0,
  inFlight: 0,
  deadLettered: 0,
  oldestAgeMs: 0,
  open: false,
  applied: 0,
  enqueued: 0,
  purged: 0,
  superseded: 0,
  dropped: 0,
};
