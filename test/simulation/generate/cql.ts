import type { ClusterId } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { Change, InCql, ReadStep, Setup, Step, WriteStep } from '../history.js';

/** 2025-01-01, UTC: when a history begins for its processes. */
const START_US = Date.UTC(2025, 0, 1) * 1_000;
const COLUMNS = ['a', 'b', 'c'] as const;

/** The same steps, as they are put in CQL; what CQL refuses becomes something that it takes. */
export function inCql(random: Random, setup: Setup, steps: readonly Step[]): Step[] {
  const writes = random.fork('writes');
  const reads = random.fork('reads');
  const types = random.fork('types');
  return steps.map((step, index) => {
    if (step.do === 'write') {
      return { atMs: step.atMs, ...withTypes(types, writeInCql(writes, step, index)) };
    }
    return step.do === 'read' ? { atMs: step.atMs, ...readInCql(reads, step, setup) } : step;
  });
}

function writeInCql(random: Random, step: WriteStep, index: number): WriteStep {
  const { firstUseMs, prepareMs, ...given } = step;
  const change: Change = step.change.kind === 'add' ? { kind: 'set', columns: ['a'] } : step.change;
  const isNewText = firstUseMs !== undefined || prepareMs !== undefined;
  const style = random.int(0, 2);
  const side = random.pick<ClusterId>(['A', 'B']);
  return {
    ...given,
    key: step.change.kind === 'add' ? 'k0' : step.key,
    change,
    class: 'idempotent',
    ...(style > 0 && { style }),
    ...(isNewText && { isNewText }),
    ...(prepareMs !== undefined && { prepareMs }),
    ...(prepareMs !== undefined && random.chance(0.6) && { preparesLate: side }),
    ...(step.refusedBy && random.chance(0.4) && { refusedAt: 'execute' as const }),
    ...(random.chance(0.12) && { batch: batch(random, step.key) }),
    // Each its own: at one write time the greater value would win, and nobody could tell which was meant.
    ...(random.chance(0.05) && {
      ownTimestampUs: START_US + random.pick([-60, 2, 3_600]) * 1_000_000 + index,
    }),
    ...spoken(random),
  };
}

/** Some set columns whose types may change, or leave it to the table which columns they set: few texts, used often. */
function withTypes(random: Random, step: WriteStep): WriteStep {
  const kind = random.weighted(TYPED);
  const [style, isFurther, isStillNamed] = [random.int(0, 1), random.chance(0.6), random.chance(0.1)];
  if (kind === 'none' || step.change.kind !== 'set') return step;
  const { isNamed, ...rest } = step;
  if (kind === 'document') {
    return { ...rest, style: 3, change: { kind: 'set', columns: random.chance(0.5) ? ['a'] : ['a', 'b'] } };
  }
  const columns = kind === 'number' ? ['a', 'n'] : ['u'];
  return {
    ...rest,
    style,
    change: { kind: 'set', columns },
    ...(isNamed && isStillNamed && { isNamed }),
    ...(kind === 'UDT' && isFurther && { givesFurtherField: true }),
  };
}

function readInCql(random: Random, step: ReadStep, { readTimeoutMs }: Setup): ReadStep {
  const isPatient = step.timeoutMs === undefined && step.abortAfterMs === undefined;
  // It moves the reads of its call with its first page, long before it ends.
  const isScan = isPatient && !step.isBad && !step.isSticky && random.chance(0.1);
  const how = isScan
    ? random.pick<'all' | 'iter'>(['all', 'iter'])
    : random.pick<'one' | 'all' | 'page' | 'iter'>(['one', 'one', 'all', 'page', 'iter']);
  // An iteration waits that long for each page.
  const isLong = how === 'iter' && step.hedgeAfterMs !== undefined && step.hedgeAfterMs > readTimeoutMs;
  const { reuses, ...said } = spoken(random);
  return {
    ...step,
    ...(how !== 'one' && !isLong && { how }),
    ...(isScan && !isLong && { pageSize: random.int(1, 3) }),
    ...(random.chance(0.2) && { consistency: random.pick([1, 4, 10]) }),
    ...(random.chance(0.05) && { isNewText: true }),
    ...(reuses && !isLong && { reuses }),
    ...said,
  };
}

/** Two to four changes, each of a row of its own. */
function batch(random: Random, key: string): NonNullable<WriteStep['batch']> {
  const others = ['k0', 'k1', 'k2', 'k3'].filter((each) => each !== key);
  const also = others.slice(0, random.int(1, 3)).map((each) => ({ key: each, change: change(random) }));
  return { kind: random.pick(['logged', 'unlogged']), also };
}

function change(random: Random): Change {
  switch (random.weighted(CHANGES)) {
    case 'set':
      return { kind: 'set', columns: random.pick(COLUMN_SETS) };
    case 'unset':
      return { kind: 'unset', column: random.pick(COLUMNS) };
    case 'delete':
      return { kind: 'delete' };
  }
}

function spoken(random: Random): InCql {
  return {
    ...(random.chance(0.3) && { isNamed: true }),
    ...(random.chance(0.4) && { reuses: true }),
    ...(random.chance(0.4) && { said: random.pick(['by call', 'by both', 'to execute']) }),
    ...(random.chance(0.1) && { serialConsistency: random.pick([8, 9]) }),
  };
}

const TYPED = [
  [60, 'none'],
  [18, 'number'],
  [14, 'UDT'],
  [8, 'document'],
] as const;
const CHANGES = [
  [80, 'set'],
  [10, 'unset'],
  [10, 'delete'],
] as const;
const COLUMN_SETS: readonly [readonly string[], ...(readonly string[])[]] = [
  ['a'],
  ['b'],
  ['c'],
  ['a', 'c'],
  ['a', 'b', 'c'],
];
