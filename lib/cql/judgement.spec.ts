import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listOf, type } from '../../test/support/fake-cql-client.js';
import { HazardousStatementError, HelixUsageError } from '../core/index.js';
import type { ColumnType } from './driver/driver-internals.js';
import { judge, judgeText, refusalOfKind, type StatementCall, strictestClass } from './judgement.js';
import { scanStatement, type TableName } from './scanner.js';

const INT = type('int');
const TEXT = type('text');
const LIST = listOf(INT);
const SET: ColumnType = { code: 0x22, info: INT };
const MAP: ColumnType = { code: 0x21, info: [TEXT, INT] };
const VECTOR: ColumnType = { code: 0, info: 'org.apache.cassandra.db.marshal.VectorType(...)' };

/** As `system_schema.columns` spells them. */
const TABLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  t: {
    ...{ id: 'int', n: 'text', s: 'set<int>', m: 'map<text, int>', u: 'address', v: 'vector<float, 3>' },
    ...{
      l: 'list<int>',
      L: 'list<frozen<list<int>>>',
      fl: 'frozen<list<int>>',
      o: 'frozen<map<int, list<int>>>',
    },
  },
  plain: { id: 'int', n: 'text', s: 'set<int>', m: 'map<text, int>', l: 'frozen<list<int>>' },
  tags: { id: 'int', tags: 'list<text>', note: 'text' },
  hits: { id: 'int', hits: 'counter' },
};

type Parameters = readonly (readonly [name: string, type: ColumnType])[];

/** The hazard, `undefined` for what may be written, or `?` with the tables that must be known. */
function verdict(
  text: string,
  parameters: Parameters = [],
  tables: Readonly<Record<string, Readonly<Record<string, string>>>> = TABLES,
): string | undefined {
  const asked: TableName[] = [];
  const columns = parameters.map(([name, each]) => ({ name, type: each }));
  const judgement = judge(scanStatement(text), columns, (table) => {
    asked.push(table);
    const known = tables[table.table];
    return known && new Map(Object.entries(known));
  });
  if ('unknownTables' in judgement) {
    return `? ${judgement.unknownTables.map(({ keyspace, table }) => (keyspace === undefined ? table : `${keyspace}.${table}`)).join(', ')}`;
  }
  expect(judgement.class).toBe('idempotent');
  const error = judgement.refusal?.();
  if (error) {
    expect(error).toBeInstanceOf(HazardousStatementError);
    expect(judgement.refusal?.()).not.toBe(error);
  }
  return error?.hazard;
}

const messageOf = (text: string, parameters: Parameters = []): string | undefined => {
  const columns = parameters.map(([name, each]) => ({ name, type: each }));
  const judgement = judge(
    scanStatement(text),
    columns,
    ({ table }) => new Map(Object.entries(TABLES[table] ?? {})),
  );
  return 'refusal' in judgement ? judgement.refusal?.().message : undefined;
};

