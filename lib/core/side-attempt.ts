import type { ClusterId } from './cluster.js';
import { Deadline } from './deadlines.js';
import { closedError } from './errors.js';
import type { WriteOperation } from './operation.js';
import {
  APPLIED,
  isLastHope,
  type Outcome,
  type SettledOutcome,
  type SkippedOutcome,
  SKIPPED_BY_BREAKER,
} from './outcome.js';
import type { SideWrite } from './ports/write-strategy.js';
import type { WritePath } from './write-path.js';

/** One side of a write as a strategy sees it. */
export class SideAttempt extends Deadline implements SideWrite {
  #outcome: Promise<Outcome> | undefined;
  #settle: ((outcome: SettledOutcome) => void) | undefined;

  constructor(
    private readonly path: WritePath,
    private readonly operation: WriteOperation,
    readonly cluster: ClusterId,
    private skip: SkippedOutcome | undefined,
  ) {
    super();
  }

  send(): Promise<Outcome> {
    if (!this.wasSent) this.skip ??= this.path.admissions.skipLate(this.cluster);
    return this.skip ? Promise.resolve(this.skip) : this.#sendOnce();
  }

  get wasSent(): boolean {
    return this.#outcome !== undefined;
  }

  /** The outcome if it was sent, without sending it. */
  sent(): Promise<Outcome> {
    return this.#outcome ?? Promise.resolve(this.skip ?? SKIPPED_BY_BREAKER);
  }

  /** The outcome, or a new one if this side was left out and is the write's last hope. */
  lastHope(outcome: Outcome, other: Outcome): Promise<Outcome> {
    const isTried = isLastHope(outcome, other) && this.path.admissions.mayTryAfterAll(this.cluster);
    return isTried ? this.#sendOnce() : Promise.resolve(outcome);
  }

  override expire(): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(this.operation.expire(this.cluster));
  }

  #sendOnce(): Promise<Outcome> {
    return (this.#outcome ??= this.#send());
  }

  #send(): Promise<Outcome> {
    const { path, operation, cluster } = this;
    if (path.isCutOff) return Promise.resolve({ kind: 'unreached', error: closedError() });
    const { inFlight } = path.admissions;
    return new Promise((resolve) => {
      inFlight[cluster]++;
      path.deadlines.add(this);
      const startedMs = this.dueMs - path.deadlines.timeoutMs;
      this.#settle = (outcome) => {
        // What was never sent because its caller went says nothing of the cluster.
        if (!operation.isCancelled) path.failover.record(cluster, outcome, startedMs);
        resolve(outcome);
      };
      operation.attempt(cluster).then(
        () => {
          inFlight[cluster]--;
          this.#answered(APPLIED);
        },
        (error: unknown) => {
          inFlight[cluster]--;
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
