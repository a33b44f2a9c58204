import type { Clock, Timer } from './clock.js';
import { type ClusterId, otherCluster } from './cluster.js';
import { LATE_MS } from './deadlines.js';
import type { Inspected, Rounds } from './rounds.js';

/** How long a suspected cluster has to answer a ping, in ms. */
export const SUSPICION_PING_MS = 500;
/** A cluster that was found dead is asked again so often, in ms, where the failover policy does not. */
const ASK_AGAIN_MS = 2_000;
/** A slow cluster has so many times the round trip that its last ping took. */
const SLOW_FACTOR = 1.5;
/** A ping that took longer than this, in ms, may have found it hanging: it is slow if the next one takes as long, … */
const LONG_ROUND_TRIP_MS = 2_000;
/** … and has no more time than for a round trip of this, in ms. */
const LONGEST_ROUND_TRIP_MS = 5_000;
/** A ping whose end was late is sent again at most so often: after that it is no stall that hides the answer. */
const MOST_LATE_PINGS = 2;
/** Whether it is still slow is found out so often, in ms. */
const MEASURE_AGAIN_MS = 5_000;

/** What came of asking every host of a cluster for a sign of life. */
export type SignOfLife =
  /** A host has answered, whatever it was. */
  | 'answered'
  /** A host was asked, and none has answered in time. */
  | 'silent'
  /** No host could be asked: that is for others to judge. */
  | 'notSent';

/** `suspected`: every host of it is being pinged. `dead`: none has answered, and nothing has come from it since. */
export type Liveness = 'alive' | 'suspected' | 'dead';

/** What goes over one wire, as far as it tells of silence. */
export interface Listened {
  /** Requests that a cluster itself has answered. */
  readonly traffic: Readonly<Record<ClusterId, { readonly answered: number }>>;
  /** The monotonic clock's ms since which the oldest request waits for that cluster; infinite if none does. */
  waitingSinceMs(cluster: ClusterId): number;
}

export interface FailureDetectorOptions {
  readonly clock: Clock;
  /** Silence after which a cluster is suspected, in ms; 0: never. */
  readonly suspectAfterMs: number;
  /** Asks every host of a cluster, and takes no longer than it is told. Rejects never. */
  readonly ask: (cluster: ClusterId, timeoutMs: number) => Promise<SignOfLife>;
  /** Has it pinged once, which {@link FailureDetector.heardPing} is told of; rejects when it is not answered. */
  readonly ping: (cluster: ClusterId) => Promise<void>;
  /** Whether somebody else, a circuit breaker, asks a dead cluster by itself. */
  readonly isAskedByPolicy: (cluster: ClusterId) => boolean;
  /** Told of each change, once it is the case. */
  readonly onChange: (cluster: ClusterId, liveness: Liveness) => void;
}

/** What is known of one cluster. */
class Hearing {
  liveness: Liveness = 'alive';
  /** Answers that had come by the last round. */
  heard = 0;
  /** Answers that no wire has seen: to what was asked before a request could be sent. */
  beside = 0;
  /** Nothing has come since then, at the earliest: the round before it was noticed. */
  earliestMs = Number.NEGATIVE_INFINITY;
  /** Nothing has come since then, at the latest. A suspicion that came to nothing begins the time anew as well. */
  latestMs = Number.NEGATIVE_INFINITY;
  /** The ping under way; another object when it does not count any more. */
  ping: object | undefined;
  askAgain: Timer | undefined;
  /** What its last ping took, in ms. */
  roundTripMs = 0;
  /** The same of a ping that took so long that the next one has to tell; 0: the last one did not. */
  longMs = 0;
  /** Whether this silence has begun anew, because the process stood still. */
  hasBegunAnew = false;
  measureAgain: Timer | undefined;
}

/**
 * Finds out that a cluster hangs: when a request has waited for `suspectAfterMs` and nothing has come from its cluster
 * since it was sent, every host of it is asked for a sign of life, and if none gives one the cluster is dead, until
 * anything comes from it. A cluster that turns out to be slow has as much time as that takes.
 *
 * It costs requests nothing: what has come is told by counters that are kept anyway, and looked at in rounds.
 */
export class FailureDetector implements Inspected {
  readonly isUnderWay = false;
  /** Whether any cluster is dead. A field: it is read for every write. */
  hasDead = false;
  readonly #hearings = { A: new Hearing(), B: new Hearing() };
  readonly #wires: Listened[] = [];
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  #lastLateRoundMs = Number.NEGATIVE_INFINITY;
  #isEnded = false;

