import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import cassandra from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  ClusterError,
  type ClusterId,
  DualClusterError,
  type HelixCqlService,
  type HelixEvent,
  isHelixError,
  MemoryReplayer,
  type WriteReceipt,
} from '../../../lib/index.js';
import '../../matchers/index.js';
import { startApplication, stopApplications, type TestApplication } from './application.js';
import { clusterPair, createKeyspace, type TestPair } from './clusters.js';

const keyspace = 'always_failing';
/** A keyspace that wants three replicas of a cluster of one. */
const short = 'always_short';
const QUEUE = 200;
const MB = 1_048_576;
const { consistencies, responseErrorCodes: codes } = cassandra.types;

/** What becomes of each of them, and of what they leave behind. */
type Course =
  /** The call throws before or after it was sent, and nothing is kept of it. */
  | 'refused'
  /** A has it and B refuses it: a dead letter each, and the queue stays empty. */
  | 'diverges'
  /** A has it, and B may have it one day: it is worth retrying, as long as the queue has room for it. */
  | 'retried'
  /** Neither has it, which the caller is told: it may try again itself. */
  | 'notApplied'
  /** Both may have it: retried on both, as long as the queue has room for it. */
  | 'unknown'
  /** A read that the other cluster answers. */
  | 'answered';

interface Failing {
  readonly what: string;
  readonly course: Course;
  /** Fails always; `i` is unlike those of all others. */
  run(cql: HelixCqlService, i: number): Promise<unknown>;
  /** What the driver is made to answer to statements on the table `poison`, on these clusters. */
  readonly fake?: { readonly on: readonly ClusterId[]; readonly error: () => Error };
  /** Moves megabytes each time: not so many of them. */
  readonly isHeavy?: boolean;
}

const BOTH = ['A', 'B'] as const;
const long = (length: number): string => 'x'.repeat(length);
const response = (code: number, message = 'made up'): Error =>
  new cassandra.errors.ResponseError(code, message);
const write = (text: string, ...params: unknown[]) => {
  return (cql: HelixCqlService): Promise<WriteReceipt> => cql.query(text, params).exec();
};
const poison = (cql: HelixCqlService, i: number): Promise<WriteReceipt> =>
  cql.query('INSERT INTO poison (id, name) VALUES (?, ?)', [i, 'x']).exec();
const shortWrite = (cql: HelixCqlService, i: number): Promise<WriteReceipt> =>
  cql
    .query(`INSERT INTO ${short}.few (id, name) VALUES (?, ?)`, [i, 'x'])
    .consistency(consistencies.quorum)
    .exec();

