import type { ClusterId } from '../../../lib/core/index.js';
import type { PingRecord, Stall, SuspicionRecord } from '../ledger.js';
import type { Evidence } from './evidence.js';
import { ROUNDING_MS } from './fates.js';

/** How long a cluster has to answer when it is suspected, in ms. */
export const PING_MS = 500;
/** What is under way is looked at so often, in ms. */
export const ROUND_MS = 50;
/** A slow cluster is given so many times the round trip that its last ping took, if that is no longer than this, in ms. */
const SLOW_FACTOR = 1.5;
/** A ping that took longer than this, in ms, has to be followed by another one that did, … */
const LONG_ROUND_TRIP_MS = 2_000;
/** … and counts as this at most. */
const LONGEST_ROUND_TRIP_MS = 5_000;
/** A ping during which the process stood still is sent again at most so often. */
const MOST_LATE_PINGS = 2;
/** What comes later than this, in ms, tells a process that it stood still. */
const LATE_MS = 100;

/** What a process can know of the silence of its clusters, from what has reached it. */
export class Silence {
  /** What has come in any case, … */
  readonly #heard = new Map<string, number[]>();
  /** … and with it what may say nothing to a process: refusals that nobody waits for, and what is prepared. */
  readonly #answered = new Map<string, number[]>();
  readonly #asked = new Map<string, SuspicionRecord[]>();
  readonly #pings: readonly PingRecord[];

