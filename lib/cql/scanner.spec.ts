import { describe, expect, it } from 'vitest';
import { type StatementKind, scanStatement, type TextHazard } from './scanner.js';

/** `hazard what` in the order of the text. */
const found = (text: string): string[] =>
  scanStatement(text).hazards.map(({ hazard, what }) => `${hazard} ${what}`);

/** Columns that are added to, or written by an index or key, and then what {@link found} says. */
const changed = (text: string): string[] => [
  ...scanStatement(text)
    .writes.flatMap(({ columns }) => (typeof columns === 'string' ? [] : columns))
    .filter(({ change }) => ['increment', 'element', 'deleteElement'].includes(change))
    .map(({ change, name }) => `${change} ${name}`),
  ...found(text),
];

const UUID = '50554d6e-29bb-11e5-b345-feff819cdc9f';

describe('the kind of a statement', () => {
  it.each<[string, StatementKind]>([
    ['SELECT * FROM t', 'select'],
    ['select json a, ttl(b) from ks.t where a = ? limit 1 allow filtering;', 'select'],
    ['SELECT DISTINCT (a, b) FROM t PER PARTITION LIMIT 2 USING TIMEOUT 5s', 'select'],
    ["SELECT m['a'..'b'], v[1..2], u.x.y FROM t", 'select'],
    ['INSERT INTO t (a) VALUES (1)', 'insert'],
    ['INSERT INTO now (id) VALUES (?)', 'insert'],
    [`INSERT INTO t JSON '{"a": 1}'`, 'insert'],
    ['INSERT INTO json JSON ? DEFAULT UNSET', 'insert'],
    ['INSERT INTO t JSON $$ {} $$ DEFAULT NULL', 'insert'],
    ['UPDATE t SET a = 1 WHERE k = 2', 'update'],
    ['UPDATE t SET a = (frozen<set<int>>)? WHERE k = 2', 'update'],
    ['DELETE FROM t WHERE k = ?', 'delete'],
    ['DELETE a, u.f FROM t WHERE k = ?', 'delete'],
    ['BEGIN BATCH APPLY BATCH', 'batch'],
    [
      'BEGIN UNLOGGED BATCH INSERT INTO t (a) VALUES (1) UPDATE t SET b = 1 WHERE a = 1 APPLY BATCH;',
      'batch',
    ],
    ['BEGIN COUNTER BATCH UPDATE c SET n += 1 WHERE k = ?; APPLY BATCH', 'batch'],
    ['TRUNCATE t', 'truncate'],
    ['TRUNCATE TABLE ks.t', 'truncate'],
    ['USE ks', 'use'],
    ['CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)', 'ddl'],
    [
      "CREATE FUNCTION f(a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a; //'",
      'ddl',
    ],
    ['ALTER TABLE t ADD b int', 'ddl'],
    ['DROP KEYSPACE ks', 'ddl'],
    ['GRANT SELECT ON ks.t TO r', 'ddl'],
    ['REVOKE SELECT ON ks.t FROM r', 'ddl'],
    ['LIST ROLES', 'ddl'],
    ['DESCRIBE TABLE t', 'ddl'],
  ])('%s: %s', (text, kind) => {
    expect(scanStatement(text).kind).toBe(kind);
  });
});

