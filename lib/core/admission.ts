import { Barrier, type Inside } from './barrier.js';
import { type ClusterId, otherCluster } from './cluster.js';
import { OverloadedError, ReplayQueueFullError } from './errors.js';
import type { Failover } from './failover.js';
import type { WriteOperation } from './operation.js';
import type { Replayer, Reservation } from './ports/replayer.js';
import {
  type Outcome,
  type SkippedOutcome,
  SKIPPED_BY_BREAKER,
  SKIPPED_BY_DRAINING,
  SKIPPED_BY_LIMIT,
} from './outcome.js';
import { type Draining, NOBODY_DRAINS, sideLabel, type Sides } from './sides.js';
import type { Wire } from './wire.js';

export interface AdmissionOptions {
  readonly sides: Sides;
  readonly failover: Failover;
  /** `undefined`: nobody would replay what a side misses, so none is left out for its breaker. */
  readonly replayer: Replayer | undefined;
  /** Not asked where there is one cluster only: it is written to all the same. Default: nobody drains. */
  readonly draining?: Draining;
  /** Most writes on the wire to one side. */
  readonly maxInFlight: number;
  /** Whether a write that the queue would have no room for is refused before it is sent. */
  readonly onReplayLost: 'throw' | 'report';
  /** `queue`: the queue gets what neither side could be sent. */
  readonly whenBothFail: 'throw' | 'queue';
}

/** What was settled about a write before anything of it was sent. */
export interface Admission {
  /** Sides that are left out, at first. */
  readonly A: SkippedOutcome | undefined;
  readonly B: SkippedOutcome | undefined;
  /** Room in the queue for what sides that are known to be bad will miss. */
  readonly reservations: Reservation[];
}

/** Nothing is known against either side. */
const ADMITTED: Admission = { A: undefined, B: undefined, reservations: [] };

/** What a write holds until everything about it is decided: its place among those under way, and room in the queue. */
export interface Holdings extends Inside {
  readonly reservations: Reservation[];
}

/**
 * Decides which sides a write is sent to at first, and whether it may be sent at all; keeps it among those under way,
 * and takes back what it held when it is over.
 */
export class Admissions {
  readonly isSingle: boolean;
  readonly #underWay: Barrier;
  readonly #draining: Draining;

  constructor(
    private readonly options: AdmissionOptions,
    private readonly wire: Wire,
  ) {
    this.#draining = options.draining ?? NOBODY_DRAINS;
    this.isSingle = options.sides.B === undefined;
    this.#underWay = new Barrier(wire.invariants);
  }

  /** It is under way from now on; `within`: since something else is, in whose place it comes. */
  enter(it: Inside, within?: Inside): void {
    if (within) this.#underWay.enterWith(it, within);
    else this.#underWay.enter(it);
  }

  /** It is over; call once. */
  leave(it: Holdings): void {
    if (it.reservations.length > 0) release(it.reservations);
    this.#underWay.leave(it);
  }

  /** What is left of a write for a side that is pending: it takes over what the write has held. */
  restOf(holdings: Holdings): Holdings {
    const rest: Holdings = { since: undefined, reservations: holdings.reservations.splice(0) };
    this.#underWay.enterWith(rest, holdings);
    return rest;
  }

  /** Resolves when everything that is under way now is over. */
  passed(): Promise<void> {
    return this.#underWay.passed();
  }

  /**
   * The side that is tried after all: it was left out because it looked bad, the other did not apply the write
   * either, and it can be sent to by now. Never one that was left out because it is draining.
   */
  lastResort(a: Outcome, b: Outcome): ClusterId | undefined {
    if (this.wire.isCutOff) return undefined;
    if (isLastHope(a, b) && this.#mayTry('A')) return 'A';
    return isLastHope(b, a) && this.#mayTry('B') ? 'B' : undefined;
  }

  #mayTry(cluster: ClusterId): boolean {
    return this.#hasRoom(cluster) && !this.#isDraining(cluster);
  }

