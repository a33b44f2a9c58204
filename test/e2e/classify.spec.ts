import { createRequire } from 'node:module';
import cassandra from 'cassandra-driver';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, systemClock } from '../../lib/core/index.js';
import { classifyWriteError, CqlSession, loadDriver, type PreparedText } from '../../lib/cql/driver/index.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'classify';
/** The driver does not describe it. */
const { FrameReader } = createRequire(import.meta.url)('cassandra-driver/lib/readers.js') as {
  FrameReader: { prototype: { readFlagsInfo(): void } };
};
const insert = 'INSERT INTO users (id, name) VALUES (?, ?)';
const insertPair = 'INSERT INTO pairs (a, b) VALUES (?, ?)';
let pair: TestPair;
const sessions = new Set<CqlSession>();

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, [
    'CREATE TABLE $ks.users (id int PRIMARY KEY, name text)',
    'CREATE TABLE $ks.pairs (a text, b text, PRIMARY KEY ((a, b)))',
  ]);
});

afterEach(async () => {
  await pair.B.heal();
  for (const session of sessions) await session.close();
  sessions.clear();
});

let prepared: PreparedText;

async function connect(): Promise<CqlSession> {
  const session = new CqlSession(await loadDriver(), 'B', 'B', pair.B.options(keyspace), systemClock);
  sessions.add(session);
  await session.connect();
  prepared = await session.prepare(insert);
  return session;
}

const options = { serialConsistency: undefined, timestampUs: 1, timeoutMs: 500, consistency: 1 };
const { int, text } = {
  int: (n: number) => Buffer.from([0, 0, n >> 8, n & 255]),
  text: (s: string) => Buffer.from(s),
};
const write = (session: CqlSession, id = 1, consistency = 1): Promise<unknown> =>
  session.write(prepared, [int(id), text('x')], { ...options, consistency });

async function kindOf(failing: Promise<unknown>, stage: Stage = 'execute', singlePartition = true) {
  const error: unknown = await failing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  const { kind } = classifyWriteError(error, { stage, singlePartition });
  return { kind, error: error as Error & { code?: number; innerErrors?: object } };
}