describe('what is not understood', () => {
  it.each<[string, string]>([
    ['', 'unknown end'],
    ['-- only a comment', 'unknown end'],
    ['EXPLAIN SELECT * FROM t', 'unknown explain'],
    ['BEGIN TRANSACTION COMMIT TRANSACTION', 'unknown transaction'],
    ['BEGIN BATCH SELECT * FROM t APPLY BATCH', 'unknown select'],
    ['BEGIN BATCH INSERT INTO t (a) VALUES (1)', 'unknown end'],
    ['SELECT FROM t', 'unknown from'],
    ['INSERT INTO t (a) VALUES (1', 'unknown end'],
    ['INSERT INTO t (a) VALUES (1)) ', 'unknown )'],
    ['INSERT INTO t (a) VALUES ([1)]', 'unknown )'],
    ['INSERT INTO t (a) VALUES (1) IF EXISTS', 'unknown exists'],
    ['INSERT INTO t (a) VALUES (1) DEFAULT UNSET', 'unknown default'],
    ['INSERT INTO t JSON 5', 'unknown literal'],
    ['UPDATE t SET a = 1', 'unknown end'],
    ['UPDATE t SET a = 1, WHERE k = 2', 'unknown where'],
    ['UPDATE t SET a = 1 WHERE k = 2 SET b = 1', 'unknown set'],
    ['UPDATE t SET a = 1 WHERE k = 2 USE ks', 'unknown use'],
    ['DELETE FROM t WHERE k = 2 CREATE TABLE u', 'unknown create'],
    ['UPDATE t SET a::int = 1 WHERE k = 2', 'unknown :'],
    ['UPDATE t SET a = b::int WHERE k = 2', 'unknown :'],
    ['UPDATE t USING TTL 1h SET a = 1 WHERE k = 2', 'unknown set'],
    ['UPDATE t USING TTL 1 AND TTL 2 SET a = 1 WHERE k = 2', 'unknown ttl'],
    ['UPDATE t USING SPEED 1 SET a = 1 WHERE k = 2', 'unknown set'],
    ['DELETE FROM t', 'unknown end'],
    ["INSERT INTO t (a) VALUES ('now())", 'unknown unreadable'],
    ['INSERT INTO t (a) VALUES ($$now())', 'unknown unreadable'],
    ['SELECT "a FROM t', 'unknown unreadable'],
    ['SELECT a FROM t /* now()', 'unknown unreadable'],
    ['DROP TABLE t /* now()', 'unknown unreadable'],
    // The server reads two tokens, the second of which makes it a lightweight transaction.
    ['UPDATE t SET a = 1 WHERE k = 1IF EXISTS', 'unknown unreadable'],
    [`DELETE FROM t WHERE k = ${UUID}IF EXISTS`, 'unknown unreadable'],
    ['\uFEFFSELECT a FROM t', 'unknown unreadable'],
    ['SELECT\u00A0a FROM t', 'unknown unreadable'],
    ['SELECT \f a FROM t', 'unknown unreadable'],
    ['SELECT _a FROM t', 'unknown unreadable'],
    ['SELECT é FROM t', 'unknown unreadable'],
  ])('%s', (text, what) => {
    const { kind, hazards, multiPartitionPossible } = scanStatement(text);
    expect({ kind, multiPartitionPossible }).toEqual({ kind: 'unknown', multiPartitionPossible: true });
    expect(hazards.map((found) => `${found.hazard} ${found.what}`)).toContain(what);
  });

  it('keeps what was found before', () => {
    expect(found("INSERT INTO t (a, b) VALUES (now(), 'x)")).toEqual([
      'nondeterministic now()',
      'unknown unreadable',
    ]);
  });
});

