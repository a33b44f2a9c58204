import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { SchemaChange, Step } from '../history.js';
import { FIRST_MS, type Moments } from './moments.js';

type ChangeStep = Extract<Step, { do: 'schema change' }>;

/** Changes of the schema: on both clusters, or on one and mostly on the other later, near whatever else happens. */
export function schemaChanges(random: Random, moments: Moments): Step[] {
  const steps: ({ readonly atMs: number } & ChangeStep)[] = [];
  for (let left = random.weighted(COUNTS); left > 0; left--) {
    const atMs = random.chance(0.6) ? moments.near(random) : moments.anywhere(random);
    let change = anyChange(random);
    const how = random.weighted(HOW);
    const side = random.pick<ClusterId>(['A', 'B']);
    const add = (laterMs: number, by: ChangeStep['by']): void => {
      const preparedAgain = preparedAgainBy(random);
      const ofStep = { change, by, ...(preparedAgain && { preparedAgain }) };
      steps.push({ atMs: Math.max(FIRST_MS, atMs + laterMs), do: 'schema change', ...ofStep });
      moments.add(atMs + laterMs);
    };
    switch (how) {
      case 'onBoth':
        add(0, 'onBoth');
        break;
      case 'both at once':
        add(0, ['A', 'B']);
        break;
      case 'one':
        add(0, [side]);
        break;
      case 'twice':
        add(0, ['A', 'B']);
        change = anyChange(random);
        add(random.int(1, 12), ['A', 'B']);
        break;
      case 'one after the other':
        add(0, [side]);
        add(random.pick([1, random.int(1, 50), random.int(50, 1_500)]), [otherCluster(side)]);
    }
  }
  return steps;
}

function anyChange(random: Random): SchemaChange {
  switch (random.weighted(CHANGES)) {
    case 'number':
      return { of: 'number', to: random.pick(['float', 'float', 'int', 'bigint', 'double']) };
    case 'further field':
      return { of: 'further field', isThere: random.chance(0.75) };
    case 'list':
      return { of: 'list', isThere: random.chance(0.6) };
  }
}

/** Nearly always before anybody who has heard of it can have done the same. */
function preparedAgainBy(random: Random): ChangeStep['preparedAgain'] {
  const as = random.weighted(PREPARED_AGAIN);
  const afterMs = random.pick([0, random.int(0, 5), random.int(5, 60)]);
  return as === 'nobody' ? undefined : { as, afterMs };
}

const COUNTS = [
  [35, 0],
  [20, 1],
  [20, 2],
  [15, 4],
  [10, 7],
] as const;
const HOW = [
  [25, 'onBoth'],
  [25, 'both at once'],
  [10, 'one'],
  [10, 'twice'],
  [30, 'one after the other'],
] as const;
const CHANGES = [
  [50, 'number'],
  [30, 'further field'],
  [20, 'list'],
] as const;
const PREPARED_AGAIN = [
  [30, 'nobody'],
  [15, 'plain'],
  [20, 'Helix'],
  [35, 'Helix as before'],
] as const;
