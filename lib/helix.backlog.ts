import type {
  Clock,
  ClusterId,
  DeadLetterReason,
  DeliveryVerdict,
  Envelope,
  LaneStats,
  QueueUsage,
  Replayer,
  Timer,
} from './core/index.js';
import type { ReplayWatcher } from './replay/index.js';

/** The queue is nearly full above this share, … */
const NEARLY_FULL = 0.8;
/** … and that is told anew only after it was below this one. */
const EASED = 0.6;
/** How often the queue itself is asked whether a side has caught up, at most. */
const ASK_MS = 100;
/** A rate measured over less says nothing. */
const SHORTEST_RATE_MS = 50;

/** What came of a side's being behind. Spans in whole ms. */
export interface CaughtUp {
  readonly replayed: number;
  readonly deadLettered: number;
  readonly tookMs: number;
  readonly behindMs: number;
}

/** How much a side is behind, and how much time is left. */
export interface BehindFigures {
  /** What waits for this side. */
  readonly queued: number;
  /** How many more each second; 0 or less: it does not grow. `undefined`: not known. */
  readonly perSecond: number | undefined;
  readonly usage: QueueUsage | undefined;
  /** Of the queue, which both sides share. `undefined` while it does not grow, has no bound, or is not known to grow. */
  readonly lastsSeconds: number | undefined;
}

/** Who is told what happens to the queue. */
export interface BacklogListener {
  onFellBehind(cluster: ClusterId): void;
  onCaughtUp(cluster: ClusterId, figures: CaughtUp): void;
  onDeadLetter(
    envelope: Envelope,
    reason: DeadLetterReason,
    error: Error | undefined,
    source: 'write' | 'replay',
  ): void;
  onNearlyFull(usage: QueueUsage, lastsSeconds: number | undefined): void;
  onEased(usage: QueueUsage): void;
}

/** A side from the first write that it misses until it has all of them. */
interface Behind {
  readonly sinceMs: number;
  replayed: number;
  deadLettered: number;
  /** When the deliveries began that have been taken since; `undefined` until then. */
  takingSinceMs: number | undefined;
  lastMs: number;
}

/** What waits for each side. */
type Waiting = Readonly<Record<ClusterId, Pick<LaneStats, 'queued' | 'inFlight'>>>;

/** How many were there at a moment: in the queue, and of them for each side. */
type Held = Readonly<Record<ClusterId | 'all', number>>;

const NOTHING_HELD: Held = { A: 0, B: 0, all: 0 };

interface Sample extends Held {
  readonly atMs: number;
}

/**
 * What waits to be replayed, seen from what goes into the queue and comes out of it: who is behind since when, and for
 * how long the queue lasts. While nothing is queued it does nothing.
 */
