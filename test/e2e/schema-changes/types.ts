import cassandra from 'cassandra-driver';

const { types } = cassandra;

/** A type and a value for it, as an application would give it. */
export interface TypedValue {
  readonly type: string;
  readonly value: unknown;
}

/** Values are chosen to do harm: numbers alike, texts as long as numbers are wide. */
export const scalars: readonly TypedValue[] = [
  { type: 'ascii', value: 'four' },
  { type: 'bigint', value: 42 },
  { type: 'blob', value: Buffer.from('0000002a', 'hex') },
  { type: 'boolean', value: true },
  { type: 'date', value: types.LocalDate.fromString('2024-02-29') },
  { type: 'decimal', value: 42 },
  { type: 'double', value: 42 },
  { type: 'duration', value: types.Duration.fromString('1mo2d3ns') },
  { type: 'float', value: 42 },
  { type: 'inet', value: types.InetAddress.fromString('127.0.0.1') },
  { type: 'int', value: 42 },
  { type: 'smallint', value: 42 },
  { type: 'text', value: 'eight ch' },
  { type: 'time', value: types.LocalTime.fromString('23:59:59.123456789') },
  { type: 'timestamp', value: 42 },
  { type: 'timeuuid', value: types.TimeUuid.fromString('30821634-13ad-11eb-adc1-0242ac120002') },
  { type: 'tinyint', value: 42 },
  { type: 'uuid', value: types.Uuid.fromString('c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11') },
  { type: 'varint', value: 42 },
];

/** Their values are as wide as one another's: the server takes the bytes of one for another. */
const sameWidth: readonly (readonly string[])[] = [
  ['boolean', 'tinyint', 'varint', 'blob'],
  ['int', 'float', 'date', 'inet', 'ascii', 'blob'],
  ['bigint', 'double', 'timestamp', 'time', 'text'],
  ['uuid', 'timeuuid', 'blob'],
  ['ascii', 'text', 'blob'],
  ['smallint', 'varint', 'text'],
  ['decimal', 'duration', 'varint', 'blob'],
];

export function areSameWidth(a: string, b: string): boolean {
  return sameWidth.some((group) => group.includes(a) && group.includes(b));
}

/** A list that is not frozen is refused by Helix, whatever it was before. */
export const composites: readonly TypedValue[] = [
  { type: 'set<int>', value: [1, 42] },
  { type: 'set<float>', value: [1, 42] },
  { type: 'list<int>', value: [1, 42] },
  { type: 'map<int, int>', value: { 1: 42 } },
  { type: 'map<int, float>', value: { 1: 42 } },
  { type: 'frozen<set<int>>', value: [1, 42] },
  { type: 'frozen<list<int>>', value: [1, 42] },
  { type: 'frozen<list<float>>', value: [1, 42] },
  { type: 'frozen<map<int, int>>', value: { 1: 42 } },
  { type: 'tuple<int, int>', value: types.Tuple.fromArray([1, 42]) },
  { type: 'tuple<int, float>', value: types.Tuple.fromArray([1, 42]) },
  { type: 'vector<float, 2>', value: new types.Vector([1, 42], 'float') },
  { type: 'vector<int, 2>', value: new types.Vector([1, 42], 'int') },
];

export function isList({ type }: TypedValue): boolean {
  return type.startsWith('list<');
}

/** What a column that is dropped may be added as again; everything else is refused by the server. */
export const addableAgain: readonly (readonly [from: string, to: string])[] = [
  ['bigint', 'timestamp'],
  ['timestamp', 'bigint'],
  ['timeuuid', 'uuid'],
  ['ascii', 'text'],
  ['ascii', 'blob'],
  ['date', 'blob'],
  ['inet', 'blob'],
  ['smallint', 'blob'],
  ['text', 'blob'],
  ['time', 'blob'],
  ['varint', 'blob'],
];

/** Where a user-defined type stands in a column; `$type` is its name. */
export const udtColumns: readonly { readonly type: string; readonly of: (value: object) => unknown }[] = [
  { type: 'frozen<$type>', of: (value) => value },
  { type: '$type', of: (value) => value },
  { type: 'set<frozen<$type>>', of: (value) => [value] },
  { type: 'frozen<list<frozen<$type>>>', of: (value) => [value] },
  { type: 'map<text, frozen<$type>>', of: (value) => ({ home: value }) },
];
