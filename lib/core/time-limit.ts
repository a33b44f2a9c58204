import type { Clock } from './clock.js';

/** An error named `TimeoutError`, as the platform's own are. */
export function timeoutError(message: string): Error {
  const error = new Error(message);
  error.name = 'TimeoutError';
  return error;
}

/** Rejects with a `TimeoutError` when the promise has not settled in time; what it stands for goes on. */
export function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  promise: Promise<T>,
  message: string,
  keepsAlive = false,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => reject(timeoutError(message)), timeoutMs, keepsAlive);
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Whether the promise resolved in time. Rejects if it did so in time. */
export function resolvesWithin(
  clock: Clock,
  timeoutMs: number,
  promise: Promise<unknown>,
  keepsAlive = false,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => resolve(false), timeoutMs, keepsAlive);
    promise.then(() => resolve(true), reject).finally(() => timer.cancel());
  });
}
