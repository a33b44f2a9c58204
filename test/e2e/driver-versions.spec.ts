import { readFile } from 'node:fs/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/core/index.js';
import { CqlSession, isUnprepared, loadDriver, type PreparedText } from '../../lib/cql/driver/index.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'driver_versions';
const options = { consistency: 1, serialConsistency: undefined, timestampUs: 1, timeoutMs: 5_000 };
const sessions = new Set<CqlSession>();
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, []);
});

afterEach(async () => {
  await Promise.all([...sessions].map((session) => session.close()));
  sessions.clear();
});

/** What Helix reaches of the driver that is not public is there, and does what it is needed for. */
describe.each(['cassandra-driver', 'cassandra-driver-4.9'])('%s', (name) => {
  it('is one that the documentation names', async () => {
    const url = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
    const { version } = JSON.parse(await readFile(url, 'utf8')) as { version: string };
    const docs = await readFile(new URL('../../docs/schema-changes.md', import.meta.url), 'utf8');
    expect(/^\| `cassandra-driver`.*$/m.exec(docs)?.[0]).toContain(version);
  });

  it('executes by the ids and types of Helix, does not renew them, and lets changes be heard of', async () => {
    const warnings: string[] = [];
    const session = new CqlSession(
      await loadDriver(name),
      'A',
      'A',
      pair.A.options(keyspace),
      systemClock,
      (message) => warnings.push(message),
    );
    sessions.add(session);
    await session.connect();
    expect(warnings).toEqual([]);

    const text = 'INSERT INTO t (id, v) VALUES (?, ?)';
    const write = (by: PreparedText): Promise<unknown> =>
      session.write(
        by,
        [1, 42].map((value, i) => session.encode(value, by.meta.columns[i]!)),
        options,
      );
    const make = async (type: string): Promise<void> => {
      await pair.A.run(`DROP TABLE IF EXISTS ${keyspace}.t`);
      await pair.A.run(`CREATE TABLE ${keyspace}.t (id int PRIMARY KEY, v ${type})`);
    };

    await make('int');
    const before = await session.prepare(text);
    await write(before);
    const view = session.schemaView(keyspace);
    await make('float');
    await expect.poll(() => view.isCurrent, { timeout: 10_000 }).toBe(false);
    expect(isUnprepared(await write(before).catch((error: unknown) => error))).toBe(true);

    const now = await session.prepare(text);
    expect(now.query).not.toBe(before.query);
    await write(now);
    const { rows } = await pair.A.run(`SELECT v FROM ${keyspace}.t`);
    expect(rows.map(({ v }) => v as number)).toEqual([42]);
  });
});
