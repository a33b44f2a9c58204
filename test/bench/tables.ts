import cassandra from 'cassandra-driver';

export const KEYSPACE = 'bench';

export interface Column {
  readonly name: string;
  /** The type's name in the schema tables, and its code in the protocol. */
  readonly type: 'uuid' | 'text' | 'int' | 'double' | 'timestamp';
  readonly code: number;
}

export interface Table {
  readonly name: string;
  /** The first one is the partition key. */
  readonly columns: readonly Column[];
  /** Parameters of the operation number `index`. */
  readonly row: (index: number) => unknown[];
}

const { dataTypes, Uuid } = cassandra.types;

/** What many applications write: a uuid key and a few columns of different types. */
export const USERS: Table = {
  name: 'users',
  columns: [
    { name: 'id', type: 'uuid', code: dataTypes.uuid },
    { name: 'name', type: 'text', code: dataTypes.varchar },
    { name: 'email', type: 'text', code: dataTypes.varchar },
    { name: 'age', type: 'int', code: dataTypes.int },
    { name: 'score', type: 'double', code: dataTypes.double },
    { name: 'created_at', type: 'timestamp', code: dataTypes.timestamp },
  ],
  row: (index) => [
    Uuid.random(),
    `User number ${index}`,
    `user-${index}@example.com`,
    18 + (index % 80),
    index / 7,
    new Date(1_735_689_600_000 + index * 1_000),
  ],
};

export const TABLES: readonly Table[] = [USERS];

export function insertText({ name, columns }: Table): string {
  const names = columns.map((column) => column.name).join(', ');
  return `INSERT INTO ${KEYSPACE}.${name} (${names}) VALUES (${columns.map(() => '?').join(', ')})`;
}

export function selectText({ name, columns }: Table): string {
  return `SELECT * FROM ${KEYSPACE}.${name} WHERE ${columns[0]?.name ?? ''} = ?`;
}

/** Table and parameters of one of the texts above. */
/** What Helix adds to the texts that it prepares. */
const HELIX_MARK = / \/\* helix[^*]*\*\/$/;

export function describeStatement(text: string): {
  table: Table;
  kind: 'insert' | 'select';
  bound: readonly Column[];
} {
  const plain = text.replace(HELIX_MARK, '');
  for (const table of TABLES) {
    if (plain === insertText(table)) return { table, kind: 'insert', bound: table.columns };
    if (plain === selectText(table)) return { table, kind: 'select', bound: table.columns.slice(0, 1) };
  }
  throw new Error(`No such statement in the benchmark: ${text}`);
}
