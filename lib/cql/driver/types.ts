import type { Column, ColumnType } from './driver-internals.js';

/** Codes of types in the native protocol: `types.dataTypes` of the driver. */
export const TYPE_CODE = { counter: 0x05, list: 0x20, map: 0x21, set: 0x22, udt: 0x30, tuple: 0x31 } as const;
const { list: LIST, map: MAP, udt: UDT, tuple: TUPLE } = TYPE_CODE;

interface UdtInfo {
  readonly name: string;
  readonly fields: readonly Column[];
}

/**
 * Spells out a type so that two clusters' types can be compared: the names and the order of a UDT's fields
 * matter, the keyspace it lives in does not.
 */
export function typeSignature({ code, info }: ColumnType): string {
  if (code === UDT) {
    const { name, fields } = info as UdtInfo;
    return `${code}:${name}{${fields.map((field) => `${field.name} ${typeSignature(field.type)}`).join(',')}}`;
  }
  const parts: unknown[] = Array.isArray(info) ? info : [info ?? undefined];
  const spelled = parts
    .filter((part) => part !== undefined)
    .map((part) => (isType(part) ? typeSignature(part) : withoutKeyspaces(part)));
  return spelled.length === 0 ? String(code) : `${code}<${spelled.join(',')}>`;
}

/** The class of a vector is a text that spells its element out, `…UserType(keyspace,name,…)` included. */
function withoutKeyspaces(part: unknown): string {
  return typeof part === 'string' ? part.replaceAll(/\.UserType\(\w+,/g, '.UserType(') : JSON.stringify(part);
}

/** Element types of collections and tuples are types; the size of a vector or the name of a class is not. */
function isType(part: unknown): part is ColumnType {
  return typeof part === 'object' && part !== null && 'code' in part;
}

/** Types of all parameters of a statement, in order. */
export function parametersSignature(columns: readonly Column[]): string {
  return columns.map(({ type }) => typeSignature(type)).join(';');
}

/**
 * Whether values that were encoded for the types of a signature may be sent to these columns: the types are the same,
 * or a UDT has got fields at its end since, which a shorter value leaves null. Not where a value is compared as a
 * whole, in keys and elements of sets: there the shorter one is another value.
 *
 * @param isPlain whether a parameter is the value of a column that is no part of a key
 */
export function takes(
  columns: readonly Column[],
  signature: string,
  isPlain: (index: number) => boolean,
): boolean {
  const patterns = columns.map(({ type }, i) => typePattern(type, isPlain(i)));
  return new RegExp(`^${patterns.join(';')}$`).test(signature);
}

/** Matches the signatures of a type and, if it may grow, of what it was before. */
function typePattern(type: ColumnType, mayGrow: boolean): string {
  const { code, info } = type;
  switch (mayGrow ? code : undefined) {
    case UDT: {
      const { name, fields } = info as UdtInfo;
      const [first = '', ...rest] = fields.map(
        (field) => `${escaped(field.name)} ${typePattern(field.type, true)}`,
      );
      const later = rest.reduceRight((inner, field) => `(?:,${field}${inner})?`, '');
      return `${UDT}:${escaped(name)}\\{${first}${later}\\}`;
    }
    case LIST:
      return `${LIST}<${typePattern(info as ColumnType, true)}>`;
    case MAP: {
      const [key, value] = info as [ColumnType, ColumnType];
      return `${MAP}<${typePattern(key, false)},${typePattern(value, true)}>`;
    }
    case TUPLE:
      return `${TUPLE}<${(info as ColumnType[]).map((each) => typePattern(each, true)).join(',')}>`;
    default:
      return escaped(typeSignature(type));
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[^\w ,;:<>]/g, '\\$&');
}

/** Whether the types have a UDT in them, so that they can grow. */
export function hasUdt({ code, info }: ColumnType): boolean {
  if (code === UDT) return true;
  return (Array.isArray(info) ? info : [info]).some((part) => isType(part) && hasUdt(part));
}

/** Whether a value of the longer type sets a field that the shorter one has not got. */
export function setsMore(value: unknown, shorter: ColumnType, longer: ColumnType): boolean {
  if (value === null || typeof value !== 'object') return false;
  switch (shorter.code) {
    case UDT: {
      const [few, many] = [(shorter.info as UdtInfo).fields, (longer.info as UdtInfo).fields];
      const fields = value as Readonly<Record<string, unknown>>;
      return many.some(({ name, type }, i) => {
        const field = fields[name];
        const known = few[i];
        return known ? setsMore(field, known.type, type) : field !== undefined && field !== null;
      });
    }
    case LIST:
      return elements(value).some((each) =>
        setsMore(each, shorter.info as ColumnType, longer.info as ColumnType),
      );
    case MAP: {
      const [few, many] = [(shorter.info as ColumnType[])[1], (longer.info as ColumnType[])[1]];
      const values: unknown[] = value instanceof Map ? [...value.values()] : Object.values(value);
      return few !== undefined && many !== undefined && values.some((each) => setsMore(each, few, many));
    }
    case TUPLE:
      return elements(value).some((each, i) => {
        const [few, many] = [(shorter.info as ColumnType[])[i], (longer.info as ColumnType[])[i]];
        return few !== undefined && many !== undefined && setsMore(each, few, many);
      });
    default:
      return false;
  }
}

/** Of a list, or of the driver's tuple. */
function elements(value: object): unknown[] {
  if (Symbol.iterator in value) return [...(value as Iterable<unknown>)];
  return (value as { elements?: unknown[] }).elements ?? [];
}
