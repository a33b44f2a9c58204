import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import type { Column, ColumnType } from './driver-internals.js';
import { parametersSignature, setsMore, takes, typeSignature } from './types.js';

const { dataTypes } = cassandra.types;

const INT: ColumnType = { code: dataTypes.int };
const TEXT: ColumnType = { code: dataTypes.varchar, info: null };
const list = (of: ColumnType): ColumnType => ({ code: dataTypes.list, info: of });
const set = (of: ColumnType): ColumnType => ({ code: dataTypes.set, info: of });
const map = (key: ColumnType, value: ColumnType): ColumnType => ({ code: dataTypes.map, info: [key, value] });
const tuple = (...of: ColumnType[]): ColumnType => ({ code: dataTypes.tuple, info: of });
const udt = (name: string, fields: [string, ColumnType][], keyspace = 'shop'): ColumnType => ({
  code: dataTypes.udt,
  info: { keyspace, name, fields: fields.map(([field, type]): Column => ({ name: field, type })) },
});
const MARSHAL = 'org.apache.cassandra.db.marshal';
/** As Cassandra 5 describes it to a prepared statement, and the driver reads it: the class name, unparsed. */
const vector = (of: string, dimensions: number): ColumnType => ({
  code: dataTypes.custom,
  info: `${MARSHAL}.VectorType(${MARSHAL}.${of} , ${dimensions})`,
});
/** A UDT with one field within such a class name, which has names in hexadecimal. */
const udtClass = (name: string, field: string, type: string, keyspace = 'shop'): string => {
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  return `FrozenType(${MARSHAL}.UserType(${keyspace},${hex(name)},${hex(field)}:${MARSHAL}.${type}))`;
};
const point = udt('point', [
  ['x', INT],
  ['y', INT],
]);

describe('typeSignature', () => {
  it.each<[what: string, a: ColumnType, b: ColumnType]>([
    ['scalars', INT, TEXT],
    ['the same width', { code: dataTypes.bigint }, { code: dataTypes.timestamp }],
    ['a list and a set', list(INT), set(INT)],
    ['elements', list(INT), list(TEXT)],
    ['deep elements', list(list(INT)), list(list(TEXT))],
    ['map keys', map(INT, TEXT), map(TEXT, TEXT)],
    ['map values', map(INT, INT), map(INT, TEXT)],
    ['tuple elements', tuple(INT, TEXT), tuple(TEXT, INT)],
    ['tuple lengths', tuple(INT), tuple(INT, INT)],
    ['a tuple and its element', tuple(INT), INT],
    ['vector elements', vector('FloatType', 3), vector('Int32Type', 3)],
    ['vector dimensions', vector('FloatType', 3), vector('FloatType', 4)],
    [
      'the names of UDTs in vectors',
      vector(udtClass('point', 'x', 'Int32Type'), 3),
      vector(udtClass('place', 'x', 'Int32Type'), 3),
    ],
    [
      'the names of UDT fields in vectors',
      vector(udtClass('point', 'x', 'Int32Type'), 3),
      vector(udtClass('point', 'y', 'Int32Type'), 3),
    ],
    [
      'the types of UDT fields in vectors',
      vector(udtClass('point', 'x', 'Int32Type'), 3),
      vector(udtClass('point', 'x', 'UTF8Type'), 3),
    ],
    [
      'the order of UDT fields',
      point,
      udt('point', [
        ['y', INT],
        ['x', INT],
      ]),
    ],
    [
      'the names of UDT fields',
      point,
      udt('point', [
        ['x', INT],
        ['z', INT],
      ]),
    ],
    [
      'the types of UDT fields',
      point,
      udt('point', [
        ['x', INT],
        ['y', TEXT],
      ]),
    ],
    ['a field added to a UDT', point, udt('point', [...pointFields(), ['z', INT]])],
    ['the names of UDTs', point, udt('place', pointFields())],
    [
      'a UDT within a UDT within a collection',
      map(TEXT, list(udt('route', [['from', point]]))),
      map(
        TEXT,
        list(
          udt('route', [
            [
              'from',
              udt('point', [
                ['y', INT],
                ['x', INT],
              ]),
            ],
          ]),
        ),
      ),
    ],
  ])('tells apart %s', (_what, a, b) => {
    expect(typeSignature(a)).not.toBe(typeSignature(b));
  });

  it.each<[what: string, of: (keyspace: string) => ColumnType]>([
    ['a UDT', (keyspace) => udt('point', pointFields(), keyspace)],
    ['a list of a UDT', (keyspace) => list(udt('point', pointFields(), keyspace))],
    ['a UDT in a UDT', (keyspace) => udt('route', [['from', udt('point', pointFields(), keyspace)]])],
    ['a vector of a UDT', (keyspace) => vector(udtClass('point', 'x', 'Int32Type', keyspace), 3)],
    ['a tuple of a UDT', (keyspace) => tuple(INT, udt('point', pointFields(), keyspace))],
  ])('does not depend on the keyspace of %s', (_what, of) => {
    expect(typeSignature(of('shop'))).toBe(typeSignature(of('shop_b')));
  });

  it('takes no info for the same as missing info', () => {
    expect(typeSignature({ code: dataTypes.int, info: null })).toBe(typeSignature(INT));
  });
});

