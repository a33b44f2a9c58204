import { type Compare, compareBytes } from '../store/index.js';
import { splitCollection, splitFields } from './bytes.js';
import { CqlRefusal } from './refusal.js';

/** A type as the driver describes it: what a prepared statement's columns have. */
export interface WireType {
  readonly code: number;
  readonly info?: unknown;
  readonly customTypeName?: string;
}

interface TypeFields {
  /** As `system_schema.columns` spells it. */
  readonly spelled: string;
  readonly wire: WireType;
}

/** A CQL type. `of`: types of the elements, of key and value, of the components, of the fields. */
export type CqlType = TypeFields &
  (
    | { readonly kind: 'native'; readonly name: string; readonly of: readonly [] }
    | { readonly kind: 'list' | 'set'; readonly isFrozen: boolean; readonly of: readonly [CqlType] }
    | { readonly kind: 'map'; readonly isFrozen: boolean; readonly of: readonly [CqlType, CqlType] }
    | { readonly kind: 'tuple' | 'vector'; readonly of: readonly CqlType[] }
    | {
        readonly kind: 'udt';
        readonly isFrozen: boolean;
        readonly fieldNames: readonly string[];
        readonly of: readonly CqlType[];
      }
  );

const NATIVE_CODES: Readonly<Record<string, number>> = {
  ascii: 0x01,
  bigint: 0x02,
  blob: 0x03,
  boolean: 0x04,
  counter: 0x05,
  decimal: 0x06,
  double: 0x07,
  float: 0x08,
  int: 0x09,
  timestamp: 0x0b,
  uuid: 0x0c,
  text: 0x0d,
  varint: 0x0e,
  timeuuid: 0x0f,
  inet: 0x10,
  date: 0x11,
  time: 0x12,
  smallint: 0x13,
  tinyint: 0x14,
  duration: 0x15,
};
const CODES = { custom: 0x00, list: 0x20, map: 0x21, set: 0x22, udt: 0x30, tuple: 0x31 } as const;

export function isNative(name: string): boolean {
  return name === 'varchar' || Object.hasOwn(NATIVE_CODES, name);
}

export function native(given: string): CqlType {
  const name = given === 'varchar' ? 'text' : given;
  const code = NATIVE_CODES[name];
  if (code === undefined) throw new CqlRefusal(`Unknown type ${given}`);
  return { kind: 'native', name, spelled: name, of: [], wire: { code, info: null } };
}

export function listOrSet(kind: 'list' | 'set', of: CqlType): CqlType {
  const wire = { code: CODES[kind], info: of.wire };
  return { kind, of: [of], isFrozen: false, spelled: `${kind}<${of.spelled}>`, wire };
}

export function mapOf(key: CqlType, value: CqlType): CqlType {
  const wire = { code: CODES.map, info: [key.wire, value.wire] };
  const spelled = `map<${key.spelled}, ${value.spelled}>`;
  return { kind: 'map', of: [key, value], isFrozen: false, spelled, wire };
}

export function tupleOf(of: readonly CqlType[]): CqlType {
  const spelled = `frozen<tuple<${of.map((each) => each.spelled).join(', ')}>>`;
  return { kind: 'tuple', of, spelled, wire: { code: CODES.tuple, info: of.map(({ wire }) => wire) } };
}

export function vectorOf(of: CqlType, dimensions: number): CqlType {
  const wire = { code: CODES.custom, customTypeName: 'vector', info: [of.wire, dimensions] };
  return { kind: 'vector', of: [of], spelled: `vector<${of.spelled}, ${dimensions}>`, wire };
}

export function udtOf(keyspace: string, name: string, fields: ReadonlyMap<string, CqlType>): CqlType {
  const described = [...fields].map(([field, { wire }]) => ({ name: field, type: wire }));
  return {
    kind: 'udt',
    isFrozen: false,
    fieldNames: [...fields.keys()],
    of: [...fields.values()],
    spelled: name,
    wire: { code: CODES.udt, info: { keyspace, name, fields: described } },
  };
}

export function frozen(type: CqlType): CqlType {
  if (!('isFrozen' in type) || type.isFrozen) return type;
  return { ...type, isFrozen: true, spelled: `frozen<${type.spelled}>` };
}

export function isCounter(type: CqlType): boolean {
  return type.kind === 'native' && type.name === 'counter';
}

/**
 * Whether a column of this type is a cell for each element. Lists would be too, but their elements have server
 * times for keys, which two clusters never agree on; here a list is written and kept as a whole.
 */
