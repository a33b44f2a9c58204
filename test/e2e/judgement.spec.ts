import cassandra from 'cassandra-driver';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterId, systemClock } from '../../lib/core/index.js';
import { CqlSession, loadDriver, scanStatement } from '../../lib/cql/index.js';
import type { TableColumns } from '../../lib/cql/driver/index.js';
import { judge } from '../../lib/cql/judgement.js';
import { cellsOfBoth } from './support/cells.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'judgement';
const SEED = 20_241_130;

/** A statement or a part of one, and what is bound for each `?` in it. `$id` stands for the partition. */
interface TestStatement {
  readonly text: string;
  readonly params: readonly unknown[];
  /** For which it has to be refused. */
  readonly hazard?: string | undefined;
}

const safe = (text: string, ...params: unknown[]): TestStatement => ({ text, params });
const list = (text: string, ...params: unknown[]): TestStatement => ({ text, params, hazard: 'list' });
const counter = (text: string, ...params: unknown[]): TestStatement => ({ text, params, hazard: 'counter' });

/** `l` and `sl` are lists, `sn` and `sl` are static. */
const ASSIGNMENTS: readonly TestStatement[] = [
  safe('n = ?', 'l = [1]'),
  safe("n = 'l'"),
  safe('n = null'),
  safe('s = ?', [1, 2]),
  safe('s = {3}'),
  safe('s = s + ?', [4]),
  safe('s -= {1}'),
  safe('s = null'),
  safe('m = ?', { a: 1, l: 2 }),
  safe('m = m + ?', { b: 2 }),
  safe('m = m - ?', ['a']),
  safe('m[?] = ?', 'c', 3),
  safe("m['l'] = 4"),
  safe('fl = ?', [1, 2]),
  safe('fl = [3, 4, 4]'),
  safe('u = {f: 1, fl: [1]}'),
  safe('u.f = ?', 2),
  safe('u.fl = [2, 2]'),
  safe('v = [1, 2, 3]'),
  safe('t = (1, [2, 2])'),
  safe('"Q" = ?', [7]),
  safe('l = null'),
  safe('sn = ?', 5),
  safe('sl = null'),
  list('l = ?', [1, 2]),
  list('l = [3]'),
  list('l = l + ?', [4]),
  list('l = [5] + l'),
  list('l -= ?', [4]),
  list('l[?] = ?', 0, 6),
  list('l[0] = 7'),
  list('sl += [8]'),
];

const DELETIONS: readonly TestStatement[] = [
  safe('n'),
  safe('s'),
  safe('s[?]', 1),
  safe('s[2]'),
  safe('m[?]', 'a'),
  safe("m['l']"),
  safe('fl'),
  safe('u.f'),
  safe('u'),
  safe('l'),
  safe('sl'),
  list('l[?]', 0),
  list('l[0]'),
];

const INSERTIONS: readonly (readonly [column: string, value: TestStatement])[] = [
  ['n', safe('?', 'l')],
  ['s', safe('?', [5, 6])],
  ['m', safe("{'l': 9}")],
  ['fl', safe('?', [1])],
  ['u', safe('{f: 3}')],
  ['v', safe('[4, 5, 6]')],
  ['"Q"', safe('{1, 2}')],
  ['l', safe('null')],
  ['l', list('?', [1])],
  ['l', list('fromJson(?)', '[1]')],
];

const OTHERS: readonly TestStatement[] = [
  safe(`INSERT INTO t JSON '{"id": $id, "c": 1, "n": "l", "\\"Q\\"": [2], "fl": [1, 2]}'`),
  safe(`INSERT INTO t JSON '{"id": $id, "c": 1, "M": {"l": 1}, "l": null}' DEFAULT UNSET`),
  safe(`INSERT INTO t JSON '{"id": $id, "c": 1, "u": {"fl": [3]}, "l": []}'`),
  list(`INSERT INTO t JSON '{"id": $id, "c": 1, "L": [1]}'`),
  list('INSERT INTO t JSON ?', '{"id": $id, "c": 1, "l": [1, 2]}'),
  safe('INSERT INTO t (id, c) VALUES ($id, 2)'),
  safe('DELETE FROM t WHERE id = $id AND c = ?', 1),
  safe('DELETE FROM t WHERE id = $id AND c > 1'),
  safe(
    'BEGIN BATCH UPDATE t SET s = s + ? WHERE id = $id AND c = 1; DELETE l FROM t WHERE id = $id AND c = 1 APPLY BATCH',
    [9],
  ),
  list(
    'BEGIN BATCH DELETE n FROM t WHERE id = $id AND c = 1; UPDATE t SET l += ? WHERE id = $id AND c = 1 APPLY BATCH',
    [9],
  ),
  counter('UPDATE hits SET hits = hits + ? WHERE id = $id', 1),
  counter('UPDATE hits SET hits -= 1 WHERE id = $id'),
  counter('DELETE FROM hits WHERE id = $id'),
];

