import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../core/index.js';
import { DualClusterError, getHelixToken, HelixCqlService, HelixService } from '../index.js';
import {
  type ClusterFailure,
  FakeClock,
  HelixTestingClusters,
  HelixTestingModule,
  type HelixTestingOptions,
} from './index.js';

const SCHEMA = 'CREATE TABLE users (id int PRIMARY KEY, name text)';
const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';

let app: TestingModule;
let clock: FakeClock;
let cql: HelixCqlService;
let helix: HelixService;
let clusters: HelixTestingClusters;

async function make(options: HelixTestingOptions = {}): Promise<TestingModule> {
  const made = await Test.createTestingModule({
    imports: [HelixTestingModule.forRoot({ schema: SCHEMA, clock, ...options })],
  }).compile();
  made.useLogger(false);
  return made;
}

async function start(options?: HelixTestingOptions): Promise<void> {
  app = await make(options);
  await app.init();
  cql = app.get(HelixCqlService);
  helix = app.get(HelixService);
  clusters = app.get(HelixTestingClusters);
}

beforeEach(async () => {
  clock = new FakeClock();
  await start();
});

afterEach(() => app.close());

const write = (id: number, name = `n${id}`) => cql.query(INSERT, [id, name]).exec();
const read = (id: number) => cql.query('SELECT name FROM users WHERE id = ?', [id]).values();

/** Both hold these ids, and the same cells. */
function expectEqualWith(...ids: number[]): void {
  expect(clusters.A.rows('users').map(({ id }) => id)).toEqual(ids);
  expect(clusters.differences()).toEqual([]);
}

describe('without a fault', () => {
  it('a write is on both, with the write time of its receipt', async () => {
    const receipt = await write(1);
    expect(receipt).toMatchObject({ A: 'applied', B: 'applied' });
    expectEqualWith(1);
    expect(clusters.B.cells('users')).toContainEqual({
      key: { id: 1 },
      column: 'name',
      value: 'n1',
      writeTimeUs: receipt.timestamp,
    });
  });
});

describe('goDown()', () => {
  it('queues for the cluster what it misses, and comeBack() has it replayed without time passing', async () => {
    await write(1);
    clusters.B.goDown();
    expect(await write(2)).toMatchObject({ A: 'applied', B: 'queued' });
    expect(clusters.B.rows('users')).toEqual([{ id: 1, name: 'n1' }]);
    expect(helix.status().B?.connected).toBe(false);

    clusters.B.comeBack();
    const startMs = clock.nowMs();
    expect(await helix.syncPoint()).toMatchObject({ applied: 1 });
    expect(clock.nowMs()).toBe(startMs);
    expectEqualWith(1, 2);
  });

  it('for so long that the breaker opened ends with comeBack() as well', async () => {
    const breaker = () => helix.status().B?.breaker;
    clusters.B.goDown();
    for (let id = 0; id < 10; id++) await write(id);
    expect(breaker()).toBe('open');
    const reached = clusters.B.executed.length;

    clusters.B.comeBack();
    expect(await helix.syncPoint()).toMatchObject({ applied: 10 });
    expect(breaker()).toBe('closed');
    expect(clusters.B.executed).toHaveLength(reached + 10);
    expectEqualWith(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  });

  it('before the first statement was prepared queues it too', async () => {
    clusters.A.goDown();
    expect(await write(1)).toMatchObject({ A: 'queued', B: 'applied' });
    clusters.A.comeBack();
    await helix.syncPoint();
    expectEqualWith(1);
  });

  it('on both fails without anything applied', async () => {
    clusters.A.goDown();
    clusters.B.goDown();
    await expect(write(1)).rejects.toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'notApplied' });
    expect(helix.status().replay.A.enqueued).toBe(0);
  });

  it('fails what hangs in doubt', async () => {
    await write(1);
    clusters.A.hang();
    clusters.B.hang();
    const hanging = expect(write(2)).rejects.toMatchObject({ outcome: 'unknown' });
    await clock.settle();
    clusters.A.goDown();
    clusters.B.goDown();
    await hanging;
    expect(clusters.A.rows('users')).toHaveLength(1);
  });

  it('before the application starts lets it start with the other cluster, and heals', async () => {
    const other = await make({ name: 'late' });
    const late = other.get<HelixTestingClusters>(getHelixToken(HelixTestingClusters, 'late'));
    late.B.goDown();
    await other.init();
    const lateCql = other.get<HelixCqlService>(getHelixToken(HelixCqlService, 'late'));
    expect(await lateCql.query(INSERT, [1, 'x']).exec()).toMatchObject({ A: 'applied', B: 'queued' });

    late.B.comeBack();
    await other.get<HelixService>(getHelixToken(HelixService, 'late')).syncPoint();
    expect(late.differences()).toEqual([]);
    expect(late.B.rows('users')).toHaveLength(1);
    await other.close();
  });
});

describe('hang()', () => {
  it('answers nothing within the time limit, and applies on comeBack() what was sent', async () => {
    await write(1);
    clusters.B.hang();
    const receipt = write(2);
    await clock.advance(5_000);
    expect(await receipt).toMatchObject({ A: 'applied', B: 'queued' });
    expect(clusters.B.rows('users')).toHaveLength(1);

    clusters.B.comeBack();
    await helix.syncPoint();
    expectEqualWith(1, 2);
  });

  it('has reads answered by the other cluster', async () => {
    await write(1);
    clusters.A.hang();
    clusters.B.hang();
    const answer = read(1);
    await clock.advance(4_000);
    clusters.B.comeBack();
    await clock.advance(2_000);
    expect(await answer).toEqual(['n1']);
  });
});

