import { type ClusterId, type FailureDetector, Rounds, type Watch } from '../../lib/core/index.js';
import type { FakeClock } from './fake-clock.js';

/** Rounds on that clock, and a detector that gives up whom it is told to. */
export function fakeWatch(clock: FakeClock, givenUp: ReadonlySet<ClusterId>, stragglerMs?: number): Watch {
  const detector: Partial<FailureDetector> = {
    get hasDead() {
      return givenUp.size > 0;
    },
    isDead: (cluster) => givenUp.has(cluster),
    isGivenUp: (cluster) => givenUp.has(cluster),
    hasHeardSince: () => false,
    listenTo: () => undefined,
  };
  return { rounds: new Rounds(clock, stragglerMs), detector: detector as FailureDetector };
}