describe('what the text alone says', () => {
  it.each<[text: string, hazard: string]>([
    ['INSERT INTO t (id, n) VALUES (?, now())', 'nondeterministic'],
    ['UPDATE t SET n = f(?) WHERE id = ?', 'nondeterministic'],
    ['UPDATE t SET l = l + [1], n = uuid() WHERE id = ?', 'nondeterministic'],
    ['INSERT INTO t (id) VALUES (?) IF NOT EXISTS', 'lwt'],
    ['DELETE FROM t WHERE id = ? IF n = ?', 'lwt'],
    ['CREATE TABLE t (id int PRIMARY KEY)', 'ddl'],
    ['TRUNCATE t', 'truncate'],
    ['USE ks', 'use'],
    ['DELETE FROM t WHERE id = 1; DELETE FROM t WHERE id = 2', 'multipleStatements'],
    ['DELETE FROM t', 'unknown'],
    ['', 'unknown'],
    [
      'BEGIN BATCH DELETE FROM t WHERE id = 1 UPDATE t SET n = now() WHERE id = 1 APPLY BATCH',
      'nondeterministic',
    ],
  ])('is enough to refuse %s', (text, hazard) => {
    const judgement = judgeText(scanStatement(text));
    expect(judgement?.class).toBe('idempotent');
    expect(judgement?.refusal?.()).toMatchObject({ name: 'HazardousStatementError', hazard });
    expect(verdict(text, [], {})).toBe(hazard);
  });

  it.each(['SELECT n FROM t', 'BEGIN BATCH APPLY BATCH', 'UPDATE t SET l = null, u.f = 5 WHERE id = 1'])(
    'is enough to let pass %s',
    (text) => {
      expect(judgeText(scanStatement(text))).toEqual({ class: 'idempotent', refusal: undefined });
      expect(verdict(text, [], {})).toBeUndefined();
    },
  );

  it.each([
    'INSERT INTO t (id, n) VALUES (?, ?)',
    'INSERT INTO t JSON ?',
    'UPDATE t SET n = ? WHERE id = ?',
    'UPDATE t SET c = c + 1 WHERE id = 1',
    'UPDATE t SET m[?] = ? WHERE id = ?',
    'DELETE l[0] FROM t WHERE id = ?',
    'DELETE FROM t WHERE id = ?',
    'BEGIN BATCH UPDATE t SET l = null WHERE id = 1 DELETE FROM t WHERE id = 1 APPLY BATCH',
  ])('is not enough for %s', (text) => {
    expect(judgeText(scanStatement(text))).toBeUndefined();
  });
});