/** Each alone and beside another one, so far away that it is of another column. */
function aloneAndInPairs<T>(all: readonly T[], distance: number): T[][] {
  return [...all.map((each) => [each]), ...all.map((each, i) => [each, all[(i + distance) % all.length]!])];
}

function generate(): TestStatement[] {
  const statements: TestStatement[] = [];
  const add = (parts: readonly TestStatement[], text: (all: string) => string): void => {
    statements.push({
      text: text(parts.map((part) => part.text).join(', ')),
      params: parts.flatMap(({ params }) => params),
      hazard: parts.find(({ hazard }) => hazard)?.hazard,
    });
  };
  const row = (parts: readonly TestStatement[]): string =>
    // The server takes no clustering key where only static columns are written.
    parts.every(({ text }) => /^s[nl]/.test(text)) ? 'id = $id' : 'id = $id AND c = 1';
  for (const parts of aloneAndInPairs(ASSIGNMENTS, 11)) {
    add(parts, (all) => `UPDATE t SET ${all} WHERE ${row(parts)}`);
  }
  for (const parts of aloneAndInPairs(DELETIONS, 5)) {
    add(parts, (all) => `DELETE ${all} FROM t WHERE ${row(parts)}`);
  }
  for (const insertions of aloneAndInPairs(INSERTIONS, 5)) {
    const columns = insertions.map(([column]) => column).join(', ');
    const values = insertions.map(([, value]) => value);
    add(values, (all) => `INSERT INTO t (${columns}, id, c) VALUES (${all}, $id, 1)`);
  }
  return [...statements, ...OTHERS];
}

let pair: TestPair;
let clients: Readonly<Record<ClusterId, cassandra.Client>>;
let session: CqlSession;
const tables = new Map<string, TableColumns>();

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, [
    'CREATE TYPE $ks.part (f int, fl frozen<list<int>>)',
    `CREATE TABLE $ks.t (id int, c int, n text, s set<int>, m map<text, int>, fl frozen<list<int>>, u part,
      v vector<float, 3>, t tuple<int, frozen<list<int>>>, "Q" set<int>, l list<int>, sn int static,
      sl list<int> static, PRIMARY KEY (id, c))`,
    'CREATE TABLE $ks.hits (id int PRIMARY KEY, hits counter)',
  ]);
  for (const table of ['t', 'hits']) {
    const { rows } = await pair.A.run(
      `SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = '${keyspace}' AND table_name = '${table}'`,
    );
    tables.set(table, new Map(rows.map((row) => [row['column_name'] as string, row['type'] as string])));
  }
  const connect = async ({ server }: TestPair['A']): Promise<cassandra.Client> => {
    const client = new cassandra.Client({ ...server.clientOptions, keyspace });
    await client.connect();
    return client;
  };
  clients = { A: await connect(pair.A), B: await connect(pair.B) };
  session = new CqlSession(await loadDriver(), 'A', 'A', clients.A, systemClock);
  await session.connect();
});

afterAll(async () => {
  await Promise.all([clients.A.shutdown(), clients.B.shutdown()]);
});

/** As Helix finds it: prepared first, and the table looked at only if that is not enough. */
async function hazardOf({ text }: TestStatement): Promise<string | undefined> {
  const facts = scanStatement(text.replaceAll('$id', '0'));
  const {
    meta: { columns },
  } = await session.prepare(text.replaceAll('$id', '0'));
  const judgement = judge(facts, columns, ({ table }) => tables.get(table));
  expect(judgement).not.toHaveProperty('unknownTables');
  return 'refusal' in judgement ? judgement.refusal?.().hazard : 'unknownTables';
}

async function apply(
  cluster: ClusterId,
  id: number,
  { text, params }: TestStatement,
  timestampUs: number,
): Promise<void> {
  const bound = params.map((value) =>
    typeof value === 'string' ? value.replaceAll('$id', String(id)) : value,
  );
  await clients[cluster].execute(text.replaceAll('$id', String(id)), bound, {
    prepare: true,
    timestamp: timestampUs,
  });
}

const FIRST_US = 1_700_000_000_000_000;

