import type { Clock, Timer } from './clock.js';
import { LATE_MS } from './deadlines.js';

/** How often what is under way is looked at, in ms, unless a limit is shorter than ten of them. */
const ROUND_MS = 50;
/** A round that was late so short a time ago, in ms, is the one that a time which is over now belongs to. */
const JUST_MS = 50;

/** What is looked at in each round. */
export interface Inspected {
  /** Whether anything of it is under way: otherwise there is nothing to come round for. */
  readonly isUnderWay: boolean;
  /** @param isLate the process stood still: no time that was over meanwhile counts */
  inspect(nowMs: number, isLate: boolean): void;
}

/**
 * Looks at everything that is under way, again and again while anything is: limits that need not be exact are kept
 * here, so that a call that nothing is wrong with neither reads a clock nor sets a timer for them.
 */
export class Rounds {
  /** A field: it is read for every request. */
  isGoing = false;
  readonly #inspected: Inspected[] = [];
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #nextMs = 0;
  /** The last round that was late, and by how much. */
  #late = { atMs: Number.NEGATIVE_INFINITY, byMs: 0 };
  #isEnded = false;

  /** @param shortestLimitMs the shortest limit that is kept here, if any: to within a tenth or so */
  constructor(
    private readonly clock: Clock,
    shortestLimitMs = 0,
  ) {
    this.#intervalMs = shortestLimitMs > 0 ? Math.max(1, Math.min(ROUND_MS, shortestLimitMs / 10)) : ROUND_MS;
  }

  /** In the order in which they are given. */
  include(inspected: Inspected): void {
    this.#inspected.push(inspected);
  }

  /** Call it when something is under way and they are not going. */
  begin(): void {
    if (this.isGoing || this.#isEnded) return;
    this.isGoing = true;
    this.#schedule(this.clock.monotonicMs());
  }

  /** For how long the process has just stood still, in ms, of the time since then; 0 if it has not, as far as was noticed. */
  stoodStillMs(sinceMs: number): number {
    const { atMs, byMs } = this.#late;
    const isJustNow = this.clock.monotonicMs() - atMs <= JUST_MS;
    return isJustNow ? Math.max(0, Math.min(byMs, atMs - sinceMs)) : 0;
  }

  /** No round any more. */
  end(): void {
    this.#isEnded = true;
    this.isGoing = false;
    this.#timer?.cancel();
  }

  #schedule(nowMs: number): void {
    this.#nextMs = nowMs + this.#intervalMs;
    this.#timer = this.clock.setTimer(this.#round, this.#intervalMs);
  }

  readonly #round = (): void => {
    const nowMs = this.clock.monotonicMs();
    const isLate = nowMs - this.#nextMs > LATE_MS;
    if (isLate) this.#late = { atMs: nowMs, byMs: nowMs - this.#nextMs };
    for (const each of this.#inspected) each.inspect(nowMs, isLate);
    if (this.#isEnded) return;
    if (this.#inspected.some((each) => each.isUnderWay)) this.#schedule(nowMs);
    else this.isGoing = false;
  };
}