describe('functions', () => {
  const inserted = (term: string): string[] => found(`INSERT INTO t (a) VALUES (${term})`);

  it.each([
    ...['now', 'uuid', 'currentTimestamp', 'currentDate', 'currentTime', 'currentTimeUUID'],
    ...['current_timestamp', 'current_date', 'current_time', 'current_timeuuid'],
  ])('%s() in every spelling', (name) => {
    const lower = name.toLowerCase();
    for (const spelling of [
      name,
      name.toUpperCase(),
      `"${lower}"`,
      `system.${name}`,
      `"system" . "${lower}"`,
    ]) {
      for (const call of [`${spelling}()`, `${spelling} /* ; */ (\n) `, `${spelling}--\n()`]) {
        expect(inserted(call), call).toEqual([`nondeterministic ${lower}()`]);
        expect(inserted(`toTimestamp(${call})`), call).toEqual([`nondeterministic ${lower}()`]);
      }
    }
  });

  it.each<[string, string[]]>([
    ['ks.now()', ['nondeterministic ks.now()']],
    ['ks . "F" ( )', ['nondeterministic ks.F()']],
    ['"NOW"()', ['nondeterministic NOW()']],
    ['"System".now()', ['nondeterministic System.now()']],
    ['f(?)', ['nondeterministic f()']],
    ['(int)f(1)', ['nondeterministic f()']],
    ['contains(1)', ['nondeterministic contains()']],
    ['now(1)', ['nondeterministic now()']],
    ["{'a': now(), 'b': ks.f()}", ['nondeterministic now()', 'nondeterministic ks.f()']],
    ['{x: uuid()}', ['nondeterministic uuid()']],
    ['[now(), uuid()]', ['nondeterministic now()', 'nondeterministic uuid()']],
    ['-now()', ['nondeterministic now()']],
    ["'now()'", []],
    ["'it''s now()'", []],
    ['$$ now() $$', []],
    ['? /* now() */', []],
    ['? -- now()\n', []],
    ['? // now()\r', []],
    ['CURRENT_TIMESTAMP', []],
    ['"now()"', []],
    ['(timeuuid)?', []],
    ['toTimestamp(?)', []],
    ['to_unix_timestamp(minTimeuuid(?))', []],
    ['system.toDate(?)', []],
    ['intAsBlob(1)', []],
    ['blob_as_timeuuid(0x00)', []],
    ['from_json(?)', []],
    ['abs(collection_sum(?))', []],
    ['CAST(? AS text)', []],
  ])('%s', (term, hazards) => {
    expect(inserted(term)).toEqual(hazards);
  });

  it.each<[string, string[]]>([
    ['INSERT INTO uuid (now, uuid) VALUES (?, ?)', []],
    ['INSERT INTO now(id) VALUES(?)', []],
    ['UPDATE now SET uuid = ? WHERE now IN (?, ?)', []],
    ['DELETE now FROM uuid WHERE (a, b) = (?, ?) AND (a) IN ((?))', []],
    ['SELECT a FROM t WHERE m CONTAINS (int)? AND l CONTAINS KEY (int)?', []],
    ['SELECT count(*), max(a), ttl(b), writetime(c), token(k) FROM t', []],
    ['SELECT a FROM t WHERE c BETWEEN (int)? AND (int)? AND d LIKE (text)?', []],
    ['SELECT f(a) FROM t', ['nondeterministic f()']],
    ['SELECT DISTINCT (a, b) FROM t', []],
    ['SELECT JSON (a) FROM t', []],
    [
      'UPDATE t SET a = now() WHERE k = uuid() AND c IN (now()) IF d = currentDate()',
      [
        ...['nondeterministic now()', 'nondeterministic uuid()', 'nondeterministic now()'],
        ...['lwt IF', 'nondeterministic currentdate()'],
      ],
    ],
    [
      'BEGIN BATCH DELETE FROM t WHERE a = now() INSERT INTO t (a) VALUES (uuid()) APPLY BATCH',
      [...['nondeterministic now()', 'nondeterministic uuid()']],
    ],
  ])('%s', (text, hazards) => {
    expect(found(text)).toEqual(hazards);
  });

  it('tells all that is needed to bind a value instead of the call', () => {
    const text =
      'UPDATE t SET a = ?, l = [ system . now ( ) ], m[uuid()] = :x WHERE a = {1} AND b = [f(1)] AND c = now()';
    const calls = scanStatement(text).hazards.flatMap(({ at, call }) =>
      call ? [{ ...call, end: undefined, text: text.slice(at, call.end) }] : [],
    );
    expect(calls).toEqual([
      { name: 'now', text: 'system . now ( )', markersBefore: 1, inCollectionLiteral: true },
      { name: 'uuid', text: 'uuid()', markersBefore: 1, inCollectionLiteral: false },
      { name: 'now', text: 'now()', markersBefore: 2, inCollectionLiteral: false },
    ]);
  });

  it.each(['f()', 'ks.now()', '"NOW"()', 'now(1)'])('does not offer to replace %s', (term) => {
    const { hazards } = scanStatement(`INSERT INTO t (a) VALUES (${term})`);
    expect(hazards.map(({ call }) => call)).toEqual([undefined]);
  });
});

