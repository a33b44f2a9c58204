import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** How long this process has stood still at most: no call can be answered meanwhile, whatever the clusters do. */
export class LongestStall {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delays.enable();
  }

  /** In ms, until now. */
  end(): number {
    this.#delays.disable();
    return Math.max(0, this.#delays.max / 1e6 - RESOLUTION_MS);
  }
}

/** Keeps the event loop busy, as a long computation does. */
export function block(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

/** Everything that can be done without waiting for anybody has been done, up to the socket. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}
