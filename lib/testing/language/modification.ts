import {
  type Cell,
  type ColumnWrite,
  type Key,
  type RowsDeletion,
  type RowWrite,
  type Slice,
  WHOLE_PARTITION,
} from '../store/index.js';
import type { Assignment, Delete, Insert, Modification, Update, Using } from './ast.js';
import { splitCollection, splitFields } from './bytes.js';
import { CqlRefusal, outside, REFUSAL } from './refusal.js';
import {
  checkPartitionKey,
  columnOf,
  equalities,
  keysOf,
  partitionsOf,
  type Restriction,
  restrictions,
  slicesOf,
} from './relations.js';
import type { Table, TableColumn } from './schema.js';
import { type CqlType, isCounter, isMultiCell, listOrSet } from './types.js';
import { BIGINT, type BoundValue, INT, required, toNumber, UNSET, type Values } from './values.js';

/** A request as the cluster received it. */
export interface WriteRequest {
  readonly params: readonly BoundValue[];
  /** Write time of what does not say its own, µs since the epoch. */
  readonly timestampUs: number;
  /** Seconds since the epoch. */
  readonly nowS: number;
}

export type Change =
  | { readonly kind: 'write'; readonly table: Table; readonly write: RowWrite }
  | { readonly kind: 'delete'; readonly table: Table; readonly deletion: RowsDeletion };

/** What a statement does, given its parameters. */
export type Changes = (request: WriteRequest) => Change[];

/** With what a write is stamped. */
interface Stamp {
  readonly writeTimeUs: number;
  readonly expiresAtS: number | undefined;
}

type Stamps = (request: WriteRequest) => Stamp;
/** What a write does to one column. */
type Cells = (request: WriteRequest, stamp: Stamp) => ColumnWrite[];

const LONGEST_TTL_SECONDS = 630_720_000;

export function compileModification(ast: Modification, table: Table, values: Values): Changes {
  switch (ast.kind) {
    case 'insert':
      return compileInsert(ast, table, values);
    case 'update':
      return compileUpdate(ast, table, values);
    case 'delete':
      return compileDelete(ast, table, values);
  }
}

function compileInsert({ columns, values: terms, using }: Insert, table: Table, values: Values): Changes {
  const given = new Map(
    columns.map((name, i) => {
      const column = columnOf(table, name);
      const term = terms[i] ?? { kind: 'null' };
      return [column, { column, evaluate: values.evaluate(term, column.type, name) }] as const;
    }),
  );
  if (given.size < columns.length) throw new CqlRefusal('Multiple definitions found for one column');
  const missing = table.partitionKey.filter((column) => !given.has(column));
  if (missing.length > 0) {
    throw new CqlRefusal(
      `Some partition key parts are missing: ${missing.map(({ name }) => name).join(', ')}`,
    );
  }
  const isStaticOnly = [...given.keys()].every(({ kind }) => kind === 'partition_key' || kind === 'static');
  const withoutRow = isStaticOnly && table.clusteringKey.length > 0;
  const missingClustering = table.clusteringKey.filter((column) => !given.has(column));
  if (missingClustering.length > 0 && (!withoutRow || given.size === table.partitionKey.length)) {
    throw new CqlRefusal(
      `Some clustering keys are missing: ${missingClustering.map(({ name }) => name).join(', ')}`,
    );
  }
  const stamps = compileUsing(using, table, values);
  const part = (wanted: readonly TableColumn[], params: readonly BoundValue[]): Key =>
    wanted.map((column) => required(given.get(column)?.evaluate(params), column.name));
  const cells = [...given.values()].map(({ column, evaluate }) => ({
    column,
    write: isKey(column) ? undefined : overwrite(column, evaluate),
  }));
  return (request) => {
    const stamp = stamps(request);
    const partition = part(table.partitionKey, request.params);
    checkPartitionKey(partition);
    const { statics, regular } = writesOf(cells, request, stamp);
    const clustering = withoutRow ? undefined : part(table.clusteringKey, request.params);
    const marker = { value: new Uint8Array(), ...stamp };
    return [
      ...rowWrites(table, partition, undefined, statics),
      ...(clustering
        ? [{ kind: 'write' as const, table, write: { partition, clustering, marker, columns: regular } }]
        : []),
    ];
  };
}

