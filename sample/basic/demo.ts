import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'cassandra-driver';
import { type CassandraServer, startServers } from '../../test/servers/index.js';
import { Application } from './demo/application.js';
import {
  compare,
  missingOrders,
  missingOrdersByUser,
  missingUsers,
  readTable,
  type Table,
} from './demo/compare.js';
import { HttpClient } from './demo/http.js';
import { type Figures, Load, percentile } from './demo/load.js';
import { Story } from './demo/story.js';
import { until } from './demo/wait.js';

const KEYSPACE = 'shop';
const IN_FLIGHT = 32;
/** Half of it writes. The memory queue then holds more than a minute of outage. */
const RATE_PER_SECOND = 250;
const BOTH_UP_MS = 5_000;
const OUTAGE_MS = 8_000;
const AFTERWARDS_MS = 4_000;
const REPLAY_DEADLINE_MS = 60_000;

interface Health {
  readonly status: string;
  readonly details: Record<string, { readonly status: string } & Record<string, unknown>>;
}
interface Lane {
  readonly queued: number;
  readonly inFlight: number;
  readonly deadLettered: number;
  readonly open: boolean;
}

const story = new Story();
const wrongs: string[] = [];
/** What must be undone, the latest first. */
const cleanups: (() => unknown)[] = [];
let application: Application | undefined;

function check(what: string, isRight: boolean, value: string): void {
  story.check(what, isRight, value);
  if (!isRight) wrongs.push(what);
}

const count = (value: number): string => value.toLocaleString('en-US');
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function figuresTable(phases: readonly (readonly [string, Figures])[]): void {
  const ms = (samples: readonly number[], share: number): string => percentile(samples, share).toFixed(1);
  story.table([
    ['', 'requests', 'failed', 'write p50', 'p99 ms', 'read p50', 'p99 ms'],
    ...phases.map(([name, { requests, failures, writesMs, readsMs }]) => [
      name,
      count(requests),
      count(failures),
      ms(writesMs, 0.5),
      ms(writesMs, 0.99),
      ms(readsMs, 0.5),
      ms(readsMs, 0.99),
    ]),
  ]);
}

async function connect(server: CassandraServer): Promise<Client> {
  const client = new Client(server.clientOptions);
  cleanups.push(() => client.shutdown());
  await client.connect();
  return client;
}

