import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { FIRST_TIMESTAMP_US, setUpCql } from '../../test/support/cql.js';
import { columns, row, timedOut, type } from '../../test/support/fake-cql-client.js';
import { Watched } from '../../test/support/fake-operations.js';
import { askedPages, PAGE_COLUMNS, pageRow, servePages } from '../../test/support/pages.js';
import {
  CARRIES_CONTEXT,
  ClusterError,
  HazardousStatementError,
  HelixConfigError,
  HelixUsageError,
  PageStateError,
  PartialWriteError,
} from '../core/index.js';
import { type CqlExecuteOptions, CqlResultSet } from './index.js';

const SELECT = 'SELECT id, home FROM users';
const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const USER = columns({ id: type('int'), name: type('text') });
const { consistencies, Long } = cassandra.types;

async function setUp(sizes: readonly number[] = [2, 1], options?: Parameters<typeof setUpCql>[0]) {
  const fixture = await setUpCql(options);
  fixture.knows(INSERT, USER);
  fixture.hasTable('users', USER);
  const read = (executeOptions?: CqlExecuteOptions) => {
    for (const cluster of ['A', 'B'] as const) servePages(fixture.clients[cluster], cluster, sizes);
    return fixture.helix.execute(SELECT, [], executeOptions);
  };
  const write = (executeOptions?: CqlExecuteOptions) =>
    fixture.helix.execute(INSERT, [1, 'Ada'], executeOptions);
  return { ...fixture, read, write };
}

const caught = async (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('was expected to fail');
    },
    (error: unknown) => error as Error,
  );
const collect = async <T>(rows: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const each of rows) all.push(each);
  return all;
};

describe('execute() of a SELECT', () => {
  it('answers with one page from one cluster, in the shape of the driver', async () => {
    const { read, clients } = await setUp();
    const result = await read();
    expect(result).toBeInstanceOf(CqlResultSet);
    expect(result).toMatchObject({
      rows: [pageRow('A', 0), pageRow('A', 1)],
      rowLength: 2,
      columns: PAGE_COLUMNS,
      info: { cluster: 'A', warnings: ['page 0 of A'] },
      receipt: undefined,
    });
    expect(result.first()).toMatchObject(pageRow('A', 0));
    expect([...result]).toMatchObject([pageRow('A', 0), pageRow('A', 1)]);
    expect(result.isPaged()).toBe(true);
    expect(result.wasApplied()).toBe(true);
    expect(clients.B.executed).toEqual([]);
  });

  it('is empty where the driver says so', async () => {
    const { helix } = await setUp();
    const result = await helix.execute(SELECT);
    expect(result).toMatchObject({ rows: [], rowLength: 0, columns: null, pageState: null });
    expect(result.info).toEqual({ cluster: 'A', warnings: undefined });
    expect(result.first()).toBeNull();
    expect(result.isPaged()).toBe(false);
  });

  it('goes on from its page state', async () => {
    const { read, clients } = await setUp();
    const { pageState } = await read();
    const next = await read({ pageState });
    expect(next).toMatchObject({ rows: [pageRow('A', 2)], pageState: null });
    expect(askedPages(clients.A, 'A')).toEqual([0, 1]);
  });

  it('begins at the first page after the last: null is no page state', async () => {
    const { read } = await setUp([1]);
    const { pageState } = await read();
    expect(pageState).toBeNull();
    expect(await read({ pageState })).toMatchObject({ rows: [pageRow('A', 0)] });
  });

  it("refuses the driver's own page state", async () => {
    const { read } = await setUp();
    expect(await caught(read({ pageState: '0023ab' }))).toBeInstanceOf(PageStateError);
    expect(await caught(read({ pageState: Buffer.from('0023ab', 'hex') as never }))).toBeInstanceOf(
      PageStateError,
    );
  });

  it('is iterated over all pages from here, as often as one likes', async () => {
    const { read, clients } = await setUp([2, 0, 1]);
    const result = await read();
    const all = [0, 1, 2].map((id) => pageRow('A', id));
    expect(await collect(result)).toMatchObject(all);
    expect(await collect(result)).toMatchObject(all);
    // A decorated method may return it.
    expect(CARRIES_CONTEXT in result).toBe(true);
    expect(askedPages(clients.A, 'A')).toEqual([0, 1, 2, 1, 2]);
    expect(result.rows).toHaveLength(2);
  });

  it('stays on its cluster when it is iterated, and says how far it came', async () => {
    const { read, clients } = await setUp();
    const result = await read();
    clients.A.serve = () => timedOut();
    const error = await caught(collect(result));
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', rowsDelivered: 2 });
    expect(clients.B.executed).toEqual([]);
  });
});