describe('the types of PREPARE', () => {
  const id = ['id', INT] as const;

  it.each<[text: string, parameters: Parameters]>([
    [
      'INSERT INTO t (id, n, s, m, v) VALUES (?, ?, ?, ?, ?)',
      [id, ['n', TEXT], ['s', SET], ['m', MAP], ['v', VECTOR]],
    ],
    ['INSERT INTO t (id, l) VALUES (:id, null) USING TTL ?', [id, ['[ttl]', INT]]],
    [
      'UPDATE t USING TTL ? SET n = ? WHERE id IN ?',
      [
        ['[ttl]', INT],
        ['n', TEXT],
        ['in(id)', LIST],
      ],
    ],
    ['UPDATE t SET s = s + ?, m += ?, "S" = "S" - :x WHERE id = ?', [['s', SET], ['m', MAP], ['x', SET], id]],
    ['UPDATE t SET m[?] = ? WHERE id = ?', [['key(m)', TEXT], ['value(m)', INT], id]],
    ['UPDATE t SET m[?] = 5 WHERE id = ?', [['key(m)', TEXT], id]],
    ['UPDATE t SET "M"[?] = :list WHERE id = ?', [['key(M)', TEXT], ['list', LIST], id]],
    ['UPDATE t SET u.f = ?, u.g = [1] WHERE id = ?', [['u.f', LIST], id]],
    ['UPDATE t SET l = null WHERE id = ?', [id]],
    ['DELETE m[?], s[?], u.f FROM t WHERE id = ?', [['key(m)', TEXT], ['value(s)', INT], id]],
    [
      'BEGIN BATCH USING TIMESTAMP ? INSERT INTO t (id, n) VALUES (?, ?); UPDATE t SET s = s - ? WHERE id = ? APPLY BATCH',
      [['[timestamp]', type('bigint')], id, ['n', TEXT], ['s', SET], id],
    ],
  ])('are enough to let pass %s', (text, parameters) => {
    expect(verdict(text, parameters, {})).toBeUndefined();
  });

  it.each<[hazard: string, text: string, parameters: Parameters]>([
    ['list', 'UPDATE t SET l = l + ? WHERE id = ?', [['l', LIST], id]],
    ['list', 'UPDATE t SET l = ? + l WHERE id = ?', [['l', LIST], id]],
    ['list', 'UPDATE t SET n = ?, l -= :x WHERE id = ?', [['n', TEXT], ['x', LIST], id]],
    ['list', 'UPDATE t SET l[?] = ? WHERE id = ?', [['idx(l)', INT], ['value(l)', INT], id]],
    ['list', 'UPDATE t SET "a""b"[?] = 5 WHERE id = ?', [['idx(a"b)', INT], id]],
    ['list', 'DELETE m[?], l[?] FROM t WHERE id = ?', [['key(m)', TEXT], ['idx(l)', INT], id]],
    ['counter', 'UPDATE hits SET hits = hits + ? WHERE id = ?', [['hits', type('counter')], id]],
    ['counter', 'UPDATE hits SET hits -= :by WHERE id = ?', [['by', type('counter')], id]],
    [
      'list',
      'BEGIN BATCH DELETE FROM other WHERE id = ? UPDATE t SET l = l + ? WHERE id = ? APPLY BATCH',
      [id, ['l', LIST], id],
    ],
  ])('are enough to refuse as %s: %s', (hazard, text, parameters) => {
    expect(verdict(text, parameters, {})).toBe(hazard);
  });

  it.each<[text: string, tables: string, parameters: Parameters]>([
    ['INSERT INTO t (id, l) VALUES (?, ?)', 't', [id, ['l', LIST]]],
    ['UPDATE ks.t SET l = ? WHERE id = ?', 'ks.t', [['l', LIST], id]],
    ['INSERT INTO t (id, l) VALUES (1, [1, 2])', 't', []],
    ['INSERT INTO t (id, s) VALUES (?, {1})', 't', [id]],
    ['INSERT INTO t (id, l) VALUES (?, fromJson(?))', 't', [id, ['arg0(system.fromjson)', TEXT]]],
    ['INSERT INTO t (id, l) VALUES (?, (list<int>)?)', 't', [id, ['l', LIST]]],
    ['INSERT INTO t JSON ?', 't', [['[json]', TEXT]]],
    ['UPDATE t SET s = s + {1} WHERE id = ?', 't', [id]],
    ['UPDATE t SET c = c + 1 WHERE id = ?', 't', [id]],
    ['UPDATE t SET c = c + ? WHERE id = ?', 't', []],
    ["UPDATE t SET m['k'] = ? WHERE id = ?", 't', [['value(m)', INT], id]],
    // A named marker is called what the caller likes.
    ['UPDATE t SET l[:"key(l)"] = ? WHERE id = ?', 't', [['key(l)', INT], ['value(l)', INT], id]],
    ['DELETE s[:x] FROM t WHERE id = ?', 't', [['x', INT], id]],
    ['DELETE n FROM t WHERE id = ?', 't', [id]],
    ['DELETE FROM t WHERE id = ?', 't', [id]],
    [
      'BEGIN BATCH DELETE FROM a WHERE id = 1 DELETE FROM "B" WHERE id = 1 DELETE FROM a WHERE id = 2 APPLY BATCH',
      'a, B',
      [],
    ],
  ])('are not enough for %s', (text, tables, parameters) => {
    expect(verdict(text, parameters, {})).toBe(`? ${tables}`);
  });

  it('do not make one ask for the table where they are enough', () => {
    const columns = [
      { name: 's', type: SET },
      { name: 'id', type: INT },
    ];
    const judgement = judge(scanStatement('UPDATE t SET s = s + ? WHERE id = ?'), columns, () => {
      throw new Error('was asked');
    });
    expect(judgement).toMatchObject({ refusal: undefined });
  });
});