/** What a server, or the driver, really answers. */
const REAL: readonly Failing[] = [
  {
    what: 'a table that only A has',
    course: 'diverges',
    run: write('INSERT INTO only_a (id) VALUES (?)', 1),
  },
  {
    what: 'a column that only A has',
    course: 'diverges',
    run: write('INSERT INTO wide (id, a) VALUES (?, ?)', 1, 1),
  },
  {
    what: 'a table that nobody has',
    course: 'refused',
    run: write('INSERT INTO nowhere (id) VALUES (?)', 1),
  },
  {
    what: 'a keyspace that nobody has',
    course: 'refused',
    run: write('INSERT INTO no.where (id) VALUES (?)', 1),
  },
  { what: 'a syntax error', course: 'refused', run: write('INSERT INTO good (id, ) VALUES (?)', 1) },
  {
    what: 'a column that nobody has',
    course: 'refused',
    run: write('INSERT INTO good (id, z) VALUES (?, ?)', 1, 1),
  },
  {
    what: 'null in the key',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?)', null, 'x'),
  },
  {
    what: 'unset in the key',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?)', undefined, 'x'),
  },
  {
    what: 'an empty key',
    course: 'refused',
    run: write('INSERT INTO texts (id, name) VALUES (?, ?)', '', 'x'),
  },
  {
    what: 'a key of 70,000 bytes',
    course: 'refused',
    run: write('INSERT INTO texts (id, name) VALUES (?, ?)', long(70_000), 'x'),
  },
  {
    what: 'a part of a key of 70,000 bytes, which the driver cannot frame',
    course: 'refused',
    run: write('INSERT INTO pairs (a, b, v) VALUES (?, ?, ?)', long(70_000), 'x', 1),
  },
  {
    what: 'the same in a batch',
    course: 'refused',
    run: (cql) =>
      cql
        .batch()
        .add('INSERT INTO pairs (a, b, v) VALUES (?, ?, ?)', [long(70_000), 'x', 1])
        .exec(),
  },
  {
    what: 'two parts of a key of 40,000 bytes each',
    course: 'refused',
    run: write('INSERT INTO pairs (a, b, v) VALUES (?, ?, ?)', long(40_000), long(40_000), 1),
  },
  {
    what: 'a clustering column of 70,000 bytes',
    course: 'refused',
    run: write('INSERT INTO clustered (a, b, v) VALUES (?, ?, ?)', 1, long(70_000), 1),
  },
  {
    what: 'a TTL of 63 years',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?) USING TTL ?', 1, 'x', 2_000_000_000),
  },
  {
    what: 'a TTL below zero',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?) USING TTL ?', 1, 'x', -1),
  },
  {
    what: 'text that is no UTF-8',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?)', 1, Buffer.from([0xff, 0xfe])),
  },
  {
    what: 'two bytes for an int',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?)', Buffer.from([1, 2]), 'x'),
  },
  {
    what: 'a text for an int, which cannot be encoded',
    course: 'refused',
    run: write('INSERT INTO poison (id, name) VALUES (?, ?)', 'x', 'x'),
  },
  {
    what: 'a date that is none, which cannot be encoded',
    course: 'refused',
    run: write('INSERT INTO times (id, at) VALUES (?, ?)', 1, new Date(NaN)),
  },
  { what: 'a counter', course: 'refused', run: write('UPDATE hits SET n = n + ? WHERE id = ?', 1, 1) },
  {
    what: 'a counter in a batch with others',
    course: 'refused',
    run: (cql) =>
      cql
        .batch()
        .add('INSERT INTO poison (id, name) VALUES (?, ?)', [1, 'x'])
        .add('UPDATE hits SET n = n + ? WHERE id = ?', [1, 1])
        .exec(),
  },
  {
    what: 'a SERIAL consistency for an unconditional write',
    course: 'refused',
    run: (cql) =>
      cql
        .query('INSERT INTO poison (id, name) VALUES (?, ?)', [1, 'x'])
        .consistency(consistencies.serial)
        .exec(),
  },
  {
    what: 'a batch over batch_size_fail_threshold',
    course: 'refused',
    run: (cql) => {
      const batch = cql.batch('unlogged');
      for (let id = 0; id < 8; id++) {
        batch.add('INSERT INTO poison (id, name) VALUES (?, ?)', [id, long(10_000)]);
      }
      return batch.exec();
    },
  },
  {
    what: 'a mutation over max_mutation_size',
    course: 'refused',
    isHeavy: true,
    run: write('INSERT INTO blobs (id, v) VALUES (?, ?)', 1, Buffer.alloc(4.5 * MB)),
  },
  {
    what: 'a frame over native_transport_max_frame_size',
    course: 'refused',
    isHeavy: true,
    run: write('INSERT INTO blobs (id, v) VALUES (?, ?)', 1, Buffer.alloc(17 * MB)),
  },
  { what: 'too few replicas on B', course: 'retried', run: (cql, i) => shortOnB(cql, i) },
  { what: 'too few replicas on both', course: 'notApplied', run: shortWrite },
  {
    what: 'too few replicas on both to read from',
    course: 'notApplied',
    run: (cql) =>
      cql.query(`SELECT * FROM ${short}.few WHERE id = ?`, [1]).consistency(consistencies.quorum).one(),
  },
  {
    what: 'too many tombstones on A to read over',
    course: 'answered',
    run: (cql) => cql.query('SELECT * FROM graves WHERE a = ?', [1]).all(),
  },
];

