import { type Clock } from './clock.js';
import { type ClusterId, otherCluster } from './cluster.js';
import { Deadline, DeadlineList } from './deadlines.js';
import { type Epoch, Epochs } from './epochs.js';
import { closedError, ClusterError, DualClusterError, NoAvailableClusterError, toError } from './errors.js';
import { type ReadOperation } from './operation.js';
import { type FailedOutcome } from './outcome.js';
import { type FailoverPolicy } from './ports/failover-policy.js';
import { type ReadContext, type ReadStrategy } from './ports/read-strategy.js';
import { errorLabel, sideLabel, type Sides } from './sides.js';
import { timeoutError } from './time-limit.js';

export interface ReadPathOptions {
  readonly sides: Sides;
  readonly clock: Clock;
  readonly strategy: ReadStrategy;
  readonly policy: FailoverPolicy;
  readonly readTimeoutMs: number;
  /** A strategy or policy threw; the read went on without it. */
  readonly onStrategyError: (error: Error) => void;
}

/** One read: from the side the strategy names, and from the other one if that fails. */
export class ReadPath implements ReadContext {
  readonly deadlines: DeadlineList;
  readonly sides: Sides;
  readonly clock: Clock;
  readonly strategy: ReadStrategy;
  readonly policy: FailoverPolicy;
  readonly isSingle: boolean;
  readonly onStrategyError: (error: Error) => void;
  readonly inFlight = { A: 0, B: 0 };
  readonly reads = new Epochs();
  #closed = false;

  constructor(options: ReadPathOptions) {
    this.sides = options.sides;
    this.clock = options.clock;
    this.strategy = options.strategy;
    this.policy = options.policy;
    this.onStrategyError = options.onStrategyError;
    this.isSingle = options.sides.B === undefined;
    this.deadlines = new DeadlineList(options.clock, options.readTimeoutMs);
  }

  run<Result>(operation: ReadOperation<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(closedError());
    // A strategy that throws here fails the read it was asked about: the promise rejects with its error.
    return new Promise((resolve, reject) => {
      const first = this.isSingle ? 'A' : this.#firstSide();
      new Read(this, operation, resolve, reject).start(first);
    });
  }

  /** Refuses new reads from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when every read that was accepted before this call has answered. */
  settled(): Promise<void> {
    return this.reads.barrier();
  }

  isUsable(cluster: ClusterId): boolean {
    return (this.sides[cluster]?.hasConnected ?? false) && this.isAvailable(cluster);
  }

  /** What the policy says; one that throws says nothing against the side. */
  isAvailable(cluster: ClusterId): boolean {
    try {
      return this.policy.isAvailable(cluster);
    } catch (error) {
      this.onStrategyError(toError(error));
      return true;
    }
  }

  /** The strategy's choice, unless it is known to be bad and the other is not: it is then asked last. */
  #firstSide(): ClusterId {
    const chosen = this.strategy.select(this);
    const other = otherCluster(chosen);
    return !this.isUsable(chosen) && this.isUsable(other) ? other : chosen;
  }
}

class Read<Result> extends Deadline {
  #cluster: ClusterId = 'A';
  #isOver = false;
  #startedMs = 0;
  readonly #epoch: Epoch;
  readonly #errors: Partial<Record<ClusterId, Error>> = {};

  constructor(
    private readonly path: ReadPath,
    private readonly operation: ReadOperation<Result>,
    private readonly resolve: (result: Result) => void,
    private readonly reject: (error: Error) => void,
  ) {
    super();
    this.#epoch = path.reads.enter();
  }

  start(cluster: ClusterId): void {
    const { path } = this;
    this.#cluster = cluster;
    path.inFlight[cluster]++;
    path.deadlines.add(this);
    this.#startedMs = this.dueMs - path.deadlines.timeoutMs;
    const onProgress = (): boolean => {
      if (!this.#isWaitingFor(cluster)) return false;
      path.deadlines.remove(this);
      path.deadlines.add(this);
      return true;
    };
    this.operation.attempt(cluster, onProgress).then(
      (result) => {
        if (this.#isAnswerOf(cluster)) this.#succeed(result);
      },
      (error: unknown) => {
        if (this.#isAnswerOf(cluster)) this.#fail(this.operation.classify(error, cluster));
      },
    );
  }

  override expire(): void {
    const { path } = this;
    const error = timeoutError(
      `No answer from ${sideLabel(path.sides, this.#cluster)} within readTimeoutMs = ${path.deadlines.timeoutMs} ms`,
    );
    this.#fail({ kind: 'ambiguous', error });
  }

  /** False after the deadline: the read has moved on. */
  #isWaitingFor(cluster: ClusterId): boolean {
    return !this.#isOver && this.#cluster === cluster && !this.#errors[cluster];
  }

  #isAnswerOf(cluster: ClusterId): boolean {
    if (!this.#isWaitingFor(cluster)) return false;
    this.path.deadlines.remove(this);
    return true;
  }

  #succeed(result: Result): void {
    const { path } = this;
    const cluster = this.#cluster;
    this.#isOver = true;
    path.inFlight[cluster]--;
    path.reads.leave(this.#epoch);
    this.resolve(result);
    try {
      const { policy } = path;
      if (policy.needsLatency) policy.recordSuccess(cluster, path.clock.monotonicMs() - this.#startedMs);
      else policy.recordSuccess(cluster);
      path.strategy.onSuccess(cluster);
    } catch (error) {
      path.onStrategyError(toError(error));
    }
  }

  #fail(outcome: FailedOutcome): void {
    const cluster = this.#cluster;
    this.#errors[cluster] = outcome.error;
    this.path.inFlight[cluster]--;
    if (outcome.kind === 'rejected') {
      this.#end(this.#clusterError(cluster, outcome.error, 'refused'));
      return;
    }
    const next = this.#nextSide(cluster, outcome.error);
    if (next) this.start(next);
    else this.#end(this.#bothFailed() ?? this.#clusterError(cluster, outcome.error, 'failed'));
  }

  #nextSide(failed: ClusterId, error: Error): ClusterId | undefined {
    const { policy, strategy, isSingle, onStrategyError } = this.path;
    try {
      policy.recordFailure(failed, error);
      if (isSingle || !policy.shouldFailover(failed, error)) return undefined;
      const next = strategy.onFailure(failed, error);
      return next !== undefined && !this.#errors[next] ? next : undefined;
    } catch (thrown) {
      onStrategyError(toError(thrown));
      return isSingle || this.#errors[otherCluster(failed)] ? undefined : otherCluster(failed);
    }
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
      `Read failed on both clusters (A: ${errorLabel(A)}, B: ${errorLabel(B)}): ${this.operation.masked}`,
      { A, B },
      'notApplied',
    );
  }

  #clusterError(cluster: ClusterId, cause: Error, verb: string): ClusterError {
    return new ClusterError(
      `${sideLabel(this.path.sides, cluster)} ${verb} the read (${errorLabel(cause)}): ${this.operation.masked}`,
      cluster,
      'read',
      'notApplied',
      { cause },
    );
  }

  #end(error: Error): void {
    this.#isOver = true;
    this.path.reads.leave(this.#epoch);
    this.reject(error);
  }
}