describe('execute() of a write', () => {
  it('writes to both clusters and has the receipt', async () => {
    const { write, clients } = await setUp();
    for (const client of [clients.A, clients.B]) client.answers.push({});
    const result = await write();
    expect(result).toMatchObject({
      rows: undefined,
      rowLength: undefined,
      columns: null,
      pageState: null,
      receipt: { A: 'applied', B: 'applied', timestamp: FIRST_TIMESTAMP_US },
    });
    expect(result.info).toEqual({ cluster: undefined, warnings: undefined });
    expect(result.first()).toBeNull();
    expect([...result]).toEqual([]);
    expect(await collect(result)).toEqual([]);
    expect(result.wasApplied()).toBe(true);
    expect([clients.A.executed.length, clients.B.executed.length]).toEqual([1, 1]);
  });

  it('has the warnings of both clusters, each once', async () => {
    const { write, clients } = await setUp();
    clients.A.answers.push({ warnings: ['large', 'slow'] });
    clients.B.answers.push({ warnings: ['slow', 'old'] });
    expect((await write()).info.warnings).toEqual(['large', 'slow', 'old']);
  });

  it('has what the one cluster said that answered', async () => {
    const { write, clients } = await setUp();
    clients.A.answers.push(timedOut());
    clients.B.answers.push({ warnings: ['slow'] });
    const result = await write();
    expect(result).toMatchObject({ receipt: { A: 'queued', B: 'applied' }, info: { warnings: ['slow'] } });
  });

  it('of a condition on a single cluster says whether it was applied', async () => {
    const { helix, clients, knows } = await setUp([], { single: true });
    const conditional = knows(`${INSERT} IF NOT EXISTS`, USER);
    clients.A.answers.push({ rows: [row({ '[applied]': false, id: 1, name: 'Bob' })] });
    const result = await helix.execute(conditional, [1, 'Ada']);
    expect(result.wasApplied()).toBe(false);
    expect(result.first()).toMatchObject({ name: 'Bob' });
  });

  it.each(['UPDATE users SET name = ? WHERE id = ?', 'DELETE FROM users WHERE id = 1'])(
    '%s',
    async (text) => {
      const { helix, knows, clients } = await setUp();
      knows(text, text.startsWith('UPDATE') ? [...USER].reverse() : []);
      const { receipt } = await helix.execute(text, text.startsWith('UPDATE') ? ['Ada', 1] : undefined);
      expect(receipt).toMatchObject({ A: 'applied', B: 'applied' });
      expect(clients.B.executed).toHaveLength(1);
    },
  );
});

describe('execute() of anything else', () => {
  it.each<[hazard: string, text: string, advice: string]>([
    ['ddl', 'CREATE TABLE t (id int PRIMARY KEY)', 'onBoth()'],
    ['truncate', 'TRUNCATE users', 'onBoth()'],
    ['use', 'USE shop', 'Set the keyspace in the options'],
    ['multipleStatements', `${SELECT}; ${SELECT}`, 'batch()'],
    ['unknown', 'FETCH users', 'session()'],
  ])('is refused as %s: %s', async (hazard, text, advice) => {
    for (const single of [false, true]) {
      const { helix, clients } = await setUp([], { single });
      const error = await caught(helix.execute(text));
      expect(error).toBeInstanceOf(HazardousStatementError);
      expect(error).toMatchObject({ hazard });
      expect(error.message).toContain('execute() is for SELECT, INSERT, UPDATE and DELETE');
      expect(error.message).toContain(advice);
      expect(clients.A.executed).toEqual([]);
    }
  });
});

