import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClusterId, HazardousStatementError } from '../../lib/index.js';
import '../matchers/index.js';
import { type CqlProxy, startCqlProxy } from '../servers/index.js';
import {
  answersHelix,
  startApplication,
  stopApplications,
  type TestApplication,
} from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'slow_schema';
const schema = [
  'CREATE TABLE $ks.users (id int PRIMARY KEY, name text, tags set<text>, notes map<text, text>)',
  'CREATE TABLE $ks.fixed (id int PRIMARY KEY, items frozen<list<int>>)',
  'CREATE TABLE $ks.lists (id int PRIMARY KEY, items list<int>)',
];
/** What a table may hold only the schema tells of these: a set here, but it might be a list. */
const harmless: readonly (readonly [text: string, params: readonly unknown[]])[] = [
  ['UPDATE users SET tags = tags + ? WHERE id = 1', [['x']]],
  ['UPDATE users SET notes[?] = ? WHERE id = 2', ['k', 'v']],
  ['INSERT INTO users JSON ?', ['{"id": 3, "name": "json"}']],
  ['INSERT INTO fixed (id, items) VALUES (4, ?)', [[1, 2]]],
];
const ASKED = /FROM system_schema\.(columns|tables|types)/;
const PAUSE_MS = 1_300;
const PASS_MS = 50;

let pair: TestPair;
let proxies: Record<ClusterId, CqlProxy>;
let application: TestApplication;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, schema);
  proxies = { A: await startCqlProxy(pair.A.proxy), B: await startCqlProxy(pair.B.proxy) };
});

beforeEach(async () => {
  for (const cluster of [pair.A, pair.B]) {
    for (const table of ['users', 'fixed', 'lists']) await cluster.run(`TRUNCATE ${keyspace}.${table}`);
  }
  const through = (side: ClusterId) => ({
    ...pair[side].options(keyspace),
    protocolOptions: { port: proxies[side].port },
  });
  application = await startApplication({ cql: { A: through('A'), B: through('B') }, writeTimeoutMs: 8_000 });
});

afterEach(async () => {
  for (const side of ['A', 'B'] as const) {
    proxies[side].pass();
    await pair[side].heal();
  }
  await stopApplications();
});

afterAll(() => Promise.all([proxies.A.stop(), proxies.B.stop()]));

/** Nothing passes for a while, again and again; between two pauses there is no time to ask and be answered. */
function pauses(side: ClusterId): () => Promise<void> {
  const proxy = proxies[side];
  pair[side].proxy.latency(PASS_MS);
  const stopping = new AbortController();
  const pausing = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      proxy.pause();
      await delay(PAUSE_MS);
      proxy.resume();
      await delay(PASS_MS);
    }
  };
  const paused = pausing();
  return () => {
    stopping.abort();
    return paused;
  };
}

type End = () => unknown;

const conditions: readonly (readonly [what: string, side: ClusterId, begin: () => End | undefined])[] = [
  [
    'answers after 1.2 s',
    'B',
    () => {
      pair.B.proxy.latency(600);
      return undefined;
    },
  ],
  ['stands still for 1.3 s at a time', 'B', () => pauses('B')],
  [
    'does not let its schema be read',
    'B',
    () => {
      proxies.B.refuse(ASKED, 0x2100, 'User has no SELECT permission on the table or any of its parents');
      return undefined;
    },
  ],
  [
    'does not let its schema be read',
    'A',
    () => {
      proxies.A.refuse(ASKED, 0x2100, 'User has no SELECT permission on the table or any of its parents');
      return undefined;
    },
  ],
  [
    'never says what its schema is',
    'B',
    () => {
      proxies.B.swallow(ASKED);
      return undefined;
    },
  ],
];

describe.each(conditions)('A cluster that %s (%s)', (_, side, begin) => {
  let end: End | undefined;

  beforeEach(() => {
    end = undefined;
  });

  afterEach(() => end?.());

  async function expectAllOnBoth(): Promise<void> {
    const { helix } = application;
    await helix.syncPoint({ timeoutMs: 60_000 });
    expect(await helix.deadLetters.list()).toEqual([]);
    for (const cluster of [pair.A, pair.B]) {
      const ids = async (table: string): Promise<number[]> =>
        (await cluster.run(`SELECT id FROM ${keyspace}.${table}`)).rows.map(({ id }) => Number(id)).sort();
      await expect.poll(() => ids('users'), { timeout: 20_000 }).toEqual([1, 2, 3]);
      await expect.poll(() => ids('fixed'), { timeout: 20_000 }).toEqual([4]);
    }
    expect(helix.status().replay).toAddUp();
  }

  it('makes no hazards of statements that are none', async () => {
    const { cql } = application;
    end = begin();
    const receipts = await Promise.all(harmless.map(([text, params]) => cql.query(text, params).exec()));
    expect(receipts.flatMap(({ A, B }) => [A, B])).not.toContain('rejected');
    await expectAllOnBoth();
  });

  it('makes no dead letters of them when they are replayed to it', async () => {
    const { cql, helix } = application;
    helix.pauseReplay(side);
    pair[side].proxy.refuse();
    const receipts = await Promise.all(harmless.map(([text, params]) => cql.query(text, params).exec()));
    expect(receipts.map((receipt) => receipt[side])).toEqual(harmless.map(() => 'queued'));
    pair[side].proxy.pass();
    await answersHelix(application, side);
    end = begin();
    helix.resumeReplay(side);
    await expectAllOnBoth();
  });

  it('lets no list be appended to', async () => {
    const { cql, helix } = application;
    end = begin();
    const append = cql.query('UPDATE lists SET items = items + ? WHERE id = 1', [[1]]).exec();
    await expect(append).rejects.toBeInstanceOf(HazardousStatementError);
    await helix.syncPoint({ timeoutMs: 60_000 });
    for (const cluster of [pair.A, pair.B]) {
      expect((await cluster.run(`SELECT id FROM ${keyspace}.lists`)).rows).toEqual([]);
    }
  });
});
