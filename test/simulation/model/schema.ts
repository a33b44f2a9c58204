import { createHash } from 'node:crypto';
import type { Column, ColumnType } from '../../../lib/cql/driver/index.js';
import type { SchemaChange } from '../history.js';

// The schema of a model cluster, and what its servers have prepared under it.

/** What may change about `model_rows`. */
export interface TableTypes {
  /** Of the column `n`. Numbers of one width are taken for each other without a word. */
  readonly n: NumberType;
  /** Whether the type of the column `u` has got its field `y`. */
  readonly hasFurtherField: boolean;
  /** Whether there is a column that is a list, and not frozen. */
  readonly hasList: boolean;
}

export type NumberType = 'int' | 'float' | 'bigint' | 'double';

/** Codes of the native protocol. */
const CODES = { int: 0x09, float: 0x08, bigint: 0x02, double: 0x07 } as const;
const VARCHAR = 0x0d;
const BLOB = 0x03;
const UDT = 0x30;
const WIDTHS: Readonly<Record<NumberType, number>> = { int: 4, float: 4, bigint: 8, double: 8 };
export const NUMBER_TYPES = ['int', 'float', 'bigint', 'double'] as const;

/** A schema, since when it has been that, and by which count. */
export interface SchemaState {
  readonly version: number;
  readonly sinceMs: number;
  readonly types: TableTypes;
}

const FIRST: TableTypes = { n: 'int', hasFurtherField: false, hasList: false };

export class ModelSchema {
  /** By version, the oldest first. */
  readonly states: SchemaState[] = [{ version: 0, sinceMs: 0, types: FIRST }];
  /** Valid ids: what they stand for has the types of now. */
  readonly #prepared = new Set<string>();
  /** Outlives changes and restarts: `system.prepared_statements`. */
  readonly #kept = new Map<string, string>();

  get now(): SchemaState {
    return this.states[this.states.length - 1]!;
  }

  get types(): TableTypes {
    return this.now.types;
  }

  get version(): number {
    return this.now.version;
  }

  /** Empties every id. False: it is like that already. */
  change(change: SchemaChange, atMs: number): boolean {
    const { types, version } = this.now;
    const changed = changedTypes(types, change);
    if (JSON.stringify(changed) === JSON.stringify(types)) return false;
    this.states.push({ version: version + 1, sinceMs: atMs, types: changed });
    this.#prepared.clear();
    return true;
  }

  /** @returns its id, a hash of keyspace and text */
  prepare(keyspace: string, text: string): Buffer {
    const id = idOf(keyspace, text);
    const key = id.toString('latin1');
    this.#kept.set(key, text);
    this.#prepared.add(key);
    return id;
  }

  /** False: UNPREPARED. */
  hasPrepared(id: Buffer): boolean {
    return this.#prepared.has(id.toString('latin1'));
  }

