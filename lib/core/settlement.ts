import { type Clock } from './clock.js';
import { type ClusterId } from './cluster.js';
import { decide, type Decision, type ReplayAction, type ReplayPlan } from './decide.js';
import { type Epochs } from './epochs.js';
import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  type HelixError,
  OverloadedError,
  toError,
} from './errors.js';
import { type WriteOperation } from './operation.js';
import { type Outcome, type SettledOutcome } from './outcome.js';
import { type Envelope } from './ports/envelope.js';
import { type Replayer } from './ports/replayer.js';
import { type SideStatus, type WriteReceipt } from './receipt.js';
import { errorLabel, sideLabel, type Sides } from './sides.js';
import { withTimeout } from './time-limit.js';

export interface SettlementOptions {
  readonly sides: Sides;
  readonly clock: Clock;
  /** `undefined`: what one side misses is lost for it, as the user asked for. */
  readonly replayer: Replayer | undefined;
  readonly enqueueTimeoutMs: number;
  /** An envelope could not be kept. */
  readonly onDropped: (envelope: Envelope, error: Error) => void;
  /** One side refused what the other applied. */
  readonly onDivergence: (cluster: ClusterId, error: Error, operation: WriteOperation) => void;
}

/** Carries out the pair decision: the receipt or the error for the caller, the queue or the dead letters. */
export class Settlement {
  constructor(
    private readonly options: SettlementOptions,
    private readonly operations: Epochs,
  ) {}

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
    const { replayer, onDropped, clock, enqueueTimeoutMs } = this.options;
    if (!replayer) return 'lost';
    try {
      return await withTimeout(
        clock,
        enqueueTimeoutMs,
        hand(replayer),
        `The replayer did not confirm within enqueueTimeoutMs = ${enqueueTimeoutMs} ms`,
      );
    } catch (error) {
      for (const envelope of envelopes) onDropped(envelope, toError(error));
      return 'lost';
    }
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

function errorOf(outcome: Outcome): Error {
  if ('error' in outcome) return outcome.error;
  return new Error(outcome.kind === 'skipped' ? `Not tried: ${outcome.reason}` : outcome.kind);
}
