import type { Provider } from '@nestjs/common';
import { expect } from 'vitest';
import {
  CircuitBreaker,
  type ClusterId,
  type HelixModuleOptions,
  type HelixService,
} from '../../../lib/index.js';
import '../../matchers/index.js';
import { startApplication, stopApplications, type TestApplication } from '../support/application.js';
import { cellsOfBoth } from '../support/cells.js';
import { clusterPair, createKeyspace, type TestPair } from '../support/clusters.js';
import type { Call, Work } from './steady-load.js';

/** Rows that are there from the beginning, for reads. */
const KNOWN_ROWS = 20;

/** A keyspace on the pair of clusters, where hard times can be had and must leave no trace. */
export class Ground {
  #tables = 0;

  private constructor(
    readonly pair: TestPair,
    readonly keyspace: string,
  ) {}

  static async prepare(keyspace: string): Promise<Ground> {
    const pair = await clusterPair();
    const known = Array.from(
      { length: KNOWN_ROWS },
      (_, id) => `INSERT INTO $ks.known (id, name) VALUES (${id}, '${nameOf(id)}')`,
    );
    await createKeyspace(pair, keyspace, [
      'CREATE TABLE $ks.known (id int PRIMARY KEY, name text)',
      ...known,
    ]);
    return new Ground(pair, keyspace);
  }

  /** For `afterEach`: ends every fault and every application, whether the test passed or not. */
  async leave(): Promise<void> {
    await this.heal();
    await stopApplications();
  }

  async heal(): Promise<void> {
    await Promise.all([this.pair.A.heal(), this.pair.B.heal()]);
  }

  /** An empty table of one's own. */
  table(): Promise<string> {
    return this.tableOn('A', 'B');
  }

  async tableOn(...sides: readonly ClusterId[]): Promise<string> {
    const table = `users_${++this.#tables}`;
    for (const side of sides) {
      await this.pair[side].run(`CREATE TABLE ${this.keyspace}.${table} (id int PRIMARY KEY, name text)`);
    }
    return table;
  }

  /** An application with every default; both clusters are connected. */
  start(
    options: Partial<HelixModuleOptions> = {},
    providers: readonly Provider[] = [],
  ): Promise<TestApplication> {
    return startApplication(
      {
        cql: { A: this.pair.A.options(this.keyspace), B: this.pair.B.options(this.keyspace) },
        failoverPolicy: new CircuitBreaker(),
        connect: 'both',
        ...options,
      },
      { providers },
    );
  }

  /** One that knows a single cluster. */
  startAlone(side: ClusterId): Promise<TestApplication> {
    return this.start({ cql: { A: this.pair[side].options(this.keyspace) }, connect: 'any' });
  }

  /** The clusters without the proxies before them, which stand still when this process does. */
  get direct(): HelixModuleOptions['cql'] {
    const { A, B } = this.pair;
    return {
      A: { ...A.server.clientOptions, keyspace: this.keyspace },
      B: { ...B.server.clientOptions, keyspace: this.keyspace },
    };
  }

  /**
   * Once the clusters are well again: the queue's account adds up, nothing was lost, both hold the same cells, and
   * every write that was answered with a receipt is on both under the write time that it names.
   */
  async expectNothingLost(
    helix: HelixService,
    table: string,
    calls: readonly Pick<Call, 'id' | 'receipt'>[],
  ): Promise<void> {
    await this.heal();
    await helix.syncPoint({ timeoutMs: 60_000 });
    const { replay, lost } = helix.status();
    expect(replay).toAddUp();
    expect(lost).toBe(0);
    expect(await helix.deadLetters.count()).toBe(0);
    const { A: rows } = await cellsOfBoth(this.pair, this.keyspace, table);
    await expect(this.pair).toBeEqualCellByCell(this.keyspace, table, rows.length);
    const onBoth = new Set(rows);
    const missing = calls.filter(({ id, receipt }) => receipt && !onBoth.has(rowOf(id, receipt.timestamp)));
    expect(missing.map(({ receipt }) => receipt)).toEqual([]);
  }
}

const nameOf = (id: number): string => `name ${id}`;

/** A row as `cells()` has it. */
export const rowOf = (id: number, timestamp: number): string =>
  JSON.stringify({ id, name: nameOf(id), 'writetime(name)': String(timestamp) });

export function writes({ cql }: Pick<TestApplication, 'cql'>, table: string) {
  const insert = `INSERT INTO ${table} (id, name) VALUES (?, ?)`;
  return (id: number) => cql.query(insert, [id, nameOf(id)]);
}

/** Writes one row after the other. */
export function writing(application: TestApplication, table: string): Work {
  const write = writes(application, table);
  return (id) => write(id).exec();
}

/** Reads one of the rows that are there from the beginning. */
export function reading({ cql }: TestApplication): Work {
  return async (id) => {
    const row = await cql
      .query<{ name: string }>('SELECT name FROM known WHERE id = ?', [id % KNOWN_ROWS])
      .one();
    expect(row?.name).toBe(nameOf(id % KNOWN_ROWS));
    return undefined;
  };
}

/** A write, then a read, and so on. */
export function halfReads(application: TestApplication, table: string): Work {
  const [write, read] = [writing(application, table), reading(application)];
  return (id) => (id % 2 === 0 ? write(id) : read(id));
}
