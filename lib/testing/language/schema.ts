import { type Compare, TableData } from '../store/index.js';
import type { CreateTable, TableRef } from './ast.js';
import { CqlRefusal, outside, REFUSAL } from './refusal.js';
import { compareOf, type CqlType, frozen, isCounter, isMultiCell, udtOf } from './types.js';

export type ColumnKind = 'partition_key' | 'clustering' | 'static' | 'regular';

export interface TableColumn {
  readonly name: string;
  readonly type: CqlType;
  readonly kind: ColumnKind;
  /** In the partition key or in the clustering key; -1: in neither. */
  readonly position: number;
  readonly compare: Compare;
}

export interface Table {
  readonly keyspace: string;
  readonly name: string;
  /** In the order of `SELECT *`. */
  readonly columns: ReadonlyMap<string, TableColumn>;
  readonly partitionKey: readonly TableColumn[];
  readonly clusteringKey: readonly TableColumn[];
  readonly isReversed: readonly boolean[];
  /** Seconds; 0: none. */
  readonly defaultTtl: number;
  readonly gcGraceSeconds: number;
  readonly indexed: Set<string>;
  readonly data: TableData;
}

/** Keyspaces, types and tables of one cluster, with the tables' data. */
export class Schema {
  readonly #tables = new Map<string, Table>();
  readonly #types = new Map<string, CqlType>();

  /** What names without a keyspace belong to. */
  constructor(public keyspace: string) {}

  get tables(): Table[] {
    return [...this.#tables.values()];
  }

  /** @throws CqlRefusal there is no such table */
  table(ref: TableRef): Table {
    const table = this.#tables.get(this.#id(ref));
    if (!table) throw new CqlRefusal(`table ${ref.table} does not exist`);
    return table;
  }

  /** @returns the new table, or `undefined` if it was there and may be */
  createTable(ast: CreateTable): Table | undefined {
    const id = this.#id(ast.table);
    if (this.#tables.has(id)) {
      if (ast.ifNotExists) return undefined;
      throw new CqlRefusal(
        `Cannot add already existing table "${ast.table.table}" to keyspace "${this.#keyspaceOf(ast.table)}"`,
        REFUSAL.alreadyExists,
      );
    }
    const table = this.#makeTable(ast);
    this.#tables.set(id, table);
    return table;
  }

  /** @returns the table that was dropped, if it was there */
  dropTable(ref: TableRef, ifExists: boolean): Table | undefined {
    const table = this.#tables.get(this.#id(ref));
    if (!table && !ifExists) throw new CqlRefusal(`Table '${ref.table}' doesn't exist`);
    this.#tables.delete(this.#id(ref));
    return table;
  }

  createType(ref: TableRef, fields: ReadonlyMap<string, CqlType>, ifNotExists: boolean): void {
    const id = this.#id(ref);
    if (this.#types.has(id)) {
      if (ifNotExists) return;
      throw new CqlRefusal(`A user type with name '${ref.table}' already exists`);
    }
    this.#types.set(id, udtOf(this.#keyspaceOf(ref), ref.table, fields));
  }

  type(ref: TableRef): CqlType {
    const type = this.#types.get(this.#id(ref));
    if (!type) throw new CqlRefusal(`Unknown type ${this.#keyspaceOf(ref)}.${ref.table}`);
    return type;
  }

  #makeTable(ast: CreateTable): Table {
    const keyspace = this.#keyspaceOf(ast.table);
    const { table: name } = ast.table;
    if (ast.partitionKey.length === 0) throw new CqlRefusal(`No PRIMARY KEY specified for table '${name}'`);
    const key = [...ast.partitionKey, ...ast.clusteringKey];
    const made = ast.columns.map(({ name: column, type: typeRef, isStatic }): TableColumn => {
      const given = typeRef((udt) => this.type({ keyspace, table: udt }));
      const kind = kindOf(ast, column, isStatic);
      const type = kind === 'regular' || kind === 'static' ? given : keyType(column, given);
      const position = Math.max(ast.partitionKey.indexOf(column), ast.clusteringKey.indexOf(column));
      return { name: column, type, kind, position, compare: compareOf(type) };
    });
    const byName = new Map(made.map((column) => [column.name, column]));
    const [partitionKey, clusteringKey] = [ast.partitionKey, ast.clusteringKey].map((names) =>
      names.map((each) => {
        const column = byName.get(each);
        if (!column)
          throw new CqlRefusal(`Unknown column '${each}' referenced in PRIMARY KEY for table '${name}'`);
        return column;
      }),
    ) as [TableColumn[], TableColumn[]];
    const rest = made.filter((column) => !key.includes(column.name));
    const sorted = (kind: ColumnKind): TableColumn[] =>
      rest.filter((column) => column.kind === kind).sort((a, b) => (a.name < b.name ? -1 : 1));
    const inOrder = [...partitionKey, ...clusteringKey, ...sorted('static'), ...sorted('regular')];
    const isReversed = clusteringKey.map((column) => ast.descending.has(column.name));
    return {
      keyspace,
      name,
      columns: new Map(inOrder.map((column) => [column.name, column])),
      partitionKey,
      clusteringKey,
      isReversed,
      defaultTtl: ast.defaultTtl,
      gcGraceSeconds: ast.gcGraceSeconds,
      indexed: new Set(),
      data: new TableData({ compares: clusteringKey.map(({ compare }) => compare), isReversed }),
    };
  }

  #keyspaceOf({ keyspace }: TableRef): string {
    return keyspace ?? this.keyspace;
  }

  #id(ref: TableRef): string {
    return JSON.stringify([this.#keyspaceOf(ref), ref.table]);
  }
}

function kindOf(ast: CreateTable, column: string, isStatic: boolean): ColumnKind {
  if (ast.partitionKey.includes(column)) return 'partition_key';
  if (ast.clusteringKey.includes(column)) return 'clustering';
  return isStatic ? 'static' : 'regular';
}

function keyType(column: string, type: CqlType): CqlType {
  if (isMultiCell(type) || (type.kind === 'list' && !type.isFrozen)) {
    throw new CqlRefusal(
      `Invalid non-frozen collection type ${type.spelled} for PRIMARY KEY column '${column}'`,
    );
  }
  if (isCounter(type))
    throw new CqlRefusal(`counter type is not supported for PRIMARY KEY column '${column}'`);
  if (type.kind === 'native' && type.name === 'duration') {
    throw new CqlRefusal(`duration type is not supported for PRIMARY KEY column '${column}'`);
  }
  if (type.kind === 'vector') throw outside('a vector in a primary key');
  return frozen(type);
}
