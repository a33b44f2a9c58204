import type { CallContext } from './call-context.js';
import { Barrier, type Inside } from './barrier.js';
import { abortedBefore, type CallerLimits, type Left, untilGone } from './caller-wait.js';
import type { Clock } from './clock.js';
import { type ClusterId, otherCluster } from './cluster.js';
import {
  closedError,
  ClusterError,
  DualClusterError,
  HelixUsageError,
  NoAvailableClusterError,
  OverloadedError,
  toError,
} from './errors.js';
import type { Failover } from './failover.js';
import type { Invariants } from './invariant.js';
import type { ReadOperation } from './operation.js';
import { APPLIED, type FailedOutcome, type SettledOutcome } from './outcome.js';
import type { ReadContext, ReadStrategy } from './ports/read-strategy.js';
import type { ReadLag } from './read-lag.js';
import { type Draining, errorLabel, NOBODY_DRAINS, sideLabel, type Sides } from './sides.js';
import { timeoutError } from './time-limit.js';
import { Call, type Watch, Wire } from './wire.js';

export interface ReadPathOptions {
  readonly sides: Sides;
  readonly clock: Clock;
  readonly strategy: ReadStrategy;
  readonly failover: Failover;
  /** Default: nobody drains. */
  readonly draining?: Draining;
  readonly readTimeoutMs: number;
  /** Most reads on the wire to one side. */
  readonly maxInFlight: number;
  readonly invariants: Invariants;
  /** Default: nobody finds out that a cluster hangs. */
  readonly watch?: Watch | undefined;
  /** `undefined`: nothing is replayed, so nobody knows what a side has missed. */
  readonly lag: ReadLag | undefined;
  /** A strategy threw; the read went on without it. */
  readonly onStrategyError: (error: Error) => void;
  /**
   * A read goes to another side than the one it was meant for, because that one has failed or is worse off. Told for
   * each such read. Default: nobody is told.
   */
  readonly onMoved?: (from: ClusterId, to: ClusterId) => void;
}

/** What one read asks for beside its operation. */
export interface ReadCall extends CallerLimits {
  /** Only this side may answer. */
  readonly cluster?: ClusterId | undefined;
  readonly context?: CallContext | undefined;
  /** No answer by then, in ms: the other side is asked too, and the first answer wins. */
  readonly hedgeAfterMs?: number | undefined;
}

/** One read: from the side the strategy names, and from the other one if that fails. */
export class ReadPath implements ReadContext {
  /** What every read goes over. */
  readonly wire: Wire;
  readonly sides: Sides;
  readonly clock: Clock;
  readonly strategy: ReadStrategy;
  readonly failover: Failover;
  readonly isSingle: boolean;
  readonly onStrategyError: (error: Error) => void;
  readonly onMoved: ReadPathOptions['onMoved'];
  readonly reads: Barrier;
  readonly maxInFlight: number;
  readonly #lag: ReadLag | undefined;
  readonly #draining: Draining;
  #closed = false;

  constructor(options: ReadPathOptions) {
    const { clock, readTimeoutMs: timeoutMs, failover, invariants, watch } = options;
    this.wire = new Wire({ clock, timeoutMs, failover, invariants, watch });
    this.reads = new Barrier(invariants);
    this.sides = options.sides;
    this.maxInFlight = options.maxInFlight;
    this.clock = options.clock;
    this.strategy = options.strategy;
    this.failover = options.failover;
    this.onStrategyError = options.onStrategyError;
    this.onMoved = options.onMoved;
    this.isSingle = options.sides.B === undefined;
    this.#lag = options.lag;
    this.#draining = options.draining ?? NOBODY_DRAINS;
  }

  run<Result>(operation: ReadOperation<Result>, call?: ReadCall): Promise<Result> {
    if (this.#closed) return Promise.reject(closedError());
    const isLimited = call?.signal !== undefined || call?.timeoutMs !== undefined;
    return isLimited ? this.#runWithin(operation, call) : this.#run(operation, call);
  }

  #run<Result>(operation: ReadOperation<Result>, call: ReadCall | undefined): Promise<Result> {
    // A strategy that throws here fails the read it was asked about: the promise rejects with its error.
    return new Promise((resolve, reject) => {
      this.#start(operation, call, resolve, reject);
    });
  }

