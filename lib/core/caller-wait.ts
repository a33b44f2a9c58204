import type { Clock, Timer } from './clock.js';
import { graceMs } from './deadlines.js';
import { type FailureOutcome, OperationAbortedError } from './errors.js';
import type { WriteReceipt } from './receipt.js';
import { timeoutError } from './time-limit.js';

/** How long, and on whose word, a caller waits. */
export interface CallerLimits {
  readonly signal?: AbortSignal | undefined;
  /** The caller's whole wait, in ms. */
  readonly timeoutMs?: number | undefined;
}

/** The calls that wait on one signal, behind one listener. */
class Waiting {
  readonly #callbacks = new Set<() => void>();

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.#onAbort);
  }

  add(callback: () => void): void {
    this.#callbacks.add(callback);
  }

  remove(callback: () => void): void {
    if (this.#callbacks.delete(callback) && this.#callbacks.size === 0) this.#stop();
  }

  readonly #onAbort = (): void => {
    const callbacks = [...this.#callbacks];
    this.#stop();
    for (const callback of callbacks) callback();
  };

  #stop(): void {
    this.signal.removeEventListener('abort', this.#onAbort);
    waitingOn.delete(this.signal);
  }
}

/** However many calls wait on a signal it has one listener of ours, and none when no call does. */
const waitingOn = new WeakMap<AbortSignal, Waiting>();

/** Calls back when the signal aborts, unless the returned function is called before. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let waiting = waitingOn.get(signal);
  if (!waiting) waitingOn.set(signal, (waiting = new Waiting(signal)));
  waiting.add(callback);
  return () => waiting.remove(callback);
}

/** The error of a call whose signal was aborted before anything was sent. */
export function abortedBefore(signal: AbortSignal, masked: string): OperationAbortedError {
  return new OperationAbortedError(
    `Aborted by its signal before anything was sent: ${masked}`,
    'notApplied',
    {
      cause: signal.reason,
    },
  );
}

/** Why a caller waits no longer: its time is over, or somebody told it to go. */
export type Leaving = 'overdue' | 'told';

/** What leaving comes to: there is an answer all the same, or work that goes on without the caller. */
export type Left =
  | 'answered'
  | {
      /** Whether anything can have been changed. */
      readonly outcome: FailureOutcome;
      /** What is known of it by now. */
      readonly receipt?: WriteReceipt | undefined;
    };

/**
 * Ends the caller's wait when its signal aborts or its time is over. `leave` says what that comes to: the work may
 * answer after all, if its time is over and there is something to answer with; otherwise the caller gets an
 * {@link OperationAbortedError} at once, and the work goes on.
 *
 * When the process stood still, what has come meanwhile lies in the sockets: see {@link graceMs}.
 *
 * @param stoodStillMs for how long the process has just stood still since then: a signal does not say whether it is late
 */
export function untilGone<T>(
  { signal, timeoutMs }: CallerLimits,
  clock: Clock,
  stoodStillMs: (sinceMs: number) => number,
  work: Promise<T>,
  leave: (why: Leaving) => Left,
  describe: () => string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const startedMs = clock.monotonicMs();
    let timer: Timer | undefined;
    const go = (why: Leaving, what: string, cause: unknown): void => {
      end();
      const left = leave(why);
      if (left === 'answered') return;
      const { outcome, receipt } = left;
      const advice = outcome === 'notApplied' ? 'Nothing was applied' : 'It goes on, and may be applied';
      const message = `${what}. ${advice}: ${describe()}`;
      reject(new OperationAbortedError(message, outcome, { cause }, receipt));
    };
    const goAfter = (delayMs: number, callback: () => void): void => {
      timer?.cancel();
      timer = clock.setTimer(callback, delayMs);
    };
    const goOverdue = (): void => {
      const what = `No answer within the caller's time limit of ${timeoutMs} ms`;
      go('overdue', what, timeoutError(what));
    };
    const goAsTold = ({ reason }: AbortSignal): void => {
      const what = 'Aborted by its signal';
      if (!isTimeout(reason)) {
        go('told', what, reason);
        return;
      }
      const goNow = (): void => go('overdue', what, reason);
      // A turn later it has been noticed if the process stood still.
      goAfter(0, () => {
        const grace = graceMs(stoodStillMs(startedMs));
        if (grace > 0) goAfter(grace, goNow);
        else goNow();
      });
    };
    if (timeoutMs !== undefined) {
      const dueMs = startedMs + timeoutMs;
      timer = clock.setTimer(() => {
        const grace = graceMs(clock.monotonicMs() - dueMs);
        if (grace > 0) goAfter(grace, goOverdue);
        else goOverdue();
      }, timeoutMs);
    }
    const stop = signal && onAbort(signal, () => goAsTold(signal));
    const end = (): void => {
      timer?.cancel();
      stop?.();
    };
    work.finally(end).then(resolve, reject);
    // What starts the work may be what aborts it.
    if (signal?.aborted) goAsTold(signal);
  });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}
