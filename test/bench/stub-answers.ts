import cassandra from 'cassandra-driver';
import { randomUUID } from 'node:crypto';
import { int, short } from '../servers/cql-frames.js';
import { type Column, describeStatement, KEYSPACE, TABLES } from './tables.js';
import {
  type Answer,
  bytes,
  type ColumnSpec,
  prepared,
  rows,
  setKeyspace,
  unprepared,
  VOID,
} from './wire.js';

const { boolean: BOOLEAN, inet, int: INT, map: MAP, set: SET, uuid, varchar } = cassandra.types.dataTypes;
export const DATA_CENTER = 'dc1';

const text = (name: string): ColumnSpec => ({ name, type: [varchar] });
const spec = ({ name, code }: Column): ColumnSpec => ({ name, type: [code] });
const collection = (values: readonly string[]): Buffer => list(values.length, values);
const mapOf = (entries: Record<string, string>): Buffer =>
  list(Object.keys(entries).length, Object.entries(entries).flat());

function list(count: number, values: readonly string[]): Buffer {
  return Buffer.concat([int(count), ...values.map((value) => bytes(Buffer.from(value)))]);
}

const newUuid = (): Buffer => Buffer.from(randomUUID().replaceAll('-', ''), 'hex');

/** One node that owns the whole ring, with the columns that the driver looks at. */
const LOCAL = rows(
  'system',
  'local',
  [
    text('key'),
    text('cluster_name'),
    text('data_center'),
    text('rack'),
    text('release_version'),
    text('partitioner'),
    { name: 'host_id', type: [uuid] },
    { name: 'schema_version', type: [uuid] },
    { name: 'rpc_address', type: [inet] },
    { name: 'tokens', type: [SET, varchar] },
  ],
  [
    [
      ...['local', 'Bench', DATA_CENTER, 'rack1', '4.1.0'].map((value) => Buffer.from(value)),
      Buffer.from('org.apache.cassandra.dht.Murmur3Partitioner'),
      newUuid(),
      newUuid(),
      Buffer.from([127, 0, 0, 1]),
      collection(['-9223372036854775808']),
    ],
  ],
);

const KEYSPACES = rows(
  'system_schema',
  'keyspaces',
  [
    text('keyspace_name'),
    { name: 'durable_writes', type: [BOOLEAN] },
    { name: 'replication', type: [MAP, varchar, varchar] },
  ],
  [
    [
      Buffer.from(KEYSPACE),
      Buffer.from([1]),
      mapOf({ class: 'org.apache.cassandra.locator.SimpleStrategy', replication_factor: '1' }),
    ],
  ],
);

const NO_ROWS = rows('system', 'none', [], []);

/** What a QUERY is answered with: the driver's own questions, and nothing for all others. */
export function answerQuery(query: string): Answer {
  const keyspace = /^USE "?(\w+)"?/i.exec(query)?.[1];
  if (keyspace !== undefined) return setKeyspace(keyspace);
  if (/FROM system\.local/i.test(query)) return LOCAL;
  if (/FROM system_schema\.keyspaces/i.test(query)) return KEYSPACES;
  const table = /table_name='(\w+)'/.exec(query)?.[1];
  if (table !== undefined && query.includes('system_schema.tables')) return tableRow(table);
  if (table !== undefined && query.includes('system_schema.columns')) return columnRows(table);
  return NO_ROWS;
}

/** Prepared statements by number; the number is part of the id, so that finding one costs next to nothing. */
export class PreparedStatements {
  readonly #answers: Answer[] = [];
  readonly #numbers = new Map<string, number>();

  prepare(query: string): Answer {
    const { table, kind, bound } = describeStatement(query);
    const number = this.#numbers.get(query) ?? this.#answers.length;
    this.#numbers.set(query, number);
    const all = table.columns.map(spec);
    const isSelect = kind === 'select';
    this.#answers[number] = isSelect ? rows(KEYSPACE, table.name, all, [table.columns.map(sample)]) : VOID;
    const queryId = Buffer.concat([Buffer.alloc(14, 0x5a), short(number)]);
    return prepared(queryId, KEYSPACE, table.name, bound.map(spec), [0], isSelect ? all : []);
  }

  /** Answer to the EXECUTE whose body begins at `offset`: a length of two bytes, then the id. */
  answer(body: Buffer, offset: number): Answer {
    const known = this.#answers[body.readUInt16BE(offset + 16)];
    return known ?? unprepared(body.subarray(offset + 2, offset + 2 + body.readUInt16BE(offset)));
  }
}

function tableRow(name: string): Answer {
  const exists = TABLES.some((table) => table.name === name);
  return rows(
    'system_schema',
    'tables',
    [text('keyspace_name'), text('table_name'), { name: 'flags', type: [SET, varchar] }],
    exists ? [[Buffer.from(KEYSPACE), Buffer.from(name), collection(['compound'])]] : [],
  );
}

function columnRows(name: string): Answer {
  const columns = TABLES.find((table) => table.name === name)?.columns ?? [];
  return rows(
    'system_schema',
    'columns',
    [
      text('keyspace_name'),
      text('table_name'),
      text('column_name'),
      text('kind'),
      text('type'),
      text('clustering_order'),
      { name: 'position', type: [INT] },
    ],
    columns.map((column, index) => [
      ...[KEYSPACE, name, column.name, index === 0 ? 'partition_key' : 'regular', column.type, 'none'].map(
        (value) => Buffer.from(value),
      ),
      int(index === 0 ? 0 : -1),
    ]),
  );
}

/** Some value of the column's type. */
function sample({ type }: Column): Buffer {
  switch (type) {
    case 'uuid':
      return Buffer.alloc(16, 7);
    case 'text':
      return Buffer.from('Somebody of that name');
    case 'int':
      return int(42);
    case 'double':
    case 'timestamp':
      return Buffer.alloc(8, 1);
  }
}
