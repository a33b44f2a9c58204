import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { setUpCql } from '../../test/support/cql.js';
import { columns, listOf, type, unreachable } from '../../test/support/fake-cql-client.js';
import { HazardousStatementError, HelixUsageError, SchemaMismatchError } from '../core/index.js';
import type { CqlSession } from './driver/index.js';
import type { ColumnType } from './driver/driver-internals.js';
import { snapshot, Statements } from './statement.js';

const ID = type('int');
const COUNTER = type('counter');
const TAGS = listOf(type('text'));
const FROZEN_TAGS = listOf(type('text'), true);
const SET: ColumnType = { code: 0x22, info: ID };
const SCHEMA_TIMEOUT_MS = 2_000;

/** As an event of the server does. */
function expire(session: CqlSession): void {
  session.renewSchema();
}

/** Prepares a text with these parameters, over one table, and answers with what it is refused for. */
async function refusalOf(
  text: string,
  setup: {
    readonly params?: Record<string, ColumnType>;
    readonly table?: Record<string, ColumnType> | 'unknown' | 'unavailable';
    readonly single?: boolean;
  } = {},
): Promise<string | undefined> {
  const { params = {}, table = { id: ID, name: type('text') }, single = false } = setup;
  const { helix, clients, knows } = await setUpCql({ single });
  knows(text, columns(params));
  for (const client of [clients.A, clients.B]) {
    if (table === 'unavailable') client.tables.set('t', unreachable());
    else if (table !== 'unknown') client.tables.set('t', columns(table));
  }
  const values = Object.values(params).map(() => cassandra.types.unset);
  const error = await helix
    .query(text, values)
    .exec()
    .then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
  const sent = clients.A.executed.length + clients.B.executed.length;
  if (error === undefined) {
    expect(sent).toBeGreaterThan(0);
    return undefined;
  }
  expect(error).toBeInstanceOf(HazardousStatementError);
  expect(sent).toBe(0);
  return (error as HazardousStatementError).hazard;
}

describe('what its text alone tells', () => {
  it.each<[hazard: string, text: string]>([
    ['nondeterministic', 'INSERT INTO t (id, at) VALUES (1, now())'],
    ['nondeterministic', 'UPDATE t SET at = toTimestamp(current_timestamp()) WHERE id = 1'],
    ['nondeterministic', 'INSERT INTO t (id) VALUES (my_function())'],
    ['lwt', 'INSERT INTO t (id) VALUES (1) IF NOT EXISTS'],
    ['lwt', 'UPDATE t SET name = 1 WHERE id = 1 IF name = 2'],
    ['ddl', 'CREATE TABLE t (id int PRIMARY KEY)'],
    ['truncate', 'TRUNCATE t'],
    ['use', 'USE shop'],
    ['unknown', 'EXPLAIN everything'],
  ])('is refused as %s on two clusters, with advice: %s', async (hazard, text) => {
    expect(await refusalOf(text)).toBe(hazard);
  });

  it.each([
    'INSERT INTO t (id, at) VALUES (1, now())',
    'INSERT INTO t (id) VALUES (1) IF NOT EXISTS',
    'TRUNCATE t',
    'UPDATE t SET hits = hits + 1 WHERE id = 1',
  ])('is no obstacle on a single cluster: %s', async (text) => {
    expect(await refusalOf(text, { single: true })).toBeUndefined();
  });

  it('is judged before anything is prepared', async () => {
    const { helix, clients } = await setUpCql();
    await expect(helix.query('TRUNCATE t').exec()).rejects.toThrow('onBoth()');
    expect([...clients.A.preparedTexts, ...clients.B.preparedTexts]).toEqual([]);
  });
});

describe('counters', () => {
  const counters = { id: ID, hits: COUNTER };

  it.each<
    [how: string, text: string, params: Record<string, ColumnType>, table: typeof counters | 'unknown']
  >([
    ['as a parameter', 'UPDATE t SET hits = hits + ? WHERE id = ?', { hits: COUNTER, id: ID }, counters],
    ['in the text', 'UPDATE t SET hits = hits + 1 WHERE id = ?', { id: ID }, counters],
    ['when their row is deleted', 'DELETE FROM t WHERE id = ?', { id: ID }, counters],
    [
      'of a table that is not known',
      'UPDATE t SET hits = hits + ? WHERE id = ?',
      { hits: COUNTER, id: ID },
      'unknown',
    ],
  ])('are refused %s', async (_how, text, params, table) => {
    expect(await refusalOf(text, { params, table })).toBe('counter');
  });

  it('pass on a single cluster', async () => {
    const text = 'UPDATE t SET hits = hits + ? WHERE id = ?';
    const params = { hits: COUNTER, id: ID };
    expect(await refusalOf(text, { params, table: counters, single: true })).toBeUndefined();
  });
});

