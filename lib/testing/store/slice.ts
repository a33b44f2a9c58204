import { type Key, keyId } from './key.js';

/** Natural order of one component of a clustering key, whatever order the table stores its rows in. */
export type Compare = (a: Uint8Array, b: Uint8Array) => number;

export type BoundOperator = '>' | '>=' | '<' | '<=';

export interface Bound {
  readonly operator: BoundOperator;
  readonly value: Uint8Array;
}

/** Some rows of a partition: equal in the first components of their clustering key, bounded in the next. */
export interface Slice {
  readonly prefix: Key;
  readonly bounds: readonly Bound[];
}

export const WHOLE_PARTITION: Slice = { prefix: [], bounds: [] };

export function isWholePartition({ prefix, bounds }: Slice): boolean {
  return prefix.length === 0 && bounds.length === 0;
}

export function covers({ prefix, bounds }: Slice, clustering: Key, compares: readonly Compare[]): boolean {
  if (prefix.some((component, i) => keyId([component]) !== keyId(clustering.slice(i, i + 1)))) return false;
  const next = clustering[prefix.length];
  const compare = compares[prefix.length];
  return bounds.every(({ operator, value }) => next && compare && satisfies(operator, compare(next, value)));
}

/** Whether `a operator b`, given how a compares with b. */
export function satisfies(operator: BoundOperator, order: number): boolean {
  switch (operator) {
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
  }
}

/** Equal slices have equal ids. */
export function sliceId({ prefix, bounds }: Slice): string {
  return [keyId(prefix), ...bounds.map(({ operator, value }) => `${operator}${keyId([value])}`)].join(' ');
}
