import { type Clock } from './clock.js';
import { type ClusterId } from './cluster.js';
import { Deadline, DeadlineList } from './deadlines.js';
import { decide, type Decision, type ReplayAction, type ReplayPlan } from './decide.js';
import { Epochs, type Epoch } from './epochs.js';
import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  type HelixError,
  HelixUsageError,
  OverloadedError,
  SessionClosedError,
  toError,
} from './errors.js';
import { type WriteOperation } from './operation.js';
import { APPLIED, type Outcome, type SettledOutcome } from './outcome.js';
import { type Envelope } from './ports/envelope.js';
import { type FailoverPolicy } from './ports/failover-policy.js';
import { type Replayer } from './ports/replayer.js';
import { type SideWrite, type WriteContext, type WriteStrategy } from './ports/write-strategy.js';
import { type SideStatus, type WriteReceipt } from './receipt.js';
import { errorLabel, sideLabel, type Sides } from './sides.js';

export interface WritePathOptions {
  readonly sides: Sides;
  readonly clock: Clock;
  readonly strategy: WriteStrategy;
  readonly policy: FailoverPolicy;
  /** `undefined`: what one side misses is lost for it, as the user asked for. */
  readonly replayer: Replayer | undefined;
  readonly writeTimeoutMs: number;
  readonly enqueueTimeoutMs: number;
  /** An envelope could not be kept. */
  readonly onDropped: (envelope: Envelope, error: Error) => void;
  /** A strategy or policy threw; the write went on with what had been sent. */
  readonly onStrategyError: (error: Error) => void;
  /** One side refused what the other applied. */
  readonly onDivergence: (cluster: ClusterId, error: Error, operation: WriteOperation) => void;
}

/**
 * One write through both clusters: two attempts, two outcomes, one decision, and what follows from it.
 *
 * While both sides apply, nothing is allocated but the write itself; `decide()` is reached only when
 * something else happened.
 */
export class WritePath {
  readonly deadlines: DeadlineList;
  readonly inFlight = { A: 0, B: 0 };
  readonly operations = new Epochs();
  readonly policy: FailoverPolicy;
  readonly isSingle: boolean;
  readonly clock: Clock;
  #closed = false;

  constructor(private readonly options: WritePathOptions) {
    this.policy = options.policy;
    this.clock = options.clock;
    this.isSingle = options.sides.B === undefined;
    this.deadlines = new DeadlineList(options.clock, options.writeTimeoutMs);
  }