describe('lists', () => {
  const lists = { id: ID, tags: TAGS, name: type('text') };

  it.each<[how: string, text: string, params: Record<string, ColumnType>]>([
    ['appended to', 'UPDATE t SET tags = tags + ? WHERE id = ?', { tags: TAGS, id: ID }],
    ['prepended to', "UPDATE t SET tags = ['a'] + tags WHERE id = ?", { id: ID }],
    ['written by index', 'UPDATE t SET tags[0] = ? WHERE id = ?', { value: type('text'), id: ID }],
    ['deleted from by index', 'DELETE tags[0] FROM t WHERE id = ?', { id: ID }],
    ['overwritten', 'UPDATE t SET tags = ? WHERE id = ?', { tags: TAGS, id: ID }],
    ['inserted', 'INSERT INTO t (id, tags) VALUES (?, ?)', { id: ID, tags: TAGS }],
    ['inserted by name in quotes', 'INSERT INTO t (id, "tags") VALUES (?, ?)', { id: ID, tags: TAGS }],
    ['inserted as a literal', "INSERT INTO t (id, tags) VALUES (1, ['a'])", {}],
    ['hidden in JSON', 'INSERT INTO t JSON ?', { '[json]': type('text') }],
  ])('are refused when %s', async (_how, text, params) => {
    expect(await refusalOf(text, { params, table: lists })).toBe('list');
  });

  it.each<[how: string, text: string, params: Record<string, ColumnType>, table: Record<string, ColumnType>]>(
    [
      ['they are not written', 'INSERT INTO t (id, name) VALUES (?, ?)', { id: ID, name: ID }, lists],
      ['their row is deleted', 'DELETE FROM t WHERE id = ?', { id: ID }, lists],
      [
        'they are frozen',
        'INSERT INTO t (id, tags) VALUES (?, ?)',
        { id: ID, tags: TAGS },
        { id: ID, tags: FROZEN_TAGS },
      ],
      [
        'they are sets',
        'UPDATE t SET tags = tags + ? WHERE id = ?',
        { tags: { code: 0x22, info: ID }, id: ID },
        { id: ID, tags: { code: 0x22, info: ID } },
      ],
      [
        'they are maps written by key',
        'UPDATE t SET tags[?] = ? WHERE id = ?',
        { key: ID, value: ID, id: ID },
        { id: ID, tags: { code: 0x21, info: [ID, ID] } },
      ],
    ],
  )('are no obstacle when %s', async (_how, text, params, table) => {
    expect(await refusalOf(text, { params, table })).toBeUndefined();
  });
});

