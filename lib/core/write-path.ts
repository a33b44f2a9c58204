import { type Admission, type AdmissionOptions, Admissions, release } from './admission.js';
import type { CallContext } from './call-context.js';
import { abortedBefore, type CallerLimits, untilGone } from './caller-wait.js';
import type { Clock } from './clock.js';
import { ConcurrentWrite } from './concurrent-write.js';
import { DeadlineList } from './deadlines.js';
import { decide } from './decide.js';
import { type Epoch, Epochs } from './epochs.js';
import { closedError, type FailureOutcome, HelixUsageError, PartialWriteError, toError } from './errors.js';
import type { Failover } from './failover.js';
import type { WriteOperation } from './operation.js';
import type { Outcome, SkippedOutcome } from './outcome.js';
import type { WriteContext, WriteStrategy } from './ports/write-strategy.js';
import type { WriteReceipt } from './receipt.js';
import { type Holdings, nextToSettle, Settlement, type SettlementOptions } from './settlement.js';
import { SideAttempt } from './side-attempt.js';

export interface WritePathOptions extends SettlementOptions, AdmissionOptions {
  readonly strategy: WriteStrategy;
  readonly writeTimeoutMs: number;
  /** A strategy threw; the write went on with what had been sent. */
  readonly onStrategyError: (error: Error) => void;
}

/** What one write asks for beside its operation. */
export interface WriteCall extends CallerLimits {
  readonly context?: CallContext | undefined;
}

/**
 * One write through both clusters: two attempts, two outcomes, one decision, and what follows from it.
 *
 * While both sides apply, nothing is allocated but the write itself; `decide()` is reached only when
 * something else happened.
 */
export class WritePath {
  readonly deadlines: DeadlineList;
  readonly admissions: Admissions;
  readonly operations = new Epochs();
  readonly settlement: Settlement;
  readonly failover: Failover;
  readonly isSingle: boolean;
  readonly clock: Clock;
  #closed = false;
  #isCutOff = false;

  constructor(private readonly options: WritePathOptions) {
    this.failover = options.failover;
    this.clock = options.clock;
    this.isSingle = options.sides.B === undefined;
    this.admissions = new Admissions(options);
    this.settlement = new Settlement(options, this.operations);
    this.deadlines = new DeadlineList(options.clock, options.writeTimeoutMs);
  }