function compileUpdate({ using, assignments, where }: Update, table: Table, values: Values): Changes {
  const stamps = compileUsing(using, table, values);
  const cells = assignments.map((assignment) => {
    const column = columnOf(table, assignment.column);
    if (isKey(column)) throw new CqlRefusal(`PRIMARY KEY part ${column.name} found in SET part`);
    return { column, write: compileAssignment(assignment, column, values) };
  });
  const given = restrictions(where, table, values);
  const partitions = partitionsOf(table, given);
  const rows = rowsToWrite(
    table,
    given,
    cells.map(({ column }) => column),
  );
  return (request) => {
    const stamp = stamps(request);
    const { statics, regular } = writesOf(cells, request, stamp);
    return partitions(request.params).flatMap((partition) => [
      ...rowWrites(table, partition, undefined, statics),
      ...rows(request.params).flatMap((clustering) => rowWrites(table, partition, clustering, regular)),
    ]);
  };
}

function compileDelete({ targets, using, where }: Delete, table: Table, values: Values): Changes {
  if (using.ttl) throw new CqlRefusal('USING TTL is not valid for a DELETE', REFUSAL.syntax);
  const cells = targets.map(({ column: name, key, field }) => {
    const column = columnOf(table, name);
    if (isKey(column))
      throw new CqlRefusal(`Invalid identifier ${name} for deletion (should not be a PRIMARY KEY part)`);
    if (key) return { column, write: put(column, values, key, undefined) };
    if (field !== undefined) return { column, write: setField(column, field, () => null) };
    return { column, write: removal(column) };
  });
  const stamps = compileUsing(using, table, values);
  const given = restrictions(where, table, values);
  const partitions = partitionsOf(table, given);
  if (cells.length === 0) {
    const slices = slicesOf(table, given);
    return (request) => {
      const { writeTimeUs: deletedUs } = stamps(request);
      return partitions(request.params).flatMap((partition) =>
        slices(request.params).map((slice) => deletion(table, partition, slice, deletedUs)),
      );
    };
  }
  const rows = rowsToWrite(
    table,
    given,
    cells.map(({ column }) => column),
  );
  return (request) => {
    const { statics, regular } = writesOf(cells, request, stamps(request));
    return partitions(request.params).flatMap((partition) => [
      ...rowWrites(table, partition, undefined, statics),
      ...rows(request.params).flatMap((clustering) => rowWrites(table, partition, clustering, regular)),
    ]);
  };
}

export function deletion(table: Table, partition: Key, slice: Slice, deletedUs: number): Change {
  return { kind: 'delete', table, deletion: { partition, slice, deletedUs } };
}

export function wholePartition(table: Table, partition: Key, deletedUs: number): Change {
  return deletion(table, partition, WHOLE_PARTITION, deletedUs);
}

/** The rows that an UPDATE or a DELETE of columns names: none if it only concerns static columns. */
function rowsToWrite(
  table: Table,
  given: readonly Restriction[],
  columns: readonly TableColumn[],
): (params: readonly BoundValue[]) => Key[] {
  const clustering = equalities(table.clusteringKey, given);
  const isStaticOnly = columns.every(({ kind }) => kind === 'static');
  if (isStaticOnly && table.clusteringKey.length > 0) {
    const stray = given.find(({ column }) => column.kind === 'clustering');
    if (stray) {
      throw new CqlRefusal(
        `Invalid restrictions on clustering columns since the statement modifies only static columns`,
      );
    }
    return () => [];
  }
  if (!clustering) {
    const missing = table.clusteringKey.filter((column) => !given.some((each) => each.column === column));
    if (missing.length === 0)
      throw new CqlRefusal('Slice restrictions are not supported on the clustering columns here');
    throw new CqlRefusal(`Some clustering keys are missing: ${missing.map(({ name }) => name).join(', ')}`);
  }
  return (params) => keysOf(clustering, params);
}

