/** Time as Helix sees it; replaced by a virtual one in tests and in the simulation. */
export interface Clock {
  /** Wall clock, ms since the epoch. */
  nowMs(): number;
  /** Never goes back; origin unspecified, ms with fractions. */
  monotonicMs(): number;
  /**
   * Runs `callback` once after `delayMs`. The timer keeps the process alive only if `keepsAlive` is set: for
   * waits that the application's own start or end depends on, when there may be no socket yet or any more.
   */
  setTimer(callback: () => void, delayMs: number, keepsAlive?: boolean): Timer;
}

/** A callback that was set with {@link Clock.setTimer}. */
export interface Timer {
  /** It does not run any more; does nothing if it has run. */
  cancel(): void;
}

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(callback: () => void, delayMs: number, keepsAlive: boolean) {
    this.#handle = setTimeout(callback, delayMs);
    if (!keepsAlive) this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (callback, delayMs, keepsAlive = false) => new SystemTimer(callback, delayMs, keepsAlive),
};

/** Resolves after `delayMs` on the given clock. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(resolve, delayMs));
}
