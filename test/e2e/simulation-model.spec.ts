/**
 * What the simulation (test/simulation) finds is worth as much as its clusters are like real ones. Here the same
 * histories run on both, and the same faults: afterwards both hold the same values with the same write times, and
 * requests have failed in the same way.
 *
 * Shown elsewhere: what the driver says of a fault and how Helix reads it (classify.spec.ts), that writes under load
 * survive faults on one side (faults.spec.ts), that a server keeps a row when it is killed
 * (test/servers/cassandra.spec.ts), and that the store in a model cluster agrees with Cassandra about all that the
 * simulation does not use of it, such as collections (in-memory.spec.ts).
 */
import cassandra from 'cassandra-driver';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FailedOutcome, type FailureScope, systemClock } from '../../lib/core/index.js';
import type { DriverClient } from '../../lib/cql/driver/driver-internals.js';
import {
  classifyWriteError,
  CqlSession,
  loadDriver,
  type PreparedRequests,
  type PreparedText,
} from '../../lib/cql/driver/index.js';
import { Random } from '../simulation/engine/random.js';
import { Scheduler } from '../simulation/engine/scheduler.js';
import { Timeline } from '../simulation/engine/timeline.js';
import type { Change, ClusterFault } from '../simulation/history.js';
import { newSideTruth } from '../simulation/ledger.js';
import { type CarriedRecord, ModelCluster, type Mutation } from '../simulation/model/cluster.js';
import { ModelConnection } from '../simulation/model/session.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'simulation_model';
const schema = [
  'CREATE TABLE $ks.cells (key text PRIMARY KEY, a text, b text, c text)',
  'CREATE TABLE $ks.counters (key text PRIMARY KEY, n counter)',
];
const COLUMNS = ['a', 'b', 'c'] as const;
/** As large as the write times of the simulation are. */
const START_US = Date.UTC(2025, 0, 1) * 1_000;

let pair: TestPair;
let prefixes = 0;
const sessions = new Set<CqlSession>();

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, schema);
});

afterEach(async () => {
  pair.B.proxy.watch(() => undefined);
  await pair.B.heal();
  for (const session of sessions) await session.close();
  sessions.clear();
});

/**
 * What there is under some keys, a line for each row that a reader finds and for each counter:
 * `1/k0: a=w1@1735689600000000` and `1/k0 +2`.
 */
type Contents = readonly string[];

function cellText(column: string, value: unknown, writeTimeUs: unknown): string {
  return `${column}=${String(value)}@${String(writeTimeUs)}`;
}

function rowText(key: string, cells: readonly string[]): string {
  return [`${key}:`, ...cells].join(' ');
}

/** How a request failed, as Helix reads it. */
interface Failure {
  readonly kind: FailedOutcome['kind'];
  readonly scope: FailureScope;
}

/** How all of them end; `undefined` for one that is answered. */
async function failuresOf(requests: readonly Promise<unknown>[]): Promise<(Failure | undefined)[]> {
  const results = await Promise.allSettled(requests);
  return results.map((result) => {
    if (result.status === 'fulfilled') return undefined;
    const { kind, scope = 'cluster' } = classifyWriteError(result.reason, {
      stage: 'execute',
      singlePartition: true,
    });
    return { kind, scope };
  });
}

interface Statement {
  readonly text: string;
  readonly params: readonly unknown[];
}

/**
 * `set` is an UPDATE: a row of the model is nothing but its cells, and an INSERT would leave a marker beside them
 * that keeps the row there when all of them have been deleted.
 */
function statementOf({ key, change, value, timestampUs }: Mutation): Statement {
  const writtenAt = cassandra.types.Long.fromNumber(timestampUs);
  switch (change.kind) {
    case 'set': {
      const assignments = change.columns.map((column) => `${column} = ?`).join(', ');
      return {
        text: `UPDATE cells USING TIMESTAMP ? SET ${assignments} WHERE key = ?`,
        params: [writtenAt, ...change.columns.map(() => value), key],
      };
    }
    case 'unset':
      return {
        text: `DELETE ${change.column} FROM cells USING TIMESTAMP ? WHERE key = ?`,
        params: [writtenAt, key],
      };
    case 'delete':
      return { text: 'DELETE FROM cells USING TIMESTAMP ? WHERE key = ?', params: [writtenAt, key] };
    case 'add':
      return { text: 'UPDATE counters SET n = n + 1 WHERE key = ?', params: [key] };
  }
}

