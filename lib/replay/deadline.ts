import { type Clock } from '../core/index.js';

/** A target that did not keep to the time limit it was given. */
export class ReplayTimeoutError extends Error {
  override readonly name = 'ReplayTimeoutError';
}

/** Rejects with {@link ReplayTimeoutError} when the promise has not settled after `limitMs`. */
export function withDeadline<T>(clock: Clock, limitMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => {
      reject(new ReplayTimeoutError(`The target did not answer within ${limitMs} ms.`));
    }, limitMs);
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
