import cassandra from 'cassandra-driver';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ClusterId,
  HazardousStatementError,
  isHelixError,
  SchemaMismatchError,
  type WriteReceipt,
} from '../../../lib/index.js';
import '../../matchers/index.js';
import {
  answersHelix,
  startApplication,
  stopApplications,
  type TestApplication,
} from '../support/application.js';
import { clusterPair, createKeyspace, type TestPair } from '../support/clusters.js';
import { workAsAnother } from './another-client.js';
import { toldOfChanges } from './heard.js';

const keyspace = 'changed_by_name';
const SIDES = ['A', 'B'] as const;
let pair: TestPair;
let application: TestApplication;
let markers = 0;
const clients: cassandra.Client[] = [];

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, []);
});

beforeEach(async () => {
  application = await startApplication({ cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) } });
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
  await Promise.all(clients.splice(0).map((client) => client.shutdown()));
});

async function onBoth(...statements: string[]): Promise<void> {
  for (const statement of statements) {
    expect(await application.cql.onBoth(statement)).toEqual({ A: { ok: true }, B: { ok: true } });
  }
}

/** Another client changes the schema and uses the text under the new one, and Helix has been told of it. */
async function changedElsewhere(
  sides: readonly ClusterId[],
  changes: string[],
  text?: string,
): Promise<void> {
  for (const side of sides) {
    await workAsAnother({
      options: { ...pair[side].server.clientOptions, keyspace },
      changes,
      texts: text === undefined ? [] : [{ text, params: [999, null] }],
    });
    await toldOfChanges(pair[side].proxy, pair[side], keyspace, `told_${++markers}`);
    await answersHelix(application, side);
  }
}

/** What a client reads that knows nothing of what was before; `undefined` if there is no such row. */
async function stored(side: ClusterId, table: string, column: string, id = 1): Promise<unknown> {
  const client = new cassandra.Client({ ...pair[side].server.clientOptions, keyspace });
  try {
    const { rows } = await client.execute(`SELECT ${column} FROM ${table} WHERE id = ${id}`);
    return rows[0]?.[column];
  } finally {
    await client.shutdown();
  }
}

/** Writes that B misses and that wait until `resumeReplay('B')`, while B itself is well again. */
async function queuedForB(...writes: (() => Promise<WriteReceipt>)[]): Promise<void> {
  const { helix } = application;
  helix.pauseReplay('B');
  pair.B.proxy.refuse();
  for (const write of writes) expect(await write()).toMatchObject({ A: 'applied', B: 'queued' });
  pair.B.proxy.pass();
  await answersHelix(application, 'B');
}

async function replayToB(): Promise<void> {
  application.helix.resumeReplay('B');
  await application.helix.syncPoint({ timeoutMs: 30_000 });
  expect(application.helix.status().replay).toAddUp();
}

const addressTable = (n: number): string[] => [
  `CREATE TYPE addr_${n} (street text)`,
  `CREATE TABLE homes_${n} (id int PRIMARY KEY, home frozen<addr_${n}>)`,
];

describe('A field added to a type', () => {
  it('through onBoth() is stored on both by the next write', async () => {
    const { cql } = application;
    await onBoth(...addressTable(1));
    const insert = 'INSERT INTO homes_1 (id, home) VALUES (?, ?)';
    await cql.query(insert, [1, { street: 'Main' }]).exec();
    await onBoth('ALTER TYPE addr_1 ADD zip text');
    const receipt = await cql.query(insert, [1, { street: 'Main', zip: '4711' }]).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'applied' });
    for (const side of SIDES) {
      expect(await stored(side, 'homes_1', 'home')).toEqual({ street: 'Main', zip: '4711' });
    }
  });

  it('while writes wait for one side lets them be applied, and refuses no other', async () => {
    const { cql, helix } = application;
    await onBoth(...addressTable(2));
    const write = (id: number) =>
      cql.query('INSERT INTO homes_2 (id, home) VALUES (?, ?)', [id, { street: `Main ${id}` }]).exec();
    await write(1);
    await queuedForB(
      () => write(2),
      () => write(3),
    );
    await onBoth('ALTER TYPE addr_2 ADD zip text');
    expect(await write(4)).toMatchObject({ A: 'applied', B: 'applied' });
    await replayToB();
    expect(helix.status().replay.B).toMatchObject({ applied: 2, deadLettered: 0 });
    for (const side of SIDES) {
      for (const id of [1, 2, 3, 4]) {
        expect(await stored(side, 'homes_2', 'home', id)).toMatchObject({ street: `Main ${id}` });
      }
    }
  });

  it('on A only keeps no value from both that sets no further field, and one that does from either', async () => {
    const { cql } = application;
    await onBoth(...addressTable(3));
    const insert = 'INSERT INTO homes_3 (id, home) VALUES (?, ?)';
    await cql.query(insert, [1, { street: 'Main' }]).exec();
    await changedElsewhere(['A'], ['ALTER TYPE addr_3 ADD zip text']);
    expect(await cql.query(insert, [2, { street: 'Side' }]).exec()).toMatchObject({
      A: 'applied',
      B: 'applied',
    });
    await expect(cql.query(insert, [3, { street: 'Side', zip: '4711' }]).exec()).rejects.toBeInstanceOf(
      SchemaMismatchError,
    );
    for (const side of SIDES) {
      expect(await stored(side, 'homes_3', 'home', 2)).toMatchObject({ street: 'Side' });
      expect(await stored(side, 'homes_3', 'home', 3)).toBeUndefined();
    }
  });
});