interface SendOptions {
  readonly readTimeout?: number;
  readonly consistency?: number;
}

/** The real server, as one client meets it. */
class Server {
  readonly #statements = new Map<string, Promise<PreparedText>>();

  private constructor(
    private readonly session: CqlSession,
    private readonly requests: PreparedRequests,
  ) {}

  /** `through` the proxy, where faults happen, or `past` it. */
  static async connect(way: 'through' | 'past' = 'through'): Promise<Server> {
    const { server } = pair.B;
    const options = way === 'through' ? pair.B.options(keyspace) : { ...server.clientOptions, keyspace };
    const driver = await loadDriver();
    const session = new CqlSession(driver, 'B', 'B', options, systemClock);
    sessions.add(session);
    await session.connect();
    return new Server(
      session,
      driver.requestsOf(session.client as DriverClient, systemClock, () => undefined),
    );
  }

  async prepare(mutations: readonly Mutation[]): Promise<void> {
    for (const mutation of mutations) await this.#prepared(statementOf(mutation).text);
  }

  /** Whether it answers a request on the client's connection. */
  answers(): Promise<boolean> {
    return this.session.ping(10_000).then(
      () => true,
      () => false,
    );
  }

  async apply(mutation: Mutation, options: SendOptions = {}): Promise<unknown> {
    const { text, params } = statementOf(mutation);
    const prepared = await this.#prepared(text);
    return this.requests.execute(prepared, params, { prepare: true, isIdempotent: false, ...options });
  }

  #prepared(text: string): Promise<PreparedText> {
    let prepared = this.#statements.get(text);
    if (!prepared) this.#statements.set(text, (prepared = this.requests.prepare(text)));
    return prepared;
  }

  async applyInOrder(mutations: readonly Mutation[]): Promise<void> {
    for (const mutation of mutations) await this.apply(mutation);
  }
}

/** What the real server holds, looked at past the proxy. */
async function contentsOf(keys: ReadonlySet<string>): Promise<Contents> {
  const list = [...keys].map((key) => `'${key}'`).join(', ');
  const columns = COLUMNS.map((name) => `${name}, writetime(${name}) AS ${name}_us`).join(', ');
  const [cells, counters] = await Promise.all([
    pair.B.run(`SELECT key, ${columns} FROM ${keyspace}.cells WHERE key IN (${list})`),
    pair.B.run(`SELECT key, n FROM ${keyspace}.counters WHERE key IN (${list})`),
  ]);
  const rows = cells.rows.map((row) => {
    const live = COLUMNS.filter((name) => row[name] !== null);
    const texts = live.map((name) => cellText(name, row[name], row[`${name}_us`]));
    return rowText(row['key'] as string, texts);
  });
  return [...rows, ...counters.rows.map(({ key, n }) => `${String(key)} +${String(n)}`)].sort();
}

/** A model cluster, 10 ms away, without a world around it. */
class Model {
  readonly cluster: ModelCluster;
  readonly #scheduler = new Scheduler(new Random(1));
  readonly #connection: ModelConnection;

  constructor() {
    const scheduler = this.#scheduler;
    const timeline = new Timeline(false, () => scheduler.nowMs);
    const latency = { baseMs: 10, spreadMs: 0 };
    this.cluster = new ModelCluster('B', latency, scheduler, new Random(2), timeline);
    this.#connection = new ModelConnection(
      this.cluster,
      () => true,
      () => undefined,
    );
  }

  async connect(): Promise<void> {
    const made = this.#connection.make();
    await this.passes(50);
    await made;
  }

  passes(ms: number): Promise<unknown> {
    return this.#scheduler.run(this.#scheduler.nowMs + ms);
  }

  /** Stores it without a network. */
  apply(mutation: Mutation): void {
    this.cluster.carryOut(mutation, recordOf(mutation));
  }

  request(mutation: Mutation, timeoutMs: number): Promise<unknown> {
    return this.#connection.request('write', timeoutMs, () => this.apply(mutation));
  }

  /** A row none of whose cells is live is as good as not there. */
  contents(): Contents {
    const rows = [...this.cluster.cells()].flatMap(([key, cells]) => {
      const texts = [...cells].map(([name, { value, writeTimeUs }]) => cellText(name, value, writeTimeUs));
      return texts.length > 0 ? rowText(key, texts.sort()) : [];
    });
    const counters = [...this.cluster.counters()].map(([key, added]) => `${key} +${added.length}`);
    return [...rows, ...counters].sort();
  }
}