describe('lists and counters', () => {
  it.each<[string, string[]]>([
    ['c = c + 1', ['increment c']],
    ['c = c - ?', ['increment c']],
    ['c=c-1', ['increment c']],
    ['c = c 5', ['increment c']],
    ['c += 1', ['increment c']],
    ['c -= ?', ['increment c']],
    ['l = l + [1, 2]', ['increment l']],
    ['l = [?] + l', ['increment l']],
    ['l = :more + l', ['increment l']],
    ['L = l /* x */ -- y\n + ?', ['increment l']],
    ['"L" = "L" + ?', ['increment L']],
    ['a = b + 1', ['increment a']],
    ['a = 1, c = c + 1, b = 2, d -= 1', ['increment c', 'increment d']],
    ['l[0] = ?', ['element l']],
    ['a += now()', ['increment a', 'nondeterministic now()']],
    ['"L" [ ? ] = now()', ['element L', 'nondeterministic now()']],
    ['a = 1 + 2', []],
    ['a = ? - ?', []],
    ['a = (int)? + abs(?)', []],
    ['a = null, b = true, d = NaN, e = -Infinity, f = P1Y2M, g = 1h30m', []],
    ['u.f = ?', []],
    ['u = {x: 1, y: null}', []],
    ["a = 'c = c + 1'", []],
  ])('SET %s', (assignments, hazards) => {
    expect(changed(`UPDATE t SET ${assignments} WHERE k = ?`)).toEqual(hazards);
  });

  it.each<[string, string[]]>([
    ['DELETE l[0] FROM t WHERE k = ?', ['deleteElement l']],
    ['DELETE a, "L" [?], u.f FROM t WHERE k = ?', ['deleteElement L']],
    ['DELETE a FROM t WHERE k = ? IF l[0] = 1', ['lwt IF']],
    ['SELECT l[0], a + 1 FROM t', []],
    ['UPDATE t SET a = 1 WHERE k = ? AND m[1] = 2', []],
  ])('%s', (text, hazards) => {
    expect(changed(text)).toEqual(hazards);
  });
});

describe('lightweight transactions', () => {
  it.each<[string, string[]]>([
    ['INSERT INTO t (a) VALUES (1) IF NOT EXISTS', ['lwt IF NOT EXISTS']],
    ['INSERT INTO t (a) VALUES (1)if/**/not exists using ttl 5', ['lwt IF NOT EXISTS']],
    ['INSERT INTO t JSON :j IF NOT EXISTS', ['lwt IF NOT EXISTS']],
    ['UPDATE t SET a = 1 WHERE k = 1 IF EXISTS', ['lwt IF EXISTS']],
    ['UPDATE t SET a = 1 WHERE k = 1 IF a = 2 AND u.f IN (1, 2)', ['lwt IF']],
    ['DELETE FROM t WHERE k = 1 IF EXISTS', ['lwt IF EXISTS']],
    ['DELETE a FROM t WHERE k = ? IF "if" != 3', ['lwt IF']],
    [
      'BEGIN BATCH INSERT INTO t (a) VALUES (1) IF NOT EXISTS; DELETE FROM t WHERE k = 1 IF EXISTS APPLY BATCH',
      [...['lwt IF NOT EXISTS', 'lwt IF EXISTS']],
    ],
    ['UPDATE t SET "if" = 1 WHERE "if" = 2', []],
    ['INSERT INTO t ("if") VALUES (?)', []],
    ["UPDATE t SET a = 'IF EXISTS' WHERE k = 1 -- IF EXISTS", []],
    ['CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)', ['ddl CREATE']],
    ['DROP TABLE IF EXISTS t', ['ddl DROP']],
  ])('%s', (text, hazards) => {
    expect(found(text)).toEqual(hazards);
  });
});

