import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { setUpCql } from '../../test/support/cql.js';
import { envelope } from '../../test/support/envelope.js';
import {
  columns,
  invalid,
  listOf,
  timedOut,
  type,
  unprepared,
  unreachable,
} from '../../test/support/fake-cql-client.js';
import { Watched } from '../../test/support/fake-operations.js';
import type { Envelope } from '../core/index.js';
import { CqlReplayTarget } from './index.js';
import { parametersSignature } from './driver/types.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const USER = columns({ id: type('int'), name: type('text') });
const SIGNATURE = parametersSignature(USER);

async function setUp(options?: Parameters<typeof setUpCql>[0]) {
  const fixture = await setUpCql(options);
  fixture.knows(INSERT, USER);
  const target = new CqlReplayTarget(fixture.sessions.B!, fixture.statements, fixture.clock);
  const queued = (fields: Partial<Envelope> = {}): Envelope =>
    envelope('op1', {
      statements: [{ text: INSERT, signature: SIGNATURE, params: [new Uint8Array([0, 0, 0, 7]), null] }],
      ...fields,
    });
  return { ...fixture, target, queued };
}

describe('CqlReplayTarget', () => {
  it('sends the same bytes with the same write time and consistency', async () => {
    const { target, queued, clients } = await setUp();
    const { quorum, localSerial } = cassandra.types.consistencies;
    const given = queued({ timestampUs: 123_456, consistency: quorum, serialConsistency: localSerial });
    expect(await target.apply(given, 30_000)).toEqual({ kind: 'applied' });
    expect(clients.B.executed).toMatchObject([
      {
        query: INSERT,
        params: [Buffer.from([0, 0, 0, 7]), null],
        options: {
          timestamp: 123_456,
          consistency: quorum,
          serialConsistency: localSerial,
          isIdempotent: false,
          readTimeout: 60_000,
        },
      },
    ]);
    expect(clients.A.executed).toEqual([]);
  });

  it('hands the driver Buffers, which it leaves as they are', async () => {
    const { target, queued, clients } = await setUp();
    const bytes = new Uint8Array([9, 9, 0, 0, 0, 7, 9]).subarray(2, 6);
    await target.apply(
      queued({ statements: [{ text: INSERT, signature: SIGNATURE, params: [bytes, null] }] }),
      1,
    );
    const [id] = clients.B.executed[0]?.params as unknown[];
    expect(id).toEqual(Buffer.from([0, 0, 0, 7]));
    expect(Buffer.isBuffer(id)).toBe(true);
  });

  it('leaves columns alone that were unset', async () => {
    const { target, queued, clients } = await setUp();
    const params = [new Uint8Array(4), undefined];
    await target.apply(queued({ statements: [{ text: INSERT, signature: SIGNATURE, params }] }), 1_000);
    expect((clients.B.executed[0]?.params as unknown[])[1]).toBe(cassandra.types.unset);
  });

  it.each(['logged', 'unlogged', 'counter'] as const)('sends a %s batch as one', async (batch) => {
    const { target, queued, clients } = await setUp();
    const statement = queued().statements[0]!;
    expect(await target.apply(queued({ batch, statements: [statement, statement] }), 1_000)).toEqual({
      kind: 'applied',
    });
    expect(clients.B.batches).toMatchObject([
      { options: { logged: batch === 'logged', counter: batch === 'counter' } },
    ]);
    expect(clients.B.batches[0]?.queries).toHaveLength(2);
  });

  it.each<[what: string, error: () => Error, kind: string]>([
    ['is not reached', unreachable, 'unreached'],
    ['does not answer', timedOut, 'ambiguous'],
    ['refuses', () => invalid(), 'rejected'],
    ['does not permit it', () => new cassandra.errors.ResponseError(0x2100, 'no'), 'rejected'],
    ['does not let anybody in', () => new cassandra.errors.AuthenticationError('no'), 'blocked'],
    ['has too few replicas', () => new cassandra.errors.ResponseError(0x1000, 'no'), 'unreached'],
  ])('never rejects: the cluster %s', async (_what, error, kind) => {
    const { target, queued, clients } = await setUp();
    clients.B.answers.push(error());
    expect(await target.apply(queued(), 1_000)).toMatchObject({ kind });
  });

  it('takes Unavailable for a doubt when a batch may be partly applied', async () => {
    const { target, queued, clients } = await setUp();
    clients.B.answers.push(new cassandra.errors.ResponseError(0x1000, 'no'));
    const statement = queued().statements[0]!;
    const given = queued({ batch: 'unlogged', statements: [statement, statement] });
    expect(await target.apply(given, 1_000)).toMatchObject({ kind: 'ambiguous' });
  });

  it.each<[what: string, error: () => Error, kind: string]>([
    ['does not answer', timedOut, 'unreached'],
    ['refuses', () => invalid(), 'rejected'],
  ])('has written nothing when preparing fails: the cluster %s', async (_what, error, kind) => {
    const { target, queued, clients } = await setUp();
    clients.B.statements.set(INSERT, error());
    expect(await target.apply(queued(), 1_000)).toMatchObject({ kind });
    expect(clients.B.executed).toEqual([]);
  });

  it('sends nothing any more when preparing has taken longer than its time', async () => {
    const { clock, target, queued, clients } = await setUp();
    clients.B.statements.set(INSERT, 'never');
    const applied = new Watched(target.apply(queued(), 1_000));
    await clock.advance(1_001);
    clients.B.statements.set(INSERT, USER);
    clients.B.answerPrepares();
    await clock.settle();
    expect(applied.value).toMatchObject({ kind: 'unreached' });
    expect(clients.B.executed).toEqual([]);
  });

  it('does not apply to a cluster whose table has a list that is not frozen', async () => {
    const { target, queued, clients, knows } = await setUp();
    const text = 'INSERT INTO t (id, tags) VALUES (?, ?)';
    const params = columns({ id: type('int'), tags: listOf(type('text')) });
    knows(text, params);
    clients.B.tables.set('t', params);
    const statements = [{ text, signature: parametersSignature(params), params: [null, null] }];
    const outcome = await target.apply(queued({ statements }), 1_000);
    expect(outcome).toMatchObject({ kind: 'rejected', error: { hazard: 'list' } });
    expect(clients.B.executed).toEqual([]);
  });

  it('never sends bytes that were made for other types', async () => {
    const { target, queued, clients } = await setUp();
    clients.B.statements.set(INSERT, columns({ id: type('int'), name: type('blob') }));
    expect(await target.apply(queued(), 1_000)).toMatchObject({
      kind: 'rejected',
      error: { name: 'SchemaMismatchError' },
    });
    expect(clients.B.executed).toEqual([]);
  });

  it('says unreached while the cluster was never connected', async () => {
    const { target, queued, clients } = await setUp({ connected: ['A'] });
    expect(await target.apply(queued(), 1_000)).toMatchObject({ kind: 'unreached' });
    await expect(target.ping(1_000)).rejects.toThrow('Not connected');
    expect(clients.B.preparedTexts).toEqual([]);
  });

  it('pings the cluster itself', async () => {
    const { target, clients } = await setUp();
    await target.ping(1_000);
    expect(clients.B.unprepared).toHaveLength(1);
    clients.B.pingError = timedOut();
    await expect(target.ping(1_000)).rejects.toThrow();
  });
});

