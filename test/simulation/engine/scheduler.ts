import type { Random } from './random.js';

/**
 * What an event does to the code under test.
 *
 * - `timer` one of its timers fires
 * - `io` something reaches it from outside: an answer, a caller
 * - `world` it does not notice: a request arrives at a cluster, a fault begins
 */
export type EventKind = 'timer' | 'io' | 'world';

export class SimulationEvent {
  isCancelled = false;

  constructor(
    public dueMs: number,
    /** Order among events that are due at the same moment. */
    public tie: number,
    readonly order: number,
    readonly kind: EventKind,
    readonly run: () => void,
  ) {}
}

/** Chance that an answer is read in the same turn of the event loop as the one before, as from one TCP chunk. */
const SAME_TURN = 0.25;
/** Node lets everything come to rest between two immediates of one pass of its loop, and a pass is not free. */
const MOST_TURNS_AT_ONCE = 32;

/**
 * Virtual time. Events run in the order of their moments; at equal moments the seed decides, but timers of one
 * length keep the order they were set in, as Node's do. After each event that the code under test notices,
 * everything that it set in motion comes to rest before the next one, unless both fall into one turn.
 */
export class Scheduler {
  readonly #heap: SimulationEvent[] = [];
  #nowMs = 0;
  #count = 0;

  constructor(private readonly random: Random) {}

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Something outside the code under test, after a delay. */
  after(delayMs: number, kind: 'io' | 'world', run: () => void): SimulationEvent {
    return this.#add(delayMs, this.random.next(), kind, run);
  }

  /** A timer of the code under test. */
  timer(delayMs: number, run: () => void): SimulationEvent {
    // A hash of the length: timers of one length share it.
    const tie = (Math.imul(Math.round(delayMs * 16) + 1, 0x9e3779b1) >>> 0) / 0x1_0000_0000;
    return this.#add(delayMs, tie, 'timer', run);
  }

  /**
   * The process does nothing for so long, while the world goes on. Afterwards its timers and what has arrived
   * meanwhile are due at once; either may come first.
   */
  stall(ms: number): void {
    const endMs = this.#nowMs + ms;
    const held: SimulationEvent[] = [];
    for (let next = this.#peek(); next && next.dueMs <= endMs; next = this.#peek()) {
      this.#pop();
      if (next.kind === 'world') {
        this.#nowMs = Math.max(this.#nowMs, next.dueMs);
        next.run();
      } else held.push(next);
    }
    // Another stall may have begun within this one, and last longer.
    this.#nowMs = Math.max(this.#nowMs, endMs);
    const first = this.random.chance(0.5) ? 'timer' : 'io';
    const inOrder = [
      ...held.filter(({ kind }) => kind === first),
      ...held.filter(({ kind }) => kind !== first),
    ];
    for (const [index, event] of inOrder.entries()) {
      event.dueMs = this.#nowMs;
      event.tie = index - inOrder.length;
      this.#push(event);
    }
  }

  /**
   * Runs events until `isOver` says so, nothing is left, or the next one is due after `endMs`.
   * Resolves with the time then.
   */
  run(endMs: number, isOver: () => boolean = () => false): Promise<number> {
    return new Promise((resolve, reject) => {
      let isEnded = false;
      const turn = (): void => {
        if (isEnded) return;
        try {
          isEnded = this.#turn(endMs, isOver);
          if (isEnded) resolve(this.#nowMs);
        } catch (error) {
          isEnded = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // A run is often over in a few turns: none is asked for in vain.
      const turns = (atOnce: number): void => {
        for (let count = 1; count < atOnce; count++) setImmediate(turn);
        setImmediate(() => {
          turn();
          if (!isEnded) turns(Math.min(2 * atOnce, MOST_TURNS_AT_ONCE));
        });
      };
      turns(1);
    });
  }

  /** One turn of the event loop; true if it was the last. */
  #turn(endMs: number, isOver: () => boolean): boolean {
    for (;;) {
      const next = this.#peek();
      if (isOver() || !next || next.dueMs > endMs) return true;
      this.#pop();
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      if (next.kind === 'world') continue;
      const follower = this.#peek();
      const isSameTurn =
        follower?.kind === 'io' && follower.dueMs <= this.#nowMs && this.random.chance(SAME_TURN);
      if (!isSameTurn) return false;
    }
  }

  #peek(): SimulationEvent | undefined {
    let next = this.#heap[0];
    while (next?.isCancelled) {
      this.#pop();
      next = this.#heap[0];
    }
    return next;
  }

  #add(delayMs: number, tie: number, kind: EventKind, run: () => void): SimulationEvent {
    const event = new SimulationEvent(this.#nowMs + Math.max(0, delayMs), tie, this.#count++, kind, run);
    this.#push(event);
    return event;
  }

  #push(event: SimulationEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (!parent || isSooner(parent, event)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const moved = heap.pop();
    if (!moved || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child && right && isSooner(right, child)) {
        child = right;
        childIndex++;
      }
      if (!child || isSooner(moved, child)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = moved;
  }
}

function isSooner(a: SimulationEvent, b: SimulationEvent): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs;
  return a.tie !== b.tie ? a.tie < b.tie : a.order < b.order;
}