describe('statements that are not replicated', () => {
  it.each<[string, TextHazard, string]>([
    ['alter table t drop b', 'ddl', 'ALTER'],
    ['desc tables', 'ddl', 'DESC'],
    ['  truncate t', 'truncate', 'TRUNCATE'],
    ['USE ks', 'use', 'USE'],
  ])('%s', (text, hazard, what) => {
    expect(scanStatement(text).hazards).toEqual([
      { hazard, at: text.length - text.trimStart().length, what },
    ]);
  });

  it.each<[string, string[]]>([
    ['SELECT a FROM t; ', []],
    ['SELECT a FROM t;; -- end', []],
    ['SELECT a FROM t /* ; */; /* SELECT */', []],
    ["DELETE FROM t WHERE a = ';'", []],
    ['SELECT a FROM t; SELECT b FROM t', ['multipleStatements ;']],
    ['DELETE FROM t WHERE a = 1; DELETE FROM t WHERE a = 2;', ['multipleStatements ;']],
    ['BEGIN BATCH APPLY BATCH; x', ['multipleStatements ;']],
    ['DROP TABLE t; DROP TABLE u', ['ddl DROP', 'multipleStatements ;']],
  ])('%s', (text, hazards) => {
    expect(found(text)).toEqual(hazards);
    expect(scanStatement(text).kind === 'unknown').toBe(hazards.at(-1)?.startsWith('multiple') ?? false);
  });
});