async function createKeyspace(server: CassandraServer): Promise<void> {
  const client = await connect(server);
  await client.execute(
    `CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  await client.shutdown();
}

async function ready(http: HttpClient): Promise<{ status: number; health: Health }> {
  const { status, body } = await http.get('/health/ready');
  return { status, health: body as Health };
}

async function laneOf(http: HttpClient, cluster: 'A' | 'B'): Promise<Lane> {
  const { body } = await http.get('/health');
  return (body as Health).details['helix:default:replay']?.[cluster] as Lane;
}

async function isReplayed(http: HttpClient): Promise<true | undefined> {
  const lanes = [await laneOf(http, 'A'), await laneOf(http, 'B')];
  return lanes.every(({ queued, inFlight, open }) => open && queued + inFlight === 0) || undefined;
}

async function compareClusters(a: CassandraServer, b: CassandraServer, load: Load): Promise<void> {
  const [clientA, clientB] = [await connect(a), await connect(b)];
  const { users, orders } = load;
  const tables: [string, number, (table: Table) => string[]][] = [
    ['users', users.length, (table) => missingUsers(table, users)],
    ['orders', orders.length, (table) => missingOrders(table, orders)],
    ['orders_by_user', orders.length, (table) => missingOrdersByUser(table, orders)],
  ];
  const rows = [['table', 'acknowledged', 'rows', 'cells', 'different', 'missing on A', 'on B']];
  const findings: string[] = [];
  let cells = 0;
  for (const [name, acknowledged, missing] of tables) {
    const [tableA, tableB] = [
      await readTable(clientA, KEYSPACE, name),
      await readTable(clientB, KEYSPACE, name),
    ];
    const comparison = compare(name, tableA, tableB);
    const [missingA, missingB] = [missing(tableA), missing(tableB)];
    const figures = [acknowledged, comparison.rows, comparison.cells, comparison.differences.length];
    rows.push([name, ...[...figures, missingA.length, missingB.length].map(count)]);
    findings.push(...comparison.differences, ...missingA, ...missingB);
    cells += comparison.cells;
  }
  story.table(rows);
  check('values and write times', findings.length === 0 && cells > 0, `${count(cells)} cells compared`);
  if (findings.length > 0) story.note(findings.slice(0, 10).join('\n'));
}

async function tell(): Promise<void> {
  story.chapter('Two Cassandra clusters start, and know nothing of each other');
  const servers = await startServers({ cassandra: 2 });
  cleanups.push(() => servers.stop());
  const [a, b] = servers.cassandra;
  if (!a || !b) throw new Error('Two clusters were asked for');
  await Promise.all([createKeyspace(a), createKeyspace(b)]);
  story.fact('cluster A', `127.0.0.1:${a.port}`);
  story.fact('cluster B', `127.0.0.1:${b.port}`);

  story.chapter('The sample application starts: node dist/main.js');
  application = await Application.start(a, b, KEYSPACE);
  cleanups.push(() => application?.stop());
  const http = new HttpClient(application.url);
  cleanups.push(() => http.close());
  story.fact('listens on', application.url);
  story.fact('reads from', 'B, the cluster that will be killed');

  story.chapter(`${IN_FLIGHT} clients write and read over HTTP, ${RATE_PER_SECOND} requests/s`);
  const load = new Load(http, { inFlight: IN_FLIGHT, ratePerSecond: RATE_PER_SECOND });
  cleanups.push(() => load.stop());
  const bothUp = load.phase();
  await delay(BOTH_UP_MS);
  const before = await ready(http);
  check(
    'GET /health/ready',
    before.status === 200 && before.health.status === 'ok',
    `200 ${before.health.status}`,
  );

  story.chapter('Cluster B is killed (SIGKILL) while they go on');
  const outage = load.phase();
  const killedAtMs = performance.now();
  await b.kill();
  await delay(OUTAGE_MS);
  const during = await ready(http);
  const shown = Object.values(during.health.details)[0]?.status ?? 'nothing';
  check('GET /health/ready', during.status === 200 && shown === 'degraded', `${during.status} ${shown}`);
  story.fact('waiting to be replayed to B', count((await laneOf(http, 'B')).queued));

  story.chapter('Cluster B is started again, on what its disk holds');
  await b.restart();
  const back = load.phase();
  const backAtMs = performance.now();
  story.fact('B was away for', seconds(backAtMs - killedAtMs));
  await until('the replay queue to be empty', REPLAY_DEADLINE_MS, () => isReplayed(http));
  const replayedMs = performance.now() - backAtMs;
  story.fact('answered "queued" for B', `${count(outage.queued + back.queued)} writes`);
  story.fact('replayed within', `${seconds(replayedMs)} of its return, while clients went on`);
  await delay(AFTERWARDS_MS);
  const after = await ready(http);
  check(
    'GET /health/ready',
    after.status === 200 && after.health.status === 'ok',
    `200 ${after.health.status}`,
  );

  story.chapter('The clients stop');
  await load.stop();
  await until('the replay queue to be empty', REPLAY_DEADLINE_MS, () => isReplayed(http));
  const phases = [
    ['both clusters up', bothUp],
    ['B down', outage],
    ['B back', back],
  ] as const;
  figuresTable(phases);
  const failures = phases.reduce((sum, [, figures]) => sum + figures.failures, 0);
  check('every read and write succeeded', failures === 0, `${count(failures)} failed`);
  if (load.complaints.length > 0) story.note(load.complaints.join('\n'));
  check('writes were queued for B', outage.queued > 0, count(outage.queued + back.queued));
  const dead = (await laneOf(http, 'A')).deadLettered + (await laneOf(http, 'B')).deadLettered;
  check('dead letters', dead === 0, count(dead));

  story.chapter('A and B are compared cell by cell, with write times');
  await compareClusters(a, b, load);

  story.chapter('What Helix has logged');
  story.note(application.helixLog.join('\n'));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    story.note('\nInterrupted: ending what was started');
    // All of it ends with this process. The delay lets tsx see that the signal has arrived, or it kills us.
    setTimeout(() => process.exit(130), 100);
  });
}
try {
  await tell();
} catch (error) {
  wrongs.push(error instanceof Error ? error.message : String(error));
}
if (wrongs.length > 0 && application) {
  story.note(`\nThe end of the application's log:\n${application.log.slice(-4_000)}`);
}
for (const undo of cleanups.reverse()) {
  try {
    await undo();
  } catch (error) {
    story.note(`While cleaning up: ${String(error)}`);
  }
}
story.verdict(
  wrongs.length === 0,
  wrongs.length === 0
    ? `No request failed, and both clusters hold the same. ${seconds(story.elapsedMs)} in all.`
    : wrongs.join('; '),
);
process.exitCode = wrongs.length === 0 ? 0 : 1;