  constructor(
    private readonly options: FailureDetectorOptions,
    rounds: Rounds,
  ) {
    rounds.include(this);
  }

  listenTo(wire: Listened): void {
    this.#wires.push(wire);
  }

  liveness(cluster: ClusterId): Liveness {
    return this.#hearings[cluster].liveness;
  }

  isDead(cluster: ClusterId): boolean {
    return (cluster === 'A' ? this.#hearings.A : this.#hearings.B).liveness === 'dead';
  }

  /**
   * Whether what waits for that cluster alone is to be decided without it: it is dead, and the other one is not silent.
   * What has come since the last round is heard first.
   */
  isGivenUp(cluster: ClusterId): boolean {
    if (!this.isDead(cluster)) return false;
    const nowMs = this.options.clock.monotonicMs();
    this.#listen('A', nowMs);
    this.#listen('B', nowMs);
    return this.isDead(cluster) && this.#hearings[otherCluster(cluster)].liveness === 'alive';
  }

  /** Whether an answer to some request has surely come from the cluster after that moment. */
  hasHeardSince(cluster: ClusterId, sentMs: number): boolean {
    return this.#hearings[cluster].earliestMs > sentMs;
  }

  /** It has answered what was asked before a request could be sent to it: as good as an answer to one. */
  heardAnswer(cluster: ClusterId): void {
    this.#hearings[cluster].beside++;
  }

  /** A ping was answered, whoever had sent it. */
  heardPing(cluster: ClusterId, latencyMs: number): void {
    const hearing = this.#hearings[cluster];
    const wasSlow = this.#isSlow(hearing);
    this.#heard(cluster);
    const isLong = latencyMs > LONG_ROUND_TRIP_MS;
    if (!isLong) hearing.roundTripMs = latencyMs;
    else if (hearing.longMs > 0) {
      hearing.roundTripMs = Math.min(hearing.longMs, latencyMs, LONGEST_ROUND_TRIP_MS);
    }
    hearing.longMs = isLong ? latencyMs : 0;
    // It may have hung just then: one ping more tells.
    if (isLong || this.#isSlow(hearing)) this.#measureIn(cluster, wasSlow ? MEASURE_AGAIN_MS : 0);
  }

  /** Suspects nobody any more. */
  end(): void {
    this.#isEnded = true;
    for (const hearing of [this.#hearings.A, this.#hearings.B]) {
      hearing.askAgain?.cancel();
      hearing.measureAgain?.cancel();
      hearing.ping = undefined;
    }
  }

  inspect(nowMs: number, isLate: boolean): void {
    if (isLate) this.#lastLateRoundMs = nowMs;
    for (const cluster of ['A', 'B'] as const) {
      this.#listen(cluster, nowMs);
      if (isLate && this.#beginsAnew(cluster, nowMs)) continue;
      if (this.#isTooQuiet(cluster, nowMs)) void this.#suspect(cluster);
    }
    this.#lastRoundMs = nowMs;
  }

  #listen(cluster: ClusterId, nowMs: number): void {
    const hearing = this.#hearings[cluster];
    let heard = hearing.beside;
    for (const { traffic } of this.#wires) heard += traffic[cluster].answered;
    if (heard === hearing.heard) return;
    hearing.heard = heard;
    hearing.earliestMs = this.#lastRoundMs;
    hearing.latestMs = nowMs;
    hearing.hasBegunAnew = false;
    this.#become(cluster, 'alive');
  }

  /**
   * The process stood still: what was sent before has had no chance to be answered, nor has a ping. The silence begins
   * anew, but only once: one that stands still again and again would never find out anything.
   */
  #beginsAnew(cluster: ClusterId, nowMs: number): boolean {
    const hearing = this.#hearings[cluster];
    if (hearing.hasBegunAnew) return false;
    // What has been heard only now ended the silence before.
    hearing.hasBegunAnew = hearing.latestMs < nowMs;
    if (hearing.liveness === 'alive') hearing.latestMs = nowMs;
    return true;
  }

  #isTooQuiet(cluster: ClusterId, nowMs: number): boolean {
    const hearing = this.#hearings[cluster];
    if (this.options.suspectAfterMs === 0 || this.#isEnded || hearing.liveness !== 'alive') return false;
    const patienceMs = Math.max(this.options.suspectAfterMs, SLOW_FACTOR * hearing.roundTripMs);
    if (nowMs - hearing.latestMs < patienceMs) return false;
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const wire of this.#wires) sinceMs = Math.min(sinceMs, wire.waitingSinceMs(cluster));
    return nowMs - sinceMs >= patienceMs;
  }

  async #suspect(cluster: ClusterId): Promise<void> {
    const { clock, ask } = this.options;
    const hearing = this.#hearings[cluster];
    const ping = {};
    hearing.ping = ping;
    this.#become(cluster, 'suspected');
    for (let late = 0; ; late++) {
      const startedMs = clock.monotonicMs();
      const limitMs = Math.max(SUSPICION_PING_MS, SLOW_FACTOR * hearing.roundTripMs);
      const sign = await ask(cluster, limitMs).catch(() => 'notSent' as const);
      // Also of a ping that does not count any more: it has come.
      if (sign === 'answered') this.#heard(cluster);
      const nowMs = clock.monotonicMs();
      // What has come since the last round, if there was one: what was sent may be waited for no longer.
      this.#listen(cluster, nowMs);
      if (hearing.ping !== ping) return;
      // A stall that was over when the ping was sent may be noticed only now.
      const wasLate = this.#lastLateRoundMs > startedMs + LATE_MS || nowMs - startedMs > limitMs + LATE_MS;
      if (sign === 'silent' && wasLate && late < MOST_LATE_PINGS) continue;
      hearing.ping = undefined;
      hearing.latestMs = nowMs;
      this.#become(cluster, sign === 'silent' ? 'dead' : 'alive');
      return;
    }
  }

  #become(cluster: ClusterId, liveness: Liveness): void {
    const hearing = this.#hearings[cluster];
    if (hearing.liveness === liveness || this.#isEnded) return;
    const wasDead = hearing.liveness === 'dead';
    hearing.liveness = liveness;
    this.hasDead = this.isDead('A') || this.isDead('B');
    if (liveness === 'alive') hearing.ping = undefined;
    // What it was like before says nothing of how it comes back.
    if (liveness === 'dead') hearing.roundTripMs = 0;
    if (wasDead) this.#measureIn(cluster, 0);
    hearing.askAgain?.cancel();
    hearing.askAgain = liveness === 'dead' ? this.#askAgain(cluster) : undefined;
    this.options.onChange(cluster, liveness);
  }

  #heard(cluster: ClusterId): void {
    const hearing = this.#hearings[cluster];
    hearing.latestMs = this.options.clock.monotonicMs();
    hearing.hasBegunAnew = false;
    this.#become(cluster, 'alive');
  }

  /** Whether it has longer than usual to answer. */
  #isSlow({ roundTripMs }: Hearing): boolean {
    return SLOW_FACTOR * roundTripMs > Math.min(this.options.suspectAfterMs, SUSPICION_PING_MS);
  }

  #measureIn(cluster: ClusterId, delayMs: number): void {
    const { clock, ping, suspectAfterMs } = this.options;
    const hearing = this.#hearings[cluster];
    hearing.measureAgain?.cancel();
    if (suspectAfterMs === 0 || this.#isEnded) return;
    hearing.measureAgain = clock.setTimer(() => {
      hearing.measureAgain = undefined;
      ping(cluster).catch(() => {
        if (this.#isSlow(hearing)) this.#measureIn(cluster, MEASURE_AGAIN_MS);
      });
    }, delayMs);
  }

  /** Nothing may be sent to a dead cluster any more, so that nothing can come from it. */
  #askAgain(cluster: ClusterId): Timer {
    const { clock, ask, isAskedByPolicy } = this.options;
    return clock.setTimer(() => {
      if (!this.isDead(cluster)) return;
      const hearing = this.#hearings[cluster];
      hearing.askAgain = this.#askAgain(cluster);
      if (isAskedByPolicy(cluster)) return;
      void ask(cluster, SUSPICION_PING_MS).then(
        (sign) => {
          if (sign === 'answered') this.#heard(cluster);
        },
        () => undefined,
      );
    }, ASK_AGAIN_MS);
  }
}

/** For wires that nobody listens to. */
export const NOBODY_DIES: Pick<FailureDetector, 'hasDead' | 'isDead' | 'isGivenUp' | 'hasHeardSince'> = {
  hasDead: false,
  isDead: () => false,
  isGivenUp: () => false,
  hasHeardSince: () => false,
};
