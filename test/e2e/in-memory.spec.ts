import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/core/index.js';
import { loadDriver } from '../../lib/cql/index.js';
import { type FullDriver, withoutNetwork } from '../../lib/testing/driver.js';
import { InMemoryCluster } from '../../lib/testing/in-memory-cluster.js';
import { clusterPair, createKeyspace, type TestCluster } from './support/clusters.js';

const keyspace = 'in_memory';
const schema = [
  'CREATE TYPE $ks.pair (x int, y text)',
  `CREATE TABLE $ks.cells (p int, c int, s int static, v int, w text, tags set<int>, notes map<int, text>,
     fixed frozen<set<int>>, fields pair, whole frozen<pair>, PRIMARY KEY (p, c))`,
  `CREATE TABLE $ks.ordered (p int, c1 int, c2 text, v int, PRIMARY KEY (p, c1, c2))
     WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)`,
  'CREATE TABLE $ks.plain (p int PRIMARY KEY, v int, tags set<int>)',
];

let real: TestCluster;
let inMemory: InMemoryCluster;
let partition = 0;

beforeAll(async () => {
  const pair = await clusterPair();
  await createKeyspace(pair, keyspace, schema);
  real = pair.A;
  const driver = withoutNetwork(await loadDriver()) as unknown as FullDriver;
  const local = schema.map((each) => each.replaceAll('$ks', keyspace));
  inMemory = new InMemoryCluster('A', driver, systemClock, local);
});

/** Rows as text, or the code a statement is refused with. */
type Answer = string[] | { readonly code: unknown };

async function answerOf(run: () => Promise<{ rows?: readonly object[] | undefined }>): Promise<Answer> {
  try {
    const { rows } = await run();
    return (rows ?? []).map((row) => JSON.stringify(row));
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'number') throw error;
    return { code };
  }
}

/** A statement with `$p` for the partition; both must answer alike. */
async function expectAlike(cql: string): Promise<void> {
  const text = cql.replaceAll('$p', String(partition)).replaceAll('$ks', keyspace);
  const [expected, received] = [
    await answerOf(() => real.run(text)),
    await answerOf(() => inMemory.client.execute(text, [])),
  ];
  expect({ text, answer: received }).toEqual({ text, answer: expected });
}

const number = fc.integer({ min: 0, max: 3 }).map(String);
const word = fc.constantFrom("'a'", "'b'", "''", "'long'");
const orNull = (value: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 4, arbitrary: value }, fc.constant('null'));
const setOf = fc.array(number, { maxLength: 3 }).map((items) => `{${items.join(', ')}}`);
const mapOf = fc.dictionary(number, word, { maxKeys: 3 }).map(
  (entries) =>
    `{${Object.entries(entries)
      .map((entry) => entry.join(': '))
      .join(', ')}}`,
);
const pairOf = fc.tuple(orNull(number), orNull(word)).map(([x, y]) => `{x: ${x}, y: ${y}}`);
const at = fc.integer({ min: 1, max: 4 }).map((us) => `USING TIMESTAMP ${us}`);

const valueOf: Readonly<Record<string, fc.Arbitrary<string>>> = {
  s: orNull(number),
  v: orNull(number),
  w: orNull(word),
  tags: orNull(setOf),
  notes: orNull(mapOf),
  fixed: orNull(setOf),
  fields: orNull(pairOf),
  whole: orNull(pairOf),
};
const columnNames = Object.keys(valueOf);
const someColumns = fc.subarray(columnNames, { minLength: 1, maxLength: 3 });
const withValues = someColumns.chain((names) =>
  fc
    .tuple(...names.map((name) => valueOf[name]!))
    .map((values) => names.map((name, i) => [name, values[i]!] as const)),
);

const insert = fc
  .tuple(withValues, number, at)
  .map(
    ([columns, c, using]) =>
      `INSERT INTO $ks.cells (p, c, ${columns.map(([name]) => name).join(', ')}) VALUES ($p, ${c}, ${columns.map(([, value]) => value).join(', ')}) ${using}`,
  );
const emptyInsert = fc
  .tuple(number, at)
  .map(([c, using]) => `INSERT INTO $ks.cells (p, c) VALUES ($p, ${c}) ${using}`);
const staticInsert = fc
  .tuple(orNull(number), at)
  .map(([s, using]) => `INSERT INTO $ks.cells (p, s) VALUES ($p, ${s}) ${using}`);
