import { type Admissions, type Holdings, release } from './admission.js';
import type { Clock } from './clock.js';
import type { ClusterId } from './cluster.js';
import { decide, type Decision, type ReplayPlan } from './decide.js';
import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  type HelixError,
  OverloadedError,
  PartialWriteError,
  ReplayQueueFullError,
  toError,
} from './errors.js';
import type { WriteOperation } from './operation.js';
import type { Outcome, SettledOutcome } from './outcome.js';
import type { Envelope } from './ports/envelope.js';
import type { Replayer } from './ports/replayer.js';
import type { SideStatus, WriteReceipt } from './receipt.js';
import { errorLabel, sideLabel, type Sides } from './sides.js';
import { withTimeout } from './time-limit.js';

export interface SettlementOptions {
  readonly sides: Sides;
  readonly clock: Clock;
  /** `undefined`: what one side misses is lost for it, as the user asked for. */
  readonly replayer: Replayer | undefined;
  readonly enqueueTimeoutMs: number;
  /** `throw`: a write that one side will never get is an error to the caller, not only in its receipt. */
  readonly onReplayLost: 'throw' | 'report';
  /** `queue`: a write that certainly reached neither side is queued for both. */
  readonly whenBothFail: 'throw' | 'queue';
  /** An envelope could not be kept. */
  readonly onDropped: (envelope: Envelope, error: Error) => void;
  /** One side refused what the other applied. */
  readonly onDivergence: (cluster: ClusterId, error: Error, operation: WriteOperation) => void;
}

/** What became of what was handed to the replayer, and why something was not taken. */
interface Kept {
  A?: SideStatus;
  B?: SideStatus;
  error?: Error;
}

/** Carries out the pair decision: the receipt or the error for the caller, the queue or the dead letters. */
export class Settlement {
  /** Writes that neither side has and that were given to the queue: they can still be applied. */
  readonly #queuedForBoth = new WeakSet<WriteOperation>();

  constructor(
    private readonly options: SettlementOptions,
    private readonly admissions: Admissions,
  ) {}

  /**
   * Carries out what the outcomes call for, and answers or throws as they demand; with that the write is over, and
   * what it held is given back.
   */
  async settle(operation: WriteOperation, a: Outcome, b: Outcome, holdings: Holdings): Promise<WriteReceipt> {
    try {
      return await this.#settle(operation, a, b, holdings);
    } finally {
      this.admissions.leave(holdings);
    }
  }

  /** Whether it was given to the queue although neither side has it. */
  isQueuedForBoth(operation: WriteOperation): boolean {
    return this.#queuedForBoth.has(operation);
  }