describe('a table that one cluster does not describe', () => {
  const INSERT = 'INSERT INTO t (id, tags) VALUES (?, ?)';
  const params = columns({ id: ID, tags: TAGS });

  it.each<[what: string, table: 'unknown' | Error | 'never']>([
    ['does not know', 'unknown'],
    ['cannot read', unreachable()],
    ['does not answer for', 'never'],
  ])('and %s, is judged by what the other says', async (_what, table) => {
    for (const [tags, applied] of [
      [FROZEN_TAGS, true],
      [TAGS, false],
    ] as const) {
      const { helix, clients, knows, clock } = await setUpCql();
      knows(INSERT, params);
      clients.A.tables.set('t', columns({ id: ID, tags }));
      if (table !== 'unknown') clients.B.tables.set('t', table);
      const write = helix.query(INSERT, [1, ['a']]).exec();
      write.catch(() => undefined);
      await clock.advance(SCHEMA_TIMEOUT_MS);
      if (applied) expect(await write).toMatchObject({ A: 'applied', B: 'applied' });
      else await expect(write).rejects.toThrow(HazardousStatementError);
    }
  });

  it('nor the other, is no hazard: neither was reached', async () => {
    const { helix, clients, knows } = await setUpCql();
    knows(INSERT, params);
    for (const client of [clients.A, clients.B]) client.tables.set('t', unreachable());
    await expect(helix.query(INSERT, [1, ['a']]).exec()).rejects.toMatchObject({
      code: 'HELIX_BOTH_FAILED',
      outcome: 'notApplied',
    });
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
    clients.A.tables.set('t', columns({ id: ID, tags: FROZEN_TAGS }));
    expect(await helix.query(INSERT, [1, ['a']]).exec()).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('is asked again for a table that it did not know yet, or could not say', async () => {
    const { helix, clients, knows, hasTable } = await setUpCql();
    knows(INSERT, params);
    clients.A.tables.set('t', unreachable());
    await expect(helix.query(INSERT, [1, ['a']]).exec()).rejects.toMatchObject({ outcome: 'notApplied' });
    hasTable('t', columns({ id: ID, tags: TAGS }));
    await expect(helix.query(INSERT, [1, ['a']]).exec()).rejects.toThrow(HazardousStatementError);
  });

  it('is not needed where the types of the parameters tell enough', async () => {
    const { helix, clients, knows } = await setUpCql();
    const add = knows('UPDATE t SET tags = tags + ? WHERE id = ?', columns({ tags: SET, id: ID }));
    for (const client of [clients.A, clients.B]) client.tables.set('t', unreachable());
    expect(await helix.query(add, [[1], 1]).exec()).toMatchObject({ A: 'applied', B: 'applied' });
  });
});

describe('lists hidden in JSON', () => {
  it.each<[text: string, params: Record<string, ColumnType>]>([
    ['INSERT INTO t JSON ?', { '[json]': type('text') }],
    ['INSERT INTO t (id, name) VALUES (?, fromJson(?))', { id: ID, name: type('text') }],
  ])('are no obstacle when the table has none: %s', async (text, params) => {
    expect(await refusalOf(text, { params, table: { id: ID, name: type('text') } })).toBeUndefined();
  });

  it.each<[text: string, params: Record<string, ColumnType>]>([
    ['INSERT INTO t JSON ?', { '[json]': type('text') }],
    [`INSERT INTO t JSON '{"id":1,"tags":["a"]}'`, {}],
    ['INSERT INTO t (id, tags) VALUES (?, fromJson(?))', { id: ID, tags: type('text') }],
    ['UPDATE t SET tags = from_json(?) WHERE id = ?', { tags: type('text'), id: ID }],
  ])('are found by the table: %s', async (text, params) => {
    expect(await refusalOf(text, { params, table: { id: ID, tags: TAGS } })).toBe('list');
  });
});

describe('a refusal', () => {
  it('says what was found, what to do instead, and shows the masked statement', async () => {
    const { helix } = await setUpCql();
    const error = await helix
      .query("UPDATE t SET name = 'secret', at = now() WHERE id = 1")
      .exec()
      .catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ name: 'HazardousStatementError', code: 'HELIX_HAZARD' });
    expect((error as Error).message).toContain('now()');
    expect((error as Error).message).toContain('pass it as a parameter');
    expect((error as Error).message).toContain('UPDATE t SET name = ?');
    expect((error as Error).message).not.toContain('secret');
  });

  it('is remembered: a statement is prepared and judged once', async () => {
    const { helix, clients, knows, hasTable } = await setUpCql();
    const text = knows('UPDATE t SET hits = hits + ? WHERE id = ?', columns({ hits: COUNTER, id: ID }));
    hasTable('t', columns({ id: ID, hits: COUNTER }));
    for (let i = 0; i < 3; i++) {
      await expect(helix.query(text, [1, 1]).exec()).rejects.toThrow(HazardousStatementError);
    }
    expect(clients.A.preparedTexts).toHaveLength(1);
  });
});

