/**
 * Two writes over clusters in memory, watched by V8's own coverage: which files of the built package they pass. A
 * process of its own, which prints {@link Walks} as JSON.
 */
import 'reflect-metadata';
import { type Profiler, Session } from 'node:inspector/promises';
import { Test } from '@nestjs/testing';
import { HelixCqlService } from 'nestjs-helix';
import { HelixTestingClusters, HelixTestingModule } from 'nestjs-helix/testing';

/** Files of `dist` that a write passes from its `exec()` on, once everything is warmed up. */
export interface Walks {
  /** A write that both sides apply. */
  readonly applied: readonly string[];
  /** One that B leaves in doubt, until it has been replayed. */
  readonly replayed: readonly string[];
}

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const WARM_UP = 50;
/** What stands for a server here, the words of its statements included, is not passed where there is one. */
const OF_THE_SERVER = /^testing\/|^cql\/scanner$/;

const app = await Test.createTestingModule({
  imports: [HelixTestingModule.forRoot({ schema: 'CREATE TABLE users (id int PRIMARY KEY, name text)' })],
}).compile();
await app.init();
const cql = app.get(HelixCqlService);
const { B } = app.get(HelixTestingClusters);
for (let id = 0; id < WARM_UP; id++) await cql.query(INSERT, [id, 'Ada']).exec();

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

/** A module's own body is the function without a name that begins where the file does. */
function wasCalled({ functionName, ranges: [range] }: Profiler.FunctionCoverage): boolean {
  return range !== undefined && range.count > 0 && (functionName !== '' || range.startOffset > 0);
}

async function filesPassedBy(run: () => Promise<unknown>): Promise<string[]> {
  await session.post('Profiler.takePreciseCoverage');
  await run();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  return (
    result
      .filter(({ functions }) => functions.some(wasCalled))
      // Not those of other packages.
      .filter(({ url }) => !url.includes('/node_modules/'))
      .flatMap(({ url }) => /\/dist\/(.*)\.js$/.exec(url)?.[1] ?? [])
      .filter((file) => !OF_THE_SERVER.test(file))
      .sort()
  );
}

const ordinary = cql.query(INSERT, [-1, 'Ada']);
const applied = await filesPassedBy(() => ordinary.exec());

const doubtful = cql.query(INSERT, [-2, 'Ada']);
B.failNext('writeTimeout');
const replayed = await filesPassedBy(async () => {
  const receipt = await doubtful.exec();
  if (receipt.B !== 'queued') throw new Error(`B is ${receipt.B}; it should be queued`);
  while (!B.rows('users').some(({ id }) => id === -2)) await new Promise((resolve) => setImmediate(resolve));
});

await app.close();
process.stdout.write(JSON.stringify({ applied, replayed } satisfies Walks));
