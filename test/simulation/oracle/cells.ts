import type { ClusterId } from '../../../lib/core/index.js';
import { type Change, changesOf, type StoredCell } from '../history.js';
import type { Violation, WriteRecord } from '../ledger.js';
import { type Evidence, SIDES } from './evidence.js';

/** Without a value: deleted. */
interface Cell {
  readonly value: string | undefined;
  readonly writeTimeUs: number;
  readonly expiresAtS?: number;
}

interface Row {
  deletedUs: number;
  readonly cells: Map<string, Cell>;
}

/**
 * Each side holds exactly what the writes that are there amount to: the last write wins, cell by cell, with the
 * write time it was made with.
 */
export function cells(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const cluster of SIDES) {
    const report = (message: string): void =>
      void found.push({ rule: 'cells', message: `${cluster} ${message}` });
    const rows = rowsOf(evidence.writes, cluster);
    compareRows(rows, evidence.end.cells[cluster], report);
    compareCounters(evidence.writes, cluster, evidence.end.counters[cluster], report);
  }
  return found;
}

function rowsOf(writes: readonly WriteRecord[], cluster: ClusterId): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>();
  for (const write of writes) {
    if (!write[cluster].isThere || write.step.change.kind === 'add') continue;
    for (const { key, change } of changesOf(write.step)) {
      let row = rows.get(key);
      if (!row) rows.set(key, (row = { deletedUs: -Infinity, cells: new Map() }));
      apply(change, row, write.step.id, write.timestampUs);
    }
  }
  return rows;
}

function apply(change: Change, row: Row, id: string, writeTimeUs: number): void {
  switch (change.kind) {
    case 'set':
      for (const column of change.columns) put(row, column, { value: id, writeTimeUs });
      break;
    case 'unset':
      put(row, change.column, { value: undefined, writeTimeUs });
      break;
    case 'delete':
      row.deletedUs = Math.max(row.deletedUs, writeTimeUs);
      break;
    case 'add':
  }
}

function put(row: Row, column: string, cell: Cell): void {
  const stored = row.cells.get(column);
  if (!stored || wins(cell, stored)) row.cells.set(column, cell);
}

/** At the same write time a deletion wins, then the greater value, byte by byte (ids are ASCII). */
function wins(cell: Cell, stored: Cell): boolean {
  if (cell.writeTimeUs !== stored.writeTimeUs) return cell.writeTimeUs > stored.writeTimeUs;
  if (cell.value === undefined || stored.value === undefined) return cell.value === undefined;
  return cell.value > stored.value;
}

/** What is to be seen of a cell. */
function liveCell(row: Row | undefined, column: string): Cell | undefined {
  const cell = row?.cells.get(column);
  return row && cell?.value !== undefined && cell.writeTimeUs > row.deletedUs ? cell : undefined;
}

function compareRows(
  rows: ReadonlyMap<string, Row>,
  stored: ReadonlyMap<string, ReadonlyMap<string, StoredCell>>,
  report: (message: string) => void,
): void {
  for (const [key, row] of rows) {
    const storedRow = stored.get(key);
    for (const column of row.cells.keys()) {
      const expected = liveCell(row, column);
      const actual = storedRow?.get(column);
      if (!isSame(expected, actual)) {
        report(`holds ${describe(actual)} in ${key}.${column}; its writes amount to ${describe(expected)}`);
      }
    }
  }
  for (const [key, storedRow] of stored) {
    const row = rows.get(key);
    for (const [column, actual] of storedRow) {
      if (!row?.cells.has(column)) report(`holds ${describe(actual)} in ${key}.${column}; no write set it`);
    }
  }
}

function isSame(expected: Cell | undefined, actual: StoredCell | undefined): boolean {
  if (!expected || !actual) return !expected && !actual;
  return (
    actual.value === expected.value &&
    actual.writeTimeUs === expected.writeTimeUs &&
    actual.expiresAtS === expected.expiresAtS
  );
}

function describe(cell: Cell | undefined): string {
  if (!cell) return 'nothing';
  const expiry = cell.expiresAtS === undefined ? '' : `, expires at ${cell.expiresAtS} s`;
  return `${cell.value} @${cell.writeTimeUs}${expiry}`;
}

/** How often an id is in a counter is another rule's concern. */
function compareCounters(
  writes: readonly WriteRecord[],
  cluster: ClusterId,
  counters: ReadonlyMap<string, readonly string[]>,
  report: (message: string) => void,
): void {
  const expected = new Set<string>();
  for (const write of writes) {
    const { change, id, key } = write.step;
    if (change.kind !== 'add' || !write[cluster].isThere) continue;
    expected.add(`${key} ${id}`);
    if (!counters.get(key)?.includes(id)) report(`lacks ${id} in counter ${key}`);
  }
  for (const [key, ids] of counters) {
    for (const id of ids) {
      if (!expected.has(`${key} ${id}`)) report(`holds ${id} in counter ${key}; it is not there`);
    }
  }
}
