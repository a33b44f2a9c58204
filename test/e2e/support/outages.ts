import { expect } from 'vitest';
import type { ClusterId } from '../../../lib/index.js';
import { answersHelix, type TestApplication } from './application.js';
import { type Holdings, holdings } from './connections.js';

export interface OutageOptions {
  readonly side: ClusterId;
  /** Where its nodes are found, each as `address:port`. */
  readonly endpoints: readonly string[];
  readonly times: number;
  /** Ends a node, or all of them, and brings it back, under load. */
  outage(round: number): Promise<void>;
}

/** Of what else there is: heartbeats and time limits come and go. Each restart would leave two. */
const OTHER_TIMERS = 1;

/** After each of several outages the client of a cluster has what it had before. */
export async function leavesNothingBehind(
  application: TestApplication,
  options: OutageOptions,
): Promise<void> {
  const { side, endpoints, times, outage } = options;
  const held = (): Holdings => holdings(application.cql, side, endpoints);
  await answersHelix(application, side);
  const before = held();
  const isAsBefore = (now: Holdings): boolean =>
    now.sockets === before.sockets &&
    now.listeners <= before.listeners &&
    now.timers <= before.timers + OTHER_TIMERS;
  for (let round = 1; round <= times; round++) {
    await outage(round);
    await answersHelix(application, side);
    // What is on its way out goes after the time limits of the driver.
    await expect
      .poll(() => (isAsBefore(held()) ? before : held()), {
        timeout: 20_000,
        interval: 50,
        message: `after outage ${round}`,
      })
      .toEqual(before);
  }
}