describe('the columns of a table', () => {
  const list = [['l', LIST]] as const;

  it.each<[hazard: string, text: string, parameters: Parameters]>([
    ['list', 'INSERT INTO t (id, L) VALUES (1, ?)', list],
    ['list', 'INSERT INTO t (id, "L") VALUES (1, ?)', list],
    ['list', 'INSERT INTO t (l, id) VALUES ([], 1)', []],
    ['list', 'INSERT INTO t (id, l) VALUES (1, fromJson(?))', [['arg0(system.fromjson)', TEXT]]],
    ['list', 'INSERT INTO t JSON ?', [['[json]', TEXT]]],
    ['list', 'INSERT INTO t JSON :j DEFAULT UNSET', [['j', TEXT]]],
    ['list', `INSERT INTO t JSON '{"id": 1, "l": [1]}'`, []],
    ['list', `INSERT INTO t JSON '{"id": 1, "L": [1]}'`, []],
    ['list', `INSERT INTO t JSON '{"id": 1, "\\"L\\"": [[1]]}'`, []],
    ['list', `INSERT INTO t JSON $$ {"l": "[1]"} $$`, []],
    ['list', `INSERT INTO t JSON 'not json'`, []],
    ['list', `INSERT INTO t JSON '[]'`, []],
    ['list', 'UPDATE t SET l = [1] WHERE id = 1', []],
    ['list', 'UPDATE t SET l = l + [1] WHERE id = 1', []],
    ['list', 'UPDATE t SET n = null, l = [1] + l WHERE id = 1', []],
    ['list', 'UPDATE t SET l = l + null WHERE id = 1', []],
    ['list', 'UPDATE t SET l[0] = 5 WHERE id = 1', []],
    ['list', 'UPDATE t SET l[:i] = 5 WHERE id = 1', [['i', INT]]],
    ['list', 'DELETE n, l[0] FROM t WHERE id = 1', []],
    ['list', 'BEGIN BATCH DELETE FROM tags WHERE id = 1 UPDATE t SET l = [1] WHERE id = 1 APPLY BATCH', []],
    ['counter', 'UPDATE hits SET hits = hits + 1 WHERE id = 1', []],
    ['counter', 'UPDATE hits SET hits -= 1 WHERE id = 1', []],
    ['counter', 'DELETE FROM hits WHERE id = 1', []],
    ['counter', 'DELETE hits FROM hits WHERE id = ?', [['id', INT]]],
    ['unknown', 'UPDATE t SET n = n + 1 WHERE id = 1', []],
  ])('refuse as %s: %s', (hazard, text, parameters) => {
    expect(verdict(text, parameters)).toBe(hazard);
  });

  it.each<[text: string, parameters: Parameters]>([
    ['INSERT INTO t (id, fl) VALUES (1, ?)', list],
    ['INSERT INTO t (id, fl, o) VALUES (1, [1, 2], {1: [2]})', []],
    ['INSERT INTO t (id, l) VALUES (1, null)', []],
    ['INSERT INTO t (id, v, s, m) VALUES (1, [1, 2, 3], {1}, {})', []],
    [`INSERT INTO t JSON '{"id": 1, "n": "l", "s": [1], "fl": [1], "l": null}'`, []],
    [`INSERT INTO t JSON '{"id": 1, "n": "it''s", "l": []}' DEFAULT UNSET`, []],
    ['INSERT INTO plain JSON ?', [['[json]', TEXT]]],
    ["UPDATE t SET s = s + {1}, m['l'] = 5, s -= {2}, m = m - {'l'} WHERE id = 1", []],
    ["UPDATE t SET n = 'l' WHERE id = 1", []],
    ["DELETE l, n, s[1], m['l'], u.l FROM t WHERE id = 1", []],
    ['DELETE FROM t WHERE id = ?', [['id', INT]]],
    // The table is called like its list.
    ['INSERT INTO tags (id, note) VALUES (1, ?)', [['note', TEXT]]],
    ["INSERT INTO tags (id, note) VALUES (1, 'tags')", []],
    ['DELETE FROM tags.tags WHERE id = 1', []],
    ['UPDATE tags SET note = :tags WHERE id = 1 /* tags = tags + [1] */', [['tags', TEXT]]],
  ])('let pass %s', (text, parameters) => {
    expect(verdict(text, parameters)).toBeUndefined();
  });

  it('that lack a column which the server has taken are those of before', () => {
    expect(verdict('UPDATE t SET later = [1] WHERE id = 1')).toBe('? t');
  });

  it('of another table than the one that is refused need not be known', () => {
    const text = 'BEGIN BATCH DELETE FROM other WHERE id = 1 UPDATE t SET l = [1] WHERE id = 1 APPLY BATCH';
    expect(verdict(text)).toBe('list');
  });
});

