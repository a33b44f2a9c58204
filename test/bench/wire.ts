/** The CQL native protocol v4, as far as the stub server needs it. */
import { int, short, string } from '../servers/cql-frames.js';

export const VERSION = 4;
export const HEADER_BYTES = 9;
const RESPONSE = 0x80;

export const REQUEST = {
  startup: 0x01,
  options: 0x05,
  query: 0x07,
  prepare: 0x09,
  execute: 0x0a,
  register: 0x0b,
  batch: 0x0d,
} as const;

const RESULT = 0x08;
const KIND = { void: 1, rows: 2, setKeyspace: 3, prepared: 4 } as const;
const GLOBAL_TABLE_SPEC = 0x01;
const PROTOCOL_ERROR = 0x0a;
const UNPREPARED = 0x2500;

/** A response without its header, which differs by stream id only: most are made once and sent often. */
export interface Answer {
  readonly opcode: number;
  readonly body: Buffer;
}

export interface ColumnSpec {
  readonly name: string;
  /** Type code, followed by those of its elements. */
  readonly type: readonly number[];
}

export function bytes(value: Buffer | null): Buffer {
  return value ? Buffer.concat([int(value.length), value]) : int(-1);
}

export const READY: Answer = { opcode: 0x02, body: Buffer.alloc(0) };
export const SUPPORTED: Answer = {
  opcode: 0x06,
  body: Buffer.concat([short(1), string('CQL_VERSION'), short(1), string('3.4.6')]),
};
export const VOID: Answer = { opcode: RESULT, body: int(KIND.void) };
export const UNSUPPORTED_VERSION: Answer = {
  opcode: 0x00,
  body: Buffer.concat([
    int(PROTOCOL_ERROR),
    string(`Invalid or unsupported protocol version; the highest is ${VERSION}`),
  ]),
};

/** To an id that the server does not have. */
export function unprepared(id: Buffer): Answer {
  const body = Buffer.concat([int(UNPREPARED), string('Prepared query not found'), short(id.length), id]);
  return { opcode: 0x00, body };
}

export function setKeyspace(name: string): Answer {
  return { opcode: RESULT, body: Buffer.concat([int(KIND.setKeyspace), string(name)]) };
}

export function rows(
  keyspace: string,
  table: string,
  columns: readonly ColumnSpec[],
  values: readonly (readonly (Buffer | null)[])[],
): Answer {
  const body = Buffer.concat([
    int(KIND.rows),
    metadata(keyspace, table, columns),
    int(values.length),
    ...values.flat().map(bytes),
  ]);
  return { opcode: RESULT, body };
}

export function prepared(
  queryId: Buffer,
  keyspace: string,
  table: string,
  bound: readonly ColumnSpec[],
  partitionKeys: readonly number[],
  result: readonly ColumnSpec[],
): Answer {
  const body = Buffer.concat([
    int(KIND.prepared),
    short(queryId.length),
    queryId,
    metadata(keyspace, table, bound, partitionKeys),
    metadata(keyspace, table, result),
  ]);
  return { opcode: RESULT, body };
}

/** Frames of one packet of requests, written into one buffer: one system call answers them all. */
export function frames(answers: readonly Answer[], streamIds: readonly number[]): Buffer {
  let length = 0;
  for (const { body } of answers) length += HEADER_BYTES + body.length;
  const out = Buffer.allocUnsafe(length);
  let offset = 0;
  for (let i = 0; i < answers.length; i++) {
    const { opcode, body } = answers[i]!;
    out[offset] = RESPONSE | VERSION;
    out[offset + 1] = 0;
    out.writeInt16BE(streamIds[i]!, offset + 2);
    out[offset + 4] = opcode;
    out.writeUInt32BE(body.length, offset + 5);
    out.set(body, offset + HEADER_BYTES);
    offset += HEADER_BYTES + body.length;
  }
  return out;
}

function metadata(
  keyspace: string,
  table: string,
  columns: readonly ColumnSpec[],
  partitionKeys?: readonly number[],
): Buffer {
  return Buffer.concat([
    int(GLOBAL_TABLE_SPEC),
    int(columns.length),
    ...(partitionKeys ? [int(partitionKeys.length), ...partitionKeys.map(short)] : []),
    string(keyspace),
    string(table),
    ...columns.flatMap(({ name, type }) => [string(name), ...type.map(short)]),
  ]);
}