describe('what is written', () => {
  /** `kind table column change value key`, of each column. */
  const written = (text: string): string[] =>
    scanStatement(text).writes.flatMap(({ kind, table, columns }) => {
      const what = `${kind} ${table.keyspace === undefined ? '' : `${table.keyspace}.`}${table.table}`;
      if (typeof columns === 'string') return [`${what}: ${columns}`];
      return columns.map(({ name, change, value, key }) =>
        [`${what}: ${name} ${change}`, value ?? '-', key ?? '-'].join(' '),
      );
    });

  it.each<[string, string[]]>([
    [
      'INSERT INTO ks.T (id, "A b", C) VALUES (?, 5, :c) USING TTL ? AND TIMESTAMP ?',
      ['insert ks.t: id value 0 -', 'insert ks.t: A b value - -', 'insert ks.t: c value 1 -'],
    ],
    [
      'INSERT INTO t (a, b, c, d, e) VALUES ((?, ?), f(?), [1], null, ?)',
      [
        ...['insert t: a value - -', 'insert t: b value - -', 'insert t: c value - -'],
        ...['insert t: d delete - -', 'insert t: e value 3 -'],
      ],
    ],
    [
      "INSERT INTO t (a, b, c, d) VALUES ((int)?, -?, {?: ?}, '?')",
      [
        ...['insert t: a value - -', 'insert t: b value - -', 'insert t: c value - -'],
        'insert t: d value - -',
      ],
    ],
    ['INSERT INTO t (a, b) VALUES (:x, :x)', ['insert t: a value 0 -', 'insert t: b value 1 -']],
    ['INSERT INTO t JSON ?', ['insert t: all']],
    ['INSERT INTO t JSON :j DEFAULT UNSET', ['insert t: all']],
    [
      `INSERT INTO t JSON '{"Id": 1, "\\"Id\\"": "it''s", "l": [], "n": null, "m": [1]}'`,
      [
        ...['insert t: id value - -', 'insert t: Id value - -', 'insert t: l delete - -'],
        ...['insert t: n delete - -', 'insert t: m value - -'],
      ],
    ],
    [`INSERT INTO t JSON $$ {"a": '$'} $$`, ['insert t: all']],
    [`INSERT INTO t JSON $$ {"a": "'$'"} $$`, ['insert t: a value - -']],
    [`INSERT INTO t JSON '[{"a": 1}]'`, ['insert t: all']],
    [`INSERT INTO t JSON ''`, ['insert t: all']],
    [
      'UPDATE t USING TTL ? SET a = ?, B = :b, "B" = null, c.f = ?, d = 1 WHERE id IN (?, ?) IF e = ?',
      [
        ...['update t: a value 1 -', 'update t: b value 2 -', 'update t: B delete - -'],
        ...['update t: c field 3 -', 'update t: d value - -'],
      ],
    ],
    [
      'UPDATE t SET a = a + ?, b = :b + b, c -= ?, d += :d, e = e - [1], f = f 5 WHERE id = ?',
      [
        ...['update t: a increment 0 -', 'update t: b increment 1 -', 'update t: c increment 2 -'],
        ...['update t: d increment 3 -', 'update t: e increment - -', 'update t: f increment - -'],
      ],
    ],
    [
      'UPDATE t SET a = a + (set<int>)?, b = {?} + b WHERE id = ?',
      ['update t: a increment - -', 'update t: b increment - -'],
    ],
    [
      "UPDATE t SET a[?] = ?, b[:k] = :v, c[0] = ?, d[?] = f(?), e['x'] = null WHERE id = ?",
      [
        ...['update t: a element 1 0', 'update t: b element 3 -', 'update t: c element 4 -'],
        ...['update t: d element - 5', 'update t: e element - -'],
      ],
    ],
    [
      'DELETE a, "B", c[?], d[0], e.f FROM t WHERE id = ?',
      [
        ...['delete t: a delete - -', 'delete t: B delete - -', 'delete t: c deleteElement - 0'],
        ...['delete t: d deleteElement - -', 'delete t: e field - -'],
      ],
    ],
    ['DELETE FROM t USING TIMESTAMP ? WHERE id = ?', ['delete t: none']],
    [
      'BEGIN BATCH USING TIMESTAMP ? INSERT INTO a (x) VALUES (?); UPDATE ks."B" SET y = ? WHERE id = ? DELETE FROM a WHERE x = ? APPLY BATCH',
      ['insert a: x value 1 -', 'update ks.B: y value 2 -', 'delete a: none'],
    ],
    ['SELECT a FROM t', []],
    ['TRUNCATE t', []],
    ['CREATE TABLE t (a int PRIMARY KEY)', []],
  ])('%s', (text, expected) => {
    expect(scanStatement(text).kind).not.toBe('unknown');
    expect(written(text)).toEqual(expected);
  });

  it('makes null of the outcome of no term but null itself', () => {
    expect(written('UPDATE t SET a = (int)null, b = "null", c = -null WHERE id = 1')).toEqual([
      ...['update t: a value - -', 'update t: b increment - -', 'update t: c value - -'],
    ]);
  });

  it.each([
    'INSERT INTO t () VALUES ()',
    'INSERT INTO t (a, ) VALUES (1)',
    'INSERT INTO t (a b) VALUES (1)',
    'INSERT INTO t (a.b) VALUES (1)',
    'INSERT INTO t (a) VALUES (1, )',
    'INSERT INTO t (a) VALUES ()',
    'INSERT INTO t (a) VALUES [1]',
  ])('does not understand %s', (text) => {
    expect(scanStatement(text).kind).toBe('unknown');
  });
});

it('says where each hazard stands', () => {
  const text =
    "BEGIN BATCH UPDATE t SET c = c + 1, l[0] = system.now() WHERE k = 'now()' IF EXISTS APPLY BATCH";
  expect(scanStatement(text).hazards.map(({ at }) => text.slice(at).split(' ', 1)[0])).toEqual([
    ...['system.now()', 'IF'],
  ]);
  expect(changed(text)).toEqual(['increment c', 'element l', 'nondeterministic now()', 'lwt IF EXISTS']);
});