it('nothing in strings, comments and bound names matters, nor anything outside what is assigned', () => {
  const names = Object.values(TABLES).flatMap((table) => Object.keys(table));
  const word = fc.constantFrom(...names, 'l = l + [1]', 'list<int>', 'now()', 'JSON', '[1]', '?');
  fc.assert(
    fc.property(word, word, word, (string, comment, name) => {
      const where = `WHERE id = 1 AND "${name}" = '${string}' AND x IN ('${string}') -- ${comment}`;
      const statements: [text: string, hazard: string | undefined][] = [
        [`UPDATE t USING TTL :"${name}" SET n = '${string}' /* ${comment} */ ${where}`, undefined],
        [`INSERT INTO t (id, /* ${comment} */ n) VALUES (1, $$${string}$$) USING TTL :"${name}"`, undefined],
        [`INSERT INTO t JSON '{"id": 1, "n": "${string}", "m": {"${name}": 1}}' -- ${comment}`, undefined],
        [`DELETE /* ${comment} */ m['${string}'] FROM t ${where}`, undefined],
        [`UPDATE t SET n = '${string}', l = l + ['${string}'] ${where}`, 'list'],
        [`DELETE l[0] FROM t ${where}`, 'list'],
      ];
      for (const [text, hazard] of statements) expect(verdict(text, [[name, INT]]), text).toBe(hazard);
    }),
  );
});

describe('a refusal', () => {
  it.each<[text: string, message: string]>([
    [
      'UPDATE t SET n = now() WHERE id = 1',
      'Refused: now() would not give the same result on both clusters. Compute',
    ],
    [
      'UPDATE t SET n = ks.f() WHERE id = 1',
      'Refused: ks.f() is not known to give the same result on both clusters. C',
    ],
    [
      'UPDATE t SET n = 1 WHERE id = 1 IF EXISTS',
      'Refused: IF EXISTS would not give the same result on both clusters.',
    ],
    [
      'UPDATE t SET l = [1] WHERE id = 1',
      'Refused: the list "l" would not give the same result on both clusters. Use',
    ],
    [
      'DELETE FROM hits WHERE id = 1',
      'Refused: the counter "hits" would not give the same result on both clusters.',
    ],
    ['UPDATE t SET n = n + 1 WHERE id = 1', 'Refused: "n" is added to, but is neither a set nor a map.'],
    ['DROP TABLE t', 'Refused: DROP has no write time by which it could be repeated. Run it with onBoth()'],
    ['TRUNCATE t', 'Refused: TRUNCATE has no write time by which it could be repeated. Run it with onBoth()'],
    ['USE ks', 'Refused: USE would change one connection only. Set the keyspace in the options'],
    [
      'DELETE FROM t WHERE id = 1; SELECT 1',
      'Refused: the text holds several statements. Send one statement at a',
    ],
    ['DELETE FROM t', 'Refused: the statement has no WHERE. What is not understood cannot'],
    ['UPDATE t SET n = 1;', 'Refused: the statement has no WHERE.'],
    ['INSERT INTO t (id) VALUES (1', 'Refused: the statement is incomplete.'],
    ['-- nothing', 'Refused: the statement is empty.'],
    ['INSERT INTO t (id) VALUES (1))', 'Refused: the statement is not understood from character 30 on.'],
    ["INSERT INTO t (id) VALUES ('x)", 'Refused: the statement is not understood from character 28 on.'],
  ])('says what and why: %s', (text, message) => {
    expect(messageOf(text)).toContain(message);
    expect(messageOf(text)).toContain(`Statement: ${scanStatement(text).masked}`);
  });

  it('names the column, not the marker', () => {
    const parameters: Parameters = [['by', type('counter')]];
    expect(messageOf('UPDATE hits SET hits = hits + :by WHERE id = 1', parameters)).toContain(
      'the counter "hits"',
    );
  });

  it('never repeats a value, also one that a stray quote has spilled', () => {
    for (const text of [
      "UPDATE t SET l = ['secret'] WHERE id = 1",
      "INSERT INTO t (id, n) VALUES (1, 'O'secret(x)')",
      "INSERT INTO t (id, n) VALUES (1, 'O'secret' + now(), 'b')",
      "INSERT INTO t (id, n) VALUES (1, 'it's) secret')",
      `INSERT INTO t JSON '{"id": 1, "l": ["secret"]}'`,
    ]) {
      expect(messageOf(text), text).toContain('Refused: ');
      expect(messageOf(text), text).not.toContain('secret');
    }
  });
});

