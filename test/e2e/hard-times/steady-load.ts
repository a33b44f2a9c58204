import type { WriteReceipt } from '../../../lib/index.js';

/** A call of the load that has been answered. */
export interface Call {
  readonly id: number;
  /** On the load's own clock: ms since its first call was due. */
  readonly beganMs: number;
  readonly tookMs: number;
  /** Of a write. */
  readonly receipt?: WriteReceipt;
  readonly error?: unknown;
}

export interface Rate {
  readonly callsPerS: number;
  /** The calls are numbered from here. Default 0. */
  readonly firstId?: number;
}

/** A receipt if it is a write. */
export type Work = (id: number) => Promise<WriteReceipt | undefined>;

/** Begins so many calls a second, however long the answers take: what waits does not make the others wait. */
export class SteadyLoad {
  /** In the order of the answers. */
  readonly answered: Call[] = [];
  /** When the first call was due, on the monotonic clock. */
  readonly originMs = performance.now();
  readonly #work: Work;
  readonly #firstId: number;
  readonly #everyMs: number;
  readonly #calls: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  #waiting: { readonly dueMs: number; readonly resolve: () => void }[] = [];

  constructor({ callsPerS, firstId = 0 }: Rate, work: Work) {
    this.#work = work;
    this.#firstId = firstId;
    this.#everyMs = 1_000 / callsPerS;
    this.#timer = setInterval(() => this.#tick(), Math.min(this.#everyMs, 10));
  }

  /** On its own clock. */
  get nowMs(): number {
    return performance.now() - this.originMs;
  }

  /** Resolves when the schedule has come so far. */
  at(dueMs: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ dueMs, resolve }));
  }

  /** Begins no more calls; resolves with all of them when the last one is answered. */
  async stop(): Promise<readonly Call[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#calls);
    return this.answered;
  }

  #tick(): void {
    while (this.#calls.length * this.#everyMs <= this.nowMs) {
      this.#calls.push(this.#call(this.#firstId + this.#calls.length));
    }
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > this.nowMs);
    for (const { resolve } of due) resolve();
  }

  async #call(id: number): Promise<void> {
    const beganMs = this.nowMs;
    const answer = await this.#work(id).then(
      (receipt) => (receipt === undefined ? {} : { receipt }),
      (error: unknown) => ({ error }),
    );
    this.answered.push({ id, beganMs, tookMs: this.nowMs - beganMs, ...answer });
  }
}
