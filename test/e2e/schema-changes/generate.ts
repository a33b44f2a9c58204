import type { ClusterId } from '../../../lib/index.js';
import { Random } from '../../simulation/engine/random.js';
import { addableAgain, areSameWidth, composites, scalars, type TypedValue, udtColumns } from './types.js';

export type Change =
  | 'table made again'
  | 'keyspace made again'
  | 'column added again'
  | 'another column added'
  | 'column dropped'
  | 'field added'
  | 'field renamed'
  | 'fields swapped';

/** Who changes the schema; who prepares has used the same text before Helix uses it again. */
export type Author = 'onBoth' | 'client' | 'client that prepares' | 'process that prepares';

/** How the column is used after the change; what is replayed was queued before it. */
export type Use = 'single' | 'logged batch' | 'unlogged batch' | 'replay' | 'replay of a batch' | 'read';

export interface Case {
  readonly id: number;
  readonly change: Change;
  /** The column before, and a value of that type. */
  readonly from: TypedValue;
  /** The column after, if it is still there, and a value of that type. */
  readonly to: TypedValue;
  /** `one`: the side of the round only. */
  readonly on: 'one' | 'both';
  readonly by: Author;
  readonly use: Use;
  readonly verb: 'insert' | 'update';
  /** Of the statement in its batch of three. */
  readonly position: number;
  /** Which value is written first after the change. */
  readonly first: 'from' | 'to';
}

/** What happens to the connections to the side of the round while its schema is changed; `restart`: refused, then its node starts anew. */
export type Network = 'well' | 'refuse' | 'reset' | 'black hole' | 'restart';

/** Cases that go through one application together. */
export interface Round {
  readonly side: ClusterId;
  readonly network: Network;
  /** 600 other texts are in use, more than the driver keeps. */
  readonly hasManyTexts: boolean;
  readonly cases: readonly Case[];
}

type Changed = Pick<Case, 'change' | 'from' | 'to'>;

const TARGETS_OF_A_TYPE = 8;
const SIDES = ['A', 'B'] as const;
const NETWORKS = ['well', 'refuse', 'reset', 'black hole', 'restart'] as const;

/** Every change of the table, spread over rounds. The same seed gives the same ones. */
export function generate(seed: number): Round[] {
  const random = new Random(seed);
  const rounds = NETWORKS.flatMap((network, n) =>
    SIDES.map((side) => ({ side, network, hasManyTexts: (n + SIDES.indexOf(side)) % 3 === 0 })),
  );
  const changes = shuffled(random.fork('order'), [
    ...ofTypes(random.fork('types'), scalars, (a, b) => areSameWidth(a.type, b.type)),
    ...ofTypes(random.fork('composites'), composites, () => false),
    ...ofFields(random.fork('fields')),
    ...ofColumns(random.fork('columns')),
    ...ofKeyspaces(random.fork('keyspaces')),
  ]);
  const uses = random.fork('uses');
  const cases = changes.map((changed, i) => ({
    round: rounds[i % rounds.length]!,
    case: used(uses, i + 1, changed, rounds[i % rounds.length]!.network),
  }));
  return rounds.map((round) => ({
    ...round,
    cases: cases.filter((each) => each.round === round).map((each) => each.case),
  }));
}

/** One of so many of every kind of change and use, in fewer rounds; the seed says which. */
export function oneOf(count: number, rounds: readonly Round[], seed: number): Round[] {
  const random = new Random(seed).fork('share');
  const kindOf = ({ change, use }: Case): string => `${change}, ${use}`;
  const ordered = shuffled(
    random,
    rounds.flatMap(({ cases }) => cases),
  ).sort((a, b) => (kindOf(a) < kindOf(b) ? -1 : Number(kindOf(a) > kindOf(b))));
  const offset = random.int(0, count - 1);
  const chosen = new Set(ordered.filter((_, i) => i % count === offset));
  const withManyTexts = random.pick(NETWORKS);
  return NETWORKS.map((network) => ({
    side: random.pick(SIDES),
    network,
    hasManyTexts: network === withManyTexts,
    cases: rounds
      .filter((round) => round.network === network)
      .flatMap(({ cases }) => cases)
      .filter((each) => chosen.has(each)),
  }));
}

