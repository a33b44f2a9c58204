import { type Admission, type AdmissionOptions, Admissions, type Holdings } from './admission.js';
import type { Inside } from './barrier.js';
import type { CallContext } from './call-context.js';
import { abortedBefore, type CallerLimits, type Leaving, type Left, untilGone } from './caller-wait.js';
import type { ClusterId } from './cluster.js';
import { closedError, PartialWriteError, toError } from './errors.js';
import type { Invariants } from './invariant.js';
import { type WriteOperation, WriteOnWire } from './operation.js';
import { APPLIED, type Outcome, type SettledOutcome } from './outcome.js';
import type { Reservation } from './ports/replayer.js';
import type { WriteStrategy } from './ports/write-strategy.js';
import { type WriteReceipt, receiptSoFar } from './receipt.js';
import { Rounds } from './rounds.js';
import { Settlement, type SettlementOptions } from './settlement.js';
import { StrategyWrite } from './strategy-write.js';
import { type Watch, Wire } from './wire.js';

export interface WritePathOptions extends SettlementOptions, AdmissionOptions {
  readonly strategy: WriteStrategy;
  readonly writeTimeoutMs: number;
  readonly invariants: Invariants;
  /** Default: nobody finds out that a cluster hangs. */
  readonly watch?: Watch | undefined;
  /** A strategy threw; the write went on with what had been sent. */
  readonly onStrategyError: (error: Error) => void;
}

/** A write that has been sent, as it is for a caller who waits no longer. */
interface UnderWay {
  /** Answers now with what is applied, if anything is; false if nothing is, and no answer is on its way. */
  answerNow(): boolean;
  /** What is known of it. */
  receiptSoFar(): WriteReceipt;
}

/** Where a limited call finds its write. */
interface Found {
  write: UnderWay | undefined;
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
  /** What every write goes over. */
  readonly wire: Wire;
  readonly #admissions: Admissions;
  readonly #settlement: Settlement;
  #closed = false;

  constructor(private readonly options: WritePathOptions) {
    const { clock, writeTimeoutMs: timeoutMs, failover, invariants } = options;
    const alone: Watch = { rounds: new Rounds(clock, options.strategy.stragglerMs), detector: undefined };
    const { watch = alone } = options;
    this.wire = new Wire({ clock, timeoutMs, failover, invariants, watch });
    this.#admissions = new Admissions(options, this.wire);
    this.#settlement = new Settlement(options, this.#admissions);
  }

  run(operation: WriteOperation, call?: WriteCall): Promise<WriteReceipt> {
    if (this.#closed) return Promise.reject(closedError());
    return call ? this.#runFor(operation, call) : this.#run(operation);
  }

  // Apart from run(): closures over its parameters would cost every call an allocation, made or not.
  #runFor(operation: WriteOperation, call: WriteCall): Promise<WriteReceipt> {
    if (call.signal?.aborted) return Promise.reject(abortedBefore(call.signal, operation.masked));
    const found: Found = { write: undefined };
    return this.#attend(
      this.#run(operation, call.signal, undefined, found),
      call,
      (why) => this.#leave(operation, found, why),
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
    const found: Found = { write: undefined };
    const prepared = async (): Promise<WriteOperation> => {
      operation = await prepare();
      if (isGone) operation.cancel();
      return operation;
    };
    const work = this.#runPrepared(prepared, call.signal, found);
    const leave = (why: Leaving): Left => {
      if (operation) return this.#leave(operation, found, why);
      isGone = true;
      return { outcome: 'notApplied' };
    };
    return this.#attend(work, call, leave, () => masked);
  }

