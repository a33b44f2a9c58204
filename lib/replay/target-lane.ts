import {
  Call,
  type Clock,
  type ClusterId,
  type DeadLetterReason,
  type Delivery,
  type DeliveryVerdict,
  type Envelope,
  errorLabel,
  type FailedOutcome,
  type Failover,
  HelixUsageError,
  type Replayer,
  type ReplayLane,
  type ReplayTarget,
  type SettledOutcome,
  timeoutError,
  toError,
  type Wire,
  withTimeout,
} from '../core/index.js';
import { backoffMs, PROBE_BACKOFF, REFUSAL_BACKOFF, RETRY_BACKOFF } from './backoff.js';
import { ConcurrencyLimit } from './concurrency-limit.js';
import { type Gate, type GateEvent, isOnProbation, nextGate, PAUSED } from './gate.js';
import type { ReplayLog, SafeHooks } from './hooks.js';

/** As long as the round trip of a cluster may be that is slow and not dead. */
export const PING_TIMEOUT_MS = 5_000;
const MOST_AT_ONCE = 64;
/** A target keeps its own time limit; one that does not must not hold the lane for ever. */
export const GRACE_MS = 1_000;
/** A target that has taken none of so many deliveries in a row is reported, although it answers pings. */
const REPORTED_REFUSALS = 10;

/** Who has paused a lane; each ends only its own pause. */
export type PausedBy = 'operator' | 'draining';

export interface TargetLaneDependencies {
  readonly cluster: ClusterId;
  /** What it is called in the log. */
  readonly label: string;
  readonly namespace: string;
  readonly replayer: Replayer;
  readonly target: ReplayTarget;
  /** Says when the target is left alone, pings included: somebody else finds out when it is back. */
  readonly failover: Pick<Failover, 'mayReplayTo'> | undefined;
  /** What every delivery goes over; its time limit is `executeTimeoutMs` and {@link GRACE_MS} more. */
  readonly wire: Wire;
  readonly executeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly hooks: SafeHooks;
  readonly log: ReplayLog;
}

/** When a delivery was sent: what the lane knew of its target by then. */
interface Sent {
  readonly era: number;
  readonly answers: number;
}

/** An envelope on its way to its target. */
class EnvelopeCall extends Call {
  constructor(
    private readonly on: TargetLaneDependencies,
    private readonly envelope: Envelope,
    private readonly resolve: (outcome: SettledOutcome) => void,
  ) {
    super(on.wire);
  }

  start(): void {
    this.dispatch(this.on.cluster);
  }

  protected override request(): Promise<SettledOutcome> {
    return this.on.target.apply(this.envelope, this.on.executeTimeoutMs);
  }

  protected override outcomeOf(answer: unknown): SettledOutcome {
    return answer as SettledOutcome;
  }

  /** It should not have rejected. */
  protected override classify(error: unknown): FailedOutcome {
    return { kind: 'ambiguous', error: toError(error) };
  }

  /** What may be repeated goes back into the queue; whether the target has the rest is not known before its time is over. */
  override inspect(): void {
    const { cluster } = this.on;
    if (this.envelope.class === 'idempotent' && this.wire.detector.isGivenUp(cluster)) this.giveUp(cluster);
  }

  protected override unanswered(_cluster: ClusterId, why: 'late' | 'dead'): FailedOutcome {
    const when = why === 'late' ? ` within ${this.wire.timeoutMs} ms` : ' at all any more';
    return { kind: 'ambiguous', error: timeoutError(`The target did not answer${when}`) };
  }

  protected override ended(_cluster: ClusterId, outcome: SettledOutcome): void {
    this.resolve(outcome);
  }
}

/** Replays to one target, and stops delivering while that target is not well. */
export class TargetLane {
  readonly #on: TargetLaneDependencies;
  readonly #limit = new ConcurrencyLimit({ max: MOST_AT_ONCE });
  /** Nothing but replay is sent any more: what it is given now does not have to leave room. */
  #isLast = false;
  #gate: Gate = PAUSED;
  #lane: ReplayLane | undefined;
  readonly #pausedBy = new Set<PausedBy>();
  /** Deliveries whose outcome has not been looked at: answers that come together are looked at one by one. */
  #running = 0;
  /** Rises whenever the gate opens after an outage: what was sent before says nothing about the target now. */
  #era = 0;
  /** Deliveries that the target has answered. */
  #answers = 0;
  /** The ping under way, shared by all who wait for its answer. */
  #ping: Promise<boolean> | undefined;
  /** Ends what belongs to the present gate: a timer, or the interest in a ping. */
  #leaveGate: (() => void) | undefined;
  #lastError: Error | undefined;
  #isReportedDown = false;
  /** Whether a line has said so: one that is left alone is told of by who leaves it alone. */
  #isDownInLog = false;

  constructor(dependencies: TargetLaneDependencies) {
    this.#on = dependencies;
  }

  get isOpen(): boolean {
    return this.#gate.kind === 'open';
  }