  run(operation: WriteOperation): Promise<WriteReceipt> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.isSingle || this.options.strategy.sendsBothAtOnce) {
      return new Promise((resolve, reject) => {
        new ConcurrentWrite(this, operation, resolve, reject).start();
      });
    }
    return this.#runStrategy(operation);
  }

  /** Counts what leads up to an operation as part of it: it was accepted before it could be sent. */
  async accepted<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.checkOpen();
    const epoch = this.operations.enter();
    try {
      return await operation();
    } finally {
      this.operations.leave(epoch);
    }
  }

  /** Refuses new operations from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Throws if new operations are refused. */
  checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  /** Resolves when every operation that was accepted before this call has its decision carried out. */
  settled(): Promise<void> {
    return this.operations.barrier();
  }

  /**
   * The side to leave out at first because its breaker is open; never both, and none when there is nobody
   * to replay what it misses.
   */
  sideToSkip(): ClusterId | undefined {
    if (!this.options.replayer) return undefined;
    try {
      const a = this.policy.isAvailable('A');
      if (a === this.policy.isAvailable('B')) return undefined;
      return a ? 'B' : 'A';
    } catch (error) {
      this.options.onStrategyError(toError(error));
      return undefined;
    }
  }

  /** Carries out what the outcomes call for, and answers or throws as they demand. */
  async settle(operation: WriteOperation, a: Outcome, b: Outcome): Promise<WriteReceipt> {
    const decision = decide(a, b, operation.class);
    switch (decision.kind) {
      case 'await':
        return this.settle(operation, ...(await nextToSettle(a, b)));
      case 'receipt':
        return this.#receipt(operation, decision, a, b);
      case 'refused': {
        await this.#replay(operation, decision.replay, { A: a, B: b });
        throw this.#refusal(operation, decision.by, decision.outcome, decision.by === 'A' ? a : b);
      }
      case 'bothFailed': {
        const kept = await this.#replay(operation, decision.replay, { A: a, B: b });
        throw this.#bothFailed(operation, decision.outcome, a, b, kept);
      }
      case 'bothDraining':
        throw new BothClustersDrainingError(
          `Write refused: both clusters are draining. Nothing was sent: ${operation.masked}`,
        );
      case 'overloaded':
        throw new OverloadedError(
          `Write refused: both clusters are at their in-flight limit. Nothing was sent: ${operation.masked}`,
        );
    }
  }

  /** The error of a write that the only cluster did not apply. */
  failedAlone(operation: WriteOperation, outcome: SettledOutcome): HelixError {
    return this.#refusal(operation, 'A', outcome.kind === 'ambiguous' ? 'unknown' : 'notApplied', outcome);
  }

  /** Tells the policy, whose mistakes must not become the write's. */
  record(cluster: ClusterId, outcome: SettledOutcome, startedMs: number): void {
    const { policy } = this;
    try {
      switch (outcome.kind) {
        case 'applied':
          if (policy.needsLatency) policy.recordSuccess(cluster, this.clock.monotonicMs() - startedMs);
          else policy.recordSuccess(cluster);
          break;
        case 'unreached':
        case 'blocked':
        case 'ambiguous':
          policy.recordFailure(cluster, outcome.error);
          break;
        case 'rejected':
        case 'skipped':
      }
    } catch (error) {
      this.options.onStrategyError(toError(error));
    }
  }

  async #runStrategy(operation: WriteOperation): Promise<WriteReceipt> {
    const epoch = this.operations.enter();
    try {
      const skip = this.sideToSkip();
      const a = new SideAttempt(this, operation, 'A', skip === 'A');
      const b = new SideAttempt(this, operation, 'B', skip === 'B');
      const context: WriteContext = { ack: 'any', priority: operation.priority };
      let outcomes: readonly [Outcome, Outcome];
      try {
        outcomes = await this.options.strategy.execute(a, b, context);
        if (!isPair(outcomes)) {
          throw new HelixUsageError('WriteStrategy.execute must answer with the outcome of A and of B');
        }
      } catch (error) {
        if (!a.wasSent && !b.wasSent) throw error;
        this.options.onStrategyError(toError(error));
        outcomes = await Promise.all([a.sent(), b.sent()]);
      }
      let [outcomeA, outcomeB] = outcomes;
      while (decide(outcomeA, outcomeB, operation.class).kind === 'await') {
        [outcomeA, outcomeB] = await nextToSettle(outcomeA, outcomeB);
      }
      return await this.settle(
        operation,
        isLastHope(outcomeA, outcomeB) ? await a.sendAnyway() : outcomeA,
        isLastHope(outcomeB, outcomeA) ? await b.sendAnyway() : outcomeB,
      );
    } finally {
      this.operations.leave(epoch);
    }
  }

  async #receipt(
    operation: WriteOperation,
    decision: Extract<Decision, { kind: 'receipt' }>,
    a: Outcome,
    b: Outcome,
  ): Promise<WriteReceipt> {
    for (const [cluster, outcome] of [
      ['A', a],
      ['B', b],
    ] as const) {
      if (outcome.kind === 'rejected') this.options.onDivergence(cluster, outcome.error, operation);
      if (outcome.kind === 'pending') this.#settleLater(operation, a, b, outcome.settled, cluster);
    }
    const kept = await this.#replay(operation, decision.replay, { A: a, B: b });
    const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];
    return { id: operation.id, timestamp: operation.timestampUs, A: status('A'), B: status('B') };
  }

  /** The caller has its receipt; the side that was pending still gets its row of the table. */
  #settleLater(
    operation: WriteOperation,
    a: Outcome,
    b: Outcome,
    settled: Promise<Outcome>,
    cluster: ClusterId,
  ): void {
    const epoch = this.operations.enter();
    void settledOutcome(settled)
      .then((outcome) => this.settle(operation, cluster === 'A' ? outcome : a, cluster === 'B' ? outcome : b))
      .catch((error: unknown) => {
        this.options.onDropped(operation.envelope(cluster), toError(error));
      })
      .finally(() => this.operations.leave(epoch));
  }

  /** Answers with the status of each side that was to be replayed. */
  async #replay(
    operation: WriteOperation,
    plan: ReplayPlan,
    outcomes: Record<ClusterId, Outcome>,
  ): Promise<{ A?: SideStatus; B?: SideStatus }> {
    const status: { A?: SideStatus; B?: SideStatus } = {};
    const queue = (['A', 'B'] as const).filter((cluster) => plan[cluster] === 'enqueue');
    if (queue.length > 0) {
      const envelopes = queue.map((cluster) => operation.envelope(cluster));
      const kept = await this.#keep(envelopes, (replayer) => replayer.enqueue(envelopes));
      for (const cluster of queue) status[cluster] = kept;
    }
    for (const cluster of ['A', 'B'] as const) {
      const reason = plan[cluster];
      if (reason !== undefined && reason !== 'enqueue') {
        const bury = await this.#bury(operation, cluster, reason, outcomes[cluster]);
        if (bury === 'lost') status[cluster] = 'lost';
      }
    }
    return status;
  }

  #bury(
    operation: WriteOperation,
    cluster: ClusterId,
    reason: Exclude<ReplayAction, 'enqueue'>,
    outcome: Outcome,
  ): Promise<SideStatus> {
    const envelope = operation.envelope(cluster);
    const error = 'error' in outcome ? outcome.error : undefined;
    return this.#keep([envelope], async (replayer) => {
      await replayer.bury(envelope, reason, error);
      return reason;
    });
  }

  /** Hands envelopes to the replayer within its own time limit; what it does not take is lost, loudly. */
  async #keep(
    envelopes: readonly Envelope[],
    hand: (replayer: Replayer) => Promise<SideStatus>,
  ): Promise<SideStatus> {
    const { replayer, onDropped } = this.options;
    if (!replayer) return 'lost';
    try {
      return await this.#within(this.options.enqueueTimeoutMs, hand(replayer));
    } catch (error) {
      for (const envelope of envelopes) onDropped(envelope, toError(error));
      return 'lost';
    }
  }

  #within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimer(() => {
        reject(new Error(`The replayer did not confirm within enqueueTimeoutMs = ${timeoutMs} ms`));
      }, timeoutMs);
      promise.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #refusal(
    operation: WriteOperation,
    cluster: ClusterId,
    outcome: 'notApplied' | 'unknown',
    answer: Outcome,
  ): HelixError {
    const cause = errorOf(answer);
    const verb = answer.kind === 'rejected' ? 'refused' : 'did not confirm';
    return new ClusterError(
      `${sideLabel(this.options.sides, cluster)} ${verb} the write (${errorLabel(cause)}): ${operation.masked}`,
      cluster,
      'write',
      outcome,
      { cause },
    );
  }

  #bothFailed(
    operation: WriteOperation,
    outcome: 'notApplied' | 'unknown',
    a: Outcome,
    b: Outcome,
    kept: { A?: SideStatus; B?: SideStatus },
  ): DualClusterError {
    const errors = { A: errorOf(a), B: errorOf(b) };
    const isQueued = kept.A !== undefined && kept.B !== undefined && kept.A !== 'lost' && kept.B !== 'lost';
    let advice = 'Nothing was applied; it is safe to retry';
    if (outcome === 'unknown') {
      advice = isQueued
        ? 'It may have been applied; replay will apply it to both'
        : 'It may have been applied on one of them only, and is not replayed';
    }
    return new DualClusterError(
      `Write failed on both clusters (A: ${errorLabel(errors.A)}, B: ${errorLabel(errors.B)}). ${advice}: ${operation.masked}`,
      errors,
      outcome,
    );
  }
}