  /** `within`: what holds its place since it was accepted, if that was before now. */
  #run(
    operation: WriteOperation,
    signal?: AbortSignal,
    within?: Inside,
    found?: Found,
  ): Promise<WriteReceipt> {
    if (this.wire.isCutOff) return Promise.reject(closedError());
    let admission: Admission;
    try {
      admission = this.#admissions.admit(operation);
    } catch (error) {
      return Promise.reject(toError(error));
    }
    const { A, B, reservations } = admission;
    if (A && B) {
      // Both sides are left out: a strategy has nothing to send.
      return this.#settlement.settle(operation, A, B, this.#holdings(reservations, within));
    }
    if (!this.#admissions.isSingle && !this.options.strategy.sendsBothAtOnce) {
      return this.#runStrategy(operation, admission, this.#holdings(reservations, within), signal, found);
    }
    return new Promise((resolve, reject) => {
      const write = new ConcurrentWrite(
        this.wire,
        this.#admissions,
        this.#settlement,
        operation,
        admission,
        this.options.strategy.stragglerMs,
        resolve,
        reject,
      );
      if (found) found.write = write;
      this.#admissions.enter(write, within);
      write.start();
    });
  }

  #holdings(reservations: Reservation[], within: Inside | undefined): Holdings {
    const holdings: Holdings = { since: undefined, reservations };
    this.#admissions.enter(holdings, within);
    return holdings;
  }

  async #runStrategy(
    operation: WriteOperation,
    admission: Admission,
    holdings: Holdings,
    signal: AbortSignal | undefined,
    found: Found | undefined,
  ): Promise<WriteReceipt> {
    const { strategy, onStrategyError } = this.options;
    const write = new StrategyWrite(this.wire, this.#admissions, operation, admission, onStrategyError);
    if (found) found.write = write;
    try {
      const [a, b] = await write.run(strategy, signal);
      return await this.#settlement.settle(operation, a, b, holdings);
    } catch (error) {
      // Before anything was sent: what was sent is settled, whatever its strategy does.
      if (holdings.since) this.#admissions.leave(holdings);
      throw error;
    }
  }

  async #runPrepared(
    prepare: () => Promise<WriteOperation>,
    signal?: AbortSignal,
    found?: Found,
  ): Promise<WriteReceipt> {
    const place: Holdings = { since: undefined, reservations: [] };
    this.#admissions.enter(place);
    try {
      return await this.#run(await prepare(), signal, place, found);
    } finally {
      this.#admissions.leave(place);
    }
  }

  /** The caller's part of a write: what it learns for its own next reads, and how long it waits. */
  #attend(
    work: Promise<WriteReceipt>,
    { context, signal, timeoutMs }: WriteCall,
    leave: (why: Leaving) => Left,
    describe: () => string,
  ): Promise<WriteReceipt> {
    const noted = context ? noteReceipt(work, context) : work;
    if (!signal && timeoutMs === undefined) return noted;
    const noteLeaving = (why: Leaving): Left => {
      const left = leave(why);
      // Its next reads know at once which side has the write.
      if (left !== 'answered' && left.receipt) context?.onWrite(left.receipt);
      return left;
    };
    const { clock } = this.options;
    const stoodStillMs = (sinceMs: number): number => this.wire.rounds.stoodStillMs(sinceMs);
    return untilGone({ signal, timeoutMs }, clock, stoodStillMs, noted, noteLeaving, describe);
  }

  /**
   * The caller goes: with an answer, if its time is over and a side has applied the write, or if only the queue's
   * confirmation is outstanding.
   */
  #leave(operation: WriteOperation, { write }: Found, why: Leaving): Left {
    // What has been given to the queue can be applied although nothing was sent.
    const isQueued = this.#settlement.isQueuedForBoth(operation);
    if (why === 'overdue' && (isQueued || write?.answerNow())) return 'answered';
    if (!isQueued && operation.cancel()) return { outcome: 'notApplied' };
    return { outcome: 'unknown', receipt: write?.receiptSoFar() };
  }

  /** Refuses new operations from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Sends nothing more: every write is decided by what has come back of it until now. */
  cutOff(): void {
    this.#closed = true;
    this.wire.cutOff();
  }

  /** Throws if new operations are refused. */
  checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  /** Resolves when every operation that was accepted before this call has its decision carried out. */
  settled(): Promise<void> {
    return this.#admissions.passed();
  }
}

/** Both sides at once, joined without wrapper objects; also the single-cluster write. */
class ConcurrentWrite extends WriteOnWire implements Holdings, UnderWay {
  since: Inside['since'];
  #a: SettledOutcome | undefined;
  #b: SettledOutcome | undefined;
  /** A round in which one side had applied it, and the other had not ended. */
  #halfMs = 0;
  /** Set once the caller was answered before both sides had ended: it is told how the other one ends. */
  #endPending: ((outcome: SettledOutcome) => void) | undefined;