function rowWrites(
  table: Table,
  partition: Key,
  clustering: Key | undefined,
  columns: ColumnWrite[],
): Change[] {
  return columns.length === 0 ? [] : [{ kind: 'write', table, write: { partition, clustering, columns } }];
}

function writesOf(
  cells: readonly { readonly column: TableColumn; readonly write: Cells | undefined }[],
  request: WriteRequest,
  stamp: Stamp,
): { statics: ColumnWrite[]; regular: ColumnWrite[] } {
  const of = (isStatic: boolean): ColumnWrite[] =>
    cells
      .filter(({ column }) => (column.kind === 'static') === isStatic)
      .flatMap(({ write }) => write?.(request, stamp) ?? []);
  return { statics: of(true), regular: of(false) };
}

function compileUsing(using: Using, table: Table, values: Values): Stamps {
  const timestamp = using.timestamp && values.evaluate(using.timestamp, BIGINT, '[timestamp]');
  const ttl = using.ttl && values.evaluate(using.ttl, INT, '[ttl]');
  return ({ params, timestampUs, nowS }) => {
    const stamped = timestamp?.(params);
    const seconds = ttlSeconds(ttl?.(params), table.defaultTtl);
    return {
      writeTimeUs: stamped instanceof Uint8Array ? toNumber(stamped) : timestampUs,
      expiresAtS: seconds === 0 ? undefined : nowS + seconds,
    };
  };
}

function ttlSeconds(ttl: BoundValue | undefined, byDefault: number): number {
  if (ttl === undefined || ttl === UNSET) return byDefault;
  if (ttl === null) return 0;
  const seconds = toNumber(ttl);
  if (seconds < 0) throw new CqlRefusal(`A TTL must be greater or equal to 0, but was ${seconds}`);
  if (seconds > LONGEST_TTL_SECONDS) {
    throw new CqlRefusal(`ttl is too large. requested (${seconds}) maximum (${LONGEST_TTL_SECONDS})`);
  }
  return seconds;
}

function compileAssignment(assignment: Assignment, column: TableColumn, values: Values): Cells {
  const { type, name } = column;
  if (isCounter(type)) throw outside('counters');
  switch (assignment.kind) {
    case 'set':
      return overwrite(column, values.evaluate(assignment.value, type, name));
    case 'put':
      return put(column, values, assignment.key, assignment.value);
    case 'field': {
      const index = type.kind === 'udt' ? type.fieldNames.indexOf(assignment.field) : -1;
      const fieldType = type.of[index];
      if (!fieldType) throw new CqlRefusal(`${name} has no field ${assignment.field}`);
      const value = values.evaluate(assignment.value, fieldType, `${name}.${assignment.field}`);
      return setField(column, assignment.field, (request) => value(request.params));
    }
    case 'add':
    case 'remove': {
      if (type.kind === 'list') throw outside('changes to a part of a list');
      if (!isMultiCell(type) || type.kind === 'udt') {
        throw new CqlRefusal(`Invalid operation for non-collection or frozen column ${name}`);
      }
      const isRemoval = assignment.kind === 'remove';
      const operand = isRemoval && type.kind === 'map' ? listOrSet('set', type.of[0]) : type;
      const value = values.evaluate(assignment.value, operand, name);
      return ({ params }, stamp) => {
        const bytes = value(params);
        if (bytes === null || bytes === UNSET) return [];
        const elements = elementWrites(name, operand, bytes, stamp);
        return isRemoval ? elements.map((each) => ({ ...each, cell: tombstone(stamp) })) : elements;
      };
    }
  }
}

