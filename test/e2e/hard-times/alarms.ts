import { expect } from 'vitest';
import type { ClusterId, HelixService } from '../../../lib/index.js';

/** What Helix has done about its clusters, whether there was a reason or not. */
export class Alarms {
  /** How often the breakers have opened; one that a failed ping leaves open does not open again. */
  opened = 0;
  readonly #isClosed: Record<ClusterId, boolean> = { A: true, B: true };

  constructor(private readonly helix: HelixService) {
    helix.events$.subscribe((event) => {
      if (event.type !== 'breaker') return;
      const { cluster, state } = event;
      if (state === 'open' && this.#isClosed[cluster]) this.opened++;
      this.#isClosed[cluster] = state === 'closed';
    });
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
