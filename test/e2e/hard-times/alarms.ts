import { expect } from 'vitest';
import type { ClusterId, HelixService } from '../../../lib/index.js';

/** What Helix has done about its clusters, whether there was a reason or not. */
export class Alarms {
  readonly #opened: Record<ClusterId, number> = { A: 0, B: 0 };

  constructor(private readonly helix: HelixService) {
    helix.events$.subscribe(({ cluster, state }) => {
      if (state === 'open') this.#opened[cluster]++;
    });
  }

  /** How often the breakers have opened. */
  get opened(): number {
    return this.#opened.A + this.#opened.B;
  }

  /** How many writes were left to replay. */
  get queued(): number {
    const { A, B } = this.helix.status().replay;
    return A.enqueued + B.enqueued;
  }

  get text(): string {
    return `breakers opened ${this.opened}, writes queued ${this.queued}`;
  }

  expectNone(): void {
    expect({ opened: this.opened, queued: this.queued }).toEqual({ opened: 0, queued: 0 });
  }
}