  #runWithin<Result>(operation: ReadOperation<Result>, call: ReadCall): Promise<Result> {
    if (call.signal?.aborted) return Promise.reject(abortedBefore(call.signal, operation.masked));
    let read: Read<Result> | undefined;
    const answer = new Promise<Result>((resolve, reject) => {
      read = this.#start(operation, call, resolve, reject);
    });
    const abandon = (): Left => {
      read?.abandon();
      return { outcome: 'notApplied' };
    };
    const stoodStillMs = (sinceMs: number): number => this.wire.rounds.stoodStillMs(sinceMs);
    return untilGone(call, this.clock, stoodStillMs, answer, abandon, () => operation.masked);
  }

  #start<Result>(
    operation: ReadOperation<Result>,
    call: ReadCall | undefined,
    resolve: (result: Result) => void,
    reject: (error: Error) => void,
  ): Read<Result> {
    const first = this.isSingle ? 'A' : this.#firstSide(call);
    const read = new Read(this, operation, call, resolve, reject);
    read.start(first);
    return read;
  }

  /** Refuses new reads from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Asks nobody any more: every read ends now. */
  cutOff(): void {
    this.#closed = true;
    this.wire.cutOff();
  }

  /** Resolves when every read that was accepted before this call has answered. */
  settled(): Promise<void> {
    return this.reads.passed();
  }

  isUsable(cluster: ClusterId): boolean {
    return this.#trouble(cluster) === 0;
  }

  /** Whether the side has fewer reads under way than it may have. */
  hasRoom(cluster: ClusterId): boolean {
    const { traffic } = this.wire;
    const { sent, ended } = cluster === 'A' ? traffic.A : traffic.B;
    return sent - ended < this.maxInFlight;
  }

  #firstSide(call: ReadCall | undefined): ClusterId {
    const context = call?.context;
    const only = call?.cluster ?? context?.onlySide;
    const first = only ?? this.#betterSide(this.#chosenSide(context));
    // At once: reads that are made beside this one are to follow it.
    if (context && (!only || !context.isBound)) context.stayOn(first);
    return first;
  }

  /** The strategy's choice; a call that has bound itself to a side stays there, whatever the strategy says. */
  #chosenSide(context: CallContext | undefined): ClusterId {
    const named = this.strategy.select(context ? this.#within(context) : this);
    return context?.preferred ?? named;
  }

  /** The side that was chosen, unless the other is better off: it is then asked last. */
  #betterSide(chosen: ClusterId): ClusterId {
    const trouble = this.#trouble(chosen);
    if (trouble === 0) return chosen;
    const other = otherCluster(chosen);
    if (this.#trouble(other) >= trouble) return chosen;
    this.onMoved?.(chosen, other);
    return other;
  }

  #within({ key, preferred }: CallContext): ReadContext {
    return {
      ...(key !== undefined && { key }),
      ...(preferred && { preferred }),
      isUsable: (cluster) => this.isUsable(cluster),
    };
  }

  /**
   * How little a side is fit to be asked first: 0 it is well, 1 its rows are old, 2 it is draining, 3 it is avoided or
   * dead, 4 never reached.
   */
  #trouble(cluster: ClusterId): number {
    if (!this.sides[cluster]?.hasConnected) return 4;
    if (!this.failover.isAvailable(cluster) || this.wire.detector.isDead(cluster)) return 3;
    if (this.#draining[cluster]) return 2;
    return this.#lag?.isBehind(cluster) ? 1 : 0;
  }
}

/** A read and what has become of it on the sides that were asked. */
class Read<Result> implements Inside {
  since: Inside['since'];
  isOver = false;
  readonly #errors: Partial<Record<ClusterId, Error>> = {};
  /** At most two: a second one while the first has not answered is a hedge. */
  readonly #waiting: ReadAttempt<Result>[] = [];
  #stopHedge: (() => void) | undefined;
  /** The side that failed in a way that moves the reads of a call away from it. */
  #left: ClusterId | undefined;

  constructor(
    readonly path: ReadPath,
    readonly operation: ReadOperation<Result>,
    private readonly call: ReadCall | undefined,
    private readonly resolve: (result: Result) => void,
    private readonly reject: (error: Error) => void,
  ) {
    path.reads.enter(this);
  }