describe('names', () => {
  it.each<[string, string | undefined, string | undefined]>([
    ['SELECT a FROM Users', undefined, 'users'],
    ['SELECT a FROM App . "Users"', 'app', 'Users'],
    ['INSERT INTO "a""b".t(a) VALUES (1)', 'a"b', 't'],
    ['UPDATE KS.T SET a = 1 WHERE k = 1', 'ks', 't'],
    ['DELETE "from" FROM "from" WHERE "from" = 1', undefined, 'from'],
    ['BEGIN BATCH DELETE FROM a.b WHERE k = 1 DELETE FROM c WHERE k = 1 APPLY BATCH', 'a', 'b'],
    ['TRUNCATE TABLE ks.t', 'ks', 't'],
    ['USE "Ks"', 'Ks', undefined],
    ['CREATE TABLE ks.t (a int PRIMARY KEY)', undefined, undefined],
  ])('%s: %s, %s', (text, keyspace, table) => {
    expect(scanStatement(text)).toMatchObject({ keyspace, table });
  });

  it('names the table of every statement of a batch', () => {
    const text = 'BEGIN BATCH DELETE FROM a.b WHERE k = 1; INSERT INTO "C" (k) VALUES (1) APPLY BATCH';
    expect(scanStatement(text).tables).toEqual([
      { keyspace: 'a', table: 'b' },
      { keyspace: undefined, table: 'C' },
    ]);
  });
});

describe('USING', () => {
  const set = 'SET a = ?, b = :b WHERE k = ?';
  it.each<[string, ReturnType<typeof scanStatement>['ttl'], 'literal' | 'marker' | undefined]>([
    ['INSERT INTO t (ttl, timestamp) VALUES (?, ?)', undefined, undefined],
    ['INSERT INTO t (a) VALUES (?) USING TTL 60', { literal: 60 }, undefined],
    ['INSERT INTO t (a) VALUES (?) USING TTL -1', { literal: -1 }, undefined],
    ['INSERT INTO t (a, b) VALUES (?, ?) USING TIMESTAMP ? AND TTL ?', { marker: 3 }, 'marker'],
    ['INSERT INTO t (a) VALUES (?) IF NOT EXISTS USING TTL : "Ttl"', { marker: 'Ttl' }, undefined],
    ['INSERT INTO t JSON ? USING TTL :Ttl AND TIMESTAMP 5', { marker: 'ttl' }, 'literal'],
    [`UPDATE t USING TTL ? AND TIMESTAMP -5 ${set}`, { marker: 0 }, 'literal'],
    [`UPDATE t using/**/ttl 0 ${set}`, { literal: 0 }, undefined],
    ['DELETE FROM t USING TIMESTAMP :ts WHERE k = ?', undefined, 'marker'],
    ['DELETE FROM t USING TIMEOUT 5s AND TIMESTAMP 1 WHERE k = ?', undefined, 'literal'],
    ['BEGIN BATCH USING TIMESTAMP 1 INSERT INTO t (a) VALUES (1) APPLY BATCH', undefined, 'literal'],
  ])('%s', (text, ttl, timestamp) => {
    const facts = scanStatement(text);
    expect({ kind: facts.kind === 'unknown', ttl: facts.ttl, timestamp: facts.timestamp }).toEqual({
      ...{ kind: false, ttl, timestamp },
    });
  });

  it('finds every TTL of a batch text, and where it stands', () => {
    const text = `BEGIN BATCH UPDATE t USING TTL 10 ${set}; UPDATE t USING TTL ? ${set} APPLY BATCH`;
    const { ttl, ttls } = scanStatement(text);
    expect(ttl).toEqual({ literal: 10 });
    expect(ttls.map((entry) => [entry.ttl, text.slice(entry.at, entry.end)])).toEqual([
      [{ literal: 10 }, '10'],
      [{ marker: 3 }, '?'],
    ]);
  });
});

describe('markers', () => {
  it.each<[string, number, string[]]>([
    ["SELECT '?' FROM t WHERE a = ? AND b = /* ? */ ?", 2, []],
    ['UPDATE t SET a = :Name, b = :"Name", c = : name WHERE k = :k', 4, ['name', 'Name', 'k']],
    [
      "UPDATE t SET m = {'a': :v, ?::w, (text)?: ?}, u = {x: :x, y: now(), z: null} WHERE k IN ?",
      7,
      ['v', 'w', 'x'],
    ],
    ['UPDATE t SET m[:key] = :value WHERE k IN :keys', 3, ['key', 'value', 'keys']],
    [`INSERT INTO t (a, b) VALUES (1, ${UUID}) USING TTL :ttl`, 1, ['ttl']],
    ['BEGIN BATCH DELETE FROM t WHERE k = ? DELETE FROM t WHERE k = ? APPLY BATCH', 2, []],
  ])('%s', (text, markers, namedMarkers) => {
    expect(scanStatement(text)).toMatchObject({ markers, namedMarkers });
    expect(scanStatement(text).kind).not.toBe('unknown');
  });
});

