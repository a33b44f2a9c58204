import {
  compareBytes,
  type Element,
  type Key,
  keyId,
  type LivePartition,
  type LiveRow,
  satisfies,
} from '../store/index.js';
import type { Select, Selector } from './ast.js';
import { joinCollection, joinFields } from './bytes.js';
import { CqlRefusal, outside } from './refusal.js';
import { columnOf, equalities, keysOf, type Restriction, restrictions } from './relations.js';
import type { Table, TableColumn } from './schema.js';
import { compareOf, type CqlType, isMultiCell, listOrSet } from './types.js';
import { BIGINT, type BoundValue, INT, toNumber, UNSET, type Values, type WireColumn } from './values.js';

export interface ReadRequest {
  readonly params: readonly BoundValue[];
  /** Seconds since the epoch. */
  readonly nowS: number;
  readonly pageSize: number;
  /** What an earlier page ended with. */
  readonly pageState: Uint8Array | undefined;
}

export interface ReadResult {
  readonly columns: readonly WireColumn[];
  readonly rows: readonly (readonly (Uint8Array | null)[])[];
  /** Where the next page begins; `undefined`: this is the last one. */
  readonly pageState: Uint8Array | undefined;
}

export type Read = (request: ReadRequest) => ReadResult;

/** Where a row stands in the order of a result; without a clustering key, for the static columns alone. */
interface Place {
  readonly partitionId: string;
  readonly clustering: Key | undefined;
}

/** A row of a result before its columns are picked. */
interface Found extends Place {
  readonly partition: LivePartition;
  readonly row: LiveRow | undefined;
}

interface Output extends WireColumn {
  readonly read: (found: Found, nowS: number) => Uint8Array | null;
  /** For `count`: whether a row counts. */
  readonly counts?: (found: Found) => boolean;
}

const FILTERING =
  'Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING';

export function compileSelect(ast: Select, table: Table, values: Values): Read {
  const outputs = ast.selectors
    ? ast.selectors.map((selector) => output(selector, table))
    : [...table.columns.values()].map((column) => columnOutput(column, column.name));
  const given = restrictions(ast.where, table, values);
  const limit = ast.limit && values.evaluate(ast.limit, INT, '[limit]');
  checkRestrictions(ast, table, given);
  const partitionKey = equalities(table.partitionKey, given);
  const compare = orderOf(table, reversal(ast, table, partitionKey));
  const filters = given.filter(({ column }) => !(partitionKey && column.kind === 'partition_key'));

  const find = ({ params, nowS }: ReadRequest): Found[] => {
    const partitions = partitionKey
      ? keysOf(partitionKey, params).flatMap((key) => table.data.read(key, nowS) ?? [])
      : table.data.readAll(nowS);
    const accepts = filters.map((each) => filter(each, params));
    return partitions
      .flatMap((partition) => rowsOf(partition, given, ast.isDistinct))
      .filter((found) => accepts.every((isAccepted) => isAccepted(found)))
      .sort(compare);
  };
  return (request) => {
    const columns = outputs.map(({ name, type }) => ({ name, type }));
    const found = find(request);
    if (outputs.some(({ counts }) => counts)) {
      const row = outputs.map((each) => aggregate(each, found, request.nowS));
      return { columns, rows: [row], pageState: undefined };
    }
    const { returned, last } = readPageState(request.pageState);
    const rest = last ? found.filter((each) => compare(each, last) > 0) : found;
    const allowed = Math.min(rest.length, limitOf(limit?.(request.params)) - returned);
    const page = rest.slice(0, Math.min(request.pageSize, allowed));
    const end = page.at(-1);
    return {
      columns,
      rows: page.map((each) => outputs.map(({ read }) => read(each, request.nowS))),
      pageState: end && page.length < allowed ? writePageState(end, returned + page.length) : undefined,
    };
  };
}

/** What is refused, as it would be by a server. */
function checkRestrictions(ast: Select, table: Table, given: readonly Restriction[]): void {
  for (const { column } of given) {
    if (isMultiCell(column.type) || (column.type.kind === 'list' && !column.type.isFrozen)) {
      throw outside(`a relation on the collection ${column.name}`);
    }
  }
  if (ast.isDistinct) {
    const wrong = ast.selectors?.find(
      (each) =>
        each.kind !== 'column' || !['partition_key', 'static'].includes(columnOf(table, each.column).kind),
    );
    if (wrong ?? !ast.selectors) {
      throw new CqlRefusal(
        'SELECT DISTINCT queries must only request partition key columns and/or static columns',
      );
    }
  }
  if (!ast.allowFiltering && needsFiltering(table, given)) throw new CqlRefusal(FILTERING);
}

