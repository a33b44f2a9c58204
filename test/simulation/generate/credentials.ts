import type { ClusterId } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { FaultStep, Setup, Step } from '../history.js';

/** A cluster turns away whoever connects, when a process begins and for a while after it. */
export function wrongCredentials(random: Random, setup: Setup, steps: readonly Step[]): FaultStep[] {
  const found: FaultStep[] = [];
  const add = (atMs: number, forMs: number): void => {
    // A process that both turn away does not start at all, unless it does not wait for either.
    const picked = random.pick<ClusterId>(['A', 'B']);
    const cluster = setup.connect === 'lazy' ? picked : (found[0]?.cluster ?? picked);
    const fault = { kind: 'refuse', error: 'bad credentials', share: 1 } as const;
    found.push({ atMs, do: 'fault', cluster, fault, forMs });
  };
  // The first process has connected before anything happens, unless it does not wait for that.
  if (setup.connect === 'lazy' && random.chance(0.2)) add(0, lengthMs(random, setup));
  for (const step of steps) {
    if (step.do !== 'restart' || !random.chance(0.4)) continue;
    add(step.atMs, step.afterMs + lengthMs(random, setup));
  }
  return found;
}

function lengthMs(random: Random, { writeTimeoutMs }: Setup): number {
  return random.pick([random.int(1, writeTimeoutMs), random.int(100, 4_000)]);
}