const SKIPPED_BY_BREAKER = Object.freeze({ kind: 'skipped', reason: 'breaker' } as const);

/** Both sides at once, joined without wrapper objects; also the single-cluster write. */
class ConcurrentWrite extends Deadline {
  readonly #epoch: Epoch;
  #a: SettledOutcome | undefined;
  #b: SettledOutcome | undefined;
  #startedMs = 0;

  constructor(
    private readonly path: WritePath,
    private readonly operation: WriteOperation,
    private readonly resolve: (receipt: WriteReceipt | Promise<WriteReceipt>) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super();
    this.#epoch = path.operations.enter();
  }

  start(): void {
    const { path } = this;
    path.deadlines.add(this);
    this.#startedMs = this.dueMs - path.deadlines.timeoutMs;
    if (path.isSingle) {
      this.#attemptA();
      return;
    }
    const skip = path.sideToSkip();
    if (skip === 'A') this.#a = SKIPPED_BY_BREAKER;
    else this.#attemptA();
    if (skip === 'B') this.#b = SKIPPED_BY_BREAKER;
    else this.#attemptB();
  }

  override expire(): void {
    const { operation } = this;
    const a = this.#a ? undefined : operation.expire('A');
    const b = this.#b || this.path.isSingle ? undefined : operation.expire('B');
    this.dueMs = Number.POSITIVE_INFINITY;
    if (a) this.#settle('A', a);
    if (b) this.#settle('B', b);
  }

