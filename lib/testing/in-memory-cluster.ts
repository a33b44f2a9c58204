import type { Clock, ClusterId } from '../core/index.js';
import { type CqlClient, scanStatement } from '../cql/index.js';
import { Database, type Params, type Statement } from './database.js';
import { ANY, type FullDriver } from './driver.js';
import { type ClusterFailure, Faults, matches, type StatementPattern } from './faults.js';
import {
  type ClientAnswer,
  type ClientRequest,
  type ClientTarget,
  type GivenRows,
  InMemoryClient,
} from './in-memory-client.js';
import { CqlRefusal, UNSET, type WireColumn } from './language/index.js';
import { type ComparableCell, comparableCells, type StoredCell } from './stored-cells.js';

/** A statement that reached a cluster. */
export interface ExecutedStatement {
  readonly cql: string;
  /** In the order of the statement's markers. */
  readonly params: readonly unknown[];
  /** Write time that came with it, µs since the epoch; `undefined` for a read. */
  readonly timestampUs: number | undefined;
  /** The kind of the batch it came in, if it did. */
  readonly batch: 'logged' | 'unlogged' | 'counter' | undefined;
}

/** What to answer a statement with: rows, or a function that makes them or throws. */
export type Respond = GivenRows | ((statement: ExecutedStatement) => GivenRows | undefined);

interface Responder {
  readonly pattern: StatementPattern;
  readonly respond: Respond;
}

/**
 * One cluster of the pair: what is in it, what reached it, and switches for what goes wrong.
 *
 * A switch stays on until {@link comeBack}. They act on the way to the cluster, as faults do: what is stored
 * stays stored.
 */
export class InMemoryCluster {
  /** The driver's `Client` of this cluster, which `HelixCqlService.session()` gives too. */
  readonly client: CqlClient;
  readonly #faults: Faults;
  readonly #database: Database;
  readonly #driver: FullDriver;
  readonly #clock: Clock;
  readonly #responders: Responder[] = [];
  readonly #executed: ExecutedStatement[] = [];
  /** @internal Told when the cluster is back. */
  onBack: (() => void) | undefined;

  /** @internal Made by `HelixTestingModule`. */
  constructor(
    readonly cluster: ClusterId,
    driver: FullDriver,
    clock: Clock,
    schema: readonly string[],
  ) {
    const host = `in-memory:${cluster}`;
    this.#driver = driver;
    this.#clock = clock;
    this.#faults = new Faults(driver, clock, host);
    this.#database = new Database(driver, new driver.Encoder(4, {}), clock, schema);
    const { keyspace } = this.#database.schema;
    this.client = new InMemoryClient(driver, this.#faults, this.#target, host, keyspace);
  }

  /** The connections are lost: what is under way fails in doubt, what comes later does not reach the cluster. */
  goDown(): void {
    this.#faults.goDown();
  }

  /**
   * Nothing is answered until {@link comeBack}; then what was sent in the meantime is applied, as after a long
   * pause of a server. Helix's time limits run on the instance's clock: with a real one give it short ones.
   */
  hang(): void {
    this.#faults.hang();
  }

  /** Statements are applied, but the connection breaks before their answers arrive. */
  loseAnswers(): void {
    this.#faults.loseAnswers();
  }

  /** Every answer takes `ms` of the instance's clock. */
  slowDown(ms: number): void {
    this.#faults.slowDown(ms);
  }

  /** Statements with this in their text fail when they are executed. Default: as `invalid`. */
  refuse(pattern: StatementPattern, failure: ClusterFailure | Error = 'invalid'): void {
    this.#faults.refuse(pattern, failure);
  }

  /** The next statement fails, or the next so many. Default: one, as `unreachable`. Replayed ones count too. */
  failNext(failure: ClusterFailure | Error = 'unreachable', times = 1): void {
    this.#faults.failNext(failure, times);
  }

  /**
   * Ends every fault. Helix is told at once: a `CircuitBreaker` that has opened closes, and what is queued for
   * this cluster is replayed, for which `await helix.syncPoint()` waits.
   */
  comeBack(): void {
    this.#faults.comeBack();
    this.onBack?.();
  }

  /**
   * Answers statements with this in their text by hand instead of running them; of several patterns that fit,
   * the latest counts. The only way for statements that the in-memory cluster does not understand.
   *
   * ```ts
   * clusters.A.respond('SELECT token(id)', [{ 'system.token(id)': 42 }]);
   * ```
   */
  respond(pattern: StatementPattern, respond: Respond): void {
    this.#responders.unshift({ pattern, respond });
  }

  /**
   * Puts rows into a table, past Helix and past every fault.
   *
   * @param options.writeTimeUs write time of the cells, µs since the epoch. Default: one second before now, so
   *   that whatever the test writes is newer
   */
  seed(table: string, rows: GivenRows, options: { readonly writeTimeUs?: number } = {}): void {
    const timestampUs = options.writeTimeUs ?? seedTimeUs(this.#clock);
    this.#answerAsServer(() => {
      for (const row of rows) {
        const names = Object.keys(row).map((name) => `"${name}"`);
        const cql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
        this.#database.execute({ cql, params: Object.values(row) }, { timestampUs });
      }
    });
  }