function used(random: Random, id: number, changed: Changed, network: Network): Case {
  const by = random.weighted<Author>([
    [network === 'well' ? 5 : 0, 'onBoth'],
    [4, 'client'],
    [4, 'client that prepares'],
    [1, 'process that prepares'],
  ]);
  const use = random.weighted<Use>([
    [5, 'single'],
    [2, 'logged batch'],
    [2, 'unlogged batch'],
    [4, 'replay'],
    [2, 'replay of a batch'],
    [canBeSought(changed) ? 3 : 0, 'read'],
  ]);
  return {
    ...changed,
    id,
    by,
    use,
    on: by === 'onBoth' || random.chance(0.5) ? 'both' : 'one',
    verb: random.pick(['insert', 'update']),
    position: random.int(0, 2),
    first: random.pick(['from', 'to']),
  };
}

/** Collections that are not frozen, and columns that are gone, cannot be compared with a parameter. */
function canBeSought({ change, from, to }: Changed): boolean {
  const isComparable = ({ type }: TypedValue): boolean =>
    type !== 'duration' && (type.startsWith('frozen<') || !type.includes('<'));
  return change !== 'column dropped' && !from.type.includes('$type') && [from, to].every(isComparable);
}

/** Each type becomes several others: all that its bytes would be taken for, and some more. */
function ofTypes(
  random: Random,
  types: readonly TypedValue[],
  isDangerous: (from: TypedValue, to: TypedValue) => boolean,
): Changed[] {
  return types.flatMap((from) => {
    const others = shuffled(
      random,
      types.filter((to) => to !== from),
    );
    const dangerous = others.filter((to) => isDangerous(from, to));
    const harmless = others.filter((to) => !isDangerous(from, to));
    return [...dangerous, ...harmless]
      .slice(0, Math.max(TARGETS_OF_A_TYPE, dangerous.length + 1))
      .map((to) => ({ change: 'table made again' as const, from, to }));
  });
}

/** Fields and values as {@link typeFields} makes them. */
function ofFields(random: Random): Changed[] {
  const both = { street: 'Main', zip: 4 };
  const values: readonly (readonly [Change, before: object, after: object])[] = [
    ['field added', both, { ...both, country: 'NL' }],
    ['field added', both, { street: 'Side' }],
    ['field renamed', both, { street: 'Main', code: 4 }],
    ['fields swapped', { x: 1, y: 2 }, { x: 3, y: 4 }],
  ];
  return values.flatMap(([change, before, after]) =>
    shuffled(random, [...udtColumns, ...udtColumns.slice(0, 2)]).map(({ type, of }) => ({
      change,
      from: { type, value: of(before) },
      to: { type, value: of(after) },
    })),
  );
}

function ofColumns(random: Random): Changed[] {
  const typed = (type: string): TypedValue => scalars.find((each) => each.type === type)!;
  const again = addableAgain.map(([from, to]) => ({
    change: 'column added again' as const,
    from: typed(from),
    to: typed(to),
  }));
  const some = shuffled(random, [...scalars, ...composites]);
  return [
    ...again,
    ...some.slice(0, 14).map((from) => ({ change: 'another column added' as const, from, to: from })),
    ...some.slice(14, 24).map((from) => ({ change: 'column dropped' as const, from, to: from })),
  ];
}

function ofKeyspaces(random: Random): Changed[] {
  const some = shuffled(random, scalars);
  return some.slice(0, 10).map((from, i) => ({
    change: 'keyspace made again' as const,
    from,
    to: i % 3 === 0 ? from : some[i + 1]!,
  }));
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