describe('what the target does not know any more', () => {
  it('is prepared again and sent once more, as the same bytes', async () => {
    const { target, queued, clients } = await setUp();
    await target.apply(queued(), 1_000);
    clients.B.forgetPrepared();
    expect(await target.apply(queued(), 1_000)).toEqual({ kind: 'applied' });
    expect(clients.B.preparedTexts).toEqual([INSERT, INSERT]);
    expect(clients.B.executed.map(({ params }) => params)).toEqual(
      Array.from({ length: 2 }, () => [Buffer.from([0, 0, 0, 7]), null]),
    );
  });

  it('is not reached if it does not know it the second time either', async () => {
    const { target, queued, clients } = await setUp();
    clients.B.execute = () => Promise.reject(unprepared());
    expect(await target.apply(queued(), 1_000)).toMatchObject({ kind: 'unreached' });
    expect(clients.B.preparedTexts).toEqual([INSERT, INSERT]);
  });

  it('is refused if its types are others by then', async () => {
    const { target, queued, clients } = await setUp();
    await target.apply(queued(), 1_000);
    clients.B.statements.set(INSERT, columns({ id: type('float'), name: type('text') }));
    clients.B.forgetPrepared();
    expect(await target.apply(queued(), 1_000)).toMatchObject({
      kind: 'rejected',
      error: { code: 'HELIX_SCHEMA_MISMATCH' },
    });
    expect(clients.B.executed).toHaveLength(1);
  });

  it('is what preparing says if that fails', async () => {
    const { target, queued, clients } = await setUp();
    await target.apply(queued(), 1_000);
    clients.B.statements.delete(INSERT);
    clients.B.forgetPrepared();
    expect(await target.apply(queued(), 1_000)).toMatchObject({ kind: 'rejected', error: { code: 0x2200 } });
  });
});

