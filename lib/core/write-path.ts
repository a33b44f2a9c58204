import { type Clock } from './clock.js';
import { type ClusterId } from './cluster.js';
import { ConcurrentWrite } from './concurrent-write.js';
import { DeadlineList } from './deadlines.js';
import { decide } from './decide.js';
import { Epochs } from './epochs.js';
import { closedError, HelixUsageError, toError } from './errors.js';
import { type WriteOperation } from './operation.js';
import { isLastHope, type Outcome, type SettledOutcome } from './outcome.js';
import { type FailoverPolicy } from './ports/failover-policy.js';
import { type WriteContext, type WriteStrategy } from './ports/write-strategy.js';
import { type WriteReceipt } from './receipt.js';
import { nextToSettle, Settlement, type SettlementOptions } from './settlement.js';
import { SideAttempt } from './side-attempt.js';

export interface WritePathOptions extends SettlementOptions {
  readonly strategy: WriteStrategy;
  readonly policy: FailoverPolicy;
  readonly writeTimeoutMs: number;
  /** A strategy or policy threw; the write went on with what had been sent. */
  readonly onStrategyError: (error: Error) => void;
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
  readonly settlement: Settlement;
  readonly policy: FailoverPolicy;
  readonly isSingle: boolean;
  readonly clock: Clock;
  #closed = false;

  constructor(private readonly options: WritePathOptions) {
    this.policy = options.policy;
    this.clock = options.clock;
    this.isSingle = options.sides.B === undefined;
    this.settlement = new Settlement(options, this.operations);
    this.deadlines = new DeadlineList(options.clock, options.writeTimeoutMs);
  }

  run(operation: WriteOperation): Promise<WriteReceipt> {
    return this.#closed ? Promise.reject(closedError()) : this.#run(operation);
  }

  #run(operation: WriteOperation): Promise<WriteReceipt> {
    if (this.isSingle || this.options.strategy.sendsBothAtOnce) {
      return new Promise((resolve, reject) => {
        new ConcurrentWrite(this, operation, resolve, reject).start();
      });
    }
    return this.#runStrategy(operation);
  }

  /**
   * Runs an operation that must be prepared first. It is accepted now, so a shutdown waits for it and lets it
   * pass.
   */
  async runPrepared(prepare: () => Promise<WriteOperation>): Promise<WriteReceipt> {
    this.checkOpen();
    const epoch = this.operations.enter();
    try {
      return await this.#run(await prepare());
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
      return await this.settlement.settle(
        operation,
        isLastHope(outcomeA, outcomeB) ? await a.sendAnyway() : outcomeA,
        isLastHope(outcomeB, outcomeA) ? await b.sendAnyway() : outcomeB,
      );
    } finally {
      this.operations.leave(epoch);
    }
  }
}

function isPair(answer: unknown): boolean {
  const isOutcome = (each: unknown): boolean => typeof each === 'object' && each !== null && 'kind' in each;
  return Array.isArray(answer) && answer.length === 2 && answer.every(isOutcome);
}
