import type { BoundOperator } from '../store/index.js';
import type { CqlType } from './types.js';

export interface TableRef {
  /** `undefined`: the session's. */
  readonly keyspace: string | undefined;
  readonly table: string;
}

export interface Marker {
  readonly kind: 'marker';
  readonly name: string | undefined;
  /** `(timeuuid)?` */
  readonly hint: CqlType | undefined;
}

/** A value in a text. */
export type Term =
  | Marker
  | { readonly kind: 'null' }
  /** As it stands in the text, with its sign. */
  | { readonly kind: 'literal'; readonly text: string }
  /** `[…]`, `{…}` or `(…)`. */
  | { readonly kind: 'list' | 'set' | 'tuple'; readonly items: readonly Term[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Term, Term])[] }
  | { readonly kind: 'udt'; readonly fields: readonly (readonly [string, Term])[] };

export interface Using {
  readonly timestamp?: Term;
  readonly ttl?: Term;
}

export interface Relation {
  readonly column: string;
  readonly operator: '=' | 'IN' | BoundOperator;
  readonly value: Term;
}

/** What an UPDATE does to a column: `c = v`, `c = c + v`, `c = c - v`, `c[k] = v`, `c.f = v`. */
export type Assignment =
  | { readonly kind: 'set' | 'add' | 'remove'; readonly column: string; readonly value: Term }
  | { readonly kind: 'put'; readonly column: string; readonly key: Term; readonly value: Term }
  | { readonly kind: 'field'; readonly column: string; readonly field: string; readonly value: Term };

export type Selector = { readonly as: string | undefined } & (
  | { readonly kind: 'column' | 'writetime' | 'ttl'; readonly column: string }
  | { readonly kind: 'count'; readonly column: string | undefined }
);

export interface Insert {
  readonly kind: 'insert';
  readonly table: TableRef;
  readonly columns: readonly string[];
  readonly values: readonly Term[];
  readonly using: Using;
}

export interface Update {
  readonly kind: 'update';
  readonly table: TableRef;
  readonly using: Using;
  readonly assignments: readonly Assignment[];
  readonly where: readonly Relation[];
}

export interface Delete {
  readonly kind: 'delete';
  readonly table: TableRef;
  /** Empty: whole rows. */
  readonly targets: readonly { readonly column: string; readonly key?: Term; readonly field?: string }[];
  readonly using: Using;
  readonly where: readonly Relation[];
}

export interface Select {
  readonly kind: 'select';
  readonly isDistinct: boolean;
  /** `undefined`: every column. */
  readonly selectors: readonly Selector[] | undefined;
  readonly table: TableRef;
  readonly where: readonly Relation[];
  readonly orderBy: readonly { readonly column: string; readonly isDescending: boolean }[];
  readonly limit: Term | undefined;
  readonly allowFiltering: boolean;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: TypeRef;
  readonly isStatic: boolean;
}

/** A type as it is spelled; names of UDTs are looked up when the statement runs. */
export type TypeRef = (udt: (name: string) => CqlType) => CqlType;

export interface CreateTable {
  readonly kind: 'createTable';
  readonly table: TableRef;
  readonly ifNotExists: boolean;
  readonly columns: readonly ColumnDefinition[];
  readonly partitionKey: readonly string[];
  readonly clusteringKey: readonly string[];
  /** Columns of `CLUSTERING ORDER BY (c DESC)`. */
  readonly descending: ReadonlySet<string>;
  readonly defaultTtl: number;
  readonly gcGraceSeconds: number;
}

export type Modification = Insert | Update | Delete;

export type Ast =
  | Modification
  | Select
  | { readonly kind: 'batch'; readonly using: Using; readonly statements: readonly Modification[] }
  | CreateTable
  | {
      readonly kind: 'createType';
      readonly type: TableRef;
      readonly ifNotExists: boolean;
      readonly fields: readonly (readonly [string, TypeRef])[];
    }
  | { readonly kind: 'createIndex'; readonly table: TableRef; readonly column: string }
  | { readonly kind: 'createKeyspace' | 'use'; readonly keyspace: string }
  | { readonly kind: 'truncate'; readonly table: TableRef }
  | { readonly kind: 'drop'; readonly table: TableRef; readonly ifExists: boolean };
