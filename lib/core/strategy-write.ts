import type { Admission, Admissions } from './admission.js';
import type { ClusterId } from './cluster.js';
import { decide } from './decide.js';
import { HelixUsageError, toError } from './errors.js';
import { type WriteOperation, WriteOnWire } from './operation.js';
import {
  APPLIED,
  type Outcome,
  type SettledOutcome,
  type SkippedOutcome,
  SKIPPED_BY_BREAKER,
} from './outcome.js';
import type { SideWrite, WriteContext, WriteStrategy } from './ports/write-strategy.js';
import { receiptSoFar, type WriteReceipt } from './receipt.js';
import { nextToSettle } from './settlement.js';
import type { Wire } from './wire.js';

/** One side of a write as a strategy sees it. */
class SideAttempt extends WriteOnWire implements SideWrite {
  /** The side beside it. */
  other: SideAttempt | undefined;
  #outcome: Promise<Outcome> | undefined;
  #resolve: ((outcome: SettledOutcome) => void) | undefined;
  #ended: SettledOutcome | undefined;

  constructor(
    wire: Wire,
    private readonly admissions: Admissions,
    operation: WriteOperation,
    readonly cluster: ClusterId,
    private skip: SkippedOutcome | undefined,
  ) {
    super(wire, operation);
  }

  send(): Promise<Outcome> {
    if (!this.wasSent) this.skip ??= this.admissions.skipLate(this.cluster);
    return this.skip ? Promise.resolve(this.skip) : this.sendAnyway();
  }

  get wasSent(): boolean {
    return this.#outcome !== undefined;
  }

  /** What it is known to have come to. */
  get known(): SettledOutcome | undefined {
    return this.#ended ?? (this.wasSent ? undefined : this.skip);
  }

  /** The outcome if it was sent, without sending it. */
  sent(): Promise<Outcome> {
    return this.#outcome ?? Promise.resolve(this.skip ?? SKIPPED_BY_BREAKER);
  }

  sendAnyway(): Promise<Outcome> {
    return (this.#outcome ??= new Promise((resolve) => {
      this.#resolve = resolve;
      this.dispatch(this.cluster);
      if (this.other?.known === APPLIED) this.inspect();
    }));
  }

  override inspect(): void {
    const { cluster, other } = this;
    // The other side has it, or its turn comes only after this one's.
    const isAlone = other?.known === APPLIED || (other && !other.wasSent && !other.known);
    if (isAlone && this.isGivenUp(cluster)) this.giveUp(cluster);
  }

  protected override ended(_cluster: ClusterId, outcome: SettledOutcome): void {
    this.#ended = outcome;
    this.#resolve?.(outcome);
    this.other?.inspect();
  }
}

/** A write whose sides a strategy sends to: when, in which order, and how long each is waited for is its choice. */
export class StrategyWrite {
  readonly #a: SideAttempt;
  readonly #b: SideAttempt;
  #outcomes = new Promise<readonly [Outcome, Outcome]>(() => undefined);
  /** Answers before the strategy has. */
  #answer: ((outcomes: readonly [Outcome, Outcome]) => void) | undefined;

  constructor(
    wire: Wire,
    private readonly admissions: Admissions,
    private readonly operation: WriteOperation,
    { A, B }: Admission,
    /** The strategy threw; the write goes on with what had been sent. */
    private readonly onStrategyError: (error: Error) => void,
  ) {
    this.#a = new SideAttempt(wire, admissions, operation, 'A', A);
    this.#b = new SideAttempt(wire, admissions, operation, 'B', B);
    this.#a.other = this.#b;
    this.#b.other = this.#a;
  }

  /**
   * What the sides answered, as soon as that can be decided on.
   *
   * @throws whatever the strategy threw before it had sent anything
   */
  run(strategy: WriteStrategy, signal: AbortSignal | undefined): Promise<readonly [Outcome, Outcome]> {
    this.#outcomes = this.#run(strategy, signal);
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#outcomes.then(resolve, reject).finally(() => (this.#answer = undefined));
    });
  }

  /** Answers now with what is applied, if anything is; false if nothing is, and no answer is on its way. */
  answerNow(): boolean {
    const answer = this.#answer;
    if (!answer) return true;
    const [a, b] = [this.#a.known, this.#b.known];
    if (a !== APPLIED && b !== APPLIED) return false;
    answer([a ?? this.#pending(0), b ?? this.#pending(1)]);
    return true;
  }

  receiptSoFar(): WriteReceipt {
    return receiptSoFar(this.operation, this.#a.known, this.#b.known, false);
  }

  #pending(side: 0 | 1): Outcome {
    const settled = this.#outcomes.then((all) => all[side]);
    return { kind: 'pending', settled };
  }

  async #run(strategy: WriteStrategy, signal: AbortSignal | undefined): Promise<readonly [Outcome, Outcome]> {
    let [a, b] = await this.#asked(strategy, signal);
    while (this.#mustWait(a, b)) [a, b] = await nextToSettle(a, b);
    for (;;) {
      const left = this.admissions.lastResort(a, b);
      if (!left) return [a, b];
      if (left === 'A') a = await this.#a.sendAnyway();
      else b = await this.#b.sendAnyway();
    }
  }

  #mustWait(a: Outcome, b: Outcome): boolean {
    const isPending = a.kind === 'pending' || b.kind === 'pending';
    const { ack, class: operationClass } = this.operation;
    return isPending && (ack === 'both' || decide(a, b, operationClass).kind === 'await');
  }

  async #asked(
    strategy: WriteStrategy,
    signal: AbortSignal | undefined,
  ): Promise<readonly [Outcome, Outcome]> {
    const { ack, priority } = this.operation;
    const context: WriteContext = { ack, priority, ...(signal && { signal }) };
    try {
      const outcomes = await strategy.execute(this.#a, this.#b, context);
      if (isPair(outcomes)) return outcomes;
      throw new HelixUsageError('WriteStrategy.execute must answer with the outcome of A and of B');
    } catch (error) {
      if (!this.#a.wasSent && !this.#b.wasSent) throw error;
      this.onStrategyError(toError(error));
      return Promise.all([this.#a.sent(), this.#b.sent()]);
    }
  }
}

function isPair(answer: unknown): boolean {
  const isOutcome = (each: unknown): boolean => typeof each === 'object' && each !== null && 'kind' in each;
  return Array.isArray(answer) && answer.length === 2 && answer.every(isOutcome);
}