function recordOf({ value }: Mutation): CarriedRecord {
  return { step: { id: value }, A: newSideTruth(), B: newSideTruth() };
}

/** Gives mutations keys that nothing before has used. */
function newKeys(): (mutations: readonly Mutation[]) => Mutation[] {
  const prefix = ++prefixes;
  return (mutations) => mutations.map((each) => ({ ...each, key: `${prefix}/${each.key}` }));
}

function keysOf(mutations: readonly Mutation[]): Set<string> {
  return new Set(mutations.map(({ key }) => key));
}

const set = fc.subarray([...COLUMNS], { minLength: 1 }).map((columns): Change => ({ kind: 'set', columns }));
const unset = fc.constantFrom(...COLUMNS).map((column): Change => ({ kind: 'unset', column }));
const change = fc.oneof(
  { weight: 5, arbitrary: set },
  { weight: 2, arbitrary: unset },
  { weight: 2, arbitrary: fc.constant<Change>({ kind: 'delete' }) },
  { weight: 1, arbitrary: fc.constant<Change>({ kind: 'add' }) },
);

/** Small enough ranges that most of them collide; values as ids of writes are, some the beginning of others. */
const mutation: fc.Arbitrary<Mutation> = fc.record({
  key: fc.constantFrom('k0', 'k0', 'k1'),
  change,
  value: fc.constantFrom('w1', 'w10', 'w100', 'w2'),
  timestampUs: fc.integer({ min: 0, max: 3 }).map((us) => START_US + us),
});

/** Some of the mutations come again later. */
const history = fc
  .tuple(fc.array(mutation, { minLength: 1, maxLength: 20 }), fc.array(fc.nat({ max: 19 }), { maxLength: 5 }))
  .map(([mutations, again]) => [...mutations, ...again.flatMap((index) => mutations[index] ?? [])]);

function halfOf(steps: readonly Mutation[]): number {
  return Math.ceil(steps.length / 2);
}

describe('a model cluster holds what Cassandra holds', () => {
  it('after any history, one change after the other', async () => {
    const server = await Server.connect();
    await fc.assert(
      fc.asyncProperty(history, async (mutations) => {
        const steps = newKeys()(mutations);
        const model = new Model();
        for (const step of steps) model.apply(step);
        await server.applyInOrder(steps);
        expect(model.contents()).toEqual(await contentsOf(keysOf(steps)));
      }),
      { numRuns: 250 },
    );
  });

  it('after any history that Cassandra is given all at once and in another order', async () => {
    const server = await Server.connect();
    const shuffled = history.chain((mutations) =>
      fc.tuple(fc.constant(mutations), fc.shuffledSubarray(mutations, { minLength: mutations.length })),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, async ([inOrder, inAnotherOrder]) => {
        const rename = newKeys();
        const steps = rename(inOrder);
        const model = new Model();
        for (const step of steps) model.apply(step);
        await Promise.all(rename(inAnotherOrder).map((step) => server.apply(step)));
        expect(model.contents()).toEqual(await contentsOf(keysOf(steps)));
      }),
      { numRuns: 100 },
    );
  });

  // The servers of the tests sync their commit log before they acknowledge: what `losesMs: 0` stands for.
  it('after histories in whose middle it is killed, having lost nothing that it had acknowledged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(history, { minLength: 60, maxLength: 60 }), async (histories) => {
        const all = histories.map((mutations) => newKeys()(mutations));
        const keys = keysOf(all.flat());
        const model = new Model();
        const carryOut = async (part: (steps: readonly Mutation[]) => readonly Mutation[]) => {
          const server = await Server.connect();
          for (const step of all.flatMap(part)) model.apply(step);
          await Promise.all(all.map((steps) => server.applyInOrder(part(steps))));
        };

        await carryOut((steps) => steps.slice(0, halfOf(steps)));
        const crash: ClusterFault = { kind: 'crash', losesMs: 0 };
        model.cluster.begin(crash);
        model.cluster.end(crash);
        await pair.B.kill();
        await pair.B.restart();
        expect(model.contents()).toEqual(await contentsOf(keys));

        await carryOut((steps) => steps.slice(halfOf(steps)));
        expect(model.contents()).toEqual(await contentsOf(keys));
      }),
      // Shrinking would kill the server once for each attempt.
      { numRuns: 1, endOnFailure: true },
    );
  });
});

