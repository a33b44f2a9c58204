import type { Client } from 'cassandra-driver';
import type { Acknowledged, Order, Receipt, User } from './load.js';

interface Cell {
  readonly value: string;
  /** µs since the epoch. */
  readonly writeTime: string;
}
/** The cells of a table: by primary key, then by column. */
export type Table = ReadonlyMap<string, ReadonlyMap<string, Cell>>;

export interface Comparison {
  readonly rows: number;
  readonly cells: number;
  readonly differences: string[];
}

/** Every cell of a table with its write time. */
export async function readTable(client: Client, keyspace: string, name: string): Promise<Table> {
  const { columns, partitionKeys, clusteringKeys } = await client.metadata.getTable(keyspace, name);
  const keys = [...partitionKeys, ...clusteringKeys].map((column) => column.name);
  const values = columns.map((column) => column.name).filter((column) => !keys.includes(column));
  const selected = [...keys, ...values, ...values.map((column) => `writetime(${column}) AS "wt ${column}"`)];
  const table = new Map<string, ReadonlyMap<string, Cell>>();
  const query = `SELECT ${selected.join(', ')} FROM ${keyspace}.${name}`;
  const rows = await client.execute(query, [], { prepare: true, fetchSize: 1_000 });
  // The result fetches its further pages by itself.
  for await (const row of rows) {
    const key = keys.map((column) => `${column}=${print(row.get(column))}`).join(' ');
    const cells = values
      .filter((column) => row.get(column) !== null)
      .map((column): [string, Cell] => [
        column,
        { value: print(row.get(column)), writeTime: print(row.get(`wt ${column}`)) },
      ]);
    table.set(key, new Map(cells));
  }
  return table;
}

/** Rows, values and write times of A and of B. */
export function compare(name: string, a: Table, b: Table): Comparison {
  const differences: string[] = [];
  let cells = 0;
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const [rowA, rowB] = [a.get(key), b.get(key)];
    if (!rowA || !rowB) {
      differences.push(`${name} ${key}: the row is missing on ${rowA ? 'B' : 'A'}`);
      continue;
    }
    for (const column of new Set([...rowA.keys(), ...rowB.keys()])) {
      const [cellA, cellB] = [describe(rowA.get(column)), describe(rowB.get(column))];
      cells++;
      if (cellA !== cellB) differences.push(`${name} ${key} ${column}: ${cellA} on A, ${cellB} on B`);
    }
  }
  return { rows: Math.min(a.size, b.size), cells, differences };
}

/** Every acknowledged user is there as it was acknowledged: its values, at the write time of its receipt. */
export function missingUsers(table: Table, users: readonly Acknowledged<User>[]): string[] {
  return users.flatMap(({ value: { id, email, name, createdAt }, receipt }) =>
    missing(table, `id=${id}`, { email, name, created_at: createdAt }, receipt),
  );
}

export function missingOrders(table: Table, orders: readonly Acknowledged<Order>[]): string[] {
  return orders.flatMap(({ value: { id, userId, placedAt, item, quantity }, receipt }) =>
    missing(
      table,
      `id=${id}`,
      { user_id: userId, placed_at: placedAt, item, quantity: String(quantity) },
      receipt,
    ),
  );
}

export function missingOrdersByUser(table: Table, orders: readonly Acknowledged<Order>[]): string[] {
  return orders.flatMap(({ value: { id, userId, placedAt, item, quantity }, receipt }) =>
    missing(
      table,
      `user_id=${userId} placed_at=${placedAt} id=${id}`,
      { item, quantity: String(quantity) },
      receipt,
    ),
  );
}

function missing(
  table: Table,
  key: string,
  expected: Record<string, string>,
  { timestamp }: Receipt,
): string[] {
  const row = table.get(key);
  if (!row) return [`${key} is missing`];
  return Object.entries(expected).flatMap(([column, value]) => {
    const wanted = describe({ value, writeTime: String(timestamp) });
    const found = describe(row.get(column));
    return found === wanted ? [] : [`${key} ${column}: ${found} instead of ${wanted}`];
  });
}

function describe(cell: Cell | undefined): string {
  return cell ? `${JSON.stringify(cell.value)} written at ${cell.writeTime}` : 'nothing';
}

function print(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
