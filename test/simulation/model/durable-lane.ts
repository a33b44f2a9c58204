import {
  type ClusterId,
  type DeliveryHandler,
  type DeliveryVerdict,
  HelixUsageError,
  type ReplayLane,
} from '../../../lib/core/index.js';
import { decodeEnvelope } from '../../../lib/replay/index.js';
import type { ModelDurableQueue, QueueClient, QueueConsumer, StoredEnvelope } from './durable-queue.js';

/** A handler that breaks its promise not to reject has its envelope again after so long. */
const BROKEN_HANDLER_DELAY_MS = 1_000;

/** The process that a lane runs in. */
export interface LaneProcess extends QueueClient {
  readonly isAlive: boolean;
  nowMs(): number;
  /** Runs `work` at the server and `answer`, or `lost`, in the process, in an event of its own. */
  ask<T>(work: () => T, answer: (result: T) => void, lost: () => void): void;
}

/**
 * What one side has missed, on its way to one process. An envelope takes a moment from the queue to the handler; if
 * there is no room for it any more when it arrives, it goes back to where it was.
 */
export class ModelDurableLane implements ReplayLane, QueueConsumer {
  #concurrency = 0;
  #running = 0;
  #onTheWay = 0;
  #stopped: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(
    private readonly queue: ModelDurableQueue,
    readonly client: LaneProcess,
    private readonly cluster: ClusterId,
    private readonly handler: DeliveryHandler,
  ) {}

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
    this.queue.deliver(this.cluster);
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  get room(): number {
    return this.client.isThere ? this.#concurrency - this.#running - this.#onTheWay : 0;
  }

  stop(): Promise<void> {
    this.#concurrency = 0;
    this.#stopped ??= new Promise((resolve) => {
      if (this.#running === 0) resolve();
      else this.#whenIdle = resolve;
    });
    return this.#stopped;
  }

  expect(): void {
    this.#onTheWay++;
  }

  receive(stored: StoredEnvelope, delivery: number): void {
    this.#onTheWay--;
    // Lost with the connection, or with the process: the server will deliver it again.
    if (!this.client.isAlive || !this.queue.isReachable) return;
    if (this.#running >= this.#concurrency) {
      this.#settle(stored, delivery, { kind: 'release' });
      return;
    }
    this.#running++;
    if (stored.isOnce) this.#claim(stored, delivery);
    else void this.#run(stored, delivery);
  }

  /** An envelope of class `once` is executed only after the server has noted that it may have been. */
  #claim(stored: StoredEnvelope, delivery: number): void {
    this.client.ask(
      () => this.queue.claim(stored, delivery, this.client.nowMs()),
      (isGranted) => {
        if (isGranted && this.#running <= this.#concurrency) {
          void this.#run(stored, delivery);
          return;
        }
        if (isGranted) this.#settle(stored, delivery, { kind: 'release' });
        this.#ended();
      },
      () => {
        this.queue.abandon(stored, delivery);
        this.#ended();
      },
    );
  }

  async #run(stored: StoredEnvelope, delivery: number): Promise<void> {
    let verdict: DeliveryVerdict;
    try {
      const envelope = decodeEnvelope(stored.bytes);
      verdict = await this.handler({ envelope, attempts: stored.attempts });
    } catch {
      verdict = { kind: 'retry', delayMs: BROKEN_HANDLER_DELAY_MS };
    }
    if (!this.client.isAlive) return;
    this.#settle(stored, delivery, verdict);
    this.#ended();
  }

  #settle(stored: StoredEnvelope, delivery: number, verdict: DeliveryVerdict): void {
    const atMs = this.client.nowMs();
    this.queue.travel('world', () => this.queue.settle(stored, delivery, verdict, atMs));
  }

  #ended(): void {
    this.#running--;
    this.queue.deliver(this.cluster);
    if (this.#running === 0) this.#whenIdle?.();
  }
}
