import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SessionClosedError } from '../../lib/index.js';
import '../matchers/index.js';
import { startApplication, stopApplications } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';

const keyspace = 'shutdown';
const directory = mkdtempSync(join(tmpdir(), 'helix-shutdown-'));
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, [
    'CREATE TABLE $ks.users (id int PRIMARY KEY, name text)',
    'CREATE TABLE $ks.orders (id int PRIMARY KEY, name text)',
  ]);
});

afterEach(async () => {
  await Promise.all([pair.A.heal(), pair.B.heal()]);
  await stopApplications();
});

afterAll(() => rmSync(directory, { recursive: true }));

const clusters = () => ({ A: pair.A.options(keyspace), B: pair.B.options(keyspace) });

interface Line {
  readonly acknowledged?: string;
  readonly row?: number;
  readonly A?: string;
  readonly B?: string;
  readonly dropped?: string;
  readonly cluster?: string;
}

function linesOf(file: string): Line[] {
  if (!existsSync(file)) return [];
  const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return whole.map((line) => JSON.parse(line) as Line);
}

describe('SIGTERM', () => {
  it('under load with B down leaves no acknowledged write unaccounted for', async () => {
    const notes = join(directory, 'notes.jsonl');
    const writer = spawn(
      process.execPath,
      ['--import', 'tsx', 'test/e2e/apps/writer.ts', JSON.stringify(clusters()), notes],
      { stdio: 'inherit' },
    );
    const acknowledged = () => linesOf(notes).filter((line) => line.acknowledged !== undefined);
    await expect.poll(() => acknowledged().length, { timeout: 30_000 }).toBeGreaterThan(500);
    await pair.B.kill();
    const before = acknowledged().length;
    await expect.poll(() => acknowledged().length, { timeout: 30_000 }).toBeGreaterThan(before + 500);
    const startMs = Date.now();
    writer.kill('SIGTERM');
    await once(writer, 'close');
    expect(Date.now() - startMs).toBeLessThan(8_000);
    await pair.B.heal();

    const queued = acknowledged().filter(({ B }) => B === 'queued');
    const dropped = linesOf(notes).filter((line) => line.dropped !== undefined);
    expect(queued.length).toBeGreaterThan(400);
    expect(dropped.every(({ cluster }) => cluster === 'B')).toBe(true);
    const droppedIds = dropped.map((line) => line.dropped);
    expect(new Set(droppedIds).size).toBe(droppedIds.length);
    expect(new Set(droppedIds)).toEqual(new Set(queued.map((line) => line.acknowledged)));

    const present = async (cluster: 'A' | 'B') => {
      const { rows } = await pair[cluster].run(`SELECT id FROM ${keyspace}.users`);
      return new Set(rows.map((row) => row['id'] as number));
    };
    const [onA, onB] = await Promise.all([present('A'), present('B')]);
    expect(acknowledged().filter(({ A, row }) => A === 'applied' && !onA.has(row!))).toEqual([]);
    expect(acknowledged().filter(({ B, row }) => B === 'applied' && !onB.has(row!))).toEqual([]);
  });
});

describe('closing', () => {
  it('hands what the memory queue holds to a side that is well, and refuses later calls', async () => {
    const dropped: string[] = [];
    const { app, cql } = await startApplication({
      cql: clusters(),
      writeTimeoutMs: 300,
      onReplayDropped: ({ operationId }) => dropped.push(operationId),
    });
    pair.B.freeze();
    for (let id = 0; id < 20; id++) {
      await cql.query('INSERT INTO orders (id, name) VALUES (?, ?)', [id, 'x']).exec();
    }
    pair.B.thaw();
    await app.close();
    expect(dropped).toEqual([]);
    await expect(pair).toBeEqualCellByCell(keyspace, 'orders', 20);
    await expect(cql.query('SELECT * FROM orders').all()).rejects.toBeInstanceOf(SessionClosedError);
    await expect(cql.query('DELETE FROM orders WHERE id = 1').exec()).rejects.toBeInstanceOf(
      SessionClosedError,
    );
  });

  it('is bounded by shutdownTimeoutMs while a cluster is frozen', async () => {
    const dropped: string[] = [];
    const { app, cql } = await startApplication({
      cql: clusters(),
      writeTimeoutMs: 5_000,
      shutdownTimeoutMs: 1_000,
      onReplayDropped: ({ operationId }) => dropped.push(operationId),
    });
    await cql.query('INSERT INTO orders (id, name) VALUES (?, ?)', [100, 'x']).exec();
    pair.B.freeze();
    const writing = cql.query('INSERT INTO orders (id, name) VALUES (?, ?)', [101, 'x']).exec();
    const startMs = Date.now();
    await app.close();
    expect(Date.now() - startMs).toBeLessThan(2_000);
    const receipt = await writing;
    expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    expect(dropped).toEqual([receipt.id]);
  });
});
