import {
  type Clock,
  type ClusterId,
  delay,
  type Delivery,
  type DeliveryHandler,
  type Envelope,
  type ReplayLane,
  type ReplayTarget,
  type SettledOutcome,
} from '../../lib/core/index.js';
import { MemoryReplayer } from '../../lib/replay/index.js';

/** A cluster that is up or down, and answers to single operations as it is told to. */
export class FakeTarget implements ReplayTarget {
  readonly applied: string[] = [];
  readonly pingedAtMs: number[] = [];
  /** Outcomes of single operations while the target is up, by operation id. */
  readonly outcomes = new Map<string, SettledOutcome>();
  isUp = true;
  /** What a delivery ends with while the target is down. */
  whileDown: 'unreached' | 'ambiguous' = 'unreached';
  /** Whether every second delivery that ends in doubt was applied all the same. */
  appliesInDoubt = false;
  latencyMs = 1;
  inFlight = 0;
  executions = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async ping(): Promise<void> {
    this.pingedAtMs.push(this.#clock.monotonicMs());
    await delay(this.#clock, this.latencyMs);
    if (!this.isUp) throw connectionError();
  }

  async apply({ operationId }: Envelope): Promise<SettledOutcome> {
    this.executions++;
    this.inFlight++;
    await delay(this.#clock, this.latencyMs);
    this.inFlight--;
    if (!this.isUp) {
      const isApplied = this.appliesInDoubt && this.whileDown === 'ambiguous' && this.executions % 2 === 0;
      if (isApplied) this.applied.push(operationId);
      return { kind: this.whileDown, error: connectionError() };
    }
    const outcome = this.outcomes.get(operationId) ?? { kind: 'applied' };
    if (outcome.kind === 'applied') this.applied.push(operationId);
    return outcome;
  }
}

/** As drivers raise it: the message names what must never be logged. */
export function connectionError(): Error {
  return Object.assign(new Error('connect to 10.1.2.3 with secret failed'), { code: 'ECONNREFUSED' });
}

/** A memory replayer whose lanes and deliveries can be looked at. */
export class ObservedReplayer extends MemoryReplayer {
  readonly lanes: Partial<Record<ClusterId, ReplayLane>> = {};
  readonly deliveries: Delivery[] = [];

  override consume(cluster: ClusterId, handler: DeliveryHandler): ReplayLane {
    const lane = super.consume(cluster, (delivery) => {
      this.deliveries.push(delivery);
      return handler(delivery);
    });
    this.lanes[cluster] = lane;
    return lane;
  }
}
