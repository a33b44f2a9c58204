import cassandra from 'cassandra-driver';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HelixCqlService } from '../../lib/index.js';
import '../matchers/index.js';
import { keyOfHash } from '../support/murmur3-inverse.js';
import { startApplication, stopApplications, type TestApplication } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const { types } = cassandra;
const keyspace = 'routing';
const BOTH = ['A', 'B'] as const;

interface KeyCase {
  readonly table: string;
  readonly columns: readonly string[];
  readonly keys: readonly (readonly unknown[])[];
}

const uuid = types.Uuid.fromString('c5ee5e43-7d4c-4c4b-8d7c-3e3f8b8a0f11');
const scalars: readonly [type: string, ...values: unknown[]][] = [
  ['ascii', 'plain', 'x'],
  ['bigint', types.Long.fromString('-9007199254740993'), types.Long.ZERO],
  ['blob', Buffer.alloc(15, 0x80), Buffer.alloc(16, 0xff), Buffer.alloc(300, 0xe1), Buffer.from([0])],
  ['boolean', true, false],
  ['date', types.LocalDate.fromString('2024-02-29')],
  ['decimal', types.BigDecimal.fromString('-123456789012345678901.234567')],
  ['double', -0.1, 0],
  ['float', 1.5],
  ['inet', types.InetAddress.fromString('2001:db8::1'), types.InetAddress.fromString('127.0.0.1')],
  ['int', 1, 2, 3, -2_147_483_648],
  ['smallint', -5],
  ['text', 'ünï — 日本', 'a longer text than one block has'],
  ['time', types.LocalTime.fromString('23:59:59.123456789')],
  ['timestamp', new Date(1_700_000_000_123)],
  ['timeuuid', types.TimeUuid.fromString('30821634-13ad-11eb-adc1-0242ac120002')],
  ['tinyint', -1],
  ['uuid', uuid],
  ['varint', types.Integer.fromString('-170141183460469231731687303715884105729')],
  ['frozen<set<text>>', ['a', 'b']],
  ['frozen<map<int, uuid>>', { 1: uuid }],
  ['frozen<list<text>>', ['b', 'a']],
  ['frozen<tuple<int, text, blob>>', types.Tuple.fromArray([1, null, Buffer.alloc(0)])],
  ['frozen<address>', { street: 'Main', zip: 4 }],
  ['vector<float, 3>', new types.Vector([0.5, 1, -2], 'float')],
];

const cases: readonly KeyCase[] = [
  ...scalars.map(([type, ...values], i) => ({
    table: `scalar${i}`,
    columns: [type],
    keys: values.map((value) => [value]),
  })),
  {
    table: 'two',
    columns: ['text', 'int'],
    keys: [
      ['', 0],
      ['é', -1],
      ['x'.repeat(700), 7],
    ],
  },
  { table: 'three', columns: ['uuid', 'blob', 'frozen<list<int>>'], keys: [[uuid, Buffer.alloc(0), [1, 2]]] },
  {
    table: 'same',
    columns: ['int', 'int'],
    keys: [
      [1, 2],
      [2, 1],
    ],
  },
];

const names = ({ columns }: KeyCase): string[] => columns.map((_, i) => `k${i}`);

let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, [
    'CREATE TYPE $ks.address (street text, zip int)',
    ...cases.map(
      (each) =>
        `CREATE TABLE $ks.${each.table} (${each.columns.map((type, i) => `k${i} ${type}`).join(', ')}, v int, ` +
        `PRIMARY KEY ((${names(each).join(', ')})))`,
    ),
    'CREATE TABLE $ks.users (id int, at int, name text, PRIMARY KEY (id, at))',
  ]);
});

afterEach(stopApplications);

function start(sharedToken: boolean, policies = (): object => ({})): Promise<TestApplication> {
  return startApplication({
    cql: {
      A: { ...pair.A.options(keyspace), policies: policies() },
      B: { ...pair.B.options(keyspace), policies: policies() },
      sharedToken,
    },
    connect: 'both',
  });
}

/** What each execution on a cluster is given for a routing key, from now on. */
function routingKeys(cql: HelixCqlService, cluster: 'A' | 'B'): unknown[] {
  const client = cql.session(cluster);
  const seen: unknown[] = [];
  const execute = client.execute.bind(client);
  client.execute = (text, params, options) => {
    if (text.startsWith('INSERT')) seen.push((options as { routingKey?: unknown }).routingKey);
    return execute(text, params, options);
  };
  return seen;
}

interface Hashing {
  readonly metadata: { readonly tokenizer: { hash(key: Buffer): unknown } };
}
const hashes = (cql: HelixCqlService, cluster: 'A' | 'B') =>
  vi.spyOn((cql.session(cluster) as unknown as Hashing).metadata.tokenizer, 'hash');

