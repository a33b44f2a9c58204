import {
  type DeliveryHandler,
  type DeliveryVerdict,
  HelixUsageError,
  type ReplayLane,
} from '../../core/index.js';
import type { Held } from './weighted-queue.js';

/** A handler that breaks its promise not to reject has its envelope again after so long. */
const BROKEN_HANDLER_DELAY_MS = 1_000;

/** Where a lane gets its envelopes, and where it reports what became of them. */
export interface LaneSource {
  take(): Held | undefined;
  settle(held: Held, verdict: DeliveryVerdict): void;
}

export class MemoryLane implements ReplayLane {
  readonly #source: LaneSource;
  readonly #handler: DeliveryHandler;
  #concurrency = 0;
  #running = 0;
  #isDelivering = false;
  #stopped: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(source: LaneSource, handler: DeliveryHandler) {
    this.#source = source;
    this.#handler = handler;
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  set concurrency(value: number) {
    if (!Number.isInteger(value) || value < 0) {
      throw new HelixUsageError(
        `ReplayLane.concurrency: received ${value}; allowed is an integer, 0 or more.`,
      );
    }
    if (this.#stopped) return;
    this.#concurrency = value;
    this.deliver();
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  stop(): Promise<void> {
    this.#concurrency = 0;
    this.#stopped ??= new Promise((resolve) => {
      if (this.#running === 0) resolve();
      else this.#whenIdle = resolve;
    });
    return this.#stopped;
  }

  /** Delivers as much as there is and the concurrency allows. */
  deliver(): void {
    // A handler may change the concurrency while it starts: the loop below sees it.
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (this.#running < this.#concurrency) {
      const held = this.#source.take();
      if (!held) break;
      this.#running++;
      void this.#run(held);
    }
    this.#isDelivering = false;
  }

  async #run(held: Held): Promise<void> {
    let verdict: DeliveryVerdict;
    try {
      verdict = await this.#handler({ envelope: held.envelope, attempts: held.attempts });
    } catch {
      verdict = { kind: 'retry', delayMs: BROKEN_HANDLER_DELAY_MS };
    }
    this.#running--;
    this.#source.settle(held, verdict);
    this.deliver();
    if (this.#running === 0) this.#whenIdle?.();
  }
}