  /** Every row of a table, ordered by its key. */
  rows<Row = Record<string, unknown>>(table: string): Row[] {
    const all = { cql: `SELECT * FROM ${table}`, params: [] };
    const result = this.#answerAsServer(() => this.#database.execute(all, { pageSize: Infinity }));
    const { partitionKey } = this.#answerAsServer(() => this.#database.table(table));
    const sorted = [...(result?.rows ?? [])].sort((a, b) => {
      for (const [i, { compare }] of partitionKey.entries()) {
        const order = compare(a[i] ?? new Uint8Array(), b[i] ?? new Uint8Array());
        if (order !== 0) return order;
      }
      return 0;
    });
    return sorted.map(
      (row) =>
        Object.fromEntries(
          (result?.columns ?? []).map((column, i) => [
            column.name,
            this.#database.decode(row[i] ?? null, column),
          ]),
        ) as Row,
    );
  }

  /** Every live cell of a table with its write time. */
  cells(table: string): StoredCell[] {
    return this.comparable(table).map(({ cell }) => cell);
  }

  /** @internal */
  comparable(table: string): ComparableCell[] {
    return this.#answerAsServer(() => comparableCells(this.#database, table));
  }

  /** @internal What waits for an answer fails; nothing is slow any more. */
  stopWaiting(): void {
    this.#faults.stopWaiting();
  }

  /** Names of the tables in the schema, with their keyspace. */
  get tables(): string[] {
    return this.#database.tables.map(({ keyspace, name }) => `"${keyspace}"."${name}"`);
  }

  /** Statements that reached the cluster, the oldest first; not what Helix asks by itself, nor seeds. */
  get executed(): readonly ExecutedStatement[] {
    return this.#executed;
  }

  /** Empties every table and forgets what was executed. Faults and answers by hand stay. */
  clear(): void {
    this.#database.clear();
    this.#executed.length = 0;
  }

  readonly #target: ClientTarget = {
    describe: (cql) => this.#answerAsServer(() => this.#describe(cql)),
    run: (request) => this.#answerAsServer(() => this.#run(request)),
    decode: (bytes, column) => this.#database.decode(bytes, column),
  };

  #describe(cql: string): readonly WireColumn[] {
    try {
      return this.#database.compile(cql).columns;
    } catch (error) {
      if (!(error instanceof CqlRefusal) || !this.#responderFor(cql)) throw error;
      const { markers, namedMarkers } = scanStatement(cql);
      const names =
        namedMarkers.length > 0 ? namedMarkers : Array.from({ length: markers }, (_, i) => `parameter ${i}`);
      return names.map((name) => ({ name, type: ANY }));
    }
  }

  #run(request: ClientRequest): ClientAnswer {
    const { statements, batch, isInternal } = request;
    const executed = statements.map((statement) => this.#executedAs(statement, request));
    if (!isInternal) this.#executed.push(...executed);
    const given = executed.map((statement) => this.#respondTo(statement));
    if (batch !== undefined) {
      const rest = statements.filter((_, i) => !given[i]);
      this.#database.executeBatch(rest, request);
      return { kind: 'written' };
    }
    const [answer] = given;
    const [statement] = statements;
    if (answer ?? !statement) return answer ?? { kind: 'written' };
    const result = this.#database.execute(statement, request);
    return result ? { kind: 'read', result } : { kind: 'written' };
  }

  #executedAs({ cql, params }: Statement, { batch, timestampUs }: ClientRequest): ExecutedStatement {
    return { cql, params: this.#values(cql, params), timestampUs, batch };
  }

  /** Parameters as values again; as they came if the statement cannot be understood. */
  #values(cql: string, params: Params): readonly unknown[] {
    try {
      const columns = this.#describe(cql);
      const bound = this.#database.bind(columns, params);
      return columns.map((column, i) => {
        const value = bound[i];
        return value === UNSET || value === undefined ? undefined : this.#database.decode(value, column);
      });
    } catch {
      return Object.values(params ?? {});
    }
  }

  #respondTo(statement: ExecutedStatement): ClientAnswer | undefined {
    const respond = this.#responderFor(statement.cql)?.respond;
    if (!respond) return undefined;
    const rows = typeof respond === 'function' ? respond(statement) : respond;
    return rows ? { kind: 'given', rows } : { kind: 'written' };
  }

  #responderFor(cql: string): Responder | undefined {
    return this.#responders.find(({ pattern }) => matches(pattern, cql));
  }

  /** What a server refuses comes as the driver's error. */
  #answerAsServer<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof CqlRefusal)) throw error;
      throw new this.#driver.errors.ResponseError(error.code, error.message);
    }
  }
}

/** Write time of what was there before the test: a second ago. */
export function seedTimeUs(clock: Clock): number {
  return Math.floor(clock.nowMs() * 1_000) - 1_000_000;
}
