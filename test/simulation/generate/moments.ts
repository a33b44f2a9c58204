import type { Random } from '../engine/random.js';
import type { Setup } from '../history.js';

/** Before it the first process connects: what is done then is not done at all. */
export const FIRST_MS = 50;
/** Replay pings a side that is down after these times, the first of them (100 ms, doubling, upper half). */
const PROBE_MS = [50, 75, 100, 150, 200, 400] as const;
/** How long a suspected cluster has to answer. */
export const SUSPICION_PING_MS = 500;
/** How long replay waits for the answer to its ping. */
const PING_TIMEOUT_MS = 5_000;

/**
 * When things happen, and for how long. Mistakes are made where one change meets another: so most things happen
 * near a moment at which something else begins or ends, or a time limit that began there is over.
 */
export class Moments {
  readonly #moments: [number, ...number[]] = [FIRST_MS];
  readonly #gaps: { readonly fromMs: number; readonly toMs: number }[] = [];

  constructor(
    private readonly setup: Setup,
    /** Nothing begins later, but what follows from something else. */
    private readonly endMs: number,
  ) {}

  /** Notes that something begins, or ends, so that other things come near it. */
  add(atMs: number): void {
    this.#moments.push(atMs);
  }

  /** Notes that there is no process for a while. */
  addGap(fromMs: number, toMs: number): void {
    this.#gaps.push({ fromMs, toMs });
    this.#gaps.sort((a, b) => a.toMs - b.toMs);
  }

  /** The moment itself, or the first one after it at which there is a process again. */
  whenRunning(atMs: number): number {
    let runningMs = atMs;
    // In the order of their ends, so that one gap may lead into the next.
    for (const { fromMs, toMs } of this.#gaps) {
      if (runningMs > fromMs && runningMs < toMs) runningMs = toMs;
    }
    return runningMs;
  }

  anywhere(random: Random): number {
    return random.int(FIRST_MS, this.endMs);
  }

  /** At, about or some time after a moment that was noted. */
  near(random: Random): number {
    const atMs = random.pick(this.#moments);
    return Math.max(FIRST_MS, atMs + this.#offsetMs(random));
  }

  /** How long something lasts: nothing at all, about a time limit, some operations, or far too long. */
  lengthMs(random: Random): number {
    switch (random.weighted(LENGTHS)) {
      case 'blink':
        return random.int(1, 5);
      case 'limit':
        return around(random, this.#limitMs(random));
      case 'some':
        return random.int(5, 3 * this.setup.writeTimeoutMs);
      case 'long': {
        const longMs = random.pick([PING_TIMEOUT_MS, random.int(1_000, 8_000)]);
        return around(random, Math.min(longMs, Math.round(this.endMs / 2)));
      }
    }
  }

  #offsetMs(random: Random): number {
    switch (random.weighted(OFFSETS)) {
      case 'at':
        return 0;
      case 'about':
        return random.int(-3, 3);
      case 'limit':
        return around(random, this.#limitMs(random));
      case 'after':
        return random.int(0, 2 * this.setup.writeTimeoutMs);
    }
  }

  #limitMs(random: Random): number {
    const { writeTimeoutMs, readTimeoutMs, enqueueTimeoutMs, executeTimeoutMs, resetTimeoutMs, stragglerMs } =
      this.setup;
    const { suspectAfterMs = 0 } = this.setup;
    return random.pick([
      writeTimeoutMs,
      writeTimeoutMs,
      writeTimeoutMs + enqueueTimeoutMs,
      readTimeoutMs,
      enqueueTimeoutMs,
      executeTimeoutMs,
      resetTimeoutMs,
      resetTimeoutMs,
      stragglerMs,
      suspectAfterMs,
      suspectAfterMs + SUSPICION_PING_MS,
      random.pick(PROBE_MS),
    ]);
  }
}

/** At most 3 ms from a moment that matters, and at least 1. */
export function around(random: Random, ms: number): number {
  return Math.max(1, ms + random.int(-3, 3));
}

const LENGTHS = [
  [15, 'blink'],
  [35, 'limit'],
  [35, 'some'],
  [15, 'long'],
] as const;
const OFFSETS = [
  [25, 'at'],
  [40, 'about'],
  [15, 'limit'],
  [20, 'after'],
] as const;
