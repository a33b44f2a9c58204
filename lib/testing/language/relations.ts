import { type Bound, type Key, keyId, type Slice } from '../store/index.js';
import type { Relation } from './ast.js';
import { CqlRefusal, outside } from './refusal.js';
import type { Table, TableColumn } from './schema.js';
import { type BoundValue, required, type Values } from './values.js';

type Params = readonly BoundValue[];

/** A condition on a column; `=` and `IN` both as the values it may have. */
export type Restriction =
  | {
      readonly kind: 'oneOf';
      readonly column: TableColumn;
      readonly isIn: boolean;
      readonly values: (params: Params) => Uint8Array[];
    }
  | {
      readonly kind: 'bound';
      readonly column: TableColumn;
      readonly bound: (params: Params) => Bound;
    };

type Equality = Extract<Restriction, { kind: 'oneOf' }>;

export function restrictions(where: readonly Relation[], table: Table, values: Values): Restriction[] {
  return where.map(({ column: name, operator, value }): Restriction => {
    const column = columnOf(table, name);
    if (operator === 'IN') {
      const evaluate = values.evaluateIn(value, column.type, name);
      return { kind: 'oneOf', column, isIn: true, values: evaluate };
    }
    const evaluate = values.evaluate(value, column.type, name);
    if (operator === '=') {
      return { kind: 'oneOf', column, isIn: false, values: (params) => [required(evaluate(params), name)] };
    }
    return {
      kind: 'bound',
      column,
      bound: (params) => ({ operator, value: required(evaluate(params), name) }),
    };
  });
}

export function columnOf(table: Table, name: string): TableColumn {
  const column = table.columns.get(name);
  if (!column) throw new CqlRefusal(`Undefined column name ${name} in table ${table.keyspace}.${table.name}`);
  return column;
}

/** The restrictions of some columns by `=` or `IN`; `undefined` if one of them has none. */
export function equalities(
  columns: readonly TableColumn[],
  given: readonly Restriction[],
): Equality[] | undefined {
  const found = columns.map((column) => onlyOneOf(column, given));
  return found.every((each) => each !== undefined) ? found : undefined;
}

function onlyOneOf(column: TableColumn, given: readonly Restriction[]): Equality | undefined {
  const found = given.filter((each) => each.column === column);
  const [first] = found;
  if (found.length > 1 && found.some(({ kind }) => kind === 'oneOf')) {
    throw new CqlRefusal(
      `${column.name} cannot be restricted by more than one relation if it includes an Equal`,
    );
  }
  return first?.kind === 'oneOf' ? first : undefined;
}

/** Every key that the values of its components make, each once. */
export function keysOf(components: readonly Equality[], params: Params): Key[] {
  let keys: Key[] = [[]];
  for (const { values } of components) {
    const choices = values(params);
    keys = keys.flatMap((key) => choices.map((value) => [...key, value]));
  }
  return [...new Map(keys.map((key) => [keyId(key), key])).values()];
}

/** The partitions that a write names. */
export function partitionsOf(table: Table, given: readonly Restriction[]): (params: Params) => Key[] {
  for (const { kind, column } of given) {
    if (kind === 'bound' && column.kind === 'partition_key') {
      throw new CqlRefusal(
        'Only EQ and IN relation are supported on the partition key (unless you use the token() function) for UPDATE and DELETE statements',
      );
    }
    if (column.kind === 'regular' || column.kind === 'static') {
      throw new CqlRefusal(`Non PRIMARY KEY columns found in where clause: ${column.name}`);
    }
  }
  const key = equalities(table.partitionKey, given);
  if (!key) {
    const missing = table.partitionKey.filter((column) => !given.some((each) => each.column === column));
    throw new CqlRefusal(
      `Some partition key parts are missing: ${missing.map(({ name }) => name).join(', ')}`,
    );
  }
  return (params) => {
    const keys = keysOf(key, params);
    for (const each of keys) checkPartitionKey(each);
    return keys;
  };
}

export function checkPartitionKey(key: Key): void {
  if (key.length === 1 && key[0]?.length === 0) throw new CqlRefusal('Key may not be empty');
}

/** The rows of a partition that a DELETE names: equal in the first components, bounded in the next. */
export function slicesOf(table: Table, given: readonly Restriction[]): (params: Params) => Slice[] {
  const restricted = table.clusteringKey.map((column) => given.filter((each) => each.column === column));
  const end = restricted.findIndex((each) => each[0]?.kind !== 'oneOf');
  const prefix = table.clusteringKey.slice(0, end < 0 ? undefined : end);
  const beyond = restricted.slice(prefix.length);
  const bounds = beyond[0] ?? [];
  const stray = beyond.slice(1).find((each) => each.length > 0)?.[0];
  if (stray) {
    throw new CqlRefusal(
      `PRIMARY KEY column "${stray.column.name}" cannot be restricted as preceding column "${table.clusteringKey[prefix.length]?.name ?? ''}" is not restricted`,
    );
  }
  const components = equalities(prefix, given) ?? [];
  if (bounds.length > 0 && components.some(({ isIn }) => isIn)) {
    throw outside('a DELETE of a range of several clustering keys');
  }
  return (params) => {
    const made = bounds.flatMap((each) => (each.kind === 'bound' ? each.bound(params) : []));
    return keysOf(components, params).map((key) => ({ prefix: key, bounds: made }));
  };
}
