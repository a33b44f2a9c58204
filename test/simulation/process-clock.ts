import type { Clock, Timer } from '../../lib/core/index.js';
import type { World } from './world.js';

/** 2025-01-01, UTC. */
const START_MS = Date.UTC(2025, 0, 1);

/** The clock of one process: it stops with it. */
export class ProcessClock implements Clock {
  pending = 0;
  isStopped = false;
  constructor(private readonly world: World) {}

  nowMs(): number {
    return START_MS + this.world.wallOffsetMs + Math.floor(this.world.scheduler.nowMs);
  }

  monotonicMs(): number {
    return this.world.scheduler.nowMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    this.pending++;
    let isSet = true;
    const unset = (): boolean => {
      const wasSet = isSet;
      if (isSet) this.pending--;
      isSet = false;
      return wasSet;
    };
    const event = this.world.scheduler.timer(delayMs, () => {
      if (unset() && !this.isStopped) callback();
    });
    return {
      cancel: () => {
        if (unset()) event.isCancelled = true;
      },
    };
  }
}
