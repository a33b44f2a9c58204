import { keyId } from '../store/index.js';
import type { Marker, Term } from './ast.js';
import { joinCollection, joinFields, splitCollection } from './bytes.js';
import { CqlRefusal, outside } from './refusal.js';
import { compareOf, type CqlType, listOrSet, native, type WireType } from './types.js';

/** A parameter that leaves its column as it is. */
export const UNSET = Symbol('unset');

/** A parameter as it comes with a request: bytes, `null` or unset. */
export type BoundValue = Uint8Array | null | typeof UNSET;

/** What a term stands for, given the parameters. */
export type Evaluate = (params: readonly BoundValue[]) => BoundValue;

/** The driver's encoder: values to bytes and back. */
export interface Codec {
  encode(value: unknown, type: WireType): unknown;
  decode(bytes: Uint8Array, type: WireType): unknown;
}

/** What the driver needs to know of a parameter. */
export interface WireColumn {
  readonly name: string;
  readonly type: WireType;
}

/** Turns the terms of one statement into functions of its parameters, and describes those. */
export class Values {
  readonly columns: WireColumn[] = [];

  constructor(private readonly codec: Codec) {}

  /** @param name what the server calls a parameter at this place */
  evaluate(term: Term, type: CqlType, name: string): Evaluate {
    switch (term.kind) {
      case 'marker':
        return this.#marker(term, type, name);
      case 'null':
        return () => null;
      case 'literal': {
        const bytes = this.#literal(term.text, type, name);
        return () => bytes;
      }
      case 'list':
        if (type.kind !== 'list') throw mismatch('list literal', name, type);
        return this.#collection(term.items, [type.of[0]], type, name);
      case 'set':
        if (type.kind === 'map' && term.items.length === 0) return () => joinCollection([], 0);
        if (type.kind !== 'set') throw mismatch('set literal', name, type);
        return this.#collection(term.items, [type.of[0]], type, name);
      case 'map':
        if (type.kind !== 'map') throw mismatch('map literal', name, type);
        return this.#collection(term.entries.flat(), type.of, type, name);
      case 'tuple':
        if (type.kind !== 'tuple') throw mismatch('tuple literal', name, type);
        return this.#fields(term.items.map((item, i) => this.evaluate(item, componentType(type, i), name)));
      case 'udt':
        return this.#udt(new Map(term.fields), type, name);
    }
  }

  /** The list of values of an `IN`. */
  evaluateIn(term: Term, type: CqlType, name: string): (params: readonly BoundValue[]) => Uint8Array[] {
    if (term.kind === 'marker') {
      const list = this.#marker(term, listOrSet('list', type), `in(${name})`);
      return (params) => {
        const bytes = required(list(params), name);
        return splitCollection(bytes).map((each) => required(each, name));
      };
    }
    if (term.kind !== 'tuple') throw mismatch('value', name, type);
    const items = term.items.map((item) => this.evaluate(item, type, name));
    return (params) => items.map((item) => required(item(params), name));
  }

  #marker(term: Marker, type: CqlType, name: string): Evaluate {
    const index = this.columns.length;
    const described = term.hint ?? type;
    this.columns.push({ name: term.name ?? name, type: described.wire });
    return (params) => {
      const value = params[index];
      if (value === undefined) throw new CqlRefusal(`Invalid amount of bind variables: none for ${name}`);
      if (value === null || value === UNSET) return value;
      checkWidth(value, type);
      return canonical(value, type);
    };
  }

  #literal(text: string, type: CqlType, name: string): Uint8Array {
    if (type.kind !== 'native') throw mismatch(text, name, type);
    const kind = literalKind(text);
    if (!ACCEPTED[kind].includes(type.name)) throw mismatch(`${kind} constant`, name, type);
    try {
      const bytes = this.codec.encode(literalValue(text, kind, type.name), type.wire);
      if (!(bytes instanceof Uint8Array)) throw new TypeError('no bytes');
      checkWidth(bytes, type);
      return bytes;
    } catch (error) {
      if (error instanceof CqlRefusal) throw error;
      throw new CqlRefusal(`Unable to make ${type.spelled} from '${text}' for ${name}`);
    }
  }

  #collection(items: readonly Term[], types: readonly CqlType[], of: CqlType, name: string): Evaluate {
    const parts = items.map((item, i) => this.evaluate(item, types[i % types.length] ?? of, name));
    return (params) => {
      const bytes = parts.map((part) => {
        const value = part(params);
        if (value === null) throw new CqlRefusal('null is not supported inside collections');
        if (value === UNSET) throw new CqlRefusal(`Invalid unset value for ${name}`);
        return value;
      });
      return canonical(joinCollection(bytes, bytes.length / types.length), of);
    };
  }

  #fields(parts: readonly Evaluate[]): Evaluate {
    return (params) =>
      joinFields(
        parts.map((part) => {
          const value = part(params);
          if (value === UNSET) throw new CqlRefusal('Invalid unset value in a tuple');
          return value;
        }),
      );
  }

  #udt(fields: ReadonlyMap<string, Term>, type: CqlType, name: string): Evaluate {
    if (type.kind !== 'udt') throw mismatch('user type literal', name, type);
    for (const field of fields.keys()) {
      if (!type.fieldNames.includes(field))
        throw new CqlRefusal(`Unknown field '${field}' in value of ${name}`);
    }
    return this.#fields(
      type.fieldNames.map((field, i) =>
        this.evaluate(fields.get(field) ?? { kind: 'null' }, componentType(type, i), `${name}.${field}`),
      ),
    );
  }
}

