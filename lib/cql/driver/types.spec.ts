import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import type { Column, ColumnType } from './driver-internals.js';
import { parametersSignature, typeSignature } from './types.js';

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

function pointFields(): [string, ColumnType][] {
  return [
    ['x', INT],
    ['y', INT],
  ];
}