function needsFiltering(table: Table, given: readonly Restriction[]): boolean {
  const others = given.filter(({ column }) => column.kind === 'regular' || column.kind === 'static');
  const indexed = given.filter(({ kind, column }) => kind === 'oneOf' && table.indexed.has(column.name));
  if (others.some((each) => !indexed.includes(each))) return true;
  if (indexed.length > 0) return indexed.length > 1;
  const onPartition = given.filter(({ column }) => column.kind === 'partition_key');
  const hasPartition = equalities(table.partitionKey, given) !== undefined;
  if (!hasPartition) return given.length > 0;
  if (onPartition.length > table.partitionKey.length) return true;
  // Each component but the last that is restricted must have one value or several, never a range or nothing.
  const kinds = table.clusteringKey.map((column) => given.find((each) => each.column === column)?.kind);
  const firstOpen = kinds.findIndex((kind) => kind !== 'oneOf');
  return firstOpen >= 0 && kinds.slice(firstOpen + 1).some((kind) => kind !== undefined);
}

function reversal(ast: Select, table: Table, partitionKey: ReturnType<typeof equalities>): boolean {
  if (ast.orderBy.length === 0) return false;
  if (!partitionKey) {
    throw new CqlRefusal(
      'ORDER BY is only supported when the partition key is restricted by an EQ or an IN.',
    );
  }
  if (partitionKey.some(({ isIn }) => isIn)) {
    throw new CqlRefusal(
      'Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query',
    );
  }
  const reversed = ast.orderBy.map(({ column, isDescending }, i) => {
    if (table.clusteringKey[i]?.name !== column) {
      throw new CqlRefusal(
        'Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY',
      );
    }
    return isDescending !== table.isReversed[i];
  });
  if (new Set(reversed).size > 1) throw new CqlRefusal('Unsupported order by relation');
  return reversed[0] ?? false;
}

/** Partition by partition in the order of their keys' bytes. */
function orderOf(table: Table, isReversed: boolean): (a: Place, b: Place) => number {
  return (a, b) => {
    if (a.partitionId !== b.partitionId) return a.partitionId < b.partitionId ? -1 : 1;
    if (!a.clustering || !b.clustering) return Number(Boolean(a.clustering)) - Number(Boolean(b.clustering));
    const order = table.data.compare(a.clustering, b.clustering);
    return isReversed ? -order : order;
  };
}

function rowsOf(partition: LivePartition, given: readonly Restriction[], isDistinct: boolean): Found[] {
  const partitionId = keyId(partition.key);
  const isClusteringFree = given.every(({ column }) => column.kind !== 'clustering');
  if (isDistinct || (partition.rows.length === 0 && isClusteringFree)) {
    return [{ partitionId, clustering: undefined, partition, row: undefined }];
  }
  return partition.rows.map((row) => ({ partitionId, clustering: row.clustering, partition, row }));
}

function filter(restriction: Restriction, params: readonly BoundValue[]): (found: Found) => boolean {
  const { column } = restriction;
  if (restriction.kind === 'oneOf') {
    const allowed = restriction.values(params);
    return (found) => {
      const value = valueOf(column, found);
      return value !== null && allowed.some((each) => column.compare(value, each) === 0);
    };
  }
  const { operator, value: limit } = restriction.bound(params);
  return (found) => {
    const value = valueOf(column, found);
    return value !== null && satisfies(operator, column.compare(value, limit));
  };
}

function output(selector: Selector, table: Table): Output {
  switch (selector.kind) {
    case 'count': {
      const counted = selector.column === undefined ? undefined : columnOf(table, selector.column);
      return {
        name: selector.as ?? (counted ? `system.count(${counted.name})` : 'count'),
        type: BIGINT.wire,
        read: () => null,
        counts: (found) => !counted || valueOf(counted, found) !== null,
      };
    }
    case 'column':
      return columnOutput(columnOf(table, selector.column), selector.as ?? selector.column);
    case 'writetime':
    case 'ttl':
      return metadataOutput(selector.kind, columnOf(table, selector.column), selector.as);
  }
}

function columnOutput(column: TableColumn, name: string): Output {
  return { name, type: column.type.wire, read: (found) => valueOf(column, found) };
}

