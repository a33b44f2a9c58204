import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { QueueFault, Setup, Step } from '../history.js';
import { around, FIRST_MS, type Moments } from './moments.js';

/** What happens to the process, its queue and its control plane, and what operators do. `rounds`: how much of it. */
export function incidents(random: Random, setup: Setup, moments: Moments, rounds: number): Step[] {
  const steps: Step[] = [];
  for (let round = 0; round < rounds; round++) {
    const of = (name: string): Random => random.fork(`${name} ${round}`);
    // First what others come near to.
    steps.push(...restarts(of('restarts'), moments));
    steps.push(...stalls(of('stalls'), setup, moments));
    steps.push(...drains(of('drains'), moments));
    steps.push(...controlPartitions(of('control partitions'), moments));
    if (setup.queue === 'durable') steps.push(...queueFaults(of('queue faults'), moments));
    if (setup.queue !== 'none') steps.push(...operators(of('operators'), moments));
    steps.push(...clockSteps(of('clock'), moments));
    steps.push(...syncPoints(of('sync points'), moments));
  }
  return steps;
}

function restarts(random: Random, moments: Moments): Step[] {
  if (!random.chance(0.25)) return [];
  return times(random.int(1, 2), () => {
    const atMs = moments.near(random);
    const how = random.chance(0.6) ? 'kill' : 'shut down';
    const afterMs = random.pick([random.int(1, 20), random.int(20, 500), random.int(500, 2_000)]);
    moments.add(atMs);
    moments.addGap(atMs, atMs + afterMs + FIRST_MS);
    return { atMs, do: 'restart', how, afterMs };
  });
}

/** About as long as a write may take, so that its limit ends and its answer arrives meanwhile. */
function stalls(random: Random, { writeTimeoutMs }: Setup, moments: Moments): Step[] {
  if (!random.chance(0.45)) return [];
  return times(random.int(1, 2), () => {
    const atMs = moments.near(random);
    const forMs = random.int(writeTimeoutMs, 2 * writeTimeoutMs);
    moments.add(atMs);
    moments.add(atMs + forMs);
    return { atMs, do: 'stall', forMs };
  });
}

function drains(random: Random, moments: Moments): Step[] {
  if (!random.chance(0.45)) return [];
  const steps: Step[] = [];
  for (let left = random.int(1, 2); left > 0; left--) {
    const cluster = random.pick<ClusterId>(['A', 'B']);
    const atMs = moments.near(random);
    const forMs = moments.lengthMs(random);
    steps.push({ atMs, do: 'drain', cluster, forMs });
    moments.add(atMs);
    moments.add(atMs + forMs);
    if (!random.chance(0.4)) continue;
    // The other side as well, beginning while the first one drains or just when it has ended.
    const alsoAtMs = atMs + random.pick([0, random.int(0, forMs), around(random, forMs)]);
    const alsoForMs = moments.lengthMs(random);
    steps.push({ atMs: alsoAtMs, do: 'drain', cluster: otherCluster(cluster), forMs: alsoForMs });
    moments.add(alsoAtMs);
    moments.add(alsoAtMs + alsoForMs);
  }
  return steps;
}

function controlPartitions(random: Random, moments: Moments): Step[] {
  if (!random.chance(0.3)) return [];
  const atMs = moments.near(random);
  const forMs = moments.lengthMs(random);
  moments.add(atMs + forMs);
  return [{ atMs, do: 'control partition', forMs }];
}

function queueFaults(random: Random, moments: Moments): Step[] {
  if (!random.chance(0.8)) return [];
  return times(random.int(1, 3), () => {
    const atMs = moments.near(random);
    const forMs = moments.lengthMs(random);
    moments.add(atMs);
    moments.add(atMs + forMs);
    const fault = random.pick<QueueFault>(['down', 'answers lost', 'full', 'redelivers']);
    return { atMs, do: 'queue fault', fault, forMs };
  });
}

/** Those who look after the queue. */
function operators(random: Random, moments: Moments): Step[] {
  const steps: Step[] = [];
  if (random.chance(0.3)) {
    for (let left = random.int(1, 2); left > 0; left--) {
      const cluster = random.pick<ClusterId>(['A', 'B']);
      const atMs = moments.near(random);
      steps.push({ atMs, do: 'pause replay', cluster, forMs: moments.lengthMs(random) });
    }
  }
  for (let left = random.int(0, 3); left > 0; left--) {
    steps.push({ atMs: somewhere(random, moments), do: 'requeue' });
  }
  if (random.chance(0.08)) steps.push({ atMs: somewhere(random, moments), do: 'purge' });
  return steps;
}

function clockSteps(random: Random, moments: Moments): Step[] {
  if (!random.chance(0.5)) return [];
  return times(random.int(1, 3), () => {
    const byMs = random.pick([random.int(-5_000, 5_000), random.int(-1_003, 1_003), -1, 1]);
    return { atMs: somewhere(random, moments), do: 'set clock', byMs };
  });
}

function syncPoints(random: Random, moments: Moments): Step[] {
  return times(random.int(5, 8), () => ({ atMs: somewhere(random, moments), do: 'sync point' }));
}

function somewhere(random: Random, moments: Moments): number {
  return random.chance(0.6) ? moments.near(random) : moments.anywhere(random);
}

function times(count: number, step: () => Step): Step[] {
  return Array.from({ length: count }, step);
}