/** A keyspace of its own on B: A has as many replicas as it wants. */
const shortOnB = (cql: HelixCqlService, i: number): Promise<WriteReceipt> =>
  cql
    .query(`INSERT INTO ${short}_b.few (id, name) VALUES (?, ?)`, [i, 'x'])
    .consistency(consistencies.quorum)
    .exec();

/**
 * What these servers cannot be brought to say: nobody has to log in to them, they run no functions, and a node that is
 * alone neither times out nor fails by itself. Only the answer is made up.
 */
const MADE_UP: readonly Failing[] = [
  ...madeUp('Unauthorized', () => response(codes.unauthorized), 'diverges', 'refused'),
  ...madeUp('a function that fails', () => response(codes.functionFailure), 'diverges', 'refused'),
  ...madeUp('a configuration error', () => response(codes.configError), 'diverges', 'refused'),
  ...madeUp('a write time-out of the server', () => response(codes.writeTimeout), 'retried', 'unknown'),
  ...madeUp('a write failure', () => response(codes.writeFailure), 'retried', 'unknown'),
  ...madeUp('a server error', () => response(codes.serverError), 'retried', 'unknown'),
  ...madeUp('a truncation error', () => response(codes.truncateError), 'retried', 'unknown'),
  ...madeUp('a protocol error', () => response(codes.protocolError), 'retried', 'unknown'),
  ...madeUp('Unprepared', () => response(codes.unprepared), 'retried', 'notApplied'),
  ...madeUp(
    'a driver that is busy',
    () => new cassandra.errors.BusyConnectionError('127.0.0.1:9042', 2_048, 1),
    'retried',
    'notApplied',
  ),
];

function madeUp(what: string, error: () => Error, onB: Course, onBoth: Course): Failing[] {
  return [
    { what: `${what} on B`, course: onB, run: poison, fake: { on: ['B'], error } },
    { what: `${what} on both`, course: onBoth, run: poison, fake: { on: BOTH, error } },
  ];
}

/** Refuses what concerns the table `poison`. */
class RefusingClient extends cassandra.Client {
  constructor(
    options: cassandra.ClientOptions,
    private readonly error: () => Error,
  ) {
    super(options);
  }