  /** False while the target is known to be down, or the lane is paused: waiting would be in vain. */
  get canProgress(): boolean {
    const { kind } = this.#gate;
    if (kind === 'closed' || kind === 'probing') return !this.#isReportedDown;
    return kind === 'open' || kind === 'checking';
  }

  start(): void {
    this.#lane = this.#on.replayer.consume(this.#on.cluster, (delivery) => this.#deliver(delivery));
    this.#resumeUnlessPaused();
  }

  pause(by: PausedBy): void {
    this.#pausedBy.add(by);
    this.#advance('paused');
  }

  resume(by: PausedBy): void {
    this.#pausedBy.delete(by);
    this.#resumeUnlessPaused();
  }

  /** From now on it delivers as much at once as it may: its queue ends with the process. */
  hurry(): void {
    this.#isLast = true;
    this.#applyLimit();
  }

  /** Asks a target that is down now instead of at its next probe; resolves with the answer or its time limit. */
  async probe(): Promise<void> {
    this.#advance('probeDue');
    if (this.#gate.kind === 'probing') await this.#ping;
  }

  stop(): Promise<void> {
    this.#advance('stopped');
    return this.#lane?.stop() ?? Promise.resolve();
  }

  /** Whether it was found dead, or is being avoided: then it is not likely to answer. */
  get isGone(): boolean {
    return this.#isLeftAlone || this.#on.wire.detector.isDead(this.#on.cluster);
  }

  get #isLeftAlone(): boolean {
    const { failover, cluster } = this.#on;
    return failover?.mayReplayTo(cluster) === false;
  }

  #resumeUnlessPaused(): void {
    if (this.#lane && this.#pausedBy.size === 0) this.#advance('resumed');
  }

  async #deliver({ envelope, attempts }: Delivery): Promise<DeliveryVerdict> {
    if (envelope.namespace !== this.#on.namespace) return this.#refuseForeign(envelope);
    const { clock } = this.#on;
    const sent = { era: this.#era, answers: this.#answers };
    if (this.#isLeftAlone) return this.#skipped(sent);
    const startedMs = clock.monotonicMs();
    this.#running++;
    const outcome = await new Promise<SettledOutcome>((resolve) => {
      new EnvelopeCall(this.#on, envelope, resolve).start();
    });
    const inFlight = this.#running--;

    switch (outcome.kind) {
      case 'applied':
        this.#limit.onSuccess(clock.monotonicMs() - startedMs, inFlight);
        this.#on.hooks.onSuccess?.(envelope);
        this.#answered();
        return { kind: 'applied' };
      case 'rejected':
        this.#on.hooks.onError(envelope, outcome.error);
        this.#answered();
        return this.#dead(envelope, 'rejected', outcome.error);
      case 'skipped':
        return this.#skipped(sent);
      case 'blocked':
        this.#on.hooks.onError(envelope, outcome.error);
        return this.#unreached(sent, attempts, outcome.error);
      case 'unreached':
        this.#on.hooks.onError(envelope, outcome.error);
        return isOwnTrouble(outcome)
          ? this.#notTaken(sent, attempts, outcome.error)
          : this.#unreached(sent, attempts, outcome.error);
      case 'ambiguous':
        this.#on.hooks.onError(envelope, outcome.error);
        if (!isOwnTrouble(outcome)) return this.#ambiguous(sent, envelope, attempts, outcome.error);
        if (envelope.class === 'once') return this.#dead(envelope, 'inDoubt', outcome.error);
        return this.#notTaken(sent, attempts, outcome.error);
    }
  }

  #answered(): void {
    this.#answers++;
    this.#advance('answered');
    this.#applyLimit();
  }

  /** The target was left alone, which says nothing of the envelope. */
  #skipped({ era }: Sent): DeliveryVerdict {
    if (era === this.#era) {
      this.#lastError = undefined;
      this.#advance('unreached');
    }
    return { kind: 'release' };
  }

  /**
   * If the target has answered another delivery since, or a ping just before, the trouble is the envelope's own: it
   * steps aside, or it would hold up all others. Otherwise it keeps its place, and that costs it no attempt.
   */
  #unreached({ era, answers }: Sent, attempts: number, error: Error): DeliveryVerdict {
    if (era !== this.#era) return { kind: 'release' };
    if (this.isOpen && answers !== this.#answers) return this.#retry(attempts);
    const wasOnProbation = this.isOpen && isOnProbation(this.#gate);
    this.#lastError = error;
    this.#advance('unreached');
    return wasOnProbation ? this.#retry(attempts) : { kind: 'release' };
  }

  /**
   * The target is there, or was not even asked: nothing against it, and nothing to ping it for. The envelope steps
   * aside. Only when the target has taken nothing else since is it given less, so that one that takes nothing at all
   * is not asked for everything.
   */
  #notTaken({ era, answers }: Sent, attempts: number, error: Error): DeliveryVerdict {
    if (era === this.#era && answers === this.#answers) {
      this.#lastError = error;
      this.#advance('notTaken');
    }
    return this.#retry(attempts);
  }

  async #ambiguous(
    { era }: Sent,
    envelope: Envelope,
    attempts: number,
    error: Error,
  ): Promise<DeliveryVerdict> {
    if (era === this.#era) {
      this.#lastError = error;
      this.#advance('doubted');
    }
    if (envelope.class === 'once') return this.#dead(envelope, 'inDoubt', error);
    const isWell = era === this.#era && this.#gate.kind === 'checking' && (await this.#ping);
    return isWell ? this.#retry(attempts) : { kind: 'release' };
  }

  #refuseForeign(envelope: Envelope): DeliveryVerdict {
    const error = new HelixUsageError(
      `Replay refused an envelope of namespace ${envelope.namespace}: this worker applies ${this.#on.namespace} only.`,
    );
    return this.#dead(envelope, 'rejected', error);
  }

