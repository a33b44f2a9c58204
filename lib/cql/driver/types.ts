import { type Column, type ColumnType } from './driver-internals.js';

/** `types.dataTypes` of the driver, as in the native protocol. */
const COUNTER = 0x05;
const LIST = 0x20;
const MAP = 0x21;
const SET = 0x22;
const UDT = 0x30;
const TUPLE = 0x31;

interface UdtInfo {
  readonly name: string;
  readonly fields: readonly Column[];
}

/**
 * Spells out a type so that two clusters' types can be compared: the names and the order of a UDT's fields
 * matter, the keyspace it lives in does not.
 */
export function typeSignature({ code, info }: ColumnType): string {
  if (info === null || info === undefined) return String(code);
  if (code === UDT) {
    const { name, fields } = info as UdtInfo;
    return `${code}:${name}{${fields.map((field) => `${field.name} ${typeSignature(field.type)}`).join(',')}}`;
  }
  if (code === TUPLE || code === MAP) {
    return `${code}<${(info as readonly ColumnType[]).map(typeSignature).join(',')}>`;
  }
  if (code === LIST || code === SET) return `${code}<${typeSignature(info as ColumnType)}>`;
  return `${code}(${typeof info === 'string' ? info : JSON.stringify(info)})`;
}

/** Types of all parameters of a statement, in order. */
export function parametersSignature(columns: readonly Column[]): string {
  return columns.map(({ type }) => typeSignature(type)).join(';');
}

export function isCounter({ code }: ColumnType): boolean {
  return code === COUNTER;
}

export function isList({ code }: ColumnType): boolean {
  return code === LIST;
}

/** Only table metadata says whether a collection is frozen; that of a prepared statement does not. */
export function isNonFrozenList({ code, options }: ColumnType): boolean {
  return code === LIST && options?.frozen !== true;
}