describe('Statement', () => {
  const INSERT = 'INSERT INTO t (id, name) VALUES (?, ?)';
  const PARAMS = columns({ id: ID, name: type('text') });

  it('cannot be bound before a cluster has prepared it', async () => {
    const { statements } = await setUpCql();
    expect(() => statements.get(INSERT).bind([1, 'Ada'])).toThrow(HelixUsageError);
  });

  it('is the same for the same text', async () => {
    const { statements } = await setUpCql();
    expect(statements.get(INSERT)).toBe(statements.get(INSERT));
    expect(statements.get(INSERT)).not.toBe(statements.get(`${INSERT} `));
  });

  it('is prepared on a cluster once, however many ask at the same time', async () => {
    const { statements, clients, clock } = await setUpCql();
    clients.A.statements.set(INSERT, 'never');
    const statement = statements.get(INSERT);
    const both = Promise.all([statement.prepareOn('A'), statement.prepareOn('A')]);
    await clock.settle();
    expect(clients.A.preparedTexts).toHaveLength(1);
    clients.A.statements.set(INSERT, PARAMS);
    clients.A.answerPrepares();
    await both;
    expect(clients.A.preparedTexts).toHaveLength(1);
    expect(statement.isReadyOn('A')).toBe(true);
  });

  it('is prepared again after it could not be', async () => {
    const { statements, clients } = await setUpCql();
    clients.A.statements.set(INSERT, unreachable());
    const statement = statements.get(INSERT);
    await expect(statement.prepareOn('A')).rejects.toThrow(cassandra.errors.NoHostAvailableError);
    clients.A.statements.set(INSERT, PARAMS);
    await statement.prepareOn('A');
    expect(statement.preparedOn('A')).toMatchObject({ meta: { columns: PARAMS } });
    expect(statement.isReadyOn('A')).toBe(true);
    expect(statement.isReadyOn('B')).toBe(false);
  });

  it.each(['A', 'B'] as const)(
    'is bound by the types of the cluster that answered first: %s',
    async (first) => {
      const { statements, clients } = await setUpCql({ connected: [first] });
      clients[first].statements.set(INSERT, PARAMS);
      const statement = statements.get(INSERT);
      await statement.prepareOn(first);
      expect(statement.types?.cluster).toBe(first);
      expect(statement.bind([1, 'Ada'])).toEqual([Buffer.from([0, 0, 0, 1]), Buffer.from('Ada')]);
    },
  );

  it('refuses to prepare on a cluster with other types, and is ready for neither', async () => {
    const { statements, clients } = await setUpCql();
    clients.A.statements.set(INSERT, PARAMS);
    clients.B.statements.set(INSERT, columns({ id: ID, name: type('blob') }));
    const statement = statements.get(INSERT);
    await statement.prepareOn('A');
    await expect(statement.prepareOn('B')).rejects.toThrow(SchemaMismatchError);
    expect(statement.currentTypes).toBeUndefined();
  });

  it('names the number of parameters when that is what differs', async () => {
    const { statements, clients, hasTable } = await setUpCql();
    hasTable('t', PARAMS);
    clients.A.statements.set(INSERT, PARAMS);
    clients.B.statements.set(INSERT, PARAMS.slice(1));
    const statement = statements.get(INSERT);
    await statement.prepareOn('A');
    await expect(statement.prepareOn('B')).rejects.toThrow('2 and 1 parameters');
  });
});

describe('parameters of a statement that must be prepared first', () => {
  it('are what they were when they were handed over', () => {
    const given = {
      address: { street: 'Main', lines: ['a', 'b'] },
      at: new Date(1_000),
      bytes: Buffer.from('x'),
      tags: new Set(['a']),
      notes: new Map([['k', { n: 1 }]]),
      id: cassandra.types.Uuid.random(),
      none: null,
      nothing: undefined,
    };
    const kept = snapshot(given);
    const before = structuredClone({ ...given, id: undefined });
    given.address.street = 'Side';
    given.address.lines.push('c');
    given.at.setTime(2_000);
    given.bytes.fill(0);
    given.tags.add('b');
    given.notes.get('k')!.n = 2;
    expect(kept).toEqual({ ...before, bytes: Buffer.from('x'), id: given.id });
    expect(snapshot([given.id, 1, 'a'])).toEqual([given.id, 1, 'a']);
    expect(snapshot(undefined)).toBeUndefined();
  });
});