  start(first: ClusterId): void {
    const side = this.#withRoom(first);
    if (!side) {
      this.#fail(this.#overloaded());
      return;
    }
    this.#ask(side);
    const hedgeAfterMs = this.call?.hedgeAfterMs;
    if (hedgeAfterMs !== undefined && !this.isOver) this.#hedgeAfter(hedgeAfterMs, otherCluster(side));
  }

  /** The side itself, or the other one while it is full; nobody moves for that. */
  #withRoom(first: ClusterId): ClusterId | undefined {
    const { path } = this;
    if (path.hasRoom(first)) return first;
    const other = otherCluster(first);
    return !path.isSingle && this.#mayAsk(other) && path.hasRoom(other) ? other : undefined;
  }

  /** The caller has gone: nothing more is asked, and no answer is waited for. */
  abandon(): void {
    if (!this.isOver) this.#end();
  }

  succeeded(attempt: ReadAttempt<Result>, result: Result): void {
    const { path, call } = this;
    this.#end(attempt);
    // Only a failure moves the reads of a call: not a hedge that was faster, nor an answer that others did not wait for.
    if (this.#left) {
      call?.context?.stayOn(attempt.cluster);
      path.onMoved?.(this.#left, attempt.cluster);
    }
    this.resolve(result);
    try {
      path.strategy.onSuccess(attempt.cluster);
    } catch (error) {
      path.onStrategyError(toError(error));
    }
  }

  failed(attempt: ReadAttempt<Result>, outcome: FailedOutcome): void {
    const { cluster } = attempt;
    this.#waiting.splice(this.#waiting.indexOf(attempt), 1);
    this.#errors[cluster] = outcome.error;
    if (outcome.kind === 'rejected') {
      this.#fail(this.#clusterError(cluster, outcome.error, 'refused'));
      return;
    }
    if (outcome.scope !== 'local') this.#left = cluster;
    const next = this.#nextSide(cluster, outcome);
    if (this.#waiting.length > 0) return;
    if (next && this.path.hasRoom(next)) {
      this.#ask(next);
      return;
    }
    if (next) this.#errors[next] = this.#overloaded();
    this.#fail(this.#bothFailed() ?? this.#clusterError(cluster, outcome.error, 'failed'));
  }

  /**
   * The side it was sent to is dead: the other one is asked too, and the first answer wins. False if it is to be tried
   * again: the other one has no room for all that waited.
   */
  givenUp({ cluster }: ReadAttempt<Result>): boolean {
    const { path } = this;
    const other = otherCluster(cluster);
    if (this.isOver || this.#waiting.length > 1 || this.#errors[other] || !this.#mayAsk(other)) return true;
    if (!path.hasRoom(other)) return false;
    const error = timeoutError(`${sideLabel(path.sides, cluster)} does not answer at all`);
    if (this.#nextSide(cluster, { kind: 'ambiguous', error }) !== other) return true;
    this.#left = cluster;
    this.#ask(other);
    return true;
  }

  #ask(cluster: ClusterId): void {
    const attempt = new ReadAttempt(this, cluster);
    this.#waiting.push(attempt);
    attempt.start();
  }

  #hedgeAfter(hedgeAfterMs: number, other: ClusterId): void {
    const { path } = this;
    if (path.isSingle || !this.#mayAsk(other)) return;
    const timer = path.clock.setTimer(() => {
      const isAsked = this.#waiting.some(({ cluster }) => cluster === other);
      if (!isAsked && path.isUsable(other) && path.hasRoom(other)) this.#ask(other);
    }, hedgeAfterMs);
    this.#stopHedge = () => timer.cancel();
  }

  /** False if only one side may answer, and it is the other one. */
  #mayAsk(cluster: ClusterId): boolean {
    const only = this.call?.cluster ?? this.call?.context?.onlySide;
    return only === undefined || only === cluster;
  }

  #nextSide(failed: ClusterId, { error, scope }: FailedOutcome): ClusterId | undefined {
    const { failover, strategy, isSingle, wire, onStrategyError } = this.path;
    const other = otherCluster(failed);
    if (isSingle || wire.isCutOff || !this.#mayAsk(other) || !failover.shouldFailover(failed, error))
      return undefined;
    // Nothing is wrong with the side: the strategy has no reason to leave it.
    if (scope === 'local') return this.#errors[other] ? undefined : other;
    try {
      const next: unknown = strategy.onFailure(failed, error);
      if (next === undefined || next === null) return undefined;
      if (!isCluster(next)) {
        throw new HelixUsageError("ReadStrategy.onFailure must answer with 'A', 'B' or undefined");
      }
      return this.#errors[next] ? undefined : next;
    } catch (thrown) {
      onStrategyError(toError(thrown));
      return this.#errors[other] ? undefined : other;
    }
  }

  #overloaded(): OverloadedError {
    const { isSingle, maxInFlight } = this.path;
    const isOnlyOne = isSingle || !this.#mayAsk('A') || !this.#mayAsk('B');
    return new OverloadedError(
      `Read refused: ${isOnlyOne ? 'the cluster is' : 'both clusters are'} at maxReadsInFlight = ${maxInFlight} reads. ` +
        `Nothing was sent; retry later or limit how many run at once: ${this.operation.masked}`,
    );
  }

  #bothFailed(): Error | undefined {
    const { A, B } = this.#errors;
    if (!A || !B) return undefined;
    const { sides } = this.path;
    if (!sides.A.hasConnected && !sides.B?.hasConnected) {
      return new NoAvailableClusterError(
        'Neither cluster has been reachable since the application started; check contact points and network',
        { cause: A },
      );
    }
    return new DualClusterError(
      `Read failed on both clusters (${sideLabel(sides, 'A')}: ${errorLabel(A)}, ${sideLabel(sides, 'B')}: ${errorLabel(B)}): ${this.operation.masked}`,
      { A, B },
      'notApplied',
    );
  }

  #clusterError(cluster: ClusterId, cause: Error, verb: 'refused' | 'failed'): ClusterError {
    const why = verb === 'failed' ? this.#whyNotTheOther(cluster) : '';
    return new ClusterError(
      `${sideLabel(this.path.sides, cluster)} ${verb} the read (${errorLabel(cause)})${why}: ${this.operation.masked}`,
      cluster,
      'read',
      'notApplied',
      { cause },
    );
  }

  #whyNotTheOther(cluster: ClusterId): string {
    if (this.path.isSingle || this.#mayAsk(otherCluster(cluster))) return '';
    return this.call?.cluster
      ? '. The other cluster was not asked: what was read before came from this one'
      : '. The other cluster was not asked: it has not got what this call has written';
  }

  #fail(error: Error): void {
    this.#end();
    this.reject(error);
  }

  #end(answered?: ReadAttempt<Result>): void {
    this.isOver = true;
    this.#stopHedge?.();
    for (const attempt of this.#waiting) if (attempt !== answered) attempt.abandon();
    this.path.reads.leave(this);
  }
}