  run(operation: WriteOperation, call?: WriteCall): Promise<WriteReceipt> {
    if (this.#closed) return Promise.reject(closedError());
    return call ? this.#runFor(operation, call) : this.#run(operation);
  }

  // Apart from run(): closures over its parameters would cost every call an allocation, made or not.
  #runFor(operation: WriteOperation, call: WriteCall): Promise<WriteReceipt> {
    if (call.signal?.aborted) return Promise.reject(abortedBefore(call.signal, operation.masked));
    return this.#attend(
      this.#run(operation, call.signal),
      call,
      () => this.#leave(operation),
      () => operation.masked,
    );
  }

  /**
   * Runs an operation that must be prepared first. It is accepted now, so a shutdown waits for it and lets it
   * pass.
   */
  runPrepared(
    prepare: () => Promise<WriteOperation>,
    masked: string,
    call?: WriteCall,
  ): Promise<WriteReceipt> {
    if (this.#closed) return Promise.reject(closedError());
    if (!call) return this.#runPrepared(prepare);
    if (call.signal?.aborted) return Promise.reject(abortedBefore(call.signal, masked));
    let operation: WriteOperation | undefined;
    let isGone = false;
    const prepared = async (): Promise<WriteOperation> => {
      operation = await prepare();
      if (isGone) operation.cancel();
      return operation;
    };
    const work = this.#runPrepared(prepared, call.signal);
    const leave = (): FailureOutcome => {
      isGone = true;
      return operation ? this.#leave(operation) : 'notApplied';
    };
    return this.#attend(work, call, leave, () => masked);
  }

  /** `within`: the epoch it was accepted in, if that was before now. */
  #run(operation: WriteOperation, signal?: AbortSignal, within?: Epoch): Promise<WriteReceipt> {
    if (this.#isCutOff) return Promise.reject(closedError());
    let admission: Admission;
    try {
      admission = this.admissions.admit(operation);
    } catch (error) {
      return Promise.reject(toError(error));
    }
    const { A, B, reservations } = admission;
    const epoch = within ? this.operations.stay(within) : this.operations.enter();
    if (A && B) return this.#decideUnsent(operation, A, B, { epoch, reservations });
    if (this.isSingle || this.options.strategy.sendsBothAtOnce) {
      return new Promise((resolve, reject) => {
        new ConcurrentWrite(this, operation, admission, epoch, resolve, reject).start();
      });
    }
    return this.#runStrategy(operation, admission, epoch, signal);
  }

  /** Both sides are left out: a strategy has nothing to send. */
  async #decideUnsent(
    operation: WriteOperation,
    a: SkippedOutcome,
    b: SkippedOutcome,
    holdings: Holdings,
  ): Promise<WriteReceipt> {
    try {
      return await this.settlement.settle(operation, a, b, holdings);
    } finally {
      this.operations.leave(holdings.epoch);
    }
  }

  async #runPrepared(prepare: () => Promise<WriteOperation>, signal?: AbortSignal): Promise<WriteReceipt> {
    const epoch = this.operations.enter();
    try {
      return await this.#run(await prepare(), signal, epoch);
    } finally {
      this.operations.leave(epoch);
    }
  }

  /** The caller's part of a write: what it learns for its own next reads, and how long it waits. */
  #attend(
    work: Promise<WriteReceipt>,
    { context, signal, timeoutMs }: WriteCall,
    leave: () => FailureOutcome,
    describe: () => string,
  ): Promise<WriteReceipt> {
    const noted = context ? noteReceipt(work, context) : work;
    if (!signal && timeoutMs === undefined) return noted;
    return untilGone({ signal, timeoutMs }, this.clock, noted, leave, describe);
  }

  /** The caller goes; what has been given to the queue can be applied although nothing was sent. */
  #leave(operation: WriteOperation): FailureOutcome {
    return !this.settlement.isQueuedForBoth(operation) && operation.cancel() ? 'notApplied' : 'unknown';
  }

  /** Refuses new operations from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Sends nothing more: every write is decided by what has come back of it until now. */
  cutOff(): void {
    this.#closed = true;
    this.#isCutOff = true;
    this.deadlines.expireAll();
  }

  /** Whether the time for sending is over: a strategy may come to its second side after the end. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Throws if new operations are refused. */
  checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  /** Resolves when every operation that was accepted before this call has its decision carried out. */
  settled(): Promise<void> {
    return this.operations.barrier();
  }

  async #runStrategy(
    operation: WriteOperation,
    admission: Admission,
    epoch: Epoch,
    signal: AbortSignal | undefined,
  ): Promise<WriteReceipt> {
    const { reservations } = admission;
    try {
      const a = new SideAttempt(this, operation, 'A', admission.A);
      const b = new SideAttempt(this, operation, 'B', admission.B);
      const { ack, priority } = operation;
      const context: WriteContext = { ack, priority, ...(signal && { signal }) };
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
        await a.lastHope(outcomeA, outcomeB),
        await b.lastHope(outcomeB, outcomeA),
        { epoch, reservations },
      );
    } finally {
      release(reservations);
      this.operations.leave(epoch);
    }
  }
}

async function noteReceipt(work: Promise<WriteReceipt>, context: CallContext): Promise<WriteReceipt> {
  try {
    const receipt = await work;
    context.onWrite(receipt);
    return receipt;
  } catch (error) {
    if (error instanceof PartialWriteError) context.onWrite(error.receipt);
    throw error;
  }
}

function isPair(answer: unknown): boolean {
  const isOutcome = (each: unknown): boolean => typeof each === 'object' && each !== null && 'kind' in each;
  return Array.isArray(answer) && answer.length === 2 && answer.every(isOutcome);
}