describe('what is known of a statement', () => {
  const INSERT = 'INSERT INTO t (id, name) VALUES (?, ?)';
  const OF_TEXT = columns({ id: ID, name: type('text') });
  const OF_BLOB = columns({ id: ID, name: type('blob') });

  async function prepared() {
    const fixture = await setUpCql();
    fixture.knows(INSERT, OF_TEXT);
    fixture.hasTable('t', OF_TEXT);
    const statement = fixture.statements.get(INSERT);
    await Promise.all([statement.prepareOn('A'), statement.prepareOn('B')]);
    return { ...fixture, statement };
  }

  it.each<[what: string, expire: (fixture: Awaited<ReturnType<typeof prepared>>) => unknown]>([
    ['a schema may have changed', ({ sessions }) => expire(sessions.A)],
    ['onBoth() has run', ({ helix }) => helix.onBoth('ALTER TABLE t ADD c int')],
    ['the schema version is another one', ({ sessions }) => sessions.A.ping(100)],
  ])('is asked for anew when %s', async (_what, happen) => {
    const fixture = await prepared();
    const { statement, clients } = fixture;
    await happen(fixture);
    expect(statement.isReadyOn('A')).toBe(false);
    await statement.prepareOn('A');
    expect(clients.A.preparedTexts).toEqual([INSERT, INSERT]);
    expect(statement.isReadyOn('A')).toBe(true);
  });

  it('stays what it is while the types are, so that what was encoded stays good', async () => {
    const { statement, sessions } = await prepared();
    const { types } = statement;
    expire(sessions.A);
    await statement.prepareOn('A');
    expect(statement.types).toBe(types);
  });

  it('is found out by a write that comes when both have other types', async () => {
    const { helix, clients, sessions, knows } = await prepared();
    knows(INSERT, columns({ id: ID, name: type('varint') }));
    for (const session of [sessions.A, sessions.B]) if (session) expire(session);
    expect(await helix.query(INSERT, [1, cassandra.types.Integer.fromInt(5)]).exec()).toMatchObject({
      A: 'applied',
      B: 'applied',
    });
    for (const client of [clients.A, clients.B]) {
      expect(client.executed.at(-1)?.params).toEqual([Buffer.from([0, 0, 0, 1]), Buffer.from([5])]);
    }
  });

  it('is found out by a write that was under way: it is encoded anew, or refused', async () => {
    const { helix, clients, knows } = await prepared();
    knows(INSERT, OF_BLOB);
    for (const client of [clients.A, clients.B]) client.forgetPrepared();
    await expect(helix.query(INSERT, [1, 'Ada']).exec()).rejects.toMatchObject({
      code: 'HELIX_CLUSTER',
      cause: { code: 'HELIX_SCHEMA_MISMATCH' },
    });
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
    for (const client of [clients.A, clients.B]) client.forgetPrepared();
    expect(await helix.query(INSERT, [1, Buffer.from('Ada')]).exec()).toMatchObject({
      A: 'applied',
      B: 'applied',
    });
  });

  it('is not encoded anew of parameters that the caller has changed meanwhile', async () => {
    const { helix, clients, knows } = await prepared();
    knows(INSERT, columns({ id: type('bigint'), name: type('text') }));
    for (const client of [clients.A, clients.B]) client.forgetPrepared();
    const params = [1, 'Ada'];
    const write = helix.query(INSERT, params).exec();
    params[0] = 2;
    await expect(write).rejects.toMatchObject({ cause: { code: 'HELIX_SCHEMA_MISMATCH' } });
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });

  it('is asked for once by all that find it gone', async () => {
    const { helix, clients } = await prepared();
    clients.B.forgetPrepared();
    const writes = [1, 2, 3, 4].map((id) => helix.query(INSERT, [id, 'Ada']).exec());
    for (const receipt of await Promise.all(writes)) {
      expect(receipt).toMatchObject({ A: 'applied', B: 'applied' });
    }
    expect(clients.B.preparedTexts).toEqual([INSERT, INSERT]);
    expect(clients.B.executed).toHaveLength(4);
  });

  it('is prepared again for every statement of a batch', async () => {
    const { helix, clients, knows } = await prepared();
    const UPDATE = knows('UPDATE t SET name = ? WHERE id = ?', columns({ name: type('text'), id: ID }));
    await helix.query(UPDATE, ['Ada', 1]).exec();
    clients.A.forgetPrepared();
    const batch = helix.batch().add(INSERT, [1, 'Ada']).add(UPDATE, ['Bob', 1]);
    expect(await batch.exec()).toMatchObject({ A: 'applied', B: 'applied' });
    expect(clients.A.preparedTexts).toEqual([INSERT, UPDATE, INSERT, UPDATE]);
    expect(clients.A.batches).toHaveLength(1);
  });

  it('is asked for by a read too', async () => {
    const { helix, clients } = await prepared();
    const SELECT = 'SELECT * FROM t WHERE id = ?';
    await helix.query(SELECT, [1]).one();
    clients.A.forgetPrepared();
    await helix.query(SELECT, [1]).one();
    expect(clients.A.preparedTexts.filter((text) => text === SELECT)).toHaveLength(2);
    expect(clients.B.executed.filter(({ query }) => query === SELECT)).toEqual([]);
  });
});

