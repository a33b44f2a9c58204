import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterId, SideStatus, WriteReceipt } from '../../../lib/index.js';
import { cells } from '../support/cells.js';
import { statuses, tell } from './figures.js';
import { Ground, rowOf } from './ground.js';
import type { Call } from './steady-load.js';

interface Note {
  readonly receipt?: WriteReceipt;
  readonly row?: number;
  /** Operation that was replayed, and to which cluster. */
  readonly replayed?: string;
  readonly cluster?: ClusterId;
}

const BEFORE = 200;
const QUEUED = 200;

export function describeCrash(keyspace: string): void {
  describe('an application that ends by SIGKILL while a cluster hangs', () => {
    const directory = mkdtempSync(join(tmpdir(), 'helix-crash-'));
    let ground: Ground;
    let writer: ChildProcess | undefined;

    beforeAll(async () => {
      ground = await Ground.prepare(keyspace);
    });

    afterEach(async () => {
      writer?.kill('SIGKILL');
      await ground.leave();
    });

    afterAll(() => rmSync(directory, { recursive: true }));

    it.each<ClusterId>(['B'])('has answered nothing of %s that is not so', async (hung) => {
      const table = await ground.table();
      const file = join(directory, `${hung}.jsonl`);
      writer = spawn(
        process.execPath,
        ['--import', 'tsx', 'test/e2e/apps/steady-writer.ts', JSON.stringify(ground.direct), file, table],
        { stdio: 'inherit' },
      );
      const answered = (): number => notesOf(file).filter(({ receipt }) => receipt).length;
      await expect.poll(answered, { timeout: 30_000, message: 'it writes' }).toBeGreaterThan(BEFORE);
      ground.pair[hung].freeze();
      const queued = (): number => answersTo(callsOf(notesOf(file)), hung, 'queued');
      await expect.poll(queued, { timeout: 30_000, message: 'it queues' }).toBeGreaterThan(QUEUED);
      writer.kill('SIGKILL');
      await once(writer, 'close');
      await ground.heal();

      const notes = notesOf(file);
      const calls = callsOf(notes);
      tell(`${hung} frozen, SIGKILL`, `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}`);
      for (const side of ['A', 'B'] as const) {
        const rows = new Set(await cells(ground.pair[side], keyspace, table));
        const isThere = ({ id, receipt }: Call): boolean => rows.has(rowOf(id, receipt!.timestamp));
        const applied = calls.filter(({ receipt }) => receipt![side] === 'applied');
        expect(applied.length).toBeGreaterThan(0);
        expect(applied.filter((call) => !isThere(call)).map(({ receipt }) => receipt)).toEqual([]);
      }
      // It hung from before the first was queued for it to the end.
      expect(notes.filter(({ replayed }) => replayed !== undefined)).toEqual([]);
    });
  });
}

function notesOf(file: string): Note[] {
  if (!existsSync(file)) return [];
  const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return whole.map((line) => JSON.parse(line) as Note);
}

const callsOf = (notes: readonly Note[]): Call[] =>
  notes.flatMap(({ receipt, row }) => (receipt ? [{ id: row!, beganMs: 0, tookMs: 0, receipt }] : []));

const answersTo = (calls: readonly Call[], side: ClusterId, status: SideStatus): number =>
  calls.filter(({ receipt }) => receipt?.[side] === status).length;