  async #settle(
    operation: WriteOperation,
    a: Outcome,
    b: Outcome,
    holdings: Holdings,
  ): Promise<WriteReceipt> {
    const decision = decide(a, b, operation.class);
    if (decision.kind === 'await') {
      return this.#settle(operation, ...(await nextToSettle(a, b)), holdings);
    }
    switch (decision.kind) {
      case 'receipt':
        return this.#receipt(operation, decision, a, b, holdings);
      case 'refused':
        await this.#replay(operation, decision.replay, { A: a, B: b }, holdings);
        throw this.#refusal(operation, decision.by, decision.outcome, decision.by === 'A' ? a : b);
      case 'bothFailed': {
        if (decision.outcome === 'notApplied' && this.#isQueuedWhenBothFail(operation)) {
          return this.#queueForBoth(operation, a, b, holdings);
        }
        const kept = await this.#replay(operation, decision.replay, { A: a, B: b }, holdings);
        throw this.#bothFailed(operation, decision.outcome, a, b, adviceOn(decision.outcome, kept));
      }
      case 'bothDraining':
        if (this.#isQueuedWhenBothFail(operation)) return this.#queueForBoth(operation, a, b, holdings);
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

  async #receipt(
    operation: WriteOperation,
    decision: Extract<Decision, { kind: 'receipt' }>,
    a: Outcome,
    b: Outcome,
    holdings: Holdings,
  ): Promise<WriteReceipt> {
    for (const [cluster, outcome] of [
      ['A', a],
      ['B', b],
    ] as const) {
      if (outcome.kind === 'rejected') this.options.onDivergence(cluster, outcome.error, operation);
      if (outcome.kind === 'pending') this.#settleLater(operation, a, b, outcome.settled, cluster, holdings);
    }
    const kept = await this.#replay(operation, decision.replay, { A: a, B: b }, holdings);
    const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];
    const receipt = { id: operation.id, timestamp: operation.timestampUs, A: status('A'), B: status('B') };
    return this.#checked(operation, receipt, kept.error ?? failureOf(a) ?? failureOf(b));
  }

  /** Throws if the receipt says less than the caller has asked for. */
  #checked(operation: WriteOperation, receipt: WriteReceipt, cause: Error | undefined): WriteReceipt {
    const { A, B } = receipt;
    const isLost = (A === 'lost' || B === 'lost') && this.options.onReplayLost === 'throw';
    const isShort = operation.ack === 'both' && !(A === 'applied' && B === 'applied');
    if (!isLost && !isShort) return receipt;
    const { sides } = this.options;
    const why = isLost ? 'one side will never get it by itself' : "not acknowledged by both (ack: 'both')";
    throw new PartialWriteError(
      `Write incomplete, ${why}: ${sideLabel(sides, 'A')} ${A}, ${sideLabel(sides, 'B')} ${B}${cause ? ` (${errorLabel(cause)})` : ''}. The receipt says what became of it: ${operation.masked}`,
      receipt,
      cause && { cause },
    );
  }

  #isQueuedWhenBothFail(operation: WriteOperation): boolean {
    return this.options.whenBothFail === 'queue' && operation.canBeQueued && !operation.isCancelled;
  }

  /** Nothing was sent, or nothing arrived: the queue alone answers for the write. */
  async #queueForBoth(
    operation: WriteOperation,
    a: Outcome,
    b: Outcome,
    holdings: Holdings,
  ): Promise<WriteReceipt> {
    this.#queuedForBoth.add(operation);
    let status: SideStatus;
    try {
      const envelopes = [operation.envelope('A'), operation.envelope('B')];
      status = await this.#hand(holdings, (replayer) => replayer.enqueue(envelopes));
    } catch (thrown) {
      const error = toError(thrown);
      const isRefused = error instanceof ReplayQueueFullError;
      const queued = isRefused ? 'it could not be queued' : 'it may have been queued for both';
      const advice = `Nothing was applied, and ${queued} (${errorLabel(error)})`;
      throw this.#bothFailed(operation, isRefused ? 'notApplied' : 'unknown', a, b, advice);
    }
    const receipt = { id: operation.id, timestamp: operation.timestampUs, A: status, B: status };
    return this.#checked(operation, receipt, failureOf(a) ?? failureOf(b));
  }

  /** The caller has its receipt; the side that was pending still gets its row of the table. */
  #settleLater(
    operation: WriteOperation,
    a: Outcome,
    b: Outcome,
    settled: Promise<Outcome>,
    cluster: ClusterId,
    holdings: Holdings,
  ): void {
    const rest = this.admissions.restOf(holdings);
    void settledOutcome(settled)
      .then((outcome) =>
        this.settle(operation, cluster === 'A' ? outcome : a, cluster === 'B' ? outcome : b, rest),
      )
      .catch((error: unknown) => {
        // What could not be kept has been reported already.
        if (!(error instanceof PartialWriteError)) {
          this.options.onDropped(operation.envelope(cluster), toError(error));
        }
      });
  }

  /** Answers with the status of each side that was to be replayed, and why one is lost. */
  async #replay(
    operation: WriteOperation,
    plan: ReplayPlan,
    outcomes: Record<ClusterId, Outcome>,
    holdings: Holdings,
  ): Promise<Kept> {
    const kept: Kept = {};
    const queue = (['A', 'B'] as const).filter((cluster) => plan[cluster] === 'enqueue');
    // All of it in one turn: what is reserved is given back when the first is handed over.
    const handed: Promise<void>[] = [];
    if (queue.length > 0) {
      const envelopes = queue.map((cluster) => operation.envelope(cluster));
      handed.push(this.#keep(kept, envelopes, holdings, (replayer) => replayer.enqueue(envelopes)));
    }
    for (const cluster of ['A', 'B'] as const) {
      const reason = plan[cluster];
      if (reason === undefined || reason === 'enqueue') continue;
      const envelope = operation.envelope(cluster);
      const bury = async (replayer: Replayer): Promise<SideStatus> => {
        await replayer.bury(envelope, reason, failureOf(outcomes[cluster]));
        return reason;
      };
      handed.push(this.#keep(kept, [envelope], holdings, bury));
    }
    await Promise.all(handed);
    return kept;
  }

  /** Hands envelopes to the replayer; what it does not take is lost, loudly. */
  async #keep(
    kept: Kept,
    envelopes: readonly Envelope[],
    holdings: Holdings,
    hand: (replayer: Replayer) => Promise<SideStatus>,
  ): Promise<void> {
    let status: SideStatus = 'lost';
    try {
      if (this.options.replayer) status = await this.#hand(holdings, hand);
    } catch (thrown) {
      kept.error = toError(thrown);
      for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);
    }
    for (const { cluster } of envelopes) kept[cluster] = status;
  }

  /** Within its own time limit, whatever the caller's is. */
  #hand(holdings: Holdings, hand: (replayer: Replayer) => Promise<SideStatus>): Promise<SideStatus> {
    const { replayer, clock, enqueueTimeoutMs } = this.options;
    if (!replayer) return Promise.reject(new ReplayQueueFullError('There is no replay queue'));
    release(holdings.reservations);
    return withTimeout(
      clock,
      enqueueTimeoutMs,
      hand(replayer),
      `The replayer did not confirm within enqueueTimeoutMs = ${enqueueTimeoutMs} ms`,
    );
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
    advice: string,
  ): DualClusterError {
    const errors = { A: errorOf(a), B: errorOf(b) };
    const { sides } = this.options;
    const of = (cluster: ClusterId, outcome: Outcome): string =>
      `${sideLabel(sides, cluster)}: ${failureLabel(outcome)}`;
    return new DualClusterError(
      `Write failed on both clusters (${of('A', a)}, ${of('B', b)}). ${advice}: ${operation.masked}`,
      errors,
      outcome,
    );
  }
}