  override execute(...args: never[]): Promise<cassandra.types.ResultSet> {
    const [text] = args as unknown as [string];
    if (text.includes('poison')) return Promise.reject(this.error());
    return (super.execute as (...all: never[]) => Promise<cassandra.types.ResultSet>)(...args);
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapMb(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / MB;
}

/**
 * Each reason for which a statement always fails makes up a tenth of the traffic, six in a row, until so many have
 * failed. Nothing of that may reach the other nine tenths.
 */
export function describeAlwaysFailing(failures: number, heavyFailures: number): void {
  let pair: TestPair;
  let goodRows = 0;
  let heapAtFirst: number | undefined;
  const fakes = new Set<cassandra.Client>();

  beforeAll(async () => {
    pair = await clusterPair();
    await prepareSchema(pair);
  });

  afterEach(async () => {
    await stopApplications();
    for (const client of fakes) await client.shutdown();
    fakes.clear();
  });

  /** The first application is warm by now, and the last one has left nothing behind. */
  afterAll(() => {
    expect(heapMb() - (heapAtFirst ?? 0)).toBeLessThan(40);
  });

  const clusterOptions = (cluster: ClusterId, fake: Failing['fake']) => {
    const options = pair[cluster].options(keyspace);
    if (!fake?.on.includes(cluster)) return options;
    const client = new RefusingClient(options, fake.error);
    fakes.add(client);
    return client;
  };

  describe.each([...REAL, ...MADE_UP])('$what', (failing) => {
    it(`keeps to itself: ${failing.course}`, async () => {
      const retries: string[] = [];
      const { cql, helix } = await startApplication({
        cql: { A: clusterOptions('A', failing.fake), B: clusterOptions('B', failing.fake) },
        replayer: new MemoryReplayer({ capacity: QUEUE }),
        replayWorker: { onError: ({ operationId }) => retries.push(operationId) },
        // What is retried for ever would be waited for.
        shutdownTimeoutMs: 200,
      });
      const breakers: HelixEvent[] = [];
      helix.events$.subscribe((event) => {
        if (event.type === 'breaker') breakers.push(event);
      });
      const total = failing.isHeavy ? heavyFailures : failures;
      const { good, bad } = await traffic({ cql, failing, total, firstId: goodRows });
      goodRows += good.length;

      expect(good.filter((each) => !isOnBoth(each))).toEqual([]);
      for (const each of bad) expect(courseOf(each)).toBe(failing.course);
      expect(breakers).toEqual([]);
      expect([helix.status().A.breaker, helix.status().B?.breaker]).toEqual(['closed', 'closed']);
      const { replay, lost } = helix.status();
      expect(replay).toAddUp();
      const { A, B } = replay;
      const held = { A: A.queued + A.inFlight, B: B.queued + B.inFlight };
      const kept = Math.min(total, QUEUE);
      switch (failing.course) {
        case 'diverges':
          expect([held, A.enqueued, B.deadLettered, lost, retries]).toEqual([
            { A: 0, B: 0 },
            0,
            total,
            0,
            [],
          ]);
          break;
        case 'retried':
          expect([held, A.enqueued, lost]).toEqual([{ A: 0, B: kept }, 0, total - kept]);
          break;
        case 'unknown': {
          const each = Math.min(total, QUEUE / 2);
          expect([held, lost]).toEqual([{ A: each, B: each }, 2 * (total - each)]);
          break;
        }
        default:
          expect([A.enqueued, B.enqueued, lost, retries]).toEqual([0, 0, 0, []]);
      }
      heapAtFirst ??= heapMb();
    });
  });

  it('leaves every other write on both clusters, the same on each', async () => {
    await expect(pair).toBeEqualCellByCell(keyspace, 'good', goodRows);
  });

  it('a write time that is no number', async () => {
    let timestampUs: unknown = 1_735_689_600_000_000;
    const { cql, helix } = await startApplication({
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
      timestampProvider: () => timestampUs as number,
    });
    const insert = (): Promise<WriteReceipt> =>
      cql.query('INSERT INTO poison (id, name) VALUES (?, ?)', [-1, 'x']).exec();
    expect(await insert()).toMatchObject({ A: 'applied', B: 'applied' });
    for (timestampUs of [NaN, Infinity, 1.5, 2 ** 60, '1', 5n, undefined]) {
      await expect(insert()).rejects.toMatchObject({ code: 'HELIX_USAGE' });
      await expect(cql.batch().add('DELETE FROM poison WHERE id = ?', [-1]).exec()).rejects.toMatchObject({
        code: 'HELIX_USAGE',
      });
    }
    for (const timestamp of [NaN, '1' as never, 1.5]) {
      expect(() => cql.query('DELETE FROM poison WHERE id = ?', [-1]).withTimestamp(timestamp)).toThrow(
        'whole microseconds',
      );
      await expect(cql.execute('DELETE FROM poison WHERE id = ?', [-1], { timestamp })).rejects.toThrow(
        'whole microseconds',
      );
    }
    const { A, B } = helix.status().replay;
    expect([A.enqueued, B.enqueued, helix.status().lost]).toEqual([0, 0, 0]);
    for (const cluster of [pair.A, pair.B]) {
      const { rows } = await cluster.run(
        `SELECT writetime(name) AS at FROM ${keyspace}.poison WHERE id = -1`,
      );
      expect(rows.map((row) => String(row['at']))).toEqual(['1735689600000000']);
    }
  });
}

async function prepareSchema(pair: TestPair): Promise<void> {
  await createKeyspace(pair, keyspace, [
    'CREATE TABLE $ks.good (id int PRIMARY KEY, name text)',
    'CREATE TABLE $ks.poison (id int PRIMARY KEY, name text)',
    'CREATE TABLE $ks.texts (id text PRIMARY KEY, name text)',
    'CREATE TABLE $ks.times (id int PRIMARY KEY, at timestamp)',
    'CREATE TABLE $ks.blobs (id int PRIMARY KEY, v blob)',
    'CREATE TABLE $ks.pairs (a text, b text, v int, PRIMARY KEY ((a, b)))',
    'CREATE TABLE $ks.clustered (a int, b text, v int, PRIMARY KEY (a, b))',
    'CREATE TABLE $ks.graves (a int, b int, v int, PRIMARY KEY (a, b))',
    'CREATE TABLE $ks.hits (id int PRIMARY KEY, n counter)',
  ]);
  await pair.A.run(`CREATE TABLE ${keyspace}.only_a (id int PRIMARY KEY)`);
  await pair.A.run(`CREATE TABLE ${keyspace}.wide (id int PRIMARY KEY, a int)`);
  await pair.B.run(`CREATE TABLE ${keyspace}.wide (id int PRIMARY KEY, b int)`);
  const few = ['CREATE TABLE $ks.few (id int PRIMARY KEY, name text)'];
  await createKeyspace(pair, short, few, 3);
  await createKeyspace({ A: pair.A, B: pair.A }, `${short}_b`, []).catch(() => undefined);
  await pair.A.run(few[0]!.replaceAll('$ks', `${short}_b`));
  await createKeyspace({ A: pair.B, B: pair.B }, `${short}_b`, [], 3).catch(() => undefined);
  await pair.B.run(few[0]!.replaceAll('$ks', `${short}_b`));
  await bury(pair);
}

/** More tombstones than the tombstone_failure_threshold of the servers here, in one partition of A. */
async function bury(pair: TestPair): Promise<void> {
  const client = new cassandra.Client(pair.A.server.clientOptions);
  const text = `DELETE FROM ${keyspace}.graves WHERE a = 1 AND b = ?`;
  const perBatch = 300;
  const batches = Math.ceil(10_100 / perBatch);
  let next = 0;
  const dig = async (): Promise<void> => {
    for (let n = next++; n < batches; n = next++) {
      const queries = Array.from({ length: perBatch }, (_, i) => ({
        query: text,
        params: [n * perBatch + i],
      }));
      await client.batch(queries, { prepare: true, logged: false });
    }
  };
  await Promise.all(Array.from({ length: 4 }, dig));
  await expect(client.execute(`SELECT * FROM ${keyspace}.graves WHERE a = 1`)).rejects.toMatchObject({
    code: codes.readFailure,
  });
  await client.shutdown();
}

interface Traffic {
  readonly cql: TestApplication['cql'];
  readonly failing: Failing;
  /** How many have to fail. */
  readonly total: number;
  readonly firstId: number;
}

/** Sixteen at a time: 54 good writes, then six that fail, and so on. */
async function traffic({
  cql,
  failing,
  total,
  firstId,
}: Traffic): Promise<{ good: unknown[]; bad: unknown[] }> {
  const good: unknown[] = [];
  const bad: unknown[] = [];
  let next = 0;
  let failed = 0;
  let ids = firstId;
  const caught = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);
  const go = async (): Promise<void> => {
    while (failed < total) {
      const isBad = next++ % 60 >= 54;
      if (isBad) bad.push(await caught(failing.run(cql, failed++)));
      else {
        const id = ids++;
        good.push(
          await caught(cql.query('INSERT INTO good (id, name) VALUES (?, ?)', [id, `n${id}`]).exec()),
        );
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, go));
  return { good, bad };
}

function isOnBoth(answer: unknown): boolean {
  const { A, B } = (answer ?? {}) as Partial<WriteReceipt>;
  return A === 'applied' && B === 'applied';
}

/** In words of its own where it is none of the courses. */
function courseOf(answer: unknown): string {
  if (answer instanceof DualClusterError) return answer.outcome;
  if (answer instanceof ClusterError) return answer.outcome === 'notApplied' ? 'refused' : 'refused, unknown';
  if (isHelixError(answer)) return 'refused';
  if (answer instanceof Error) return `${answer.name}: ${answer.message}`;
  const { A, B } = (answer ?? {}) as Partial<WriteReceipt>;
  if (A === 'applied' && B === 'rejected') return 'diverges';
  if (A === 'applied' && (B === 'queued' || B === 'lost')) return 'retried';
  return Array.isArray(answer) ? 'answered' : `A ${A}, B ${B}`;
}