  constructor(private readonly evidence: Evidence) {
    const { heard, pings, suspicions } = evidence.ledger;
    this.#pings = pings;
    for (const { process, cluster, atMs, isUnsure } of heard) {
      if (!isUnsure) add(this.#heard, `${process} ${cluster}`, atMs);
      add(this.#answered, `${process} ${cluster}`, atMs);
    }
    for (const each of suspicions) add(this.#asked, `${each.process} ${each.cluster}`, each);
  }

  /** When the cluster last answered anything before that moment; minus infinity: never. */
  lastAnsweredMs(process: number, cluster: ClusterId, beforeMs: number): number {
    return lastBefore(this.#answered.get(`${process} ${cluster}`), beforeMs);
  }

  /** When something last came from it that must have been heard. */
  lastHeardMs(process: number, cluster: ClusterId, beforeMs: number): number {
    return lastBefore(this.#heard.get(`${process} ${cluster}`), beforeMs);
  }

  /** Whether something that must have been heard came from the cluster after the one moment and before the other. */
  hasHeard(process: number, cluster: ClusterId, afterMs: number, beforeMs: number): boolean {
    return this.lastHeardMs(process, cluster, beforeMs) > afterMs + ROUNDING_MS;
  }

  /** The longest time that a cluster can be given within this span because its last ping has taken long; 0: as others. */
  slowMs(process: number, cluster: ClusterId, fromMs: number, toMs: number): number {
    let slowMs = 0;
    let longMs = 0;
    for (const { process: of, cluster: pinged, endedMs, tookMs } of this.#pings) {
      if (of !== process || pinged !== cluster || endedMs > toMs || tookMs === undefined) continue;
      const isLong = tookMs > LONG_ROUND_TRIP_MS;
      const isKept = !isLong || longMs > 0;
      const keptMs = isLong ? Math.min(longMs, tookMs, LONGEST_ROUND_TRIP_MS) : tookMs;
      longMs = isLong ? tookMs : 0;
      if (!isKept) continue;
      const isLaterThanStart = endedMs > fromMs;
      slowMs = isLaterThanStart ? Math.max(slowMs, SLOW_FACTOR * keptMs) : SLOW_FACTOR * keptMs;
    }
    return slowMs;
  }

  /** How many pings directly before that one said nothing because the process stood still, so that it was sent. */
  latePingsBefore(ask: SuspicionRecord): number {
    const all = this.asked(ask.process, ask.cluster);
    let count = 0;
    for (let at = all.indexOf(ask); count < MOST_LATE_PINGS; at--, count++) {
      const [before, then] = [all[at - 1], all[at]];
      if (!then || before?.end?.sign !== 'silent' || then.fromMs - before.end.atMs > ROUNDING_MS) break;
      const tookMs = before.end.atMs - before.fromMs;
      if (tookMs <= before.limitMs + LATE_MS && !this.stoodStill(before.fromMs, before.end.atMs)) break;
    }
    return count;
  }

  asked(process: number, cluster: ClusterId): readonly SuspicionRecord[] {
    return this.#asked.get(`${process} ${cluster}`) ?? [];
  }

  /** Whether every host had been asked, and none had answered in time, and nothing has come from it since. */
  mayBeDead(process: number, cluster: ClusterId, atMs: number): boolean {
    return this.#isDead(process, cluster, atMs, false);
  }

  /** The same, and it is certain that the process has not stood still meanwhile. */
  isDead(process: number, cluster: ClusterId, atMs: number): boolean {
    return this.#isDead(process, cluster, atMs, true);
  }

  /** Whether it is certain that it is dead, or is being asked and has said nothing yet. */
  isSilent(process: number, cluster: ClusterId, atMs: number): boolean {
    // What comes at that very moment may have come before.
    const byMs = atMs + 3 * ROUNDING_MS;
    if (this.isDead(process, cluster, atMs) && this.isDead(process, cluster, byMs)) return true;
    return this.asked(process, cluster).some(({ fromMs, end }) => {
      const isAsked = fromMs < atMs - ROUNDING_MS && (end?.atMs ?? Infinity) > atMs + ROUNDING_MS;
      return (
        isAsked &&
        this.lastAnsweredMs(process, cluster, byMs) < fromMs &&
        !this.#stoodStill(fromMs, atMs, LATE_MS)
      );
    });
  }

  /** Whether the process stood still within this span for so long that it noticed at its next look, if it looked. */
  stoodStill(fromMs: number, toMs: number): boolean {
    return this.#stoodStill(fromMs, toMs, LATE_MS + ROUND_MS);
  }

  /** Whether it may have noticed more than once within this span that it stood still. */
  stoodStillAgain(fromMs: number, toMs: number): boolean {
    return this.#stalls(fromMs, toMs, LATE_MS).length > 1;
  }

  #stoodStill(fromMs: number, toMs: number, forMs: number): boolean {
    return this.#stalls(fromMs, toMs, forMs).length > 0;
  }

  #stalls(fromMs: number, toMs: number, forMs: number): readonly Stall[] {
    return this.evidence.ledger.stalls.filter(
      (stall) =>
        stall.toMs - stall.fromMs > forMs &&
        stall.toMs > fromMs + ROUNDING_MS &&
        stall.fromMs < toMs - ROUNDING_MS,
    );
  }

  #isDead(process: number, cluster: ClusterId, atMs: number, isCertain: boolean): boolean {
    return this.asked(process, cluster).some((ask) => {
      const { fromMs, limitMs, end } = ask;
      if (end?.sign !== 'silent' || end.atMs > atMs + ROUNDING_MS) return false;
      const tookMs = end.atMs - fromMs;
      if (tookMs < limitMs - ROUNDING_MS) return false;
      const isLast = !isCertain && this.latePingsBefore(ask) === MOST_LATE_PINGS;
      if (tookMs > limitMs + LATE_MS && !isLast) return false;
      if (isCertain && this.#stoodStill(fromMs, end.atMs, LATE_MS)) return false;
      return isCertain
        ? this.lastAnsweredMs(process, cluster, atMs) < fromMs
        : !this.hasHeard(process, cluster, fromMs, atMs);
    });
  }
}

function add<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name);
  if (list) list.push(item);
  else lists.set(name, [item]);
}

function lastBefore(momentsMs: readonly number[] = [], beforeMs: number): number {
  let [low, high] = [0, momentsMs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((momentsMs[middle] ?? Infinity) < beforeMs - ROUNDING_MS) low = middle + 1;
    else high = middle;
  }
  return momentsMs[low - 1] ?? Number.NEGATIVE_INFINITY;
}