/** `c = value`: a collection loses what it had, which was written before. */
function overwrite(
  { name, type }: TableColumn,
  evaluate: (params: readonly BoundValue[]) => BoundValue,
): Cells {
  if (isCounter(type)) throw outside('counters');
  return ({ params }, stamp) => {
    const value = evaluate(params);
    if (value === UNSET) return [];
    if (!isMultiCell(type)) return [{ column: name, cell: cellOf(value, stamp) }];
    // One µs earlier, so that it does not cover what it comes with.
    const before = { column: name, deletedUs: stamp.writeTimeUs - 1 };
    return value === null ? [before] : [before, ...elementWrites(name, type, value, stamp)];
  };
}

function removal({ name, type }: TableColumn): Cells {
  return (_, stamp) => [
    isMultiCell(type)
      ? { column: name, deletedUs: stamp.writeTimeUs }
      : { column: name, cell: tombstone(stamp) },
  ];
}

/** `c[key] = value`, or `DELETE c[key]` without a value. */
function put(
  { name, type }: TableColumn,
  values: Values,
  keyTerm: Parameters<Values['evaluate']>[0],
  valueTerm: Parameters<Values['evaluate']>[0] | undefined,
): Cells {
  if (type.kind === 'list') throw outside('changes to a part of a list');
  const [keyType, valueType] = type.of;
  if (!isMultiCell(type) || type.kind === 'udt' || !keyType) {
    throw new CqlRefusal(`${name} has no elements to change`);
  }
  const key = values.evaluate(keyTerm, keyType, `key(${name})`);
  if (valueTerm && !valueType) throw new CqlRefusal(`Invalid operation for the set ${name}`);
  const value = valueTerm && valueType && values.evaluate(valueTerm, valueType, `value(${name})`);
  return ({ params }, stamp) => {
    const element = key(params);
    if (element === null) throw new CqlRefusal(`Invalid null map key for column ${name}`);
    if (element === UNSET) throw new CqlRefusal(`Invalid unset map key for column ${name}`);
    const bytes = value ? value(params) : null;
    return bytes === UNSET ? [] : [{ column: name, element, cell: cellOf(bytes, stamp) }];
  };
}

function setField(
  { name, type }: TableColumn,
  field: string,
  evaluate: (request: WriteRequest) => BoundValue,
): Cells {
  const index = type.kind === 'udt' ? type.fieldNames.indexOf(field) : -1;
  if (index < 0) throw new CqlRefusal(`${name} has no field ${field}`);
  if (!isMultiCell(type)) throw new CqlRefusal(`Invalid operation for frozen UDT column ${name}`);
  return (request, stamp) => {
    const value = evaluate(request);
    if (value === UNSET) return [];
    return [{ column: name, element: Uint8Array.of(index), cell: cellOf(value, stamp) }];
  };
}

/** The cells of a collection's elements, or of a UDT's fields. */
function elementWrites(
  column: string,
  type: CqlType,
  bytes: Uint8Array,
  stamp: Stamp,
): { column: string; element: Uint8Array; cell: Cell }[] {
  if (type.kind === 'udt') {
    return splitFields(bytes).flatMap((field, index) =>
      field ? { column, element: Uint8Array.of(index), cell: cellOf(field, stamp) } : [],
    );
  }
  const parts = splitCollection(bytes).filter((part) => part !== null);
  if (type.kind === 'set') {
    return parts.map((element) => ({ column, element, cell: cellOf(new Uint8Array(), stamp) }));
  }
  return parts.flatMap((element, i) =>
    i % 2 === 0 ? { column, element, cell: cellOf(parts[i + 1] ?? null, stamp) } : [],
  );
}

function cellOf(value: Uint8Array | null, stamp: Stamp): Cell {
  return value === null ? tombstone(stamp) : { value, ...stamp };
}

function tombstone({ writeTimeUs }: Stamp): Cell {
  return { value: undefined, writeTimeUs };
}

function isKey({ kind }: TableColumn): boolean {
  return kind === 'partition_key' || kind === 'clustering';
}
