import type { Clock, Timer } from './clock.js';
import { Invariants } from './invariant.js';

/** A timer that fires later than this, in ms, means that the process stood still: … */
export const LATE_MS = 100;
/** … what it had to send and to hear meanwhile gets as much time as that took, but no more than so many ms. */
const MOST_GRACE_MS = 500;
/** A process that stands still again and again gets no more than this in a row, in ms, or no time would ever be over. */
const MOST_IN_A_ROW_MS = 1_000;

/** How much longer to wait at a time that is over late; 0 if it is not. */
export function graceMs(lateMs: number): number {
  return lateMs > LATE_MS ? Math.min(lateMs, MOST_GRACE_MS) : 0;
}

/** No moment at which anything could fall due, whatever the clock. */
const NOT_LISTED = Number.NEGATIVE_INFINITY;

/** Something that must end within a span of time. */
export abstract class Deadline {
  /** @internal The monotonic clock's ms while it waits in a list. */
  dueMs = NOT_LISTED;
  /** @internal Links of the list it waits in. */
  previous: Deadline | undefined;
  /** @internal */
  next: Deadline | undefined;

  abstract expire(): void;
}

/**
 * Deadlines of one length. They fall due in the order in which they begin, so one timer serves them all:
 * it fires for the oldest, and most have long left the list by then. When the process stood still and the timer fires
 * late, what has come meanwhile lies in the sockets, and what was to be sent may not even be there: see {@link graceMs}.
 */
export class DeadlineList {
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #timer: Timer | undefined;
  /** When the timer is to fire. */
  #timerMs = 0;
  /** The grace that was given since anything last expired, in ms. */
  #givenMs = 0;
  /** What expires may begin a deadline anew: the timer is set once, afterwards. */
  #isExpiring = false;

  constructor(
    private readonly clock: Clock,
    readonly timeoutMs: number,
    private readonly invariants = new Invariants(),
  ) {}

  /** @param nowMs a fresh reading of the monotonic clock; reading it is most of what this costs */
  add(deadline: Deadline, nowMs = this.clock.monotonicMs()): void {
    if (deadline.dueMs !== NOT_LISTED) {
      this.invariants.breached('deadlineAddedTwice');
      this.remove(deadline);
    }
    deadline.dueMs = nowMs + this.timeoutMs;
    deadline.previous = this.#last;
    if (this.#last) this.#last.next = deadline;
    else this.#first = deadline;
    this.#last = deadline;
    if (!this.#isExpiring && !this.#timer) this.#setTimer(deadline.dueMs, this.timeoutMs);
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** The first, of those that wait longest, for which that holds. */
  find(holds: (deadline: Deadline) => boolean): Deadline | undefined {
    let each = this.#first;
    while (each && !holds(each)) each = each.next;
    return each;
  }

  /** Visits those that wait, the oldest first; a visit may end its own wait. */
  forEach(visit: (deadline: Deadline) => void): void {
    for (let each = this.#first; each;) {
      const { next } = each;
      visit(each);
      each = next;
    }
  }

  /** Call once, and only for a deadline that has not expired. */
  remove(deadline: Deadline): void {
    if (deadline.dueMs === NOT_LISTED) {
      this.invariants.breached('deadlineRemovedTwice');
      return;
    }
    const { previous, next } = deadline;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    deadline.previous = deadline.next = undefined;
    deadline.dueMs = NOT_LISTED;
  }

  /** Ends everything that is still waiting, at once. */
  expireAll(): void {
    while (this.#first) this.#expireFirst(this.#first);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #setTimer(dueMs: number, delayMs: number): void {
    this.#timerMs = dueMs;
    this.#timer = this.clock.setTimer(this.#onTimer, delayMs);
  }

  readonly #onTimer = (): void => {
    const nowMs = this.clock.monotonicMs();
    const grace = Math.min(graceMs(nowMs - this.#timerMs), MOST_IN_A_ROW_MS - this.#givenMs);
    if (grace > 0) {
      this.#givenMs += grace;
      this.#setTimer(nowMs + grace, grace);
      return;
    }
    this.#givenMs = 0;
    this.#timer = undefined;
    this.#isExpiring = true;
    while (this.#first && this.#first.dueMs <= nowMs) this.#expireFirst(this.#first);
    this.#isExpiring = false;
    if (this.#first) this.#setTimer(this.#first.dueMs, this.#first.dueMs - nowMs);
  };

  #expireFirst(first: Deadline): void {
    this.remove(first);
    first.expire();
  }
}