describe('options of execute()', () => {
  it('are honoured by a read', async () => {
    const { read, clients } = await setUp();
    await read({ prepare: true, consistency: consistencies.one, serialConsistency: 'SERIAL', fetchSize: 17 });
    expect(clients.A.executed).toMatchObject([
      { options: { consistency: consistencies.one, serialConsistency: consistencies.serial, fetchSize: 17 } },
    ]);
  });

  it('are honoured by a write', async () => {
    const { write, clients, replayer } = await setUp();
    clients.B.answers.push(timedOut());
    const { receipt } = await write({ consistency: 'ALL', timestamp: 77, priority: 'low' });
    expect(receipt?.timestamp).toBe(77);
    expect(clients.A.executed).toMatchObject([
      { options: { consistency: consistencies.all, timestamp: 77 } },
    ]);
    expect(replayer.enqueued.flat()).toMatchObject([{ priority: 'low', timestampUs: 77 }]);
  });

  it('ack', async () => {
    const { write, clients } = await setUp();
    clients.B.answers.push(timedOut());
    expect(await caught(write({ ack: 'both' }))).toBeInstanceOf(PartialWriteError);
  });

  it('timestamp may be a Long', async () => {
    const { write } = await setUp();
    const { receipt } = await write({ timestamp: Long.fromString('1735689600000123') });
    expect(receipt?.timestamp).toBe(1_735_689_600_000_123);
  });

  it('readTimeout is the whole wait', async () => {
    const { write, clients, clock } = await setUp();
    await write();
    clients.A.answers.push('never');
    clients.B.answers.push('never');
    const answer = new Watched(write({ readTimeout: 100 }));
    await clock.advance(100);
    expect(answer.error).toMatchObject({ name: 'AbortError' });
  });

  it('signal', async () => {
    const { write, read, clients } = await setUp();
    const signal = AbortSignal.abort();
    expect(await caught(write({ signal }))).toMatchObject({ name: 'AbortError' });
    expect(await caught(read({ signal }))).toMatchObject({ name: 'AbortError' });
    expect(clients.A.executed).toEqual([]);
  });

  it('may be undefined, one by one', async () => {
    const { read } = await setUp();
    const none = { consistency: undefined, pageState: undefined, prepare: undefined, host: undefined };
    await expect(read(none)).resolves.toBeDefined();
  });

  it.each<[option: string, value: unknown, instead: string]>([
    ['autoPage', true, 'for await'],
    ['captureStackTrace', true, 'queryOptions of cql.A and cql.B'],
    ['counter', true, 'batch()'],
    ['customPayload', {}, 'session()'],
    ['executionProfile', 'oltp', 'consistency'],
    ['hints', ['int'], 'leave it out'],
    ['host', {}, 'session()'],
    ['isIdempotent', true, 'leave it out'],
    ['keyspace', 'shop', 'qualify the table'],
    ['logged', false, 'batch()'],
    ['retry', {}, 'leave it out'],
    ['routingIndexes', [0], 'leave it out'],
    ['routingKey', Buffer.alloc(4), 'leave it out'],
    ['routingNames', ['id'], 'leave it out'],
    ['traceQuery', true, 'session()'],
  ])('%s is refused by name, with what to do instead', async (option, value, instead) => {
    const { write, clients } = await setUp();
    const error = await caught(write({ [option]: value }));
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain(`execute(): the option "${option}" is not supported`);
    expect(error.message).toContain(instead);
    expect(clients.A.executed).toEqual([]);
  });

  it('include each one that the driver has', async () => {
    // As in `interface QueryOptions` of its typings.
    const driverOptions: Record<keyof cassandra.QueryOptions, unknown> = {
      autoPage: true,
      captureStackTrace: true,
      consistency: 1,
      counter: true,
      customPayload: {},
      executionProfile: 'x',
      fetchSize: 1,
      hints: [],
      host: {},
      isIdempotent: true,
      keyspace: 'x',
      logged: true,
      pageState: 'x',
      prepare: true,
      readTimeout: 1,
      retry: {},
      routingIndexes: [],
      routingKey: Buffer.alloc(0),
      routingNames: [],
      serialConsistency: 8,
      timestamp: 1,
      traceQuery: true,
    };
    const { helix } = await setUp();
    for (const [option, value] of Object.entries(driverOptions)) {
      const execution = helix.execute(SELECT, [], { [option]: value });
      const [result] = await Promise.allSettled([execution]);
      expect(String('reason' in result && result.reason)).not.toContain('there is no option');
    }
  });

  it('that nobody has are refused, with those there are', async () => {
    const { write } = await setUp();
    for (const option of ['consistancy', 'toString', 'cluster']) {
      const error = await caught(write({ [option]: 1 }));
      expect(error).toBeInstanceOf(HelixUsageError);
      expect(error.message).toContain(`there is no option "${option}". Allowed: consistency,`);
    }
  });

  it('prepare: false is refused', async () => {
    const { write } = await setUp();
    const error = await caught(write({ prepare: false as true }));
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('prepare must be true or left out');
  });

  it.each<[option: keyof CqlExecuteOptions, value: unknown, kind: new (message: string) => Error]>([
    ['consistency', 'MOST', HelixConfigError],
    ['consistency', null, HelixConfigError],
    ['serialConsistency', 99, HelixConfigError],
    ['fetchSize', 0, HelixUsageError],
    ['fetchSize', '5', HelixUsageError],
    ['timestamp', 1.5, HelixUsageError],
    ['timestamp', null, HelixUsageError],
    ['timestamp', {}, HelixUsageError],
    ['timestamp', Long.MAX_VALUE, HelixUsageError],
    ['readTimeout', 0, HelixUsageError],
    ['ack', 'most', HelixUsageError],
    ['priority', 'urgent', HelixUsageError],
    ['signal', {}, HelixUsageError],
  ])('%s: %s is refused', async (option, value, kind) => {
    const { write, clients } = await setUp();
    const error = await caught(write({ [option]: value }));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(`execute(): ${option}:`);
    expect(clients.A.executed).toEqual([]);
  });

  it.each([null, () => undefined, 'prepare'])('must be an object, not %s', async (options) => {
    const { write } = await setUp();
    const error = await caught(write(options as CqlExecuteOptions));
    expect(error).toBeInstanceOf(HelixUsageError);
    expect(error.message).toContain('expected an object of options');
  });
});

describe('parameters of execute()', () => {
  it('may be by name', async () => {
    const { helix, knows, clients } = await setUp();
    const named = knows('INSERT INTO users (id, name) VALUES (:id, :name)', USER);
    await helix.execute(named, { id: 1, name: 'Ada' });
    expect(clients.A.executed).toMatchObject([{ params: [Buffer.from([0, 0, 0, 1]), Buffer.from('Ada')] }]);
  });
});
