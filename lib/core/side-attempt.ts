import { type ClusterId } from './cluster.js';
import { Deadline } from './deadlines.js';
import { type WriteOperation } from './operation.js';
import { APPLIED, type Outcome, type SettledOutcome, SKIPPED_BY_BREAKER } from './outcome.js';
import { type SideWrite } from './ports/write-strategy.js';
import { type WritePath } from './write-path.js';

/** One side of a write as a strategy sees it. */
export class SideAttempt extends Deadline implements SideWrite {
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
