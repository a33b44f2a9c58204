import type { Clock } from './clock.js';
import type { ClusterId } from './cluster.js';
import { Deadline, DeadlineList } from './deadlines.js';
import { closedError, toError } from './errors.js';
import { type FailureDetector, type Listened, NOBODY_DIES } from './failure-detector.js';
import type { Failover } from './failover.js';
import type { Invariants } from './invariant.js';
import { APPLIED, type FailedOutcome, type SettledOutcome } from './outcome.js';
import { type Inspected, Rounds } from './rounds.js';

/** Who looks after what is under way. One for all wires of an instance. */
export interface Watch {
  readonly rounds: Rounds;
  /** `undefined`: nobody finds out that a cluster hangs. */
  readonly detector: FailureDetector | undefined;
}

export interface WireOptions {
  readonly clock: Clock;
  /** How long one side is waited for. */
  readonly timeoutMs: number;
  /** Hears what becomes of every request. Default: nobody does. */
  readonly failover?: Failover;
  readonly invariants: Invariants;
  /** Default: rounds of its own, and nobody finds out that a cluster hangs. */
  readonly watch?: Watch | undefined;
}

/** What has gone to one cluster over a wire. */
export class Traffic {
  /** Requests that were handed to the driver. */
  sent = 0;
  /** Those of them that the driver has answered, one way or the other. */
  ended = 0;
  /** Requests that failed as far as who sent them is concerned; their time may just have been over. */
  failed = 0;
  /** Answers that came when nobody waited for them any more. */
  late = 0;
  /** Answers after which a request goes on: the cluster does not know its statement, or there is another page. */
  interim = 0;
  /** Requests that ended without a word from the cluster: connections that were lost, the driver's own errors. */
  mute = 0;

  /** Requests that the cluster itself has answered, whatever it said, and whenever. */
  get answered(): number {
    return this.ended - this.mute + this.interim;
  }

  /** On the wire now: also what nobody waits for any more, while its driver does. */
  get inFlight(): number {
    return this.sent - this.ended;
  }
}

/**
 * The place that every request to a cluster passes, one for each kind of request (write, read, replay): it counts what
 * is in flight, keeps the deadlines, tells the failover policy how each request ended, and at the end it cuts off.
 */
export class Wire implements Inspected, Listened {
  readonly traffic: Readonly<Record<ClusterId, Traffic>> = { A: new Traffic(), B: new Traffic() };
  readonly timeoutMs: number;
  readonly deadlines: DeadlineList;
  readonly failover: Failover | undefined;
  readonly invariants: Invariants;
  readonly rounds: Rounds;
  readonly detector: Pick<FailureDetector, 'hasDead' | 'isDead' | 'isGivenUp' | 'hasHeardSince'>;
  /** Whether the time for sending is over. */
  isCutOff = false;

  constructor({ clock, timeoutMs, failover, invariants, watch }: WireOptions) {
    this.timeoutMs = timeoutMs;
    this.deadlines = new DeadlineList(clock, timeoutMs, invariants);
    this.failover = failover;
    this.invariants = invariants;
    this.rounds = watch?.rounds ?? new Rounds(clock);
    this.detector = watch?.detector ?? NOBODY_DIES;
    watch?.detector?.listenTo(this);
    this.rounds.include(this);
  }

  /** On the wire now, by cluster. */
  get inFlight(): Record<ClusterId, number> {
    return { A: this.traffic.A.inFlight, B: this.traffic.B.inFlight };
  }

  get isUnderWay(): boolean {
    return !this.deadlines.isEmpty;
  }

  inspect(nowMs: number): void {
    this.deadlines.forEach((call) => (call as Call).inspect(nowMs));
  }

  waitingSinceMs(cluster: ClusterId): number {
    const oldest = this.deadlines.find((call) => (call as Call).waitsFor(cluster));
    return oldest ? oldest.dueMs - this.timeoutMs : Number.POSITIVE_INFINITY;
  }

  /** Nothing more is sent, and nothing is waited for any longer. */
  cutOff(): void {
    this.isCutOff = true;
    this.deadlines.expireAll();
  }
}

