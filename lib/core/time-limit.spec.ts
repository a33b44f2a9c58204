import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { Watched } from '../../test/support/fake-operations.js';
import { resolvesWithin, withTimeout } from './time-limit.js';

const never = new Promise<never>(() => undefined);

it('withTimeout answers as the promise does, and leaves no timer', async () => {
  const clock = new FakeClock();
  await expect(withTimeout(clock, 100, Promise.resolve(7), 'late')).resolves.toBe(7);
  await expect(withTimeout(clock, 100, Promise.reject(new Error('no')), 'late')).rejects.toThrow('no');
  await clock.settle();
  expect(clock.pendingTimers).toBe(0);
});

it('withTimeout rejects with a TimeoutError when the time is over', async () => {
  const clock = new FakeClock();
  const waiting = new Watched(withTimeout(clock, 100, never, 'late'));
  await clock.advance(99);
  expect(waiting.isSettled).toBe(false);
  await clock.advance(1);
  expect(waiting.error).toMatchObject({ name: 'TimeoutError', message: 'late' });
});

it('resolvesWithin says whether there was an answer in time, and passes a failure on', async () => {
  const clock = new FakeClock();
  await expect(resolvesWithin(clock, 100, Promise.resolve())).resolves.toBe(true);
  await expect(resolvesWithin(clock, 100, Promise.reject(new Error('no')))).rejects.toThrow('no');
  const waiting = new Watched(resolvesWithin(clock, 100, never));
  await clock.advance(100);
  expect(waiting.value).toBe(false);
  expect(clock.pendingTimers).toBe(0);
});
