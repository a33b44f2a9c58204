import type { Database } from './database.js';
import { isMultiCell, type Table, type TableColumn } from './language/index.js';
import { type Cell, type Element, type Key, keyId, type LiveRow } from './store/index.js';

/** A live cell of a table. */
export interface StoredCell {
  /** Partition key, and clustering key unless the column is static, by column. */
  readonly key: Readonly<Record<string, unknown>>;
  /** `undefined`: what an INSERT leaves of the row itself, so that it is there with nothing but nulls. */
  readonly column: string | undefined;
  /** Of a set or map that is not frozen: the element or key. Of such a UDT: the field. */
  readonly element?: unknown;
  readonly value: unknown;
  /** µs since the epoch. */
  readonly writeTimeUs: number;
  /** When its TTL ends; absent without one. */
  readonly expiresAt?: Date;
}

/** A cell with what makes it the same as one on the other cluster. */
export interface ComparableCell {
  /** Which cell it is. */
  readonly id: string;
  /** What is in it. */
  readonly content: string;
  readonly cell: StoredCell;
}

export function comparableCells(database: Database, tableName: string): ComparableCell[] {
  const table = database.table(tableName);
  const reader = new CellReader(database, table);
  return table.data
    .readAll(database.nowS)
    .flatMap(({ key, statics, rows }) => [
      ...(statics ? reader.cellsOf(key, undefined, statics) : []),
      ...rows.flatMap((row) => reader.cellsOf(key, row.clustering, row)),
    ]);
}

class CellReader {
  constructor(
    private readonly database: Database,
    private readonly table: Table,
  ) {}

  cellsOf(partition: Key, clustering: Key | undefined, row: LiveRow): ComparableCell[] {
    const { partitionKey, clusteringKey, columns } = this.table;
    const key = {
      ...this.#keyFields(partitionKey, partition),
      ...(clustering && this.#keyFields(clusteringKey, clustering)),
    };
    const where = [keyId(partition), clustering && keyId(clustering)];
    const made = (
      column: string | undefined,
      cell: Cell,
      fields: Pick<StoredCell, 'value' | 'element'>,
      path = '',
    ) => ({
      id: JSON.stringify([...where, column, path]),
      content: JSON.stringify([cell.value && keyId([cell.value]), cell.writeTimeUs, cell.expiresAtS]),
      cell: {
        key,
        column,
        ...fields,
        writeTimeUs: cell.writeTimeUs,
        ...(cell.expiresAtS !== undefined && { expiresAt: new Date(cell.expiresAtS * 1_000) }),
      },
    });
    return [
      ...(row.marker ? [made(undefined, row.marker, { value: undefined })] : []),
      ...[...columns.values()].flatMap((column) => {
        const cell = row.cells.get(column.name);
        if (cell) return made(column.name, cell, { value: this.#decode(cell, column) });
        return (row.collections.get(column.name) ?? []).map((element) =>
          made(column.name, element.cell, this.#elementFields(element, column), keyId([element.key])),
        );
      }),
    ];
  }

  #keyFields(columns: readonly TableColumn[], key: Key): Record<string, unknown> {
    return Object.fromEntries(
      columns.map(({ name, type }, i) => [
        name,
        this.database.decode(key[i] ?? null, { name, type: type.wire }),
      ]),
    );
  }

  #decode({ value }: Cell, { name, type }: TableColumn): unknown {
    return this.database.decode(value ?? null, { name, type: type.wire });
  }

  #elementFields({ key, cell }: Element, { name, type }: TableColumn): Pick<StoredCell, 'value' | 'element'> {
    if (!isMultiCell(type) || type.kind === 'native') return { value: undefined };
    const decode = (bytes: Uint8Array | undefined, of: TableColumn['type'] | undefined): unknown =>
      of && this.database.decode(bytes ?? null, { name, type: of.wire });
    if (type.kind === 'udt') {
      const index = key[0] ?? 0;
      return { element: type.fieldNames[index], value: decode(cell.value, type.of[index]) };
    }
    const [keyType, valueType] = type.of;
    return { element: decode(key, keyType), value: decode(cell.value, valueType) };
  }
}