export class Backlog implements ReplayWatcher {
  readonly #behind: Record<ClusterId, Behind | undefined> = { A: undefined, B: undefined };
  /** What this process has put in and not seen leave. Only a hint: a queue may have others who use it. */
  readonly #held = { A: 0, B: 0 };
  #samples: readonly Sample[] = [];
  #isNearlyFull = false;
  #askTimer: Timer | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(
    private readonly replayer: Pick<Replayer, 'snapshot' | 'usage'>,
    private readonly clock: Clock,
    private readonly listener: BacklogListener,
  ) {}

  isBehind(cluster: ClusterId): boolean {
    return this.#behind[cluster] !== undefined;
  }

  /** For how long, in ms; 0 if it is not behind. */
  behindMs(cluster: ClusterId): number {
    const behind = this.#behind[cluster];
    return behind ? this.clock.monotonicMs() - behind.sinceMs : 0;
  }

  /** The queue has been opened, and may hold what was left in it. */
  onOpened(): void {
    const held = this.#heldIn(this.#stats(), this.#usage());
    // It has grown by nothing yet.
    if (held.A + held.B > 0) this.#samples = [{ atMs: this.clock.monotonicMs(), ...held }];
    for (const cluster of ['A', 'B'] as const) {
      this.#held[cluster] = held[cluster];
      if (held[cluster] > 0) this.#fallBehind(cluster);
    }
  }

  onQueued(envelopes: readonly Envelope[]): void {
    for (const { cluster } of envelopes) {
      this.#held[cluster]++;
      this.#fallBehind(cluster);
    }
    this.#checkUsage();
  }

  onBuried(envelope: Envelope, reason: DeadLetterReason, error: Error | undefined): void {
    this.listener.onDeadLetter(envelope, reason, error, 'write');
  }

  onDelivering(cluster: ClusterId): void {
    // What comes out may have been there before, or come back from the dead letters.
    const behind = this.#fallBehind(cluster);
    behind.takingSinceMs ??= this.clock.monotonicMs();
  }

  onDelivered(envelope: Envelope, verdict: DeliveryVerdict): void {
    const { cluster } = envelope;
    const behind = this.#fallBehind(cluster);
    switch (verdict.kind) {
      case 'retry':
        return;
      case 'release':
        // The cluster was not well: whatever it takes from now on, it takes anew.
        behind.takingSinceMs = undefined;
        return;
      case 'dead':
        behind.deadLettered++;
        this.listener.onDeadLetter(envelope, verdict.reason, verdict.error, 'replay');
        break;
      case 'applied':
        behind.replayed++;
    }
    behind.lastMs = this.clock.monotonicMs();
    this.#held[cluster]--;
    this.#checkUsage();
    if (this.#held[cluster] <= 0) this.#askSoon();
  }

  /** Once a second while a side is behind. */
  tick(): void {
    if (this.#isClosed) return;
    if (!this.#isNobodyBehind()) this.#ask();
    if (this.#isNobodyBehind()) return;
    const held = this.#heldIn(this.#stats(), this.#usage());
    this.#samples = [...this.#samples.slice(-1), { atMs: this.clock.monotonicMs(), ...held }];
  }

  figures(cluster: ClusterId): BehindFigures {
    const usage = this.#usage();
    const held = this.#heldIn(this.#stats(), usage);
    return {
      queued: held[cluster],
      perSecond: this.#perSecond(cluster, held[cluster]),
      usage,
      lastsSeconds: this.#lastsSeconds(usage),
    };
  }

  /** What is left in the queue from now on is lost, not replayed. */
  close(): void {
    this.#isClosed = true;
    this.#askTimer?.cancel();
    this.#askTimer = undefined;
  }

  // A replayer of the user's own may throw, and nobody would catch that above a timer.

  #stats(): Waiting {
    try {
      return this.replayer.snapshot();
    } catch {
      return { A: { queued: this.#held.A, inFlight: 0 }, B: { queued: this.#held.B, inFlight: 0 } };
    }
  }

  #usage(): QueueUsage | undefined {
    try {
      return this.replayer.usage?.();
    } catch {
      return undefined;
    }
  }

  #isNobodyBehind(): boolean {
    return !this.#behind.A && !this.#behind.B;
  }

  #fallBehind(cluster: ClusterId): Behind {
    const known = this.#behind[cluster];
    if (known) return known;
    const nowMs = this.clock.monotonicMs();
    const behind: Behind = {
      sinceMs: nowMs,
      replayed: 0,
      deadLettered: 0,
      takingSinceMs: undefined,
      lastMs: nowMs,
    };
    this.#behind[cluster] = behind;
    if (this.#samples.length === 0) this.#samples = [{ atMs: nowMs, ...NOTHING_HELD }];
    this.listener.onFellBehind(cluster);
    return behind;
  }

  #checkUsage(): void {
    const usage = this.#usage();
    if (!usage) return;
    const share = usage.held / usage.capacity;
    if (!this.#isNearlyFull && share > NEARLY_FULL) {
      this.#isNearlyFull = true;
      this.listener.onNearlyFull(usage, this.#lastsSeconds(usage));
    } else if (this.#isNearlyFull && share < EASED) {
      this.#isNearlyFull = false;
      this.listener.onEased(usage);
    }
  }

  #lastsSeconds(usage: QueueUsage | undefined): number | undefined {
    if (!usage) return undefined;
    const perSecond = this.#perSecond('all', usage.held) ?? 0;
    return perSecond > 0 ? Math.max(0, usage.capacity - usage.held) / perSecond : undefined;
  }

  #perSecond(of: keyof Held, held: number): number | undefined {
    const [oldest] = this.#samples;
    const overMs = oldest ? this.clock.monotonicMs() - oldest.atMs : 0;
    return oldest && overMs >= SHORTEST_RATE_MS ? ((held - oldest[of]) * 1_000) / overMs : undefined;
  }

  #heldIn(waiting: Waiting, usage: QueueUsage | undefined): Held {
    const [A, B] = [waiting.A.queued + waiting.A.inFlight, waiting.B.queued + waiting.B.inFlight];
    return { A, B, all: usage?.held ?? A + B };
  }

  /** The queue learns of the last verdict only in a moment, and asking it is not free. */
  #askSoon(): void {
    if (this.#isClosed) return;
    const waitMs = Math.max(0, this.#askedMs + ASK_MS - this.clock.monotonicMs());
    this.#askTimer ??= this.clock.setTimer(() => {
      this.#askTimer = undefined;
      this.#ask();
    }, waitMs);
  }

  #ask(): void {
    this.#askedMs = this.clock.monotonicMs();
    const stats = this.#stats();
    for (const cluster of ['A', 'B'] as const) {
      const { queued, inFlight } = stats[cluster];
      this.#held[cluster] = queued + inFlight;
      if (queued + inFlight === 0) this.#catchUp(cluster);
    }
  }

  #catchUp(cluster: ClusterId): void {
    const behind = this.#behind[cluster];
    if (!behind) return;
    this.#behind[cluster] = undefined;
    if (this.#isNobodyBehind()) this.#samples = [];
    const { sinceMs, replayed, deadLettered, takingSinceMs, lastMs } = behind;
    this.listener.onCaughtUp(cluster, {
      replayed,
      deadLettered,
      tookMs: Math.round(lastMs - (takingSinceMs ?? lastMs)),
      behindMs: Math.round(lastMs - sinceMs),
    });
  }
}
