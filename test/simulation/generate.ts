import { Random } from './engine/random.js';
import { clusterFaults } from './generate/cluster-faults.js';
import { wrongCredentials } from './generate/credentials.js';
import { inCql } from './generate/cql.js';
import { incidents } from './generate/incidents.js';
import { Moments } from './generate/moments.js';
import { schemaChanges } from './generate/schema-changes.js';
import { randomSetup } from './generate/setup.js';
import { traffic } from './generate/traffic.js';
import type { History, Step } from './history.js';

/** How much happens in a history. */
export interface Size {
  /** At least so many reads and writes. Default 205. */
  readonly operations: number;
  /** Faults of the clusters; wrong credentials, and those of the process, the queue and the control plane come on top. Default 5 to 7. */
  readonly faults: number;
}

const DEFAULT_OPERATIONS = 205;

/**
 * A random history. The same seed and size give the same one, everywhere; each part draws from a stream of its
 * own, so that a change of one distribution leaves the others as they are.
 */
export function generate(seed: number, size?: Size, surface: 'core' | 'cql' = 'core'): History {
  const random = new Random(seed);
  const common = randomSetup(random.fork('setup'));
  // What no side could prepare cannot be queued, and the oracle does not know what was prepared in time.
  const setup = surface === 'cql' ? { ...common, surface, whenBothFail: 'throw' as const } : common;
  const { operations = DEFAULT_OPERATIONS, faults = random.fork('faults').int(5, 7) } = size ?? {};
  const rounds = Math.max(1, Math.round(operations / DEFAULT_OPERATIONS));
  const moments = new Moments(setup, rounds * roundMs(random.fork('span')));
  const steps: Step[] = [
    ...clusterFaults(random.fork('cluster faults'), setup, moments, faults),
    ...(surface === 'cql' ? schemaChanges(random.fork('schema changes'), moments) : []),
    ...incidents(random.fork('incidents'), setup, moments, rounds),
    ...traffic(random.fork('traffic'), setup, moments, operations),
  ];
  steps.push(...wrongCredentials(random.fork('credentials'), setup, steps));
  steps.sort((a, b) => a.atMs - b.atMs);
  const spoken = surface === 'cql' ? inCql(random.fork('cql'), setup, steps) : steps;
  return { seed, setup, steps: withIds(spoken) };
}

/** Time in which a default number of things begins. */
function roundMs(random: Random): number {
  const [minMs, maxMs] = random.weighted(SPANS_MS);
  return random.int(minMs, maxMs);
}

const SPANS_MS: readonly (readonly [number, readonly [minMs: number, maxMs: number]])[] = [
  [45, [2_000, 5_000]],
  [35, [5_000, 15_000]],
  [20, [15_000, 50_000]],
];

/** Numbers reads and writes in the order they are made. */
function withIds(steps: readonly Step[]): Step[] {
  let count = 0;
  return steps.map((step) => {
    if (step.do === 'write') return { ...step, id: `w${++count}` };
    return step.do === 'read' ? { ...step, id: `r${++count}` } : step;
  });
}