/** On A, then on B. */
async function namesOf(id: number): Promise<unknown[]> {
  const found = await Promise.all(
    [pair.A, pair.B].map((cluster) => cluster.run(`SELECT name FROM ${keyspace}.users WHERE id = ${id}`)),
  );
  return found.flatMap(({ rows }) => rows.map((row): unknown => row['name']));
}

describe('one token for both clusters', () => {
  it.each(cases)('is the token that the servers give the key: $columns', async (each) => {
    const { cql } = await start(true);
    const [seenA, seenB] = [routingKeys(cql, 'A'), routingKeys(cql, 'B')];
    const columns = names(each);
    const insert = `INSERT INTO ${each.table} (${columns.join(', ')}, v) VALUES (${columns.map(() => '?').join(', ')}, ?)`;
    // The order of the parameters is not that of the key.
    const reversed = `INSERT INTO ${each.table} (v, ${columns.toReversed().join(', ')}) VALUES (?, ${columns.map(() => '?').join(', ')})`;
    for (const [i, key] of each.keys.entries()) {
      await cql.query(insert, [...key, i]).exec();
      await cql.query(reversed, [i, ...key.toReversed()]).exec();
    }

    expect(seenA).toHaveLength(2 * each.keys.length);
    expect(seenB).toEqual(seenA);
    for (const cluster of [pair.A, pair.B]) {
      const { rows } = await cluster.run(
        `SELECT token(${columns.join(', ')}) AS t, v FROM ${keyspace}.${each.table}`,
      );
      expect(rows).toHaveLength(each.keys.length);
      for (const row of rows) {
        const at = 2 * (row['v'] as number);
        expect([String(seenA[at]), String(seenA[at + 1])]).toEqual(Array(2).fill(String(row['t'])));
      }
    }
  });

  it('is the greatest one where the hash would be the least', async () => {
    const { cql } = await start(true);
    const seen = routingKeys(cql, 'A');
    const key = keyOfHash(-(1n << 63n), 4_711n);
    const table = `scalar${scalars.findIndex(([type]) => type === 'blob')}`;
    await cql.query(`INSERT INTO ${table} (k0, v) VALUES (?, 99)`, [key]).exec();
    const { rows } = await pair.A.run(
      `SELECT token(k0) AS t FROM ${keyspace}.${table} WHERE k0 = 0x${key.toString('hex')}`,
    );
    expect(rows.map((row) => String(row['t']))).toEqual(['9223372036854775807']);
    expect(String(seen[0])).toBe('9223372036854775807');
  });

  it.each([
    [true, 0],
    [false, 20],
  ])(
    'with sharedToken: %s, leaves the drivers %i keys to hash for 20 writes',
    async (sharedToken, expected) => {
      const { cql } = await start(sharedToken);
      const insert = 'INSERT INTO users (id, at, name) VALUES (?, ?, ?)';
      await cql.query(insert, [0, 0, 'first']).exec();
      const [onA, onB] = [hashes(cql, 'A'), hashes(cql, 'B')];
      const base = sharedToken ? 100 : 200;
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => cql.query(insert, [base + i, i, `name ${i}`]).exec()),
      );
      expect([onA.mock.calls.length, onB.mock.calls.length]).toEqual([expected, expected]);
      for (let i = 0; i < 20; i++) expect(await namesOf(base + i)).toEqual([`name ${i}`, `name ${i}`]);
    },
  );

  class OwnPolicy extends cassandra.policies.loadBalancing.DefaultLoadBalancingPolicy {}

  it('is not made for clusters with a policy of the user, which are written to all the same', async () => {
    const { cql } = await start(true, () => ({ loadBalancing: new OwnPolicy() }));
    const seen = BOTH.map((cluster) => routingKeys(cql, cluster));
    await cql.query('INSERT INTO users (id, at, name) VALUES (?, ?, ?)', [300, 1, 'x']).exec();
    expect(seen).toEqual([[undefined], [undefined]]);
    expect(await namesOf(300)).toEqual(['x', 'x']);
  });

  it('is not made for a key that is in the text', async () => {
    const { cql } = await start(true);
    const seen = BOTH.map((cluster) => routingKeys(cql, cluster));
    await cql.query('INSERT INTO users (id, at, name) VALUES (301, ?, ?)', [1, 'y']).exec();
    expect(seen).toEqual([[undefined], [undefined]]);
    expect(await namesOf(301)).toEqual(['y', 'y']);
  });

  it('is not made of a key that is null, which the servers refuse as without it', async () => {
    const { cql } = await start(true);
    const seen = BOTH.flatMap((cluster) => routingKeys(cql, cluster));
    const write = cql.query('INSERT INTO two (k0, k1, v) VALUES (?, ?, ?)', ['x', null, 1]).exec();
    await expect(write).rejects.toMatchObject({ code: 'HELIX_CLUSTER', outcome: 'notApplied' });
    expect(seen.filter((key) => key !== undefined)).toEqual([]);
  });
});