describe('loseAnswers()', () => {
  it('leaves in doubt what was applied, and repeats it without a difference', async () => {
    clusters.B.loseAnswers();
    expect(await write(1)).toMatchObject({ A: 'applied', B: 'queued' });
    expect(clusters.B.rows('users')).toHaveLength(1);
    clusters.B.comeBack();
    await helix.syncPoint();
    expectEqualWith(1);
    expect(clusters.B.executed.length).toBeGreaterThan(1);
    expect(new Set(clusters.B.executed.map(({ timestampUs }) => timestampUs)).size).toBe(1);
  });

  it('on both throws `unknown`, and both converge', async () => {
    clusters.A.loseAnswers();
    clusters.B.goDown();
    await expect(write(1)).rejects.toMatchObject({ code: 'HELIX_BOTH_FAILED', outcome: 'unknown' });
    clusters.A.comeBack();
    clusters.B.comeBack();
    await helix.syncPoint();
    expectEqualWith(1);
  });
});

describe('slowDown()', () => {
  it('delays every answer by so much', async () => {
    await write(1);
    clusters.A.slowDown(300);
    clusters.B.slowDown(200);
    let isDone = false;
    const receipt = write(2).finally(() => (isDone = true));
    await clock.advance(299);
    expect(isDone).toBe(false);
    await clock.advance(1);
    expect(await receipt).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('beyond the time limit queues', async () => {
    await write(1);
    clusters.B.slowDown(6_000);
    const receipt = write(2);
    await clock.advance(5_000);
    expect(await receipt).toMatchObject({ A: 'applied', B: 'queued' });
    await clock.advance(60_000);
    expectEqualWith(1, 2);
  });
});

describe('refuse()', () => {
  it('makes a divergence of a statement that one cluster refuses', async () => {
    clusters.B.refuse('INTO users');
    expect(await write(1)).toMatchObject({ A: 'applied', B: 'rejected' });
    expect(await helix.deadLetters.list()).toMatchObject([
      { cluster: 'B', reason: 'rejected', table: 'users' },
    ]);
    expect(clusters.differences('users').map(({ A, B }) => [A?.column, B])).toEqual([
      [undefined, undefined],
      ['name', undefined],
    ]);
  });

  it('on both fails the call', async () => {
    clusters.A.refuse(/^INSERT/);
    clusters.B.refuse(/^INSERT/);
    await expect(write(1)).rejects.toMatchObject({ code: 'HELIX_CLUSTER', outcome: 'notApplied' });
  });

  it('leaves other statements alone, and ends with comeBack()', async () => {
    clusters.B.refuse('DELETE', 'unavailable');
    expect(await write(1)).toMatchObject({ B: 'applied' });
    const remove = () => cql.query('DELETE FROM users WHERE id = ?', [1]).exec();
    expect(await remove()).toMatchObject({ A: 'applied', B: 'queued' });
    clusters.B.comeBack();
    expect(await remove()).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('takes an error of the test’s own', async () => {
    const error = new TypeError('mine');
    clusters.A.refuse('SELECT', error);
    clusters.B.refuse('SELECT', error);
    await expect(read(1)).rejects.toMatchObject({ cause: error });
  });
});

describe('failNext()', () => {
  const UNREACHED = ['notApplied', 0] as const;
  it.each<[ClusterFailure, outcome: string, rowsOnA: number]>([
    ['unreachable', ...UNREACHED],
    ['unavailable', ...UNREACHED],
    ['connectionLost', 'unknown', 0],
    ['writeTimeout', 'unknown', 0],
    ['overloaded', 'unknown', 0],
    ['answerLost', 'unknown', 1],
  ])('%s on both: the outcome is %s, and A has %s rows', async (failure, outcome, rows) => {
    await app.close();
    await start({ replayWorker: { mode: 'off' } });
    for (const cluster of [clusters.A, clusters.B]) cluster.failNext(failure);
    const error: unknown = await write(1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DualClusterError);
    expect(error).toMatchObject({ outcome });
    expect(clusters.A.rows('users')).toHaveLength(rows);
  });

  it('fails so many statements, then no more', async () => {
    clusters.A.failNext('unreachable', 2);
    clusters.B.failNext('unreachable', 2);
    await expect(write(1)).rejects.toMatchObject({ outcome: 'notApplied' });
    await expect(write(2)).rejects.toMatchObject({ outcome: 'notApplied' });
    expect(await write(3)).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it('a single failure heals by itself, as the queue is tried at once', async () => {
    clusters.B.failNext();
    expect(await write(1)).toMatchObject({ A: 'applied', B: 'queued' });
    await helix.syncPoint();
    expectEqualWith(1);
  });
});

describe('the end of the application', () => {
  it.each(['hang', 'goDown', 'loseAnswers'] as const)('does not wait after %s()', async (fault) => {
    clusters.B[fault]();
    const pending = write(1).catch(() => undefined);
    await clock.settle();
    await app.close();
    await pending;
  });

  it('does not wait for a retry that the clock stands before', async () => {
    clusters.B.refuse('INSERT', 'overloaded');
    expect(await write(1)).toMatchObject({ B: 'queued' });
    await clock.settle();
    await app.close();
  });

  it('does not wait on the system’s clock either', async () => {
    await app.close();
    await start({ clock: systemClock });
    await write(1);
    clusters.A.slowDown(60_000);
    clusters.B.hang();
    const pending = write(2).catch(() => undefined);
    await app.close();
    await pending;
  });
});