describe('A table made again with float instead of int by somebody who goes on using the same text', () => {
  const change = (table: string): string[] => [
    `DROP TABLE ${table}`,
    `CREATE TABLE ${table} (id int PRIMARY KEY, v float)`,
  ];

  it.each([
    ['both', SIDES],
    ['B alone', ['B']],
  ] as const)('on %s stores 42 as 42, or there is an error', async (_, sides) => {
    const { cql, helix } = application;
    const table = `numbers_${sides.length}`;
    await onBoth(`CREATE TABLE ${table} (id int PRIMARY KEY, v int)`);
    const insert = `INSERT INTO ${table} (id, v) VALUES (?, ?)`;
    await cql.query(insert, [0, 42]).exec();
    await changedElsewhere(sides, change(table), insert);
    const error: unknown = await cql
      .query(insert, [1, 42])
      .exec()
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(error === undefined || isHelixError(error)).toBe(true);
    await helix.syncPoint({ timeoutMs: 30_000 });
    const letters = await helix.deadLetters.count();
    for (const side of SIDES) {
      const isThere = error === undefined && (side === 'A' || letters === 0);
      expect(await stored(side, table, 'v'), side).toBe(isThere ? 42 : undefined);
    }
  });

  it('makes dead letters of the writes that were waiting for it', async () => {
    const { cql, helix } = application;
    await onBoth('CREATE TABLE waiting (id int PRIMARY KEY, v int)');
    const insert = 'INSERT INTO waiting (id, v) VALUES (?, ?)';
    await cql.query(insert, [0, 42]).exec();
    await queuedForB(() => cql.query(insert, [1, 42]).exec());
    await changedElsewhere(['B'], change('waiting'), insert);
    await replayToB();
    expect(await helix.deadLetters.list()).toMatchObject([
      { cluster: 'B', reason: 'rejected', table: 'waiting' },
    ]);
    expect(await stored('B', 'waiting', 'v')).toBeUndefined();
  });
});

describe('A list added to a table', () => {
  it('is a hazard of JSON from then on, for new writes and for those that wait', async () => {
    const { cql, helix } = application;
    await onBoth('CREATE TABLE documents (id int PRIMARY KEY, name text)');
    const write = (id: number) =>
      cql.query('INSERT INTO documents JSON ?', [`{"id": ${id}, "name": "x"}`]).exec();
    expect(await write(1)).toMatchObject({ A: 'applied', B: 'applied' });
    await queuedForB(() => write(2));
    await changedElsewhere(SIDES, ['ALTER TABLE documents ADD items list<int>']);
    await expect(write(3)).rejects.toBeInstanceOf(HazardousStatementError);
    await replayToB();
    expect(await helix.deadLetters.list()).toMatchObject([{ cluster: 'B', reason: 'rejected' }]);
    expect(await stored('B', 'documents', 'name', 2)).toBeUndefined();
    for (const side of SIDES) expect(await stored(side, 'documents', 'name', 3)).toBeUndefined();
  });
});

describe('Statements of the application itself on a client that Helix uses, after their table was made again,', () => {
  const create = (table: string): string => `CREATE TABLE ${table} (id int PRIMARY KEY, v int)`;

  async function healsBy(client: cassandra.Client, table: string): Promise<void> {
    const insert = `INSERT INTO ${table} (id, v) VALUES (?, ?)`;
    const write = (id: number) => client.execute(insert, [id, 42], { prepare: true });
    await write(0);
    await changedElsewhere(['A'], [`DROP TABLE ${table}`, create(table)]);
    await write(1);
    expect(await stored('A', table, 'v')).toBe(42);
  }

  it('go on, as the driver has it: session()', async () => {
    await onBoth(create('of_session'));
    await healsBy(application.cql.session('A') as unknown as cassandra.Client, 'of_session');
  });

  it('go on, as the driver has it: a client that was given to Helix', async () => {
    const client = new cassandra.Client(pair.A.options(keyspace));
    clients.push(client);
    await client.connect();
    application = await startApplication({ cql: { A: client, B: pair.B.options(keyspace) } });
    await onBoth(create('of_client'));
    await application.cql.query('INSERT INTO of_client (id, v) VALUES (?, ?)', [7, 7]).exec();
    await healsBy(client, 'of_client');
  });
});