  #attemptA(): void {
    this.path.inFlight.A++;
    this.operation.attempt('A').then(
      () => {
        if (this.#a === undefined) this.#settle('A', APPLIED);
      },
      (error: unknown) => {
        if (this.#a === undefined) this.#settle('A', this.operation.classify(error, 'A'));
      },
    );
  }

  #attemptB(): void {
    this.path.inFlight.B++;
    this.operation.attempt('B').then(
      () => {
        if (this.#b === undefined) this.#settle('B', APPLIED);
      },
      (error: unknown) => {
        if (this.#b === undefined) this.#settle('B', this.operation.classify(error, 'B'));
      },
    );
  }

  #settle(cluster: ClusterId, outcome: SettledOutcome): void {
    const { path, operation } = this;
    path.inFlight[cluster]--;
    path.record(cluster, outcome, this.#startedMs);
    if (cluster === 'A') this.#a = outcome;
    else this.#b = outcome;
    const a = this.#a;
    const b = this.#b;
    if (path.isSingle) {
      this.#settleSingle(outcome);
    } else if (a && b) {
      if (a.kind === 'applied' && b.kind === 'applied') {
        this.#leave();
        this.resolve({ id: operation.id, timestamp: operation.timestampUs, A: 'applied', B: 'applied' });
      } else if (isLastHope(a, b)) {
        this.#a = undefined;
        this.#attemptLate('A');
      } else if (isLastHope(b, a)) {
        this.#b = undefined;
        this.#attemptLate('B');
      } else {
        this.#decide(a, b);
      }
    }
  }

  #attemptLate(cluster: ClusterId): void {
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.path.deadlines.remove(this);
    this.path.deadlines.add(this);
    this.#startedMs = this.dueMs - this.path.deadlines.timeoutMs;
    if (cluster === 'A') this.#attemptA();
    else this.#attemptB();
  }

  #decide(a: SettledOutcome, b: SettledOutcome): void {
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.path.deadlines.remove(this);
    this.path
      .settle(this.operation, a, b)
      .then(this.resolve, this.reject)
      .finally(() => this.path.operations.leave(this.#epoch));
  }

  #settleSingle(outcome: SettledOutcome): void {
    const { operation } = this;
    this.#leave();
    if (outcome.kind === 'applied') {
      this.resolve({ id: operation.id, timestamp: operation.timestampUs, A: 'applied', B: 'absent' });
    } else {
      this.reject(this.path.failedAlone(operation, outcome));
    }
  }

  #leave(): void {
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.path.deadlines.remove(this);
    this.path.operations.leave(this.#epoch);
  }
}

/** One side of a write as a strategy sees it. */
class SideAttempt extends Deadline implements SideWrite {
  #outcome: Promise<Outcome> | undefined;
  #settle: ((outcome: SettledOutcome) => void) | undefined;