const ALL: Change = { kind: 'set', columns: COLUMNS };
/** There before anything goes wrong. */
const EARLY: readonly Mutation[] = ['set', 'unset', 'delete', 'older'].map((key) => ({
  key,
  change: ALL,
  value: 'early',
  timestampUs: START_US,
}));
/** Sent into a fault. The server sees each by its key. */
const LATE: readonly Mutation[] = [
  { key: 'set', change: { kind: 'set', columns: ['a', 'b'] }, value: 'late', timestampUs: START_US + 2 },
  { key: 'unset', change: { kind: 'unset', column: 'a' }, value: 'late', timestampUs: START_US + 2 },
  { key: 'delete', change: { kind: 'delete' }, value: 'late', timestampUs: START_US + 2 },
  { key: 'older', change: { kind: 'set', columns: ['a', 'b'] }, value: 'late', timestampUs: START_US + 1 },
  { key: 'added', change: { kind: 'add' }, value: 'late', timestampUs: START_US + 2 },
];
/** Written by somebody else meanwhile, whom the fault does not keep from it. */
const MEANWHILE: readonly Mutation[] = [
  { key: 'set', change: { kind: 'set', columns: ['b'] }, value: 'meanwhile', timestampUs: START_US + 1 },
  { key: 'delete', change: { kind: 'set', columns: ['c'] }, value: 'meanwhile', timestampUs: START_US + 2 },
  { key: 'older', change: { kind: 'set', columns: ['a'] }, value: 'meanwhile', timestampUs: START_US + 2 },
];

/** Whether the late requests were: nothing but one of them adds to a counter. */
function isCarriedOut(contents: Contents): boolean {
  return contents.some((line) => line.endsWith(' +1'));
}

/** The late requests on their way to the real server. */
interface Attempt {
  readonly keys: ReadonlySet<string>;
  /** Resolves when all of them have ended. */
  send(options?: SendOptions): Promise<(Failure | undefined)[]>;
  /** Resolves when the proxy has passed all of them on. */
  forwarded(): Promise<void>;
  /** Resolves when the server holds what the model does in the end. */
  agreed(): Promise<void>;
}

interface FaultCase {
  readonly name: string;
  readonly fault: ClusterFault;
  /** When the fault begins in the model: before the requests are sent, or when their answers are on the way. */
  readonly begins: 'before' | 'answered';
  readonly failure: Failure;
  readonly isCarriedOut: boolean;
  /** The same fault on the real server. */
  readonly onServer: (attempt: Attempt) => Promise<(Failure | undefined)[]>;
}

const TIMED_OUT: Failure = { kind: 'ambiguous', scope: 'cluster' };

/** Requests were sent to a frozen server: it carries them out, and their answers stay in the network. */
async function carryOutUnanswered({ forwarded, agreed }: Attempt): Promise<void> {
  await forwarded();
  pair.B.proxy.latency(60_000);
  pair.B.thaw();
  await agreed();
}