/** What a call has on its way, as bits: sides whose driver has not answered, and sides that are waited for. */
const ON_WIRE = { A: 1, B: 2 } as const;
const WAITS_FOR = { A: 4, B: 8 } as const;
const WAITED_FOR = WAITS_FOR.A | WAITS_FOR.B;

/**
 * A request to one side, or the same one to both: what goes over a {@link Wire}, and waits for what comes back.
 *
 * The driver's own promise is used as it is, and both sides share one deadline, so that a write that nothing is wrong
 * with costs nothing extra.
 */
export abstract class Call extends Deadline {
  /** The monotonic clock's ms at which what it waits for was sent. */
  startedMs = 0;
  #state = 0;

  constructor(protected readonly wire: Wire) {
    super();
  }

  /** Hands it to the driver of one side. */
  protected abstract request(cluster: ClusterId): Promise<unknown>;
  /** Hands it over once more, if its error says that nothing was executed and that this may help. */
  protected again(_cluster: ClusterId, _error: unknown): Promise<unknown> | undefined {
    return undefined;
  }

  /** What an error of {@link request} means. */
  protected abstract classify(error: unknown, cluster: ClusterId): FailedOutcome;
  /** What it means that there was no answer: in time, or none any more because the cluster is dead. */
  protected abstract unanswered(cluster: ClusterId, why: 'late' | 'dead'): FailedOutcome;
  /** The outcome of one side, once for each time it was sent. */
  protected abstract ended(cluster: ClusterId, outcome: SettledOutcome, answer: unknown): void;

  /** Looks at it in a round, as long as anything of it is waited for. */
  inspect(_nowMs: number): void {
    // There is nothing to look at, unless a kind of call says what.
  }