describe('which kinds a call takes', () => {
  const TEXTS = {
    select: 'SELECT n FROM t',
    insert: 'INSERT INTO t (id) VALUES (1)',
    update: 'UPDATE t SET n = 1 WHERE id = 1',
    delete: 'DELETE FROM t WHERE id = 1',
    batch: 'BEGIN BATCH APPLY BATCH',
    ddl: 'CREATE TABLE t (id int PRIMARY KEY)',
    truncate: 'TRUNCATE t',
    use: 'USE ks',
    unknown: 'DELETE FROM t',
  };
  type Kind = keyof typeof TEXTS;
  const kinds = Object.keys(TEXTS) as Kind[];
  const reads: StatementCall[] = ['one', 'values', 'all', 'page', 'iter'];

  it.each<[call: StatementCall, taken: Kind[]]>([
    ['execute', ['select', 'insert', 'update', 'delete', 'batch']],
    ['exec', kinds.filter((kind) => kind !== 'select')],
    ['add', ['insert', 'update', 'delete']],
    ...reads.map((call): [StatementCall, Kind[]] => [call, ['select']]),
  ])('%s(): %s', (call, taken) => {
    expect(kinds.filter((kind) => !refusalOfKind(scanStatement(TEXTS[kind]), call))).toEqual(taken);
  });

  it.each<[call: StatementCall, text: string, message: string]>([
    [
      'exec',
      TEXTS.select,
      'exec() is for writes; use one(), values(), all(), page() or iter() to read: SELECT',
    ],
    ['one', TEXTS.insert, 'one() is for SELECT; use exec() to write: INSERT'],
    ['add', TEXTS.select, 'SELECT is read. Use query() for it. Statement: SELECT'],
    [
      'add',
      TEXTS.batch,
      'this is a batch itself. Add its statements, or run it with query().exec(). Statement: BEGIN',
    ],
    ['add', TEXTS.truncate, 'TRUNCATE has no write time by which it could be repeated. Run it with onBoth()'],
    [
      'add',
      TEXTS.unknown,
      'batch.add(): a batch holds INSERT, UPDATE and DELETE; the statement has no WHERE. What',
    ],
    ['add', '', 'the statement is empty.'],
    [
      'add',
      `${TEXTS.delete}; ${TEXTS.delete}`,
      'the text holds several statements. Send one statement at a time',
    ],
    [
      'execute',
      TEXTS.unknown,
      'execute() is for SELECT, INSERT, UPDATE and DELETE; the statement has no WHERE. What',
    ],
    ['execute', TEXTS.use, 'USE would change one connection only. Set the keyspace in the options'],
  ])('%s() of %s says what to do', (call, text, message) => {
    const error = refusalOfKind(scanStatement(text), call)?.();
    expect(error).toBeInstanceOf(call === 'execute' ? HazardousStatementError : HelixUsageError);
    expect(error?.message).toContain(message);
  });

  it('execute() says which hazard it is', () => {
    const hazardOf = (text: string): unknown => refusalOfKind(scanStatement(text), 'execute')?.();
    expect(hazardOf(TEXTS.ddl)).toMatchObject({ hazard: 'ddl' });
    expect(hazardOf(`${TEXTS.select}; ${TEXTS.select}`)).toMatchObject({ hazard: 'multipleStatements' });
    expect(hazardOf("INSERT INTO t (id, n) VALUES (now(), 'x)")).toMatchObject({ hazard: 'unknown' });
  });
});

it('a batch is of the class of its strictest statement', () => {
  expect(strictestClass([])).toBe('idempotent');
  expect(strictestClass(['idempotent', 'idempotent'])).toBe('idempotent');
  expect(strictestClass(['idempotent', 'once', 'idempotent'])).toBe('once');
});