/** A value without which a condition makes no sense. */
export function required(value: BoundValue | undefined, column: string): Uint8Array {
  if (value === null || value === undefined) {
    throw new CqlRefusal(`Invalid null value in condition for column ${column}`);
  }
  if (value === UNSET) throw new CqlRefusal(`Invalid unset value for column ${column}`);
  return value;
}

/** A number of a bigint or an int, exact as far as JavaScript's are. */
export function toNumber(bytes: Uint8Array): number {
  const value = Number(BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`)));
  if (!Number.isSafeInteger(value)) throw outside(`the number ${value}`);
  return value;
}

export const INT = native('int');
export const BIGINT = native('bigint');

/** Sets and maps are kept sorted and without duplicates, however they were sent. */
function canonical(bytes: Uint8Array, type: CqlType): Uint8Array {
  if (type.kind !== 'set' && type.kind !== 'map') return bytes;
  const step = type.of.length;
  const parts = splitCollection(bytes).filter((part) => part !== null);
  const entries = new Map<string, Uint8Array[]>();
  for (let i = 0; i < parts.length; i += step) {
    const entry = parts.slice(i, i + step);
    entries.set(keyId(entry.slice(0, 1)), entry);
  }
  const compare = compareOf(type.of[0]);
  const sorted = [...entries.values()].sort(([a], [b]) => (a && b ? compare(a, b) : 0));
  return joinCollection(sorted.flat(), sorted.length);
}

function componentType(type: CqlType, index: number): CqlType {
  const component = type.of[index];
  if (!component) throw new CqlRefusal(`Too many components for ${type.spelled}`);
  return component;
}

function mismatch(what: string, name: string, type: CqlType): CqlRefusal {
  return new CqlRefusal(`Invalid ${what} for "${name}" of type ${type.spelled}`);
}

const WIDTHS: Readonly<Record<string, number>> = {
  ...{ tinyint: 1, boolean: 1, smallint: 2, int: 4, float: 4, date: 4 },
  ...{ bigint: 8, timestamp: 8, time: 8, double: 8, uuid: 16, timeuuid: 16 },
};
/** Of no bytes at all these types make a value of their own. */
const MAY_BE_EMPTY = ['boolean', 'int', 'float', 'bigint', 'timestamp', 'double', 'uuid', 'timeuuid'];

function checkWidth(bytes: Uint8Array, type: CqlType): void {
  if (type.kind !== 'native') return;
  const width = WIDTHS[type.name];
  if (width === undefined || bytes.length === width) return;
  if (bytes.length === 0 && MAY_BE_EMPTY.includes(type.name)) return;
  throw new CqlRefusal(
    `Expected ${width} bytes for a value of type ${type.spelled}, received ${bytes.length}`,
  );
}

type LiteralKind = 'STRING' | 'INTEGER' | 'FLOAT' | 'BOOLEAN' | 'UUID' | 'HEX' | 'DURATION';

const ACCEPTED: Readonly<Record<LiteralKind, readonly string[]>> = {
  STRING: ['ascii', 'text', 'inet', 'timestamp', 'date', 'time'],
  INTEGER: [
    ...['bigint', 'counter', 'decimal', 'double', 'float', 'int', 'smallint', 'tinyint', 'varint'],
    ...['timestamp', 'date', 'time'],
  ],
  FLOAT: ['decimal', 'double', 'float'],
  BOOLEAN: ['boolean'],
  UUID: ['uuid', 'timeuuid'],
  HEX: ['blob'],
  DURATION: ['duration'],
};

function literalKind(text: string): LiteralKind {
  if (text.startsWith("'") || text.startsWith('$$')) return 'STRING';
  if (text === 'true' || text === 'false') return 'BOOLEAN';
  if (/^[0-9a-f]{8}-/i.test(text)) return 'UUID';
  if (/^0x/i.test(text)) return 'HEX';
  if (/^-?\d+$/.test(text)) return 'INTEGER';
  if (/^-?(nan|infinity|\d+\.?\d*(e[+-]?\d+)?)$/i.test(text)) return 'FLOAT';
  return 'DURATION';
}

/** As the driver's encoder takes it. */
function literalValue(text: string, kind: LiteralKind, type: string): unknown {
  switch (kind) {
    case 'STRING':
      return text.startsWith('$$') ? text.slice(2, -2) : text.slice(1, -1).replaceAll("''", "'");
    case 'BOOLEAN':
      return text === 'true';
    case 'HEX':
      return Buffer.from(text.slice(2), 'hex');
    case 'UUID':
      return text.toLowerCase();
    case 'DURATION':
      throw outside('a duration in a text');
    case 'INTEGER':
      if (type === 'date' || type === 'time') throw outside(`a number for a ${type}`);
      return ['bigint', 'varint', 'decimal'].includes(type) ? text : Number(text);
    case 'FLOAT':
      return type === 'decimal' ? decimalBytes(text) : floatingPoint(text);
  }
}

/** The driver's own decimals know no exponents. */
function decimalBytes(text: string): Uint8Array {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const unscaled = BigInt(whole + fraction);
  let width = 1;
  while (BigInt.asIntN(width * 8, unscaled) !== unscaled) width++;
  const digits = BigInt.asUintN(width * 8, unscaled)
    .toString(16)
    .padStart(width * 2, '0');
  const scale = Buffer.alloc(4);
  scale.writeInt32BE(fraction.length - Number(exponent));
  return Buffer.concat([scale, Buffer.from(digits, 'hex')]);
}

function floatingPoint(text: string): number {
  const lower = text.toLowerCase();
  if (lower.endsWith('nan')) return NaN;
  if (lower.endsWith('infinity')) return lower.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}