describe('a UDT that has grown on one cluster', () => {
  const INSERT = 'INSERT INTO t (id, home) VALUES (?, ?)';
  const street = { name: 'street', type: type('text') };
  const zip = { name: 'zip', type: type('text') };
  const SHORT: ColumnType = { code: 0x30, info: { keyspace: 'shop', name: 'addr', fields: [street] } };
  const LONG: ColumnType = { code: 0x30, info: { keyspace: 'shop', name: 'addr', fields: [street, zip] } };
  const shortValue = Buffer.from([0, 0, 0, 4, ...Buffer.from('Main')]);

  async function differing(onA: ColumnType, onB: ColumnType) {
    const fixture = await setUpCql();
    fixture.clients.A.statements.set(INSERT, columns({ id: ID, home: onA }));
    fixture.clients.B.statements.set(INSERT, columns({ id: ID, home: onB }));
    fixture.hasTable('t', columns({ id: ID, home: onA }));
    return fixture;
  }

  it.each([
    ['A', LONG, SHORT],
    ['B', SHORT, LONG],
  ])('%s: gets values that both have, encoded for the shorter', async (_cluster, onA, onB) => {
    const { helix, clients } = await differing(onA, onB);
    for (const value of [{ street: 'Main' }, { street: 'Main', zip: null }]) {
      expect(await helix.query(INSERT, [1, value]).exec()).toMatchObject({ A: 'applied', B: 'applied' });
    }
    for (const { executed } of [clients.A, clients.B]) {
      expect(executed.map(({ params }) => (params as unknown[])[1])).toEqual([shortValue, shortValue]);
    }
  });

  it('refuses a value that only one of them can hold, and names the parameter', async () => {
    const { helix, clients } = await differing(LONG, SHORT);
    const write = helix.query(INSERT, [1, { street: 'Main', zip: '12' }]).exec();
    await expect(write).rejects.toThrow(SchemaMismatchError);
    await expect(write).rejects.toThrow('parameter home');
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });

  it('is looked at again on both before a value is refused: the other may have grown as well', async () => {
    const { helix, clients } = await differing(LONG, SHORT);
    await helix.query(INSERT, [1, { street: 'Main' }]).exec();
    clients.B.statements.set(INSERT, columns({ id: ID, home: LONG }));
    const value = { street: 'Main', zip: '12' };
    expect(await helix.query(INSERT, [1, value]).exec()).toMatchObject({ A: 'applied', B: 'applied' });
    const batch = helix.batch().add(INSERT, [1, value]);
    expect(await batch.exec()).toMatchObject({ A: 'applied', B: 'applied' });
    const long = Buffer.concat([shortValue, Buffer.from([0, 0, 0, 2, ...Buffer.from('12')])]);
    expect(clients.B.executed.map(({ params }) => (params as unknown[])[1])).toEqual([shortValue, long]);
  });

  it('is remembered while it cannot be asked, so that nothing that sets its field is queued for it without', async () => {
    const { helix, clients, sessions } = await differing(LONG, SHORT);
    await helix.query(INSERT, [1, { street: 'Main' }]).exec();
    clients.A.isDown = true;
    expire(sessions.A);
    const value = { street: 'Main', zip: '12' };
    await expect(helix.query(INSERT, [1, value]).exec()).rejects.toThrow(SchemaMismatchError);
    expect(await helix.query(INSERT, [1, { street: 'Main' }]).exec()).toMatchObject({
      A: 'queued',
      B: 'applied',
    });
    expect(clients.B.executed).toHaveLength(2);
  });

  it('is another type where it is part of the key', async () => {
    const { helix, clients } = await differing(LONG, SHORT);
    for (const client of [clients.A, clients.B]) client.tables.set('t', columns({ home: LONG, id: ID }));
    await expect(helix.query(INSERT, [1, { street: 'Main' }]).exec()).rejects.toThrow(SchemaMismatchError);
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });
});

describe('Statements', () => {
  it('do not keep very long texts', async () => {
    const { statements } = await setUpCql();
    const text = `INSERT INTO t (id, name) VALUES (1, '${'x'.repeat(20_000)}')`;
    expect(statements.get(text)).not.toBe(statements.get(text));
  });

  it('are bounded: the oldest leaves first', async () => {
    const { sessions, clock } = await setUpCql();
    const statements = new Statements(sessions, clock, 2);
    const [first, second] = [statements.get('SELECT 1 FROM t'), statements.get('SELECT 2 FROM t')];
    statements.get('SELECT 3 FROM t');
    expect(statements.get('SELECT 2 FROM t')).toBe(second);
    expect(statements.get('SELECT 1 FROM t')).not.toBe(first);
  });
});