it('applies a text that is too long to be kept', async () => {
  const { target, queued, clients, knows, hasTable } = await setUp();
  hasTable('users', USER);
  const text = knows(`INSERT INTO users (id, name) VALUES (?, '${'x'.repeat(20_000)}')`, USER.slice(0, 1));
  const signature = parametersSignature(USER.slice(0, 1));
  const statements = [{ text, signature, params: [new Uint8Array([0, 0, 0, 7])] }];
  expect(await target.apply(queued({ statements }), 1_000)).toEqual({ kind: 'applied' });
  expect(await target.apply(queued({ statements, batch: 'logged' }), 1_000)).toEqual({ kind: 'applied' });
  expect([clients.B.executed.length, clients.B.batches.length]).toEqual([1, 1]);
});

it('applies what was encoded before a UDT has grown', async () => {
  const { target, queued, clients, knows, hasTable } = await setUp();
  const udt = (...fields: string[]) =>
    columns({
      id: type('int'),
      home: {
        code: cassandra.types.dataTypes.udt,
        info: { name: 'addr', fields: fields.map((name) => ({ name, type: type('text') })) },
      },
    });
  const text = knows('INSERT INTO users (id, home) VALUES (?, ?)', udt('street', 'zip'));
  hasTable('users', udt('street', 'zip'));
  const waiting = (signature: string) =>
    queued({ statements: [{ text, signature, params: [new Uint8Array([0, 0, 0, 7]), null] }] });
  expect(await target.apply(waiting(parametersSignature(udt('street'))), 1_000)).toEqual({ kind: 'applied' });
  expect(await target.apply(waiting(parametersSignature(udt('street', 'zip', 'city'))), 1_000)).toMatchObject(
    {
      kind: 'rejected',
      error: { code: 'HELIX_SCHEMA_MISMATCH' },
    },
  );
  expect(clients.B.executed).toHaveLength(1);
});

it.each([
  ['UPDATE users SET home = :address WHERE id = :user', ['address', 'user'], [1]],
  ['UPDATE users SET homes[?] = ? WHERE id = ?', ['key(homes)', 'value(homes)', 'id'], [0, 2]],
  ['INSERT INTO users (id, home) VALUES (:user, :address)', ['user', 'address'], [0]],
])(
  'applies what was encoded before a UDT has grown, whatever its marker is called: %s',
  async (cql, names, others) => {
    const { target, queued, clients, knows, hasTable } = await setUp();
    const udt = (...fields: string[]) => ({
      code: cassandra.types.dataTypes.udt,
      info: { name: 'addr', fields: fields.map((name) => ({ name, type: type('text') })) },
    });
    const params = (of: ReturnType<typeof udt>) =>
      names.map((name, i) => ({ name, type: others.includes(i) ? type('int') : of }));
    hasTable('users', columns({ id: type('int'), home: udt('street', 'zip') }));
    const text = knows(cql, params(udt('street', 'zip')));
    const statements = [
      { text, signature: parametersSignature(params(udt('street'))), params: names.map(() => null) },
    ];
    expect(await target.apply(queued({ statements }), 1_000)).toEqual({ kind: 'applied' });
    expect(clients.B.executed).toHaveLength(1);
  },
);

it('does not take it for a mismatch that it cannot be told which columns are keys', async () => {
  const { target, queued, clients, knows } = await setUp();
  const udt = (...fields: string[]) => ({
    code: cassandra.types.dataTypes.udt,
    info: { name: 'addr', fields: fields.map((name) => ({ name, type: type('text') })) },
  });
  const text = knows(
    'INSERT INTO users (id, home) VALUES (?, ?)',
    columns({ id: type('int'), home: udt('street', 'zip') }),
  );
  const signature = parametersSignature(columns({ id: type('int'), home: udt('street') }));
  for (const client of [clients.A, clients.B]) client.tables.set('users', unreachable());
  const waiting = queued({ statements: [{ text, signature, params: [null, null] }] });
  expect(await target.apply(waiting, 1_000)).toMatchObject({ kind: 'unreached' });
});
