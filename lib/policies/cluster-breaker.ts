import type { BreakerState, ClusterId, PolicyContext, Timer } from '../core/index.js';
import {
  type Breaker,
  type BreakerEvent,
  CLOSED,
  isPristine,
  nextBreaker,
  OPEN,
  stateOf,
} from './breaker.js';

/** The first ping of an open breaker, in ms; each after that is twice as late, … */
const FIRST_PING_MS = 250;
/** … up to this. */
const LAST_PING_MS = 2_000;
/** The share of a pause that is left to chance, so that processes do not ask all at once. */
const JITTER = 0.25;
/** A cluster that has come and gone more often than this … */
const MOST_FLAPS = 1;
/** … is asked when its driver sees it again only if it has been away for so long, in ms. */
const GONE_MS = 4_000;

/** The breaker of one cluster, with its timer and its ping. */
export class ClusterBreaker {
  /** Whether the cluster is used, and nothing counts against it. Fields: they are read for every call. */
  isClosed = true;
  isPristine = true;
  #breaker: Breaker = CLOSED;
  #context: PolicyContext | undefined;
  #timer: Timer | undefined;
  #ping: Promise<void> | undefined;
  /** Pings in a row that were not answered. */
  #failedPings = 0;
  /** How often in a row it has opened again within `resetTimeoutMs` of closing. */
  #flaps = 0;
  #closedMs = Number.NEGATIVE_INFINITY;
  #openedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly cluster: ClusterId,
    private readonly threshold: number,
    private readonly resetTimeoutMs: number,
  ) {}

  get state(): BreakerState {
    return stateOf(this.#breaker);
  }

  /** Begins anew; only what was done by hand is kept. */
  open(context: PolicyContext): void {
    this.#context = context;
    this.#flaps = 0;
    this.#closedMs = Number.NEGATIVE_INFINITY;
    if (this.#breaker.kind !== 'isolated') this.#become(CLOSED);
  }

  /** Ends timer and ping. The cluster stays avoided if it was. */
  close(): void {
    this.#context = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ping = undefined;
    if (this.#breaker.kind === 'half-open') this.#become(OPEN);
  }

  on(event: BreakerEvent): void {
    const before = this.#breaker;
    const after = nextBreaker(before, event, this.threshold);
    if (after === before) return;
    this.#become(after);
    if (after.kind === before.kind) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    const context = this.#context;
    if (!context) return;
    if (after.kind === 'closed') this.#closedMs = context.clock.monotonicMs();
    if (after.kind === 'open') this.#opened(before, context);
    if (after.kind === 'half-open') this.#askFor(context);
    if (stateOf(after) !== stateOf(before)) this.#tell(context, stateOf(after));
  }

  /** There is reason to believe that the cluster is back: it is asked now, unless it only comes and goes. */
  hostUp(): void {
    const nowMs = this.#context?.clock.monotonicMs() ?? 0;
    if (this.#flaps <= MOST_FLAPS || nowMs - this.#openedMs >= GONE_MS) this.on('pingDue');
  }

  #opened(before: Breaker, context: PolicyContext): void {
    if (before.kind === 'closed') {
      this.#openedMs = context.clock.monotonicMs();
      const isFlap = this.#openedMs - this.#closedMs < this.resetTimeoutMs;
      this.#flaps = isFlap ? this.#flaps + 1 : 0;
      this.#failedPings = 0;
    } else {
      this.#failedPings++;
    }
    this.#timer = context.clock.setTimer(() => this.on('pingDue'), this.#pauseMs(context));
  }

  #pauseMs({ random = Math.random }: PolicyContext): number {
    const usualMs = Math.min(LAST_PING_MS, FIRST_PING_MS * 2 ** this.#failedPings);
    const pauseMs = Math.min(this.resetTimeoutMs, usualMs * 2 ** this.#flaps);
    return pauseMs * (1 - JITTER * random());
  }

  #become(breaker: Breaker): void {
    this.#breaker = breaker;
    this.isClosed = breaker.kind === 'closed';
    this.isPristine = isPristine(breaker);
  }

  #askFor(context: PolicyContext): void {
    // One that a reset has outrun may still be under way: it decides instead of a second one beside it.
    if (this.#ping) return;
    const ask = async (): Promise<void> => context.ping(this.cluster);
    const ping = ask();
    const end = (event: BreakerEvent): void => {
      if (this.#ping !== ping) return;
      this.#ping = undefined;
      this.on(event);
    };
    this.#ping = ping;
    ping.then(
      () => end('pingSucceeded'),
      () => end('pingFailed'),
    );
  }

  #tell(context: PolicyContext, state: BreakerState): void {
    try {
      context.onStateChange(this.cluster, state);
    } catch {
      // A listener's mistake; thrown on from a timer it would end the process.
    }
  }
}