  /**
   * Why a side that nothing was against when the write was admitted is left out when a strategy gets to it: it
   * drains by then, or has no room. Without a replayer it is sent to all the same: the other side may have the
   * write by then.
   */
  skipLate(cluster: ClusterId): SkippedOutcome | undefined {
    if (!this.options.replayer) return undefined;
    if (this.#isDraining(cluster)) return SKIPPED_BY_DRAINING;
    return this.#hasRoom(cluster) ? undefined : SKIPPED_BY_LIMIT;
  }

  /**
   * @throws OverloadedError there is no room on the wire
   * @throws ReplayQueueFullError a side will miss the write and the queue has no room for it
   */
  admit(operation: WriteOperation): Admission {
    if (this.#isWell('A') && (this.isSingle || this.#isWell('B'))) return ADMITTED;
    return this.isSingle ? this.#admitToOne(operation) : this.#admitToPair(operation);
  }

  #isWell(cluster: ClusterId): boolean {
    const { sides, failover } = this.options;
    const side = cluster === 'A' ? sides.A : sides.B;
    return (
      this.#hasRoom(cluster) &&
      !this.#isDraining(cluster) &&
      failover.isAvailable(cluster) &&
      (side?.hasConnected ?? false)
    );
  }

  #hasRoom(cluster: ClusterId): boolean {
    // Asked twice for every write: a field that is named by a variable would cost 5 ns each time.
    const { traffic } = this.wire;
    const { sent, ended } = cluster === 'A' ? traffic.A : traffic.B;
    return sent - ended < this.options.maxInFlight;
  }

  #isDraining(cluster: ClusterId): boolean {
    return cluster === 'A' ? this.#draining.A : this.#draining.B;
  }

  #admitToOne(operation: WriteOperation): Admission {
    if (!this.#hasRoom('A')) throw this.#overloaded(operation);
    return ADMITTED;
  }

  #admitToPair(operation: WriteOperation): Admission {
    const { replayer, whenBothFail } = this.options;
    const againstA = this.#skipFor('A');
    const againstB = this.#skipFor('B');
    const isFull = againstA === SKIPPED_BY_LIMIT || againstB === SKIPPED_BY_LIMIT;
    // Without a replayer a full side would never get the write: it is refused instead.
    if (isFull && (againstA === againstB || !replayer)) throw this.#overloaded(operation);
    // A breaker is advice: it is followed while there is a better side.
    const A = againstA === SKIPPED_BY_BREAKER && againstB ? undefined : againstA;
    const B = againstB === SKIPPED_BY_BREAKER && againstA ? undefined : againstB;
    // What is sent to nobody is missed by nobody, unless the queue takes it.
    const isMissed = !(A && B) || whenBothFail === 'queue';
    return { A, B, reservations: isMissed ? this.#reserve(replayer, operation) : [] };
  }

  #skipFor(cluster: ClusterId): SkippedOutcome | undefined {
    if (this.#isDraining(cluster)) return SKIPPED_BY_DRAINING;
    if (!this.#hasRoom(cluster)) return SKIPPED_BY_LIMIT;
    const { failover, replayer } = this.options;
    return replayer && !failover.isAvailable(cluster) ? SKIPPED_BY_BREAKER : undefined;
  }

  #reserve(replayer: Replayer | undefined, operation: WriteOperation): Reservation[] {
    const reservations: Reservation[] = [];
    try {
      for (const cluster of ['A', 'B'] as const) {
        if (!replayer || this.#isWell(cluster)) continue;
        const reservation = replayer.reserve(cluster, 1);
        if (reservation) reservations.push(reservation);
        else if (this.options.onReplayLost === 'throw') throw this.#queueFull(cluster, operation);
      }
      return reservations;
    } catch (error) {
      release(reservations);
      throw error;
    }
  }

  #queueFull(cluster: ClusterId, { masked }: WriteOperation): ReplayQueueFullError {
    const { sides } = this.options;
    return new ReplayQueueFullError(
      `Write refused: ${sideLabel(sides, cluster)} would miss it and the replay queue has no room. Nothing was sent` +
        `, also not to ${sideLabel(sides, otherCluster(cluster))}: ${masked}`,
    );
  }

  #overloaded({ masked }: WriteOperation): OverloadedError {
    const where = this.isSingle || !this.options.replayer ? 'A cluster is' : 'Both clusters are';
    return new OverloadedError(
      `Write refused: ${where} at maxInFlight = ${this.options.maxInFlight} writes. Nothing was sent; ` +
        `retry later or limit how many run at once: ${masked}`,
    );
  }
}

export function release(reservations: readonly Reservation[]): void {
  for (const reservation of reservations) reservation.release();
}

/** Whether a side that was left out because it looked bad is all that is left. */
function isLastHope(outcome: Outcome, other: Outcome): boolean {
  if (outcome.kind !== 'skipped' || (outcome.reason !== 'breaker' && outcome.reason !== 'limit'))
    return false;
  switch (other.kind) {
    case 'unreached':
    case 'blocked':
    case 'ambiguous':
      return true;
    case 'skipped':
      return other.reason === 'draining' || (other.reason === 'limit' && outcome.reason === 'breaker');
    default:
      return false;
  }
}