  constructor(
    private readonly path: WritePath,
    private readonly operation: WriteOperation,
    readonly cluster: ClusterId,
    private readonly skip: boolean,
  ) {
    super();
  }

  send(): Promise<Outcome> {
    return this.skip ? Promise.resolve(SKIPPED_BY_BREAKER) : this.sendAnyway();
  }

  get wasSent(): boolean {
    return this.#outcome !== undefined;
  }

  /** The outcome if it was sent, without sending it. */
  sent(): Promise<Outcome> {
    return this.#outcome ?? Promise.resolve(SKIPPED_BY_BREAKER);
  }

  sendAnyway(): Promise<Outcome> {
    return (this.#outcome ??= this.#send());
  }

  override expire(): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(this.operation.expire(this.cluster));
  }

  #send(): Promise<Outcome> {
    const { path, operation, cluster } = this;
    return new Promise((resolve) => {
      path.inFlight[cluster]++;
      path.deadlines.add(this);
      const startedMs = this.dueMs - path.deadlines.timeoutMs;
      this.#settle = (outcome) => {
        path.inFlight[cluster]--;
        path.record(cluster, outcome, startedMs);
        resolve(outcome);
      };
      operation.attempt(cluster).then(
        () => this.#answered(APPLIED),
        (error: unknown) => {
          if (this.#settle) this.#answered(operation.classify(error, cluster));
        },
      );
    });
  }

  #answered(outcome: SettledOutcome): void {
    const settle = this.#settle;
    if (!settle) return;
    this.#settle = undefined;
    this.path.deadlines.remove(this);
    settle(outcome);
  }
}

/** A side that was left out because it looked bad is tried after all when the other failed to apply. */
function isLastHope(outcome: Outcome, other: Outcome): boolean {
  return (
    outcome.kind === 'skipped' &&
    (outcome.reason === 'breaker' || outcome.reason === 'limit') &&
    (other.kind === 'unreached' || other.kind === 'blocked' || other.kind === 'ambiguous')
  );
}

/** Waits until a pending side has settled and answers with both outcomes as they are then. */
function nextToSettle(a: Outcome, b: Outcome): Promise<[Outcome, Outcome]> {
  const waits: Promise<[Outcome, Outcome]>[] = [];
  if (a.kind === 'pending') waits.push(settledOutcome(a.settled).then((outcome) => [outcome, b]));
  if (b.kind === 'pending') waits.push(settledOutcome(b.settled).then((outcome) => [a, outcome]));
  return Promise.race(waits);
}

/** A strategy's promise that rejects says nothing of the write: it may have been applied. */
function settledOutcome(settled: Promise<Outcome>): Promise<Outcome> {
  return settled.catch((error: unknown) => ({ kind: 'ambiguous', error: toError(error) }));
}

function isPair(answer: unknown): boolean {
  const isOutcome = (each: unknown): boolean => typeof each === 'object' && each !== null && 'kind' in each;
  return Array.isArray(answer) && answer.length === 2 && answer.every(isOutcome);
}

function errorOf(outcome: Outcome): Error {
  if ('error' in outcome) return outcome.error;
  return new Error(outcome.kind === 'skipped' ? `Not tried: ${outcome.reason}` : outcome.kind);
}

export function closedError(): SessionClosedError {
  return new SessionClosedError('Helix is shutting down or closed; nothing was sent');
}