export function isMultiCell(type: CqlType): boolean {
  return (type.kind === 'set' || type.kind === 'map' || type.kind === 'udt') && !type.isFrozen;
}

/** The order that Cassandra keeps values of a type in. */
export function compareOf(type: CqlType): Compare {
  switch (type.kind) {
    case 'native':
      return NATIVE_ORDER[type.name] ?? compareBytes;
    case 'list':
    case 'set':
    case 'map':
      return byParts(type.of.map(compareOf), splitCollection);
    case 'tuple':
    case 'udt':
      return byParts(type.of.map(compareOf), splitFields);
    case 'vector':
      return compareBytes;
  }
}

/** Component by component, then the shorter first; an absent one before any other. */
function byParts(compares: readonly Compare[], split: (bytes: Uint8Array) => (Uint8Array | null)[]): Compare {
  return (a, b) => {
    const [left, right] = [split(a), split(b)];
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      const [x, y] = [left[i], right[i]];
      const compare = compares[i % compares.length] ?? compareBytes;
      const order = x && y ? compare(x, y) : Number(Boolean(x)) - Number(Boolean(y));
      if (order !== 0) return order;
    }
    return left.length - right.length;
  };
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** By number; no bytes at all come before any number. */
function numeric(read: (bytes: Buffer) => number | bigint): Compare {
  return (a, b) => {
    if (a.length === 0 || b.length === 0) return a.length - b.length;
    const [left, right] = [read(bufferOf(a)), read(bufferOf(b))];
    return left < right ? -1 : Number(left > right);
  };
}

function bigint(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}

const decimalParts = (bytes: Buffer): { scale: number; unscaled: bigint } => ({
  scale: bytes.readInt32BE(0),
  unscaled: bigint(bytes.subarray(4)),
});

const compareDecimals: Compare = (a, b) => {
  if (a.length < 4 || b.length < 4) return a.length - b.length;
  const [left, right] = [decimalParts(bufferOf(a)), decimalParts(bufferOf(b))];
  const scale = Math.max(left.scale, right.scale);
  const at = (each: typeof left): bigint => each.unscaled * 10n ** BigInt(scale - each.scale);
  return at(left) < at(right) ? -1 : Number(at(left) > at(right));
};

/** As Java compares them: -0 before 0, NaN after everything. */
function floating(read: (bytes: Buffer) => number): Compare {
  const byNumber = numeric(read);
  return (a, b) => {
    if (a.length === 0 || b.length === 0) return a.length - b.length;
    const [left, right] = [read(bufferOf(a)), read(bufferOf(b))];
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    return byNumber(a, b) || Number(Object.is(right, -0)) - Number(Object.is(left, -0));
  };
}

/** `TimeUUIDType`: by time, then by the rest as signed bytes. */
const compareTimeUuids: Compare = (a, b) => {
  const order = compareBytes(uuidTime(a), uuidTime(b));
  return order === 0 ? compareBytes(a.slice(8).map(flipSign), b.slice(8).map(flipSign)) : order;
};

/** `UUIDType`: by version, those with a time by it, then by bytes. */
const compareUuids: Compare = (a, b) => {
  const [left, right] = [uuidVersion(a), uuidVersion(b)];
  if (left !== right) return left - right;
  const order = left === 1 ? compareBytes(uuidTime(a), uuidTime(b)) : 0;
  return order === 0 ? compareBytes(a, b) : order;
};

const flipSign = (byte: number): number => byte ^ 0x80;

function uuidVersion(bytes: Uint8Array): number {
  return (bytes[6] ?? 0) >> 4;
}

/** The 60 bits of time, the most significant first. */
function uuidTime(bytes: Uint8Array): Uint8Array {
  const [high = 0, ...rest] = [6, 7, 4, 5, 0, 1, 2, 3].map((i) => bytes[i] ?? 0);
  return Uint8Array.from([high & 0x0f, ...rest]);
}

const NATIVE_ORDER: Readonly<Record<string, Compare>> = {
  tinyint: numeric((bytes) => bytes.readInt8()),
  smallint: numeric((bytes) => bytes.readInt16BE()),
  int: numeric((bytes) => bytes.readInt32BE()),
  bigint: numeric((bytes) => bytes.readBigInt64BE()),
  timestamp: numeric((bytes) => bytes.readBigInt64BE()),
  float: floating((bytes) => bytes.readFloatBE()),
  double: floating((bytes) => bytes.readDoubleBE()),
  varint: numeric(bigint),
  decimal: compareDecimals,
  uuid: compareUuids,
  timeuuid: compareTimeUuids,
};
