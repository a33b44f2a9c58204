import type { WriteReceipt } from '../../../lib/index.js';

export type WriteResult =
  { readonly id: number; readonly receipt: WriteReceipt } | { readonly id: number; readonly error: unknown };

/** A number of writes, so many in flight at a time, each with an id of its own. */
export class Load {
  readonly #results: WriteResult[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  readonly #done: Promise<unknown>;
  #next = 0;

  constructor(
    private readonly write: (id: number) => Promise<WriteReceipt>,
    private readonly options: { readonly total: number; readonly inFlight: number },
  ) {
    this.#done = Promise.all(Array.from({ length: options.inFlight }, () => this.#run()));
  }

  /** Resolves when this share of the writes has been answered. */
  reached(share: number): Promise<void> {
    const count = this.options.total * share;
    if (this.#results.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  async done(): Promise<readonly WriteResult[]> {
    await this.#done;
    return this.#results;
  }

  async #run(): Promise<void> {
    while (this.#next < this.options.total) {
      const id = this.#next++;
      try {
        this.#results.push({ id, receipt: await this.write(id) });
      } catch (error) {
        this.#results.push({ id, error });
      }
      for (const { count, resolve } of this.#waiting) if (this.#results.length >= count) resolve();
    }
  }
}
