import type { Admission, Admissions } from './admission.js';
import type { Inside } from './barrier.js';
import type { ClusterId } from './cluster.js';
import type { WriteOperation } from './operation.js';
import { APPLIED, type FailedOutcome, type SettledOutcome } from './outcome.js';
import type { Reservation } from './ports/replayer.js';
import type { WriteReceipt } from './receipt.js';
import type { Holdings, Settlement } from './settlement.js';
import { Call, type Wire } from './wire.js';

/** Both sides at once, joined without wrapper objects; also the single-cluster write. */
export class ConcurrentWrite extends Call implements Holdings {
  since: Inside['since'];
  readonly reservations: Reservation[];
  #a: SettledOutcome | undefined;
  #b: SettledOutcome | undefined;

  constructor(
    wire: Wire,
    private readonly admissions: Admissions,
    private readonly settlement: Settlement,
    private readonly operation: WriteOperation,
    { A, B, reservations }: Admission,
    private readonly resolve: (receipt: WriteReceipt | Promise<WriteReceipt>) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super(wire);
    this.#a = A;
    this.#b = B;
    this.reservations = reservations;
  }

  start(): void {
    const { operation } = this;
    const toB = !this.#b && !this.admissions.isSingle;
    if (!this.#a) this.dispatch('A', operation.startedMs);
    if (toB) this.dispatch('B', operation.startedMs);
  }

  protected override request(cluster: ClusterId): Promise<unknown> {
    return this.operation.attempt(cluster);
  }

  protected override classify(error: unknown, cluster: ClusterId): FailedOutcome {
    return this.operation.classify(error, cluster);
  }

  protected override timedOut(cluster: ClusterId): FailedOutcome {
    return this.operation.expire(cluster);
  }

  protected override ended(cluster: ClusterId, outcome: SettledOutcome): void {
    if (cluster === 'A') this.#a = outcome;
    else this.#b = outcome;
    if (this.admissions.isSingle) this.#endAlone(outcome);
    else if (this.#a === APPLIED && this.#b === APPLIED) this.#succeed('applied');
    else this.#join();
  }

  #endAlone(outcome: SettledOutcome): void {
    if (outcome === APPLIED) {
      this.#succeed('absent');
      return;
    }
    this.settlement.end(this);
    this.reject(this.settlement.failedAlone(this.operation, outcome));
  }

  /** Goes on when both sides have settled, at least one of them not as it should. */
  #join(): void {
    if (!this.#a || !this.#b) return;
    const left = this.admissions.lastResort(this.#a, this.#b);
    if (!left) {
      this.settlement.settle(this.operation, this.#a, this.#b, this).then(this.resolve, this.reject);
      return;
    }
    if (left === 'A') this.#a = undefined;
    else this.#b = undefined;
    this.dispatch(left);
  }

  #succeed(b: 'applied' | 'absent'): void {
    const { id, timestampUs } = this.operation;
    this.settlement.end(this);
    this.resolve({ id, timestamp: timestampUs, A: 'applied', B: b });
  }
}