const assignment = fc.oneof(
  ...columnNames.map((name) => valueOf[name]!.map((value) => `${name} = ${value}`)),
  setOf.map((value) => `tags = tags + ${value}`),
  setOf.map((value) => `tags = tags - ${value}`),
  mapOf.map((value) => `notes = notes + ${value}`),
  setOf.map((value) => `notes = notes - ${value}`),
  fc.tuple(number, orNull(word)).map(([key, value]) => `notes[${key}] = ${value}`),
  orNull(number).map((value) => `fields.x = ${value}`),
);
const update = fc
  .tuple(assignment, fc.uniqueArray(number, { minLength: 1, maxLength: 2 }), at)
  .map(([set, c, using]) => `UPDATE $ks.cells ${using} SET ${set} WHERE p = $p AND c IN (${c.join(', ')})`);
const staticUpdate = fc
  .tuple(orNull(number), at)
  .map(([s, using]) => `UPDATE $ks.cells ${using} SET s = ${s} WHERE p = $p`);
const target = fc.oneof(
  fc.constantFrom(...columnNames.filter((name) => name !== 's')),
  number.map((key) => `tags[${key}]`),
  number.map((key) => `notes[${key}]`),
  fc.constant('fields.y'),
);
const deleteColumn = fc
  .tuple(target, number, at)
  .map(([what, c, using]) => `DELETE ${what} FROM $ks.cells ${using} WHERE p = $p AND c = ${c}`);
const range = fc.tuple(fc.constantFrom('=', '<', '<=', '>', '>='), number).map(([op, c]) => `c ${op} ${c}`);
const deleteRows = fc
  .tuple(
    fc.oneof(
      range,
      fc.tuple(number, number).map(([a, b]) => `c > ${a} AND c <= ${b}`),
      fc.constant(''),
    ),
    at,
  )
  .map(([where, using]) => `DELETE FROM $ks.cells ${using} WHERE p = $p${where && ` AND ${where}`}`);
const deleteStatic = at.map((using) => `DELETE s FROM $ks.cells ${using} WHERE p = $p`);

const single = fc.oneof(
  { weight: 4, arbitrary: insert },
  { weight: 4, arbitrary: update },
  emptyInsert,
  staticInsert,
  staticUpdate,
  { weight: 2, arbitrary: deleteColumn },
  { weight: 2, arbitrary: deleteRows },
  deleteStatic,
);
const batch = fc
  .tuple(fc.array(single, { minLength: 1, maxLength: 3 }), at, fc.constantFrom('', 'UNLOGGED'))
  .map(
    ([statements, using, kind]) =>
      `BEGIN ${kind} BATCH ${using} ${statements.map((each) => each.replace(/USING TIMESTAMP \d/, '')).join('; ')} APPLY BATCH`,
  );
const history = fc.array(fc.oneof({ weight: 6, arbitrary: single }, batch), { minLength: 2, maxLength: 8 });

const READS = [
  `SELECT * FROM $ks.cells WHERE p = $p`,
  `SELECT c, ${columnNames.map((name) => `writetime(${name})`).join(', ')} FROM $ks.cells WHERE p = $p`,
  'SELECT c, v AS value, ttl(v) FROM $ks.cells WHERE p = $p ORDER BY c DESC LIMIT 2',
  'SELECT v, s FROM $ks.cells WHERE p = $p AND c IN (2, 0)',
  'SELECT w FROM $ks.cells WHERE p IN ($p, $p) AND c > 0 AND c <= 2',
  'SELECT DISTINCT p, s FROM $ks.cells WHERE p = $p',
  'SELECT count(*) AS n, count(v), count(s), count(tags) FROM $ks.cells WHERE p = $p',
  "SELECT c FROM $ks.cells WHERE p = $p AND v = 1 AND w > '' ALLOW FILTERING",
];