function isCluster(answer: unknown): answer is ClusterId {
  return answer === 'A' || answer === 'B';
}

/** A read on its way to one side. */
class ReadAttempt<Result> extends Call {
  #isSecond = false;
  #isGivenUp = false;

  constructor(
    private readonly read: Read<Result>,
    readonly cluster: ClusterId,
  ) {
    super(read.path.wire);
  }

  start(): void {
    this.dispatch(this.cluster);
  }

  /** Its answer is not waited for any longer. */
  override abandon(): void {
    super.abandon();
  }

  override inspect(): void {
    if (this.#isGivenUp || !this.wire.detector.isGivenUp(this.cluster)) return;
    this.#isGivenUp = this.read.givenUp(this);
  }

  protected override request(cluster: ClusterId): Promise<Result> {
    return this.read.operation.attempt(cluster, () => this.renew(cluster));
  }

  protected override again(cluster: ClusterId, error: unknown): Promise<Result> | undefined {
    const { read } = this;
    if (this.#isSecond || read.isOver || !read.operation.mustPrepareAgain?.(error, cluster)) return undefined;
    this.#isSecond = true;
    return this.request(cluster);
  }

  protected override classify(error: unknown, cluster: ClusterId): FailedOutcome {
    return this.read.operation.classify(error, cluster);
  }

  protected override unanswered(cluster: ClusterId): FailedOutcome {
    const { sides } = this.read.path;
    const error = timeoutError(
      `No answer from ${sideLabel(sides, cluster)} within readTimeoutMs = ${this.wire.timeoutMs} ms`,
    );
    return { kind: 'ambiguous', error };
  }

  protected override ended(_cluster: ClusterId, outcome: SettledOutcome, answer: unknown): void {
    if (outcome === APPLIED) this.read.succeeded(this, answer as Result);
    else this.read.failed(this, outcome as FailedOutcome);
  }
}
