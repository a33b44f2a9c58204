import { setTimeout as delay } from 'node:timers/promises';

/** Asks until there is an answer, or fails saying what was awaited. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`Waited ${deadlineMs / 1_000} s in vain for ${what}`);
    await delay(100);
  }
}