  /** Everything that was ever prepared, whoever did: under the schema of now. */
  restart(): void {
    for (const key of this.#kept.keys()) this.#prepared.add(key);
  }

  /** Texts that were ever prepared. */
  get texts(): readonly string[] {
    return [...this.#kept.values()];
  }

  /** Since when, by count, something about the types has been what it is now. */
  sinceVersion(of: (types: TableTypes) => unknown): number {
    const now = of(this.types);
    let since = this.version;
    while (since > 0 && of(this.states[since - 1]!.types) === now) since--;
    return since;
  }
}

function changedTypes(types: TableTypes, change: SchemaChange): TableTypes {
  switch (change.of) {
    case 'number':
      return { ...types, n: change.to };
    case 'further field':
      return { ...types, hasFurtherField: change.isThere };
    case 'list':
      return { ...types, hasList: change.isThere };
  }
}

const ids = new Map<string, Buffer>();

function idOf(keyspace: string, text: string): Buffer {
  const key = `${keyspace} ${text}`;
  let id = ids.get(key);
  if (!id) {
    if (ids.size > 10_000) ids.clear();
    ids.set(key, (id = createHash('md5').update(key).digest()));
  }
  return id;
}

const CHANGES = [
  ...NUMBER_TYPES.map((to): [string, SchemaChange] => [
    `ALTER TABLE model_rows ALTER n TYPE ${to}`,
    { of: 'number', to },
  ]),
  ...[true, false].flatMap((isThere): [string, SchemaChange][] => [
    [`ALTER TYPE model_u ${isThere ? 'ADD y int' : 'DROP y'}`, { of: 'further field', isThere }],
    [`ALTER TABLE model_rows ${isThere ? 'ADD l list<text>' : 'DROP l'}`, { of: 'list', isThere }],
  ]),
] as const;

/** A change as a statement. Cassandra has no words for some of it: there a table or a type is made again. */
export function spellSchemaChange(change: SchemaChange): string {
  const key = JSON.stringify(change);
  const found = CHANGES.find(([, each]) => JSON.stringify(each) === key);
  if (!found) throw new Error(`Not a change of the model: ${key}`);
  return found[0];
}

export function schemaChangeOf(text: string): SchemaChange | undefined {
  return CHANGES.find(([each]) => each === text)?.[1];
}

/** A column as PREPARE describes it. */
export function columnOf(name: string, types: TableTypes): Column {
  return { name, type: typeOf(name, types) };
}

function typeOf(name: string, types: TableTypes): ColumnType {
  switch (name) {
    case 'c':
      return { code: BLOB, info: null };
    case 'n':
      return { code: CODES[types.n], info: null };
    case 'u': {
      const fields = types.hasFurtherField ? ['x', 'y'] : ['x'];
      const fieldOf = (field: string): Column => ({ name: field, type: { code: CODES.int, info: null } });
      return { code: UDT, info: { name: 'model_u', keyspace: 'model', fields: fields.map(fieldOf) } };
    }
    default:
      return { code: VARCHAR, info: null };
  }
}

/** Columns as `system_schema.columns` spells them. */
export function tableOf({ n, hasList }: TableTypes): readonly (readonly [name: string, type: string])[] {
  return [
    ...(['k', 'a', 'b'] as const).map((name) => [name, 'text'] as const),
    ['c', 'blob'],
    ['n', n],
    ['u', 'frozen<model_u>'],
    ...(hasList ? ([['l', 'list<text>']] as const) : []),
  ];
}

/** What the parameters of a statement are called when their types are compared. */
export function signatureOf(names: readonly string[], types: TableTypes): string {
  return names.map((name) => typeSignature(name, types)).join(';');
}

function typeSignature(name: string, types: TableTypes): string {
  if (name === 'u') return `${UDT}:model_u{x ${CODES.int}${types.hasFurtherField ? `,y ${CODES.int}` : ''}}`;
  return String(typeOf(name, types).code);
}

/** How the mark of Helix spells a signature. */
export function digestOf(signature: string): string {
  let digest = digests.get(signature);
  if (!digest) {
    digest = createHash('sha256').update(signature).digest('base64url').slice(0, 12);
    digests.set(signature, digest);
  }
  return digest;
}

const digests = new Map<string, string>();

/** All that a column's type can ever be. */
export const ALL_TYPES: readonly TableTypes[] = NUMBER_TYPES.flatMap((n) =>
  [false, true].map((hasFurtherField) => ({ n, hasFurtherField, hasList: false })),
);

/** What a caller gives for a column whose type may change: the number of the write. */
export interface TypedValue {
  readonly number: number;
  /** Whether the further field of a UDT is given. */
  readonly isFurther: boolean;
}

/** What a server makes of bytes. */
export type Reading =
  | 'as given'
  /** The further field is in the type, was given, and is missing. */
  | 'without its further field'
  | 'another value'
  /** They are no value of that type, and it says so. */
  | 'invalid';

export function readingOf(name: string, bytes: Buffer, types: TableTypes, given: TypedValue): Reading {
  return name === 'n' ? readingOfNumber(bytes, types.n, given) : readingOfUdt(bytes, types, given);
}

function readingOfNumber(bytes: Buffer, type: NumberType, { number }: TypedValue): Reading {
  if (bytes.length !== WIDTHS[type]) return 'invalid';
  return numberIn(bytes, type) === number ? 'as given' : 'another value';
}

function numberIn(bytes: Buffer, type: NumberType): number {
  switch (type) {
    case 'int':
      return bytes.readInt32BE();
    case 'float':
      return bytes.readFloatBE();
    case 'bigint':
      return Number(bytes.readBigInt64BE());
    case 'double':
      return bytes.readDoubleBE();
  }
}

/** Fields with their lengths before them; a shorter value leaves what comes after null. */
function readingOfUdt(bytes: Buffer, { hasFurtherField }: TableTypes, given: TypedValue): Reading {
  const fields: (number | null)[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    fields.push(length < 0 ? null : bytes.readInt32BE(at + 4));
    at += 4 + Math.max(0, length);
  }
  if (fields.length > (hasFurtherField ? 2 : 1)) return 'invalid';
  const [x, y = null] = fields;
  if (x !== given.number) return 'another value';
  const due = hasFurtherField && given.isFurther ? -given.number : null;
  if (y === due) return 'as given';
  return y === null ? 'without its further field' : 'another value';
}
