import { setTimeout as delay } from 'node:timers/promises';
import type { WriteReceipt } from '../../../lib/index.js';

export interface LoadOptions {
  readonly total: number;
  readonly inFlight: number;
  /** Between an answer and the write that takes its place: leaves servers the time to start. Default: none. */
  readonly pauseMs?: number;
}

export type WriteResult =
  { readonly id: number; readonly receipt: WriteReceipt } | { readonly id: number; readonly error: unknown };

/** A number of writes, or as many as there can be until it is stopped; so many in flight at a time, each with its id. */
export class Load {
  readonly #results: WriteResult[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  readonly #done: Promise<unknown>;
  #next = 0;
  #isStopped = false;

  constructor(
    private readonly write: (id: number) => Promise<WriteReceipt>,
    private readonly options: LoadOptions,
  ) {
    this.#done = Promise.all(Array.from({ length: options.inFlight }, () => this.#run()));
  }

  /** Resolves when this share of the writes has been answered. */
  reached(share: number): Promise<void> {
    return this.#answered(this.options.total * share);
  }

  /** Resolves with the answers to at least so many writes that begin from now on. */
  async more(count: number): Promise<readonly WriteResult[]> {
    const from = this.#next;
    await this.#answered(from + count);
    return this.#results.filter(({ id }) => id >= from);
  }

  /** Begins no more writes. */
  stop(): void {
    this.#isStopped = true;
  }

  async done(): Promise<readonly WriteResult[]> {
    await this.#done;
    return this.#results;
  }

  #answered(count: number): Promise<void> {
    if (this.#results.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  async #run(): Promise<void> {
    const { pauseMs } = this.options;
    while (this.#next < this.options.total && !this.#isStopped) {
      const id = this.#next++;
      try {
        this.#results.push({ id, receipt: await this.write(id) });
      } catch (error) {
        this.#results.push({ id, error });
      }
      for (const { count, resolve } of this.#waiting) if (this.#results.length >= count) resolve();
      if (pauseMs !== undefined) await delay(pauseMs);
    }
  }
}