describe('parametersSignature', () => {
  const columns = (...all: ColumnType[]): Column[] => all.map((type, i) => ({ name: `c${i}`, type }));

  it('depends on the order of the parameters, not on their names', () => {
    expect(parametersSignature(columns(INT, TEXT))).not.toBe(parametersSignature(columns(TEXT, INT)));
    expect(parametersSignature([{ name: 'a', type: INT }])).toBe(
      parametersSignature([{ name: 'b', type: INT }]),
    );
  });

  it('depends on how many there are', () => {
    expect(parametersSignature(columns(INT))).not.toBe(parametersSignature(columns(INT, INT)));
    expect(parametersSignature([])).toBe('');
  });
});

describe('values that were encoded for other types', () => {
  const point = udt('point', pointFields());
  const grown = udt('point', [...pointFields(), ['z', INT], ['label', TEXT]]);
  const renamed = udt('point', [
    ['x', INT],
    ['up', INT],
  ]);
  const named = (type: ColumnType): Column[] => [{ name: 'c', type }];

  it.each<[what: string, expected: boolean, encoded: ColumnType, now: ColumnType]>([
    ['the same', true, map(INT, list(point)), map(INT, list(point))],
    ['another width', false, INT, { code: dataTypes.bigint }],
    ['the same width', false, INT, { code: dataTypes.float }],
    ['a UDT that has grown', true, point, grown],
    ['a UDT that has shrunk', false, grown, point],
    ['a UDT with a renamed field', false, point, renamed],
    ['a list of it', true, list(point), list(grown)],
    ['a map to it', true, map(TEXT, point), map(TEXT, grown)],
    ['a map to lists of it', true, map(TEXT, list(point)), map(TEXT, list(grown))],
    ['a tuple with it', true, tuple(INT, point), tuple(INT, grown)],
    ['a UDT with it', true, udt('outer', [['p', point]]), udt('outer', [['p', grown]])],
    ['a UDT of another name', false, point, udt('dot', [...pointFields(), ['z', INT]])],
    ['elements of a set, which are compared as a whole', false, set(point), set(grown)],
    ['keys of a map', false, map(point, INT), map(grown, INT)],
    ['a set within a list', false, list(set(point)), list(set(grown))],
    ['a list that has become a set', false, list(INT), set(INT)],
    [
      'a name with signs that mean something in a pattern',
      true,
      udt('a.b*', [['$x', INT]]),
      udt('a.b*', [
        ['$x', INT],
        ['y', INT],
      ]),
    ],
    ['a name that only fits as a pattern', false, udt('a_b', [['x', INT]]), udt('a.b', [['x', INT]])],
  ])('%s: %s', (_what, expected, encoded, now) => {
    expect(takes(named(now), parametersSignature(named(encoded)), () => true)).toBe(expected);
  });

  it('are not taken by a key that has grown, which would be another key', () => {
    expect(takes(named(grown), parametersSignature(named(point)), () => false)).toBe(false);
    expect(takes(named(point), parametersSignature(named(point)), () => false)).toBe(true);
  });

  it('are not taken by more or fewer columns', () => {
    const two = [...named(INT), ...named(point)];
    expect(takes([...named(INT), ...named(grown)], parametersSignature(two), () => true)).toBe(true);
    expect(takes(named(INT), parametersSignature(two), () => true)).toBe(false);
    expect(takes(two, parametersSignature(named(INT)), () => true)).toBe(false);
  });

  it.each<[what: string, expected: boolean, value: unknown, short: ColumnType, long: ColumnType]>([
    ['no further field', false, { x: 1, y: 2 }, point, grown],
    ['a further field that is null', false, { x: 1, z: null, label: undefined }, point, grown],
    ['a further field', true, { x: 1, z: 3 }, point, grown],
    ['the last of several', true, { label: '' }, point, grown],
    ['nothing at all', false, null, point, grown],
    ['one in a list', true, [{ x: 1 }, { z: 1 }], list(point), list(grown)],
    ['none in a list', false, [{ x: 1 }, { y: 1 }], list(point), list(grown)],
    ['one in a map', true, { a: { z: 1 } }, map(TEXT, point), map(TEXT, grown)],
    ['one in a Map', true, new Map([['a', { z: 1 }]]), map(TEXT, point), map(TEXT, grown)],
    ['one in a tuple', true, new cassandra.types.Tuple(1, { z: 1 }), tuple(INT, point), tuple(INT, grown)],
    ['one in a field', true, { p: { z: 1 } }, udt('o', [['p', point]]), udt('o', [['p', grown]])],
    ['a value of a type without fields', false, Buffer.from('z'), TEXT, TEXT],
  ])('%s is seen: %s', (_what, expected, value, shorter, longer) => {
    expect(setsMore(value, shorter, longer)).toBe(expected);
  });
});

function pointFields(): [string, ColumnType][] {
  return [
    ['x', INT],
    ['y', INT],
  ];
}