const CASES: readonly FaultCase[] = [
  {
    name: 'it hangs and goes on: what waited is carried out, although the client has given up',
    fault: { kind: 'hang' },
    begins: 'before',
    failure: TIMED_OUT,
    isCarriedOut: true,
    onServer: async ({ send }) => {
      pair.B.freeze();
      const failures = await send({ readTimeout: 300 });
      pair.B.thaw();
      return failures;
    },
  },
  {
    name: 'the network holds requests up: they are carried out in the end, although the client has given up',
    fault: { kind: 'partition', thenReset: false },
    begins: 'before',
    failure: TIMED_OUT,
    isCarriedOut: true,
    onServer: async ({ send, keys }) => {
      // The proxy's black hole gives nothing back. What comes late enough has been held up, too.
      pair.B.proxy.latency(3_000);
      const failures = await send({ readTimeout: 300 });
      expect(isCarriedOut(await contentsOf(keys))).toBe(false);
      return failures;
    },
  },
  {
    name: 'the network swallows requests and the connection is found dead: nothing is carried out',
    fault: { kind: 'partition', thenReset: true },
    begins: 'before',
    failure: TIMED_OUT,
    isCarriedOut: false,
    onServer: async ({ send }) => {
      pair.B.proxy.blackHole();
      const failures = await send({ readTimeout: 300 });
      pair.B.proxy.pass();
      return failures;
    },
  },
  {
    name: 'answers get lost: everything is carried out',
    fault: { kind: 'answers lost', share: 1 },
    begins: 'before',
    failure: TIMED_OUT,
    isCarriedOut: true,
    onServer: async (attempt) => {
      pair.B.freeze();
      const failing = attempt.send({ readTimeout: 1_000 });
      await carryOutUnanswered(attempt);
      const failures = await failing;
      pair.B.proxy.reset();
      return failures;
    },
  },
  {
    name: 'the connection is reset before the answers come: everything is carried out',
    fault: { kind: 'disconnect' },
    begins: 'answered',
    failure: { kind: 'ambiguous', scope: 'connection' },
    isCarriedOut: true,
    onServer: async (attempt) => {
      pair.B.freeze();
      const failing = attempt.send({ readTimeout: 60_000 });
      await carryOutUnanswered(attempt);
      pair.B.proxy.reset();
      return failing;
    },
  },
  {
    name: 'it says that too few replicas are alive: nothing is carried out',
    fault: { kind: 'refuse', error: 'unavailable', share: 1 },
    begins: 'before',
    failure: { kind: 'unreached', scope: 'request' },
    isCarriedOut: false,
    onServer: ({ send }) => send({ consistency: cassandra.types.consistencies.two }),
  },
];

/** The mutations of a fault case, under keys of its own. */
interface Mutations {
  readonly early: readonly Mutation[];
  readonly late: readonly Mutation[];
  readonly meanwhile: readonly Mutation[];
}

async function runOnModel({ fault, begins }: FaultCase, { early, late, meanwhile }: Mutations) {
  const model = new Model();
  await model.connect();
  for (const each of early) model.apply(each);
  if (begins === 'before') model.cluster.begin(fault);
  const failing = failuresOf(late.map((each) => model.request(each, 300)));
  await model.passes(15);
  if (begins === 'answered') model.cluster.begin(fault);
  for (const each of meanwhile) model.apply(each);
  await model.passes(1_000);
  model.cluster.end(fault);
  await model.passes(1_000);
  return { failures: await failing, contents: model.contents() };
}

/** Waits for the contents that are expected; resolves with how the late requests failed. */
async function runOnServer(
  { onServer }: FaultCase,
  { early, late, meanwhile }: Mutations,
  expected: Contents,
): Promise<(Failure | undefined)[]> {
  const [server, another] = [await Server.connect(), await Server.connect('past')];
  await server.applyInOrder(early);
  await server.prepare(late);
  await another.prepare(meanwhile);
  const keys = keysOf(late);
  let sent = '';
  pair.B.proxy.watch((chunk) => (sent += chunk.toString('latin1')));
  const others: Promise<unknown>[] = [];
  const agreed = () => expect.poll(() => contentsOf(keys), { timeout: 20_000 }).toEqual(expected);
  const failures = await onServer({
    keys,
    send: (options) => {
      const failing = failuresOf(late.map((each) => server.apply(each, options)));
      others.push(...meanwhile.map((each) => another.apply(each)));
      return failing;
    },
    forwarded: () =>
      expect.poll(() => [...keys].filter((key) => !sent.includes(key)), { timeout: 10_000 }).toEqual([]),
    agreed,
  });
  await Promise.all(others);
  pair.B.proxy.pass();
  // Requests arrive in their order: with the answer to this one nothing is on its way any more.
  await expect.poll(() => server.answers(), { timeout: 20_000 }).toBe(true);
  await agreed();
  return failures;
}

describe('requests fare at a model cluster as at Cassandra when', () => {
  it.each(CASES.map((each) => [each.name, each] as const))('%s', async (_, faultCase) => {
    const rename = newKeys();
    const mutations = { early: rename(EARLY), late: rename(LATE), meanwhile: rename(MEANWHILE) };
    const { failures, contents } = await runOnModel(faultCase, mutations);
    expect(failures).toEqual(LATE.map(() => faultCase.failure));
    expect(isCarriedOut(contents)).toBe(faultCase.isCarriedOut);
    expect(await runOnServer(faultCase, mutations, contents)).toEqual(failures);
  });
});
