import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scanStatement, type StatementFacts } from './scanner.js';

const HAZARDOUS = [
  'now()',
  'l = l + 1',
  'IF EXISTS',
  '; TRUNCATE t',
  'c[0] = ?',
  'USING TTL 5',
  ':name',
  'ks.f()',
];

/** Statements whose tokens are separated by one space. */
const STATEMENTS = [
  'SELECT JSON a , ttl ( b ) FROM ks . "T" WHERE k IN ? AND c > :c LIMIT 5 ;',
  `INSERT INTO app . users ( id , name ) VALUES ( ? , system . "now" ( ) ) IF NOT EXISTS USING TTL 60`,
  `INSERT INTO t JSON '{"a":1}' DEFAULT UNSET USING TIMESTAMP ? AND TTL :"Ttl"`,
  `UPDATE ks . t USING TTL ? SET a = a + 1 , l [ 0 ] = ? , "L" = [ 1 , uuid ( ) ] + "L" , c -= 5 WHERE k = 0xCAFE IF d = 2`,
  `UPDATE t SET m = { 'a' : now ( ) , ? : : v } , d = 1h30m , f = - 1.5e-3 , g = ks . f ( 1 ) WHERE k IN ( 'x' , ? )`,
  `DELETE l [ ? ] , u . f FROM t USING TIMESTAMP 5 WHERE k = 50554d6e-29bb-11e5-b345-feff819cdc9f IF EXISTS`,
  `BEGIN COUNTER BATCH USING TIMESTAMP ? UPDATE c SET n = n - ? WHERE k = : k ; DELETE FROM t WHERE k = $$x$$ APPLY BATCH`,
  'CREATE TABLE IF NOT EXISTS t ( a int PRIMARY KEY ) ;',
  'TRUNCATE TABLE ks . t',
  'USE "Ks"',
];

const hazardous = fc.constantFrom(...HAZARDOUS);
const blank = fc.oneof(
  fc.constantFrom(' ', '\n', '\t', '\r\n', '  '),
  hazardous.map((text) => `/* ${text} " ' */`),
  hazardous.map((text) => ` -- ${text} " ' $$\n`),
  hazardous.map((text) => ` // ${text} /* \r`),
);

/** What must not depend on how the text is laid out. */
function laidOut(facts: StatementFacts): unknown {
  return {
    ...facts,
    masked: '',
    hazards: facts.hazards.map(({ call, ...found }) => ({
      ...found,
      at: 0,
      call: call && { ...call, end: 0 },
    })),
    ttls: facts.ttls.map(({ ttl }) => ttl),
  };
}

const isPlainWord = (token: string): boolean => /^[A-Za-z_]+$/.test(token);

