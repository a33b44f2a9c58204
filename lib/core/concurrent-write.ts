import { type Admission, release } from './admission.js';
import type { ClusterId } from './cluster.js';
import { Deadline } from './deadlines.js';
import type { Epoch } from './epochs.js';
import type { WriteOperation } from './operation.js';
import { APPLIED, isLastHope, type SettledOutcome } from './outcome.js';
import type { WriteReceipt } from './receipt.js';
import type { WritePath } from './write-path.js';

/** Both sides at once, joined without wrapper objects; also the single-cluster write. */
export class ConcurrentWrite extends Deadline {
  #a: SettledOutcome | undefined;
  #b: SettledOutcome | undefined;
  #startedMs = 0;

  constructor(
    private readonly path: WritePath,
    private readonly operation: WriteOperation,
    private readonly admission: Admission,
    private readonly epoch: Epoch,
    private readonly resolve: (receipt: WriteReceipt | Promise<WriteReceipt>) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super();
  }

  start(): void {
    const { path, admission } = this;
    path.deadlines.add(this, this.operation.startedMs);
    this.#startedMs = this.dueMs - path.deadlines.timeoutMs;
    this.#a = admission.A;
    this.#b = admission.B;
    if (!admission.A) this.#attemptA();
    if (!admission.B && !path.isSingle) this.#attemptB();
  }

  override expire(): void {
    const { operation } = this;
    const a = this.#a ? undefined : operation.expire('A');
    const b = this.#b || this.path.isSingle ? undefined : operation.expire('B');
    this.dueMs = Number.POSITIVE_INFINITY;
    if (a) this.#settle('A', a);
    if (b) this.#settle('B', b);
  }

  #attemptA(): void {
    const { inFlight } = this.path.admissions;
    inFlight.A++;
    this.operation.attempt('A').then(
      () => {
        inFlight.A--;
        if (this.#a === undefined) this.#applied('A');
      },
      (error: unknown) => {
        inFlight.A--;
        if (this.#a === undefined) this.#settle('A', this.operation.classify(error, 'A'));
      },
    );
  }

  #attemptB(): void {
    const { inFlight } = this.path.admissions;
    inFlight.B++;
    this.operation.attempt('B').then(
      () => {
        inFlight.B--;
        if (this.#b === undefined) this.#applied('B');
      },
      (error: unknown) => {
        inFlight.B--;
        if (this.#b === undefined) this.#settle('B', this.operation.classify(error, 'B'));
      },
    );
  }

  /** What nearly every attempt comes to: kept apart and small, so that it costs next to nothing. */
  #applied(cluster: ClusterId): void {
    const { path } = this;
    path.failover.recordSuccess(cluster, this.#startedMs);
    if (cluster === 'A') this.#a = APPLIED;
    else this.#b = APPLIED;
    if (path.isSingle) this.#succeed('absent');
    else if (this.#a === APPLIED && this.#b === APPLIED) this.#succeed('applied');
    else this.#join();
  }

  #settle(cluster: ClusterId, outcome: SettledOutcome): void {
    const { path, operation } = this;
    // What was never sent because its caller went says nothing of the cluster.
    if (!operation.isCancelled) path.failover.record(cluster, outcome, this.#startedMs);
    if (cluster === 'A') this.#a = outcome;
    else this.#b = outcome;
    if (path.isSingle) {
      this.#leave();
      this.reject(path.settlement.failedAlone(operation, outcome));
    } else this.#join();
  }

  /** Goes on when both sides have settled, at least one of them not as it should. */
  #join(): void {
    const { path } = this;
    const a = this.#a;
    const b = this.#b;
    if (!a || !b) return;
    if (path.isCutOff) this.#decide(a, b);
    else if (isLastHope(a, b) && path.admissions.mayTryAfterAll('A')) {
      this.#a = undefined;
      this.#attemptLate('A');
    } else if (isLastHope(b, a) && path.admissions.mayTryAfterAll('B')) {
      this.#b = undefined;
      this.#attemptLate('B');
    } else {
      this.#decide(a, b);
    }
  }

  #attemptLate(cluster: ClusterId): void {
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.path.deadlines.remove(this);
    this.path.deadlines.add(this);
    this.#startedMs = this.dueMs - this.path.deadlines.timeoutMs;
    if (cluster === 'A') this.#attemptA();
    else this.#attemptB();
  }

  #decide(a: SettledOutcome, b: SettledOutcome): void {
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.path.deadlines.remove(this);
    const { path, operation, admission } = this;
    path.settlement
      .settle(operation, a, b, { epoch: this.epoch, reservations: admission.reservations })
      .then(this.resolve, this.reject)
      .finally(() => path.operations.leave(this.epoch));
  }

  #succeed(b: 'applied' | 'absent'): void {
    const { id, timestampUs } = this.operation;
    this.#leave();
    this.resolve({ id, timestamp: timestampUs, A: 'applied', B: b });
  }

  #leave(): void {
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.path.deadlines.remove(this);
    const { reservations } = this.admission;
    if (reservations.length > 0) release(reservations);
    this.path.operations.leave(this.epoch);
  }
}