function metadataOutput(what: 'writetime' | 'ttl', column: TableColumn, as: string | undefined): Output {
  if (column.kind === 'partition_key' || column.kind === 'clustering') {
    throw new CqlRefusal(`Cannot use selection function ${what} on PRIMARY KEY part ${column.name}`);
  }
  const one = what === 'ttl' ? INT : BIGINT;
  const name = as ?? `${what}(${column.name})`;
  const metadata = (cell: { writeTimeUs: number; expiresAtS?: number | undefined }, nowS: number) => {
    if (what === 'writetime') return bigintBytes(cell.writeTimeUs);
    return cell.expiresAtS === undefined ? null : intBytes(cell.expiresAtS - nowS);
  };
  if (!isMultiCell(column.type)) {
    return {
      name,
      type: one.wire,
      read: (found, nowS) => {
        const cell = rowFor(column, found)?.cells.get(column.name);
        return cell ? metadata(cell, nowS) : null;
      },
    };
  }
  return {
    name,
    type: listOrSet('list', one).wire,
    read: (found, nowS) => {
      const elements = sortedElements(column, found);
      if (!elements) return null;
      // A UDT has one for every field, also for those without a value.
      const all =
        column.type.kind === 'udt'
          ? column.type.of.map((_, index) => elements.find(({ key }) => key[0] === index))
          : elements;
      const each = all.map((element) => (element ? metadata(element.cell, nowS) : null));
      return joinCollection(each, each.length);
    },
  };
}

function aggregate({ read, counts }: Output, found: readonly Found[], nowS: number): Uint8Array | null {
  if (counts) return bigintBytes(found.filter(counts).length);
  const [first] = found;
  return first ? read(first, nowS) : null;
}

function rowFor(column: TableColumn, { partition, row }: Found): LiveRow | undefined {
  return column.kind === 'static' ? partition.statics : row;
}

function valueOf(column: TableColumn, found: Found): Uint8Array | null {
  switch (column.kind) {
    case 'partition_key':
      return found.partition.key[column.position] ?? null;
    case 'clustering':
      return found.clustering?.[column.position] ?? null;
    case 'static':
    case 'regular':
      if (!isMultiCell(column.type)) return rowFor(column, found)?.cells.get(column.name)?.value ?? null;
      return assemble(column.type, sortedElements(column, found));
  }
}

/** Elements of a collection in its order; `undefined` if there is none. */
function sortedElements(column: TableColumn, found: Found): Element[] | undefined {
  const elements = rowFor(column, found)?.collections.get(column.name);
  const { type } = column;
  const [keyType] = type.of;
  const compare = type.kind === 'udt' || !keyType ? compareBytes : compareOf(keyType);
  return elements && [...elements].sort((a, b) => compare(a.key, b.key));
}

function assemble(type: CqlType, elements: readonly Element[] | undefined): Uint8Array | null {
  if (!elements) return null;
  const valueAt = ({ cell }: Element): Uint8Array => cell.value ?? new Uint8Array();
  switch (type.kind) {
    case 'set':
      return joinCollection(
        elements.map(({ key }) => key),
        elements.length,
      );
    case 'map':
      return joinCollection(
        elements.flatMap((element) => [element.key, valueAt(element)]),
        elements.length,
      );
    default:
      return joinFields(
        type.of.map((_, index) => {
          const field = elements.find(({ key }) => key[0] === index);
          return field ? valueAt(field) : null;
        }),
      );
  }
}

function limitOf(limit: BoundValue | undefined): number {
  if (limit === undefined || limit === UNSET) return Infinity;
  if (limit === null) throw new CqlRefusal('Invalid null value of LIMIT');
  const rows = toNumber(limit);
  if (rows <= 0) throw new CqlRefusal('LIMIT must be strictly positive');
  return rows;
}

interface PageState {
  /** Rows of the pages before. */
  readonly returned: number;
  readonly last?: Place;
}

function writePageState({ partitionId, clustering }: Place, returned: number): Uint8Array {
  const components = clustering?.map((component) => Buffer.from(component).toString('hex'));
  return Buffer.from(JSON.stringify([returned, partitionId, components]));
}

function readPageState(state: Uint8Array | undefined): PageState {
  if (!state) return { returned: 0 };
  try {
    const [returned, partitionId, components] = JSON.parse(Buffer.from(state).toString()) as [
      number,
      string,
      string[] | null,
    ];
    const clustering = components?.map((component) => Buffer.from(component, 'hex'));
    return { returned, last: { partitionId, clustering } };
  } catch {
    throw new CqlRefusal('Invalid value for the paging state');
  }
}

function intBytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function bigintBytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