describe('the in-memory cluster', () => {
  it('holds the same rows with the same write times as Cassandra after any history', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (statements) => {
        partition++;
        for (const statement of statements) await expectAlike(statement);
        for (const read of READS) await expectAlike(read);
      }),
      { numRuns: 250 },
    );
  });

  it('deletes and reads slices of a reversed order as Cassandra does', async () => {
    const c2 = fc.constantFrom("'a'", "'b'", "'c'");
    const write = fc
      .tuple(number, c2, number, at)
      .map(
        ([c1, two, v, using]) =>
          `INSERT INTO $ks.ordered (p, c1, c2, v) VALUES ($p, ${c1}, ${two}, ${v}) ${using}`,
      );
    const where = fc.oneof(
      fc.constant(''),
      fc.tuple(fc.constantFrom('=', '<', '>='), number).map(([op, c1]) => ` AND c1 ${op} ${c1}`),
      fc
        .tuple(number, fc.constantFrom('=', '<', '>='), c2)
        .map(([c1, op, two]) => ` AND c1 = ${c1} AND c2 ${op} ${two}`),
    );
    const erase = fc
      .tuple(where, at)
      .map(([rows, using]) => `DELETE FROM $ks.ordered ${using} WHERE p = $p${rows}`);
    const statements = fc.array(fc.oneof({ weight: 3, arbitrary: write }, erase), {
      minLength: 3,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(statements, fc.array(where, { minLength: 2, maxLength: 4 }), async (all, reads) => {
        partition++;
        for (const statement of all) await expectAlike(statement);
        for (const rows of ['', ...reads]) {
          await expectAlike(`SELECT c1, c2, v, writetime(v) FROM $ks.ordered WHERE p = $p${rows}`);
          await expectAlike(
            `SELECT c1, c2 FROM $ks.ordered WHERE p = $p${rows} ORDER BY c1 ASC, c2 DESC LIMIT 3`,
          );
        }
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['ascii', ["'b'", "''", "'a'", "'ab'"]],
    ['bigint', ['0', '-1', '9223372036854775807', '-9223372036854775808', '1']],
    ['blob', ['0x', '0xff', '0x00', '0x0001']],
    ['boolean', ['true', 'false']],
    ['date', ["'2024-02-29'", "'1969-12-31'", "'1970-01-01'", "'-0001-01-01'"]],
    ['decimal', ['1.50', '-1', '100', '0.001', '-123456789012345678901.5', '1e3']],
    ['double', ['0.1', '-0.5', '1e300', '-1e300', '7', 'NaN', 'Infinity', '-Infinity']],
    ['float', ['0.5', '-0.5', '3', '1e30']],
    ['inet', ["'10.0.0.2'", "'10.0.0.10'", "'::1'", "'2001:db8::1'"]],
    ['int', ['3', '-3', '2147483647', '-2147483648', '0']],
    ['smallint', ['3', '-3', '32767', '-32768']],
    ['text', ["'ä'", "'z'", "'Z'", "'日本'", "'it''s'", '$$a$b$$']],
    ['time', ["'23:59:59.999999999'", "'00:00:00'", "'12:30:00'"]],
    ['timestamp', ["'2024-02-29T00:00:00Z'", "'1950-01-01T00:00:00.123Z'", '0', '-1']],
    [
      'timeuuid',
      [
        '30821634-13ad-11eb-adc1-0242ac120002',
        '30821634-13ad-11ea-adc1-0242ac120002',
        '30821635-13ad-11ea-adc1-0242ac120002',
        '30821634-13ad-11eb-7dc1-0242ac120002',
      ],
    ],
    ['tinyint', ['3', '-3', '127', '-128']],
    [
      'uuid',
      [
        'c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11',
        '05ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11',
        '30821634-13ad-11eb-adc1-0242ac120002',
        '40821634-13ad-11ea-adc1-0242ac120002',
      ],
    ],
    ['varint', ['0', '-1', '128', '-129', '170141183460469231731687303715884105727']],
    ['frozen<set<int>>', ['{3, 1}', '{1, 2, 3}', '{2}', '{1, 1}']],
    ['frozen<list<text>>', ["['b', 'a']", "['a']", "['a', 'c']"]],
    ['frozen<map<int, text>>', ["{2: 'a', 1: 'b'}", "{1: 'a'}", "{1: 'c'}"]],
    ['frozen<tuple<int, text>>', ["(2, 'a')", "(1, 'z')", '(1, null)', "(-1, 'a')"]],
    ['frozen<pair>', ["{x: 2, y: 'a'}", '{x: 1}', "{y: 'z'}"]],
  ])('keeps and orders values of the type %s as Cassandra does', async (type, values) => {
    const table = `$ks.of_${type.replaceAll(/\W+/g, '_')}`;
    await expectAlike(`CREATE TABLE ${table} (p int, c ${type}, v ${type}, PRIMARY KEY (p, c))`);
    for (const value of values) {
      await expectAlike(`INSERT INTO ${table} (p, c, v) VALUES (1, ${value}, ${value}) USING TIMESTAMP 1`);
      await expectAlike(`SELECT c FROM ${table} WHERE p = 1 AND c >= ${value}`);
    }
    await expectAlike(`SELECT c, v FROM ${table} WHERE p = 1`);
    await expectAlike(`SELECT c FROM ${table} WHERE p = 1 ORDER BY c DESC`);
    await expectAlike(
      `SELECT column_name, kind, position, type, clustering_order FROM system_schema.columns WHERE keyspace_name = '$ks' AND table_name = '${table.slice(4)}'`,
    );
  });

  it.each([
    'SELECT * FROM $ks.missing',
    'SELECT missing FROM $ks.cells',
    'SELECT * FROM $ks.cells WHERE c = 1',
    'SELECT * FROM $ks.cells WHERE v = 1',
    'SELECT * FROM $ks.cells WHERE p = $p AND v = 1',
    "SELECT * FROM $ks.ordered WHERE p = $p AND c2 = 'a'",
    "SELECT * FROM $ks.ordered WHERE p = $p AND c1 > 1 AND c2 = 'a'",
    'SELECT * FROM $ks.ordered WHERE p = $p ORDER BY c2',
    'SELECT * FROM $ks.ordered WHERE p = $p ORDER BY c1 ASC, c2 ASC',
    'SELECT * FROM $ks.ordered ORDER BY c1',
    'SELECT * FROM $ks.cells WHERE p = null',
    "SELECT * FROM $ks.cells WHERE p = 'x'",
    'SELECT * FROM $ks.cells WHERE p = $p LIMIT 0',
    'SELECT writetime(c) FROM $ks.cells',
    'SELECT DISTINCT c FROM $ks.cells',
    'INSERT INTO $ks.cells (p, v) VALUES ($p, 1)',
    'INSERT INTO $ks.cells (p, c, missing) VALUES ($p, 1, 1)',
    'INSERT INTO $ks.cells (p, c) VALUES ($p, null)',
    'INSERT INTO $ks.cells (p, c, v) VALUES ($p, 1)',
    "INSERT INTO $ks.cells (p, c, v) VALUES ($p, 1, 'x')",
    'INSERT INTO $ks.cells (p, c, w) VALUES ($p, 1, 1)',
    'INSERT INTO $ks.cells (p, c, tags) VALUES ($p, 1, [1])',
    'INSERT INTO $ks.cells (p, c, v) VALUES ($p, 1, 1) USING TTL -1',
    'INSERT INTO $ks.cells (p c) VALUES ($p, 1)',
    'INSERT INTO $ks.cells',
    'UPDATE $ks.cells SET v = 1 WHERE p = $p',
    'UPDATE $ks.cells SET c = 1 WHERE p = $p AND c = 1',
    "UPDATE $ks.cells SET v = 1 WHERE p = $p AND c = 1 AND w = 'x'",
    'UPDATE $ks.cells SET fixed = fixed + {1} WHERE p = $p AND c = 1',
    'UPDATE $ks.cells SET whole.x = 1 WHERE p = $p AND c = 1',
    'UPDATE $ks.cells SET v = 1 WHERE p > $p AND c = 1',
    'DELETE FROM $ks.cells WHERE c = 1',
    'DELETE c FROM $ks.cells WHERE p = $p AND c = 1',
    'DELETE v FROM $ks.cells WHERE p = $p',
    "DELETE FROM $ks.ordered WHERE p = $p AND c2 = 'a'",
    'CREATE TABLE $ks.cells (p int PRIMARY KEY)',
    'CREATE TABLE $ks.broken (p int)',
    'CREATE TABLE $ks.broken (p unknown PRIMARY KEY)',
    'CREATE TABLE $ks.broken (p set<int> PRIMARY KEY)',
    'TRUNCATE $ks.missing',
    'SELECT',
    '',
  ])('refuses with the code that Cassandra refuses with: %s', async (cql) => {
    const text = cql.replaceAll('$p', '1').replaceAll('$ks', keyspace);
    const expected = await answerOf(() => real.run(text));
    expect(expected).toHaveProperty('code');
    expect(await answerOf(() => inMemory.client.execute(text, []))).toEqual(expected);
  });
});