  constructor(
    wire: Wire,
    private readonly admissions: Admissions,
    private readonly settlement: Settlement,
    operation: WriteOperation,
    private readonly admission: Admission,
    private readonly stragglerMs: number | undefined,
    private readonly resolve: (receipt: WriteReceipt | Promise<WriteReceipt>) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super(wire, operation);
    this.#a = admission.A;
    this.#b = admission.B;
  }

  get reservations(): Reservation[] {
    return this.admission.reservations;
  }

  start(): void {
    const { operation } = this;
    const toB = !this.#b && !this.admissions.isSingle;
    if (!this.#a) this.dispatch('A', operation.startedMs);
    if (toB) this.dispatch('B', operation.startedMs);
  }

  answerNow(): boolean {
    const missing = this.missing();
    if (!missing) return this.#a !== undefined && this.#b !== undefined;
    this.answerWithout(missing);
    return true;
  }

  receiptSoFar(): WriteReceipt {
    return receiptSoFar(this.operation, this.#a, this.#b, this.admissions.isSingle);
  }

  override inspect(nowMs: number): void {
    const missing = this.missing();
    if (!missing) return;
    const { operation, stragglerMs } = this;
    if (this.isGivenUp(missing)) this.giveUp(missing);
    else if (this.#halfMs === 0) this.#halfMs = nowMs;
    else if (stragglerMs !== undefined && nowMs - this.#halfMs >= stragglerMs && operation.ack === 'any') {
      this.answerWithout(missing);
    }
  }

  protected override ended(cluster: ClusterId, outcome: SettledOutcome): void {
    if (this.#endPending) {
      this.#endPending(outcome);
      return;
    }
    if (cluster === 'A') this.#a = outcome;
    else this.#b = outcome;
    if (this.admissions.isSingle) this.endAlone(outcome);
    else if (this.#a === APPLIED && this.#b === APPLIED) this.succeed('applied');
    else this.join();
  }

  /** The side that is waited for, once the other has applied it. */
  private missing(): ClusterId | undefined {
    if (this.#a === APPLIED) return this.#b || this.admissions.isSingle ? undefined : 'B';
    return this.#b === APPLIED && !this.#a ? 'A' : undefined;
  }

  /** The caller is told that the side is pending; what becomes of it there follows. */
  private answerWithout(missing: ClusterId): void {
    if (this.#endPending) return;
    const settled = new Promise<Outcome>((resolve) => (this.#endPending = resolve));
    const pending: Outcome = { kind: 'pending', settled };
    const [a, b] = missing === 'A' ? [pending, APPLIED] : [APPLIED, pending];
    this.settlement.settle(this.operation, a, b, this).then(this.resolve, this.reject);
  }

  /** One side has ended: the other one is not waited for if it is dead, or if nothing is to be waited for. */
  private goOnAlone(): void {
    const missing = this.missing();
    if (!missing) return;
    if (this.isGivenUp(missing)) this.giveUp(missing);
    else if (this.stragglerMs === 0 && this.operation.ack === 'any') this.answerWithout(missing);
  }

  private endAlone(outcome: SettledOutcome): void {
    if (outcome === APPLIED) {
      this.succeed('absent');
      return;
    }
    this.admissions.leave(this);
    this.reject(this.settlement.failedAlone(this.operation, outcome));
  }

  /** Goes on when both sides have settled, at least one of them not as it should. */
  private join(): void {
    if (!this.#a || !this.#b) {
      this.goOnAlone();
      return;
    }
    const left = this.admissions.lastResort(this.#a, this.#b);
    if (!left) {
      this.settlement.settle(this.operation, this.#a, this.#b, this).then(this.resolve, this.reject);
      return;
    }
    if (left === 'A') this.#a = undefined;
    else this.#b = undefined;
    this.dispatch(left);
  }

  private succeed(b: 'applied' | 'absent'): void {
    const { id, timestampUs } = this.operation;
    this.admissions.leave(this);
    this.resolve({ id, timestamp: timestampUs, A: 'applied', B: b });
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