describe('the scanner', () => {
  it('does not depend on white space, comments and case', () => {
    const recase = fc.constantFrom<(word: string) => string>(
      (word) => word.toLowerCase(),
      (word) => word.toUpperCase(),
      (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase(),
    );
    const variant = fc.constantFrom(...STATEMENTS).chain((statement) => {
      const tokens = statement.split(' ');
      const pieces = tokens.map((token) =>
        fc
          .tuple(blank, recase)
          .map(([before, change]) => before + (isPlainWord(token) ? change(token) : token)),
      );
      return fc.tuple(
        fc.constant(statement),
        fc.tuple(...pieces).map((all) => all.join('')),
        blank,
      );
    });
    fc.assert(
      fc.property(variant, ([statement, text, after]) => {
        expect(laidOut(scanStatement(text + after))).toEqual(laidOut(scanStatement(statement)));
      }),
    );
    for (const statement of STATEMENTS) expect(scanStatement(statement).kind, statement).not.toBe('unknown');
  });

  it('finds nothing in strings, comments and quoted names', () => {
    const content = fc
      .array(fc.oneof(hazardous, fc.string({ unit: 'grapheme' })), { maxLength: 4 })
      .map((all) => all.join(' '));
    fc.assert(
      fc.property(content, content, content, content, (string, dollars, comment, name) => {
        const text = `INSERT /* ${comment.replaceAll('*/', '')} */ INTO t ("${name.replaceAll('"', '""') || 'n'}", b, c)
          VALUES ('${string.replaceAll("'", "''")}', ?, $$${dollars.replaceAll('$', '')}$$) -- ${comment.replaceAll(/[\r\n]/g, '')}`;
        const { kind, hazards, markers, ttls, namedMarkers } = scanStatement(text);
        expect({ kind, hazards, markers, ttls, namedMarkers }).toEqual({
          ...{ kind: 'insert', hazards: [], markers: 1, ttls: [], namedMarkers: [] },
        });
      }),
    );
  });

  it('says the same of what is written, whatever stands in strings, comments and what is not assigned', () => {
    const column = fc.constantFrom('a', 'l', 'c');
    const content = fc
      .oneof(column, hazardous, fc.string({ unit: 'grapheme' }))
      .map((text) => text.replaceAll(/['$"*\r\n]/g, ''));
    const writesOf = (text: string): unknown => scanStatement(text).writes;
    fc.assert(
      fc.property(column, content, content, content, (name, string, comment, other) => {
        const noise = `/* ${comment} */ -- ${other}\n`;
        const assignments = `${name} = ?, l = l + ${noise} :l, c[?] = '${string}'`;
        const where = `WHERE "${other}k" = '${string}' AND l IN ('${comment}')`;
        expect(writesOf(`UPDATE t USING ${noise} TTL :c SET ${assignments} ${where}`)).toEqual([
          {
            table: { keyspace: undefined, table: 't' },
            kind: 'update',
            columns: [
              { name, change: 'value', value: 1, key: undefined },
              { name: 'l', change: 'increment', value: 2, key: undefined },
              { name: 'c', change: 'element', value: undefined, key: 3 },
            ],
          },
        ]);
        const insert = `INSERT INTO l (${name}, ${noise} b) VALUES ('${string}', $$${other}$$)`;
        expect(writesOf(insert)).toEqual([
          {
            table: { keyspace: undefined, table: 'l' },
            kind: 'insert',
            columns: [name, 'b'].map((each) => ({
              name: each,
              change: 'value',
              value: undefined,
              key: undefined,
            })),
          },
        ]);
      }),
    );
  });

  it('reads the columns of JSON as they are in it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (fields) => {
        const json = JSON.stringify(fields);
        const [write] = scanStatement(`INSERT INTO t JSON '${json.replaceAll("'", "''")}'`).writes;
        const names = Object.keys(fields).map((key) =>
          /^".*"$/s.test(key) ? key.slice(1, -1) : key.toLowerCase(),
        );
        const columns = write?.columns;
        expect(typeof columns === 'object' && columns.map(({ name }) => name)).toEqual(names);
      }),
    );
  });

  it('masks every literal', () => {
    const digits = fc.integer({ min: 1000, max: 999_999_999 });
    const uuid = fc.uuid();
    const secret = fc.oneof(
      fc.string({ unit: 'grapheme' }).map((text) => `'secret${text.replaceAll("'", "''")}'`),
      fc.string({ unit: 'grapheme' }).map((text) => `$$secret${text.replaceAll('$', 'S')}$$`),
      digits.map(String),
      digits.map((number) => `-${number}`),
      digits.map((number) => `${number}.25E-7`),
      digits.map((number) => `0x${number}ABCDEF`),
      digits.map((number) => `${number}h30m`),
      digits.map((number) => `P${number}DT5H`),
      uuid,
      uuid.map((text) => text.toUpperCase()),
    );
    const term = fc.oneof(
      secret,
      fc.array(secret, { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
      fc.tuple(secret, secret).map(([key, value]) => `{${key}: ${value}}`),
    );
    fc.assert(
      fc.property(term, term, (set, key) => {
        const { kind, masked } = scanStatement(`UPDATE t SET x=${set} WHERE k=${key} AND c = 'x'`);
        expect(kind).toBe('update');
        expect(masked).toMatch(/^UPDATE t SET x=[-?[\]{}:, ]+ WHERE k=[-?[\]{}:, ]+ AND c = \?$/);
      }),
    );
  });

  it('never throws, and is never without a hazard for what it does not know', () => {
    const fragment = fc.constantFrom(
      ...new Set(STATEMENTS.flatMap((statement) => statement.split(' '))),
      ...['"', "'", '$$', '/*', '--', '::', '1IF', '\uFEFF', '\0', '🙂', '\uD800', ''],
    );
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fragment, { maxLength: 60 }).map((all) => all.join(' ')),
      fc.array(fragment, { maxLength: 60 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const facts = scanStatement(text);
        expect(facts.masked.length).toBeLessThanOrEqual(301);
        expect(facts.kind !== 'unknown' || facts.hazards.length > 0).toBe(true);
        for (const { at } of facts.hazards) expect(at).toBeLessThanOrEqual(text.length);
        if (facts.kind === 'insert' || facts.kind === 'update' || facts.kind === 'delete') {
          expect(facts.table).toBeDefined();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('loses no hazard of a statement whose tail is cut off or garbled', () => {
    const cut = fc.constantFrom(...STATEMENTS).chain((statement) => {
      const tokens = statement.split(' ');
      return fc.tuple(fc.constant(tokens), fc.integer({ min: 1, max: tokens.length - 1 }));
    });
    fc.assert(
      fc.property(cut, ([tokens, length]) => {
        const whole = scanStatement(tokens.join(' '));
        const part = tokens.slice(0, length).join(' ');
        const garbled = scanStatement(`${part} 'unterminated`);
        expect(garbled.kind).toBe('unknown');
        for (const { at, call } of whole.hazards) {
          if (call && call.end < part.length) expect(garbled.hazards.map((found) => found.at)).toContain(at);
        }
      }),
    );
  });

  it.each([
    ...[
      '(',
      ')',
      '[',
      '{',
      '((now(',
      "'",
      "''",
      '"',
      '""',
      '$$',
      '$',
      '/*',
      '/**/',
      '--',
      '--\n',
      '-',
      ':',
      ':a',
      ':a,',
      '::',
    ],
    ...[
      '?',
      '1',
      '1m',
      '1.',
      '0x',
      'a',
      'a.',
      'a(',
      'P1',
      'now()',
      '{x:now()',
      ' ',
      ';',
      ',',
      '+',
      '\uFEFF',
      "'x'a",
      'deadbeef-',
    ],
  ])('takes linear time for 100 kB of %j', (unit) => {
    const filler = unit.repeat(Math.ceil(100_000 / unit.length));
    for (const before of ['', 'UPDATE t SET a = ', 'INSERT INTO t (a) VALUES (', 'BEGIN BATCH ', 'CREATE ']) {
      const start = performance.now();
      scanStatement(before + filler);
      // Quadratic would be minutes: 10^10 steps.
      expect(performance.now() - start).toBeLessThan(1_000);
    }
  });

  it.each(['[', '{"a":', '{"a": 1}, ', '"a": [], ', "''"])(
    'takes linear time for 100 kB of JSON with %j',
    (unit) => {
      const json = `{${unit.repeat(Math.ceil(100_000 / unit.length))}}`;
      const start = performance.now();
      expect(scanStatement(`INSERT INTO t JSON '${json}'`).kind).toBe('insert');
      expect(performance.now() - start).toBeLessThan(1_000);
    },
  );

  it('takes linear time for a batch of thousands of statements', () => {
    const statements = Array.from(
      { length: 3_000 },
      (_, n) => `INSERT INTO t${n} (a) VALUES (:v${n}) USING TTL 5;`,
    );
    const start = performance.now();
    const facts = scanStatement(`BEGIN BATCH ${statements.join('')} APPLY BATCH`);
    expect(performance.now() - start).toBeLessThan(1_000);
    expect([facts.kind, facts.tables.length, facts.namedMarkers.length, facts.ttls.length]).toEqual([
      ...['batch', 3_000, 3_000, 3_000],
    ]);
  });
});