function adviceOn(outcome: 'notApplied' | 'unknown', { A, B, error }: Kept): string {
  if (outcome === 'notApplied') return 'Nothing was applied; it is safe to retry';
  const isQueued = A !== undefined && B !== undefined && A !== 'lost' && B !== 'lost';
  return isQueued
    ? 'It may have been applied; replay will apply it to both'
    : `It may have been applied on one of them only, and is not replayed${error ? ` (${errorLabel(error)})` : ''}`;
}

/** Waits until a pending side has settled and answers with both outcomes as they are then. */
export function nextToSettle(a: Outcome, b: Outcome): Promise<[Outcome, Outcome]> {
  const waits: Promise<[Outcome, Outcome]>[] = [];
  if (a.kind === 'pending') waits.push(settledOutcome(a.settled).then((outcome) => [outcome, b]));
  if (b.kind === 'pending') waits.push(settledOutcome(b.settled).then((outcome) => [a, outcome]));
  return Promise.race(waits);
}

/** A strategy's promise that rejects says nothing of the write: it may have been applied. */
function settledOutcome(settled: Promise<Outcome>): Promise<Outcome> {
  return settled.catch((error: unknown) => ({ kind: 'ambiguous', error: toError(error) }));
}

function failureOf(outcome: Outcome): Error | undefined {
  return 'error' in outcome ? outcome.error : undefined;
}

function failureLabel(outcome: Outcome): string {
  return outcome.kind === 'skipped' ? `not tried: ${outcome.reason}` : errorLabel(errorOf(outcome));
}

function errorOf(outcome: Outcome): Error {
  return (
    failureOf(outcome) ??
    new Error(outcome.kind === 'skipped' ? `Not tried: ${outcome.reason}` : outcome.kind)
  );
}