  /** Whether the answer of that side is waited for. */
  waitsFor(cluster: ClusterId): boolean {
    return (this.#state & (cluster === 'A' ? WAITS_FOR.A : WAITS_FOR.B)) !== 0;
  }

  /** What an answer means; every driver's is that it was applied. */
  protected outcomeOf(_answer: unknown): SettledOutcome {
    return APPLIED;
  }

  /** @param nowMs a fresh reading of the monotonic clock, if there is one */
  protected dispatch(cluster: ClusterId, nowMs?: number): void {
    const { wire } = this;
    if (wire.isCutOff) {
      this.ended(cluster, { kind: 'unreached', error: closedError() }, undefined);
      return;
    }
    if ((this.#state & WAITED_FOR) === 0) {
      wire.deadlines.add(this, nowMs);
      this.startedMs = this.dueMs - wire.timeoutMs;
      if (!wire.rounds.isGoing) wire.rounds.begin();
    }
    // Fields that are named by a variable would cost 5 ns each time.
    if (cluster === 'A') {
      this.#state |= ON_WIRE.A | WAITS_FOR.A;
      wire.traffic.A.sent++;
    } else {
      this.#state |= ON_WIRE.B | WAITS_FOR.B;
      wire.traffic.B.sent++;
    }
    const onAnswer = (answer: unknown): void => {
      const outcome = this.outcomeOf(answer);
      if (outcome !== APPLIED && isMute(outcome)) this.countMute(cluster);
      if (this.comesBack(cluster)) this.tell(cluster, outcome, answer);
    };
    const onError = (error: unknown): void => {
      const again = wire.isCutOff ? undefined : this.again(cluster, error);
      if (again) {
        (cluster === 'A' ? wire.traffic.A : wire.traffic.B).interim++;
        again.then(onAnswer, onError);
      } else if (this.comesBack(cluster)) this.fail(cluster, error);
      else this.countMute(cluster);
    };
    try {
      this.request(cluster).then(onAnswer, onError);
    } catch (error) {
      // The driver answers with a promise; a client of the user's own may throw, or answer with none.
      Promise.reject(toError(error)).catch(onError);
    }
  }

  /** One of several answers has come: begins the deadline anew. False: nothing is waited for any longer. */
  protected renew(cluster: ClusterId): boolean {
    (cluster === 'A' ? this.wire.traffic.A : this.wire.traffic.B).interim++;
    if ((this.#state & WAITED_FOR) === 0) return false;
    this.wire.deadlines.remove(this);
    this.wire.deadlines.add(this);
    this.startedMs = this.dueMs - this.wire.timeoutMs;
    return true;
  }

  /** Whatever comes back of it now is not waited for. */
  protected abandon(): void {
    if ((this.#state & WAITED_FOR) === 0) return;
    this.#state &= ~WAITED_FOR;
    this.wire.deadlines.remove(this);
  }

  override expire(): void {
    const state = this.#state;
    this.#state &= ~WAITED_FOR;
    // What one side is then told to do must know of both.
    const a = state & WAITS_FOR.A ? this.late('A') : undefined;
    const b = state & WAITS_FOR.B ? this.late('B') : undefined;
    if (a) this.tell('A', a, undefined);
    if (b) this.tell('B', b, undefined);
  }

  /** The cluster is dead: its answer is not waited for, and the policy has been told of it already. */
  protected giveUp(cluster: ClusterId): void {
    const waits = cluster === 'A' ? WAITS_FOR.A : WAITS_FOR.B;
    if ((this.#state & waits) === 0) return;
    this.#state &= ~waits;
    if ((this.#state & WAITED_FOR) === 0) this.wire.deadlines.remove(this);
    this.tell(cluster, { ...this.unanswered(cluster, 'dead'), scope: 'connection' }, undefined);
  }

  // `private` and not `#`: a class with methods of its own marks each of its objects, 10 ns for every write.

  /** The driver has answered; true if that is waited for. */
  private comesBack(cluster: ClusterId): boolean {
    const { wire } = this;
    const isA = cluster === 'A';
    const state = this.#state;
    if ((state & (isA ? ON_WIRE.A : ON_WIRE.B)) === 0) {
      // A client of the user's own may answer with a promise of its own making, which settles twice.
      wire.invariants.breached('inFlightBelowZero');
      return false;
    }
    const traffic = isA ? wire.traffic.A : wire.traffic.B;
    traffic.ended++;
    this.#state = state & (isA ? ~(ON_WIRE.A | WAITS_FOR.A) : ~(ON_WIRE.B | WAITS_FOR.B));
    if ((state & (isA ? WAITS_FOR.A : WAITS_FOR.B)) === 0) {
      traffic.late++;
      return false;
    }
    if ((this.#state & WAITED_FOR) === 0) wire.deadlines.remove(this);
    return true;
  }

  private fail(cluster: ClusterId, error: unknown): void {
    const outcome = this.meaningOf(error, cluster);
    if (isMute(outcome)) this.countMute(cluster);
    this.tell(cluster, outcome, undefined);
  }

  private countMute(cluster: ClusterId): void {
    (cluster === 'A' ? this.wire.traffic.A : this.wire.traffic.B).mute++;
  }

  /** A cluster that has answered others meanwhile is there: the trouble is this request's own. */
  private late(cluster: ClusterId): FailedOutcome {
    const outcome = this.unanswered(cluster, 'late');
    return outcome.scope === undefined && this.wire.detector.hasHeardSince(cluster, this.startedMs)
      ? { ...outcome, scope: 'request' }
      : outcome;
  }

  /** Nobody waits for its deadline any more: whatever is thrown here, it has to end. */
  private meaningOf(error: unknown, cluster: ClusterId): FailedOutcome {
    try {
      return this.classify(error, cluster);
    } catch {
      return { kind: 'ambiguous', error: toError(error) };
    }
  }

  private tell(cluster: ClusterId, outcome: SettledOutcome, answer: unknown): void {
    const { traffic, failover } = this.wire;
    if (outcome === APPLIED) failover?.recordSuccess(cluster, this.startedMs);
    else {
      if (outcome.kind !== 'applied') (cluster === 'A' ? traffic.A : traffic.B).failed++;
      failover?.record(cluster, outcome, this.startedMs);
    }
    this.ended(cluster, outcome, answer);
  }
}

/** Whether an outcome came about without a word from the cluster. */
function isMute(outcome: SettledOutcome): boolean {
  switch (outcome.kind) {
    case 'applied':
      return false;
    case 'skipped':
      return true;
    case 'rejected':
    case 'blocked':
      return outcome.scope === 'local' || outcome.isAnswer === false;
    default:
      return !(outcome.isAnswer ?? outcome.scope === 'request');
  }
}