describe('whether several partitions may be concerned', () => {
  it.each<[string, boolean]>([
    ['INSERT INTO t (a) VALUES (?)', false],
    ['UPDATE t SET a = 1 WHERE k = ? AND c > ?', false],
    ['UPDATE t SET a = 1 WHERE k = ? IF a IN (1, 2)', false],
    ['DELETE FROM t WHERE k = ? AND c >= ? AND c < ?', false],
    ['DELETE FROM t WHERE "in" = ?', false],
    ['UPDATE t SET a = 1 WHERE k IN ?', true],
    ['DELETE FROM t WHERE (a, b) in ((1, 2))', true],
    ['DELETE FROM t WHERE token(k) > 5', true],
    ['BEGIN BATCH INSERT INTO t (a) VALUES (?) APPLY BATCH', true],
    ['SELECT a FROM t WHERE k = ?', true],
    ['TRUNCATE t', true],
  ])('%s: %s', (text, possible) => {
    expect(scanStatement(text).multiPartitionPossible).toBe(possible);
  });
});

describe('the masked text', () => {
  it.each<[string, string]>([
    [`INSERT INTO t (a,b)\n VALUES('it''s', $$x$$,${UUID})`, 'INSERT INTO t (a,b) VALUES(?, ?,?)'],
    [
      'UPDATE t SET a=1.5e-3, b = 0xCAFE,c=true, d = null WHERE k=7',
      'UPDATE t SET a=?, b = ?,c=true, d = null WHERE k=?',
    ],
    ['UPDATE t SET c = c -1 WHERE d = -12 AND e = -NaN', 'UPDATE t SET c = c -? WHERE d = -? AND e = -?'],
    [
      'UPDATE t SET d = 1h30m, e = P1Y2M, f = PT5S, g = P2020-01-02T03:04:05 WHERE PT = p1',
      'UPDATE t SET d = ?, e = ?, f = ?, g = ? WHERE PT = p1',
    ],
    [
      "UPDATE t SET m = {'k': 1, ?: 'v'} /* 'secret' */ WHERE k = deadbeef-1 -- 5",
      'UPDATE t SET m = {?: ?, ?: ?} WHERE k = deadbeef-?',
    ],
    ['  SELECT "A b", C FROM t USING TIMEOUT 5s ; ', 'SELECT "A b", C FROM t USING TIMEOUT ? ;'],
    ["CREATE ROLE r WITH PASSWORD = 'secret'", 'CREATE ROLE r WITH PASSWORD = ?'],
    ['SELECT "a\n[error] forged" FROM t', 'SELECT "a [error] forged" FROM t'],
    // An unescaped quote turns the rest of a literal into names.
    ["INSERT INTO t (a) VALUES ('O'Brien', 'x')", 'INSERT INTO t (a) VALUES (?…'],
    ["INSERT INTO t (a) VALUES ('O'Brien')", 'INSERT INTO t (a) VALUES (?…'],
    ["INSERT INTO t (a) VALUES ('secret)", 'INSERT INTO t (a) VALUES (…'],
    ['INSERT INTO t (a) VALUES (12secret)', 'INSERT INTO t (a) VALUES (…'],
  ])('%s', (text, masked) => {
    expect(scanStatement(text).masked).toBe(masked);
  });

  it('is at most 300 characters long', () => {
    const exact = `SELECT ${'a'.repeat(286)} FROM t`;
    expect(scanStatement(exact).masked).toBe(exact);
    expect(scanStatement(`${exact}s`).masked).toBe(`${exact}…`);
  });
});