describe('what a real server and the real driver say', () => {
  it.each([
    ['a syntax error', 'INSERT nonsense', 0x2000],
    ['an unknown column', 'INSERT INTO users (id, nothing) VALUES (?, ?)', 0x2200],
    ['an unknown table', 'INSERT INTO nothing (id) VALUES (?)', 0x2200],
  ])('of %s: rejected', async (_, statement, code) => {
    const session = await connect();
    expect(await kindOf(session.prepare(statement), 'prepare')).toMatchObject({
      kind: 'rejected',
      error: { code },
    });
  });

  it('of a table that exists: rejected', async () => {
    const session = await connect();
    const create = session.run('CREATE TABLE users (id int PRIMARY KEY)', 5_000);
    expect(await kindOf(create)).toMatchObject({ kind: 'rejected', error: { code: 0x2400 } });
  });

  it('of too few replicas: unreached for one partition, ambiguous for several, and never tried twice', async () => {
    const session = await connect();
    const twoReplicas = cassandra.types.consistencies.two;
    expect(await kindOf(write(session, 2, twoReplicas))).toMatchObject({
      kind: 'unreached',
      error: { code: 0x1000 },
    });
    const batch = session.writeBatch(
      [1, 2].map((id) => ({ statement: prepared, params: [int(id), text('x')] })),
      'unlogged',
      { ...options, consistency: twoReplicas },
    );
    expect(await kindOf(batch, 'execute', false)).toMatchObject({
      kind: 'ambiguous',
      error: { code: 0x1000 },
    });
  });

  it('of a frozen server: ambiguous, and the write lands after all', async () => {
    const session = await connect();
    pair.B.freeze();
    const { kind, error } = await kindOf(write(session, 10));
    expect([kind, error.name]).toEqual(['ambiguous', 'OperationTimedOutError']);
    pair.B.thaw();
    await expect
      .poll(async () => (await pair.B.run(`SELECT id FROM ${keyspace}.users WHERE id = 10`)).rowLength, {
        timeout: 10_000,
      })
      .toBe(1);
  });

  it('of a frozen server while preparing: unreached', async () => {
    const session = await connect();
    pair.B.freeze();
    const preparing = kindOf(session.prepare('UPDATE users SET name = ? WHERE id = ?'), 'prepare');
    pair.B.proxy.reset();
    expect((await preparing).kind).toBe('unreached');
  });

  it('of a connection reset with writes in flight: ambiguous', async () => {
    const session = await connect();
    pair.B.freeze();
    const failing = Promise.all(Array.from({ length: 64 }, (_, id) => kindOf(write(session, 100 + id))));
    await new Promise((resolve) => setImmediate(resolve));
    pair.B.proxy.reset();
    expect(new Set((await failing).map(({ kind }) => kind))).toEqual(new Set(['ambiguous']));
  });

  it('of a server that is down: unreached, without a cause being named', async () => {
    const session = await connect();
    await pair.B.kill();
    await expect
      .poll(async () => (await kindOf(write(session, 3))).error.innerErrors, { timeout: 10_000 })
      .toEqual({});
    expect((await kindOf(write(session, 3))).kind).toBe('unreached');
  });

  it('of a client that was shut down: unreached', async () => {
    const session = await connect();
    await session.close();
    expect(await kindOf(write(session, 4))).toMatchObject({ kind: 'unreached' });
  });

  it.each<[what: string, run: (session: CqlSession) => Promise<unknown>]>([
    [
      '65,536 statements',
      (session) =>
        session.writeBatch(
          Array.from({ length: 65_536 }, () => ({ statement: prepared, params: [int(1), text('x')] })),
          'unlogged',
          options,
        ),
    ],
    [
      'a part of a key that is too long',
      async (session) =>
        session.write(await session.prepare(insertPair), [text('x'.repeat(65_536)), text('x')], options),
    ],
    [
      'a part of a key that is too long, in a batch',
      async (session) =>
        session.writeBatch(
          [{ statement: await session.prepare(insertPair), params: [text('x'.repeat(65_536)), text('x')] }],
          'logged',
          options,
        ),
    ],
    [
      'a write time that is no number',
      (session) => session.write(prepared, [int(1), text('x')], { ...options, timestampUs: '1' as never }),
    ],
    ['a value of another type', (session) => session.write(prepared, ['x', 'x'], options)],
  ])('of %s: nothing, for the driver refuses it: rejected', async (_what, run) => {
    const session = await connect();
    const { kind, error } = await kindOf(run(session));
    expect([kind, ['RangeError', 'TypeError'].includes(error.name)]).toEqual(['rejected', true]);
  });

  it('of an answer that the driver cannot read: ambiguous', async () => {
    const session = await connect();
    const { prototype } = FrameReader;
    const original = prototype.readFlagsInfo;
    prototype.readFlagsInfo = () => {
      throw new TypeError('cannot be read');
    };
    try {
      expect(await kindOf(write(session, 5))).toMatchObject({
        kind: 'ambiguous',
        error: { message: 'cannot be read' },
      });
    } finally {
      prototype.readFlagsInfo = original;
    }
  });

  it('of a keyspace that is not there: blocked', async () => {
    const driver = await loadDriver();
    const session = new CqlSession(driver, 'B', 'B', pair.B.options('not_there'), systemClock);
    sessions.add(session);
    const { error } = await kindOf(session.connect(), 'prepare');
    expect(await kindOf(Promise.reject(error.cause as Error), 'prepare')).toMatchObject({ kind: 'blocked' });
  });

  it('of a wrong data centre: blocked', async () => {
    const driver = await loadDriver();
    const wrong = { ...pair.B.options(keyspace), localDataCenter: 'elsewhere' };
    const session = new CqlSession(driver, 'B', 'B', wrong, systemClock);
    sessions.add(session);
    const { error } = await kindOf(session.connect(), 'prepare');
    expect(await kindOf(Promise.reject(error.cause as Error), 'prepare')).toMatchObject({ kind: 'blocked' });
  });
});