  #dead(envelope: Envelope, reason: DeadLetterReason, error: Error): DeliveryVerdict {
    this.#on.hooks.onDrop(envelope, reason, error);
    return { kind: 'dead', reason, error };
  }

  #retry(attempts: number): DeliveryVerdict {
    return { kind: 'retry', delayMs: backoffMs(RETRY_BACKOFF, attempts, this.#on.random()) };
  }

  #advance(event: GateEvent): void {
    const before = this.#gate;
    const after = nextGate(before, event);
    if (after === before) return;
    this.#gate = after;
    this.#leaveGate?.();
    this.#leaveGate = undefined;
    this.#report();
    switch (after.kind) {
      case 'open':
        this.#open(before);
        return;
      case 'checking':
      case 'probing':
        this.#close();
        this.#sendPing();
        return;
      case 'closed':
        this.#close();
        this.#scheduleProbe(after.refusals, after.failedPings);
        return;
      case 'paused':
      case 'stopped':
        this.#close();
    }
  }

  #open(before: Gate): void {
    if (before.kind === 'checking' && !isOnProbation(before)) this.#limit.onFailure();
    else if (before.kind === 'probing' && (before.failedPings > 0 || !isOnProbation(before))) {
      this.#limit.reset();
      this.#era++;
    }
    this.#applyLimit();
  }

  #close(): void {
    if (this.#lane) this.#lane.concurrency = 0;
  }

  #applyLimit(): void {
    if (!this.#lane || !this.isOpen) return;
    const most = this.#isLast ? MOST_AT_ONCE : this.#limit.current;
    const limit = isOnProbation(this.#gate) ? 1 : most;
    if (this.#lane.concurrency !== limit) this.#lane.concurrency = limit;
  }

  #scheduleProbe(refusals: number, failedPings: number): void {
    const random = this.#on.random();
    const delayMs =
      failedPings > 0
        ? backoffMs(PROBE_BACKOFF, failedPings - 1, random)
        : backoffMs(REFUSAL_BACKOFF, refusals - 2, random);
    const timer = this.#on.clock.setTimer(() => this.#advance('probeDue'), delayMs);
    this.#leaveGate = () => timer.cancel();
  }

  #sendPing(): void {
    let isWanted = true;
    this.#leaveGate = () => {
      isWanted = false;
    };
    this.#ping = this.#askTarget().then((isWell) => {
      if (isWanted) this.#advance(isWell ? 'pingSucceeded' : 'pingFailed');
      return isWell;
    });
  }

  async #askTarget(): Promise<boolean> {
    const { clock, target } = this.#on;
    const limitMs = PING_TIMEOUT_MS + GRACE_MS;
    try {
      if (this.#isLeftAlone) throw new Error('The cluster is being avoided by the failover policy');
      const answer = target.ping(PING_TIMEOUT_MS);
      await withTimeout(clock, limitMs, answer, `The target did not answer within ${limitMs} ms`);
      return true;
    } catch (error) {
      this.#lastError = toError(error);
      return false;
    }
  }

  /** One line when the target goes, one when it is back: not before it has taken a delivery again. */
  #report(): void {
    const gate = this.#gate;
    const { label, log } = this.#on;
    if (gate.kind === 'closed' && !this.#isDownInLog) {
      const isDown = gate.failedPings > 0;
      if (!isDown && gate.refusals < REPORTED_REFUSALS) return;
      this.#isReportedDown = true;
      // A policy that leaves it alone may do so only a moment after the first ping, and tells of it.
      if (this.#isLeftAlone || gate.failedPings === 1) return;
      this.#isDownInLog = true;
      const why = this.#lastError ? errorLabel(this.#lastError) : 'not available';
      const what = isDown ? 'waits for it to come back' : 'waits: it answers pings, but takes nothing';
      log('warn', `Replay to ${label} ${what} (${why}).`);
    } else if (gate.kind === 'open' && !isOnProbation(gate) && this.#isReportedDown) {
      this.#isReportedDown = false;
      if (this.#isDownInLog) log('log', `Replay to ${label} goes on.`);
      this.#isDownInLog = false;
    }
  }
}

/** Whether it says nothing against the target: it answered, or was never asked. */
function isOwnTrouble({ scope }: FailedOutcome): boolean {
  return scope === 'request' || scope === 'local';
}