describe('every statement of a table of them', () => {
  it.each(generate())('$text: $hazard', async (statement) => {
    expect(await hazardOf(statement)).toBe(statement.hazard);
  });

  it('that is harmless converges in any order, however often it is applied', async () => {
    const harmless: TestStatement[] = [];
    for (const statement of generate()) {
      if ((await hazardOf(statement)) === undefined) harmless.push(statement);
    }
    expect(harmless.length).toBeGreaterThan(60);
    const order = fc.shuffledSubarray([...harmless.keys()], { minLength: harmless.length });
    const histories = fc.sample(fc.tuple(order, order, order, order), { seed: SEED, numRuns: 4 });
    await Promise.all(
      histories.map(async ([times, onA, onB, again], id) => {
        const run = async (cluster: ClusterId, indices: readonly number[]): Promise<void> => {
          for (const i of indices) await apply(cluster, id, harmless[i]!, FIRST_US + times[i]! * 10);
        };
        await Promise.all([run('A', onA), run('B', [...onB, ...again])]);
      }),
    );
    const { A, B } = await cellsOfBoth(pair, keyspace, 't');
    expect(A.length).toBeGreaterThanOrEqual(histories.length);
    expect(B).toEqual(A);
  });
});

describe('what is refused does not converge', () => {
  const row = 'WHERE id = $id AND c = 1';
  const before = safe('INSERT INTO t (id, c, n, l) VALUES ($id, 1, ?, ?)', 'a', [1, 2, 3]);
  const refused = (hazard: string, text: string): TestStatement => ({ text, params: [], hazard });
  const EXAMPLES: readonly (readonly [
    statement: TestStatement,
    other?: TestStatement,
    otherIs?: 'earlier' | 'later',
  ])[] = [
    [list(`UPDATE t SET l = ? ${row}`, [7, 8])],
    [list(`UPDATE t SET l = [7] ${row}`)],
    [list('INSERT INTO t (id, c, l) VALUES ($id, 1, ?)', [7])],
    [list('INSERT INTO t (id, c, l) VALUES ($id, 1, fromJson(?))', '[7]')],
    [list('INSERT INTO t JSON ?', '{"id": $id, "c": 1, "l": [7]}')],
    [list(`INSERT INTO t JSON '{"id": $id, "c": 1, "L": [7]}'`)],
    [list(`UPDATE t SET l = l + ? ${row}`, [7])],
    [list(`UPDATE t SET l = [7] + l ${row}`)],
    [list('UPDATE t SET sl += [7] WHERE id = $id')],
    [list(`DELETE l[?] FROM t ${row}`, 0)],
    [list(`UPDATE t SET l -= ? ${row}`, [7]), list(`UPDATE t SET l = l + [7] ${row}`), 'earlier'],
    [list(`UPDATE t SET l[0] = 7 ${row}`), list(`UPDATE t SET l = [9] + l ${row}`)],
    [counter('UPDATE hits SET hits = hits + ? WHERE id = $id', 1)],
    [counter('UPDATE hits SET hits -= 1 WHERE id = $id')],
    [refused('nondeterministic', `UPDATE t SET n = toJson(now()) ${row}`)],
    [refused('lwt', `UPDATE t SET n = 'c' ${row} IF n = 'a'`), safe(`UPDATE t SET n = 'b' ${row}`)],
    [refused('truncate', 'TRUNCATE t'), before],
  ];

  /** Once on A and twice on B; or, with another one, before it on A and after it on B, whichever is the earlier. */
  it.each(
    EXAMPLES.map(([statement, other, otherIs], i) => ({
      ...statement,
      statement,
      other,
      otherIs,
      id: 1_000 + i,
    })),
  )('$hazard: $text', async ({ hazard, statement, other, otherIs, id }) => {
    expect(await hazardOf(statement)).toBe(hazard);
    for (const cluster of ['A', 'B'] as const) {
      await apply(cluster, id, before, FIRST_US);
      await apply(cluster, id, counter('UPDATE hits SET hits += 5 WHERE id = $id'), FIRST_US);
    }
    const otherUs = FIRST_US + (otherIs === 'earlier' ? 10 : 30);
    const histories = other
      ? { A: [statement, other], B: [other, statement] }
      : { A: [statement], B: [statement, statement] };
    for (const cluster of ['A', 'B'] as const) {
      for (const each of histories[cluster]) {
        await apply(cluster, id, each, each === statement ? FIRST_US + 20 : otherUs);
      }
    }
    const table = statement.text.includes('hits') ? 'hits' : 't';
    const values = async (cluster: TestPair['A']): Promise<string> => {
      const { rows } = await cluster.run(`SELECT JSON * FROM ${keyspace}.${table} WHERE id = ${id}`);
      return JSON.stringify(rows);
    };
    expect(await values(pair.B)).not.toEqual(await values(pair.A));
  });
});
