import type { Clock } from './clock.js';
import { type FailureOutcome, OperationAbortedError } from './errors.js';
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

/**
 * Ends the caller's wait when its signal aborts or its time is over: it gets an {@link OperationAbortedError} at
 * once. `leave` is told first, and says whether anything can have been changed; the work itself goes on.
 */
export function untilGone<T>(
  { signal, timeoutMs }: CallerLimits,
  clock: Clock,
  work: Promise<T>,
  leave: () => FailureOutcome,
  describe: () => string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const go = (what: string, cause: unknown): void => {
      end();
      const outcome = leave();
      const advice = outcome === 'notApplied' ? 'Nothing was applied' : 'It goes on, and may be applied';
      reject(new OperationAbortedError(`${what}. ${advice}: ${describe()}`, outcome, { cause }));
    };
    const timer =
      timeoutMs === undefined
        ? undefined
        : clock.setTimer(() => {
            const what = `No answer within the caller's time limit of ${timeoutMs} ms`;
            go(what, timeoutError(what));
          }, timeoutMs);
    const goAsTold = (by: AbortSignal): void => go('Aborted by its signal', by.reason);
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
