import type { Case } from './generate.js';

const TOGETHER = 4;

/** The keyspace of the tables that each case of a round has, its own keyspaces and types included. */
export interface Table {
  readonly name: string;
  readonly cases: readonly Case[];
  readonly setUp: readonly string[];
  readonly change: readonly string[];
}

/** One for each case; cases that make their tables again at the same time in the same way share them. */
export function tablesOf(cases: readonly Case[], keyspace: string): Table[] {
  const shared = new Map<string, Case[]>();
  for (const each of cases) {
    const isShared = each.change === 'table made again';
    const way = isShared ? `${each.on} ${each.by}` : `alone ${each.id}`;
    const group = shared.get(way);
    if (group) group.push(each);
    else shared.set(way, [each]);
  }
  return [...shared.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / TOGETHER) }, (_, i) =>
      tableOf(group.slice(i * TOGETHER, (i + 1) * TOGETHER), keyspace),
    ),
  );
}

export const columnOf = ({ id }: Case): string => `v${id}`;

function tableOf(cases: readonly Case[], keyspace: string): Table {
  const [first] = cases as [Case];
  const column = columnOf(first);
  const udt = `${keyspace}.type_${first.id}`;
  const own = `${keyspace}_${first.id}`;
  const place = first.change === 'keyspace made again' ? own : keyspace;
  const name = `${place}.t${first.id}`;
  const create = (state: 'from' | 'to'): string => {
    const columns = cases.map((each) => `${columnOf(each)} ${each[state].type.replace('$type', udt)}`);
    return `CREATE TABLE ${name} (id int PRIMARY KEY, ${columns.join(', ')})`;
  };
  const makeKeyspace = `CREATE KEYSPACE ${own} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`;
  const withUdt = (fields: string, change: readonly string[]): Omit<Table, 'name' | 'cases'> => ({
    setUp: [`CREATE TYPE ${udt} (${fields})`, create('from')],
    change,
  });
  const statements = (): Omit<Table, 'name' | 'cases'> => {
    switch (first.change) {
      case 'table made again':
        return { setUp: [create('from')], change: [`DROP TABLE ${name}`, create('to')] };
      case 'keyspace made again':
        return {
          setUp: [makeKeyspace, create('from')],
          change: [`DROP KEYSPACE ${own}`, makeKeyspace, create('to')],
        };
      case 'column added again':
        return {
          setUp: [create('from')],
          change: [
            `ALTER TABLE ${name} DROP ${column}`,
            `ALTER TABLE ${name} ADD ${column} ${first.to.type}`,
          ],
        };
      case 'another column added':
        return { setUp: [create('from')], change: [`ALTER TABLE ${name} ADD other int`] };
      case 'column dropped':
        return { setUp: [create('from')], change: [`ALTER TABLE ${name} DROP ${column}`] };
      case 'field added':
        return withUdt('street text, zip int', [`ALTER TYPE ${udt} ADD country text`]);
      case 'field renamed':
        return withUdt('street text, zip int', [`ALTER TYPE ${udt} RENAME zip TO code`]);
      case 'fields swapped':
        return withUdt('x int, y int', [
          `DROP TABLE ${name}`,
          `DROP TYPE ${udt}`,
          `CREATE TYPE ${udt} (y int, x int)`,
          create('to'),
        ]);
    }
  };
  return { name, cases, ...statements() };
}
