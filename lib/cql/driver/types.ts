import type { Column, ColumnType } from './driver-internals.js';

/** `types.dataTypes` of the driver, as in the native protocol. */
const COUNTER = 0x05;
const LIST = 0x20;
const UDT = 0x30;

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

export function isCounter({ code }: ColumnType): boolean {
  return code === COUNTER;
}

export function isList({ code }: ColumnType): boolean {
  return code === LIST;
}
