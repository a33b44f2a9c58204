import {
  ClusterError,
  HelixUsageError,
  type Priority,
  sideLabel,
  toError,
  type WriteReceipt,
} from '../core/index.js';
import { type CqlRow } from './cql-client.js';
import { type Consistency, consistencyCode } from './consistency.js';
import { type CqlContext } from './cql-context.js';
import { CqlAllRead, CqlPageRead, type ReadSettings } from './cql-read.js';
import { CqlStatementWrite, type WriteSettings } from './cql-write.js';
import { isEncodingError } from './driver/index.js';
import {
  type BoundValue,
  type CqlParams,
  type PrepareErrors,
  snapshot,
  type Statement,
} from './statement.js';

/** Settings that a query and a batch share. Each is chainable. */
export abstract class CqlBuilder {
  readonly #what: string;
  #isUsed = false;
  #consistency: number | undefined;
  #serialConsistency: number | undefined;
  #timestampUs: number | undefined;
  #priority: Priority | undefined;

  constructor(
    protected readonly context: CqlContext,
    what: string,
  ) {
    this.#what = what;
  }

  /** Consistency on each cluster. Default: the cluster's own (`LOCAL_QUORUM` unless configured). */
  consistency(consistency: Consistency): this {
    this.#consistency = consistencyCode(consistency, `${this.#what}.consistency()`);
    return this;
  }

  /** Consistency of the Paxos phase of conditional statements, and of serial reads. */
  serialConsistency(consistency: Consistency): this {
    this.#serialConsistency = consistencyCode(consistency, `${this.#what}.serialConsistency()`);
    return this;
  }

  /**
   * Write time of every cell, µs since the epoch. Default: a strictly increasing clock. `USING TIMESTAMP` in
   * the text wins over it.
   */
  withTimestamp(timestampUs: number): this {
    if (!Number.isSafeInteger(timestampUs)) {
      throw new HelixUsageError(
        `${this.#what}.withTimestamp(): expected whole microseconds since the epoch, received ${timestampUs}`,
      );
    }
    this.#timestampUs = timestampUs;
    return this;
  }

  /** Order of replay if one side misses the write. Default: the instance's `priority`. */
  withPriority(priority: Priority): this {
    if (!['high', 'low'].includes(priority)) {
      throw new HelixUsageError(
        `${this.#what}.withPriority(): expected 'high' or 'low', received '${priority}'`,
      );
    }
    this.#priority = priority;
    return this;
  }

  protected use(): void {
    if (this.#isUsed) {
      throw new HelixUsageError(
        `A ${this.#what} can be run once. Build another one with ${this.#what}() for each call`,
      );
    }
    this.#isUsed = true;
  }

  protected get writeSettings(): WriteSettings {
    return {
      consistency: this.#consistency,
      serialConsistency: this.#serialConsistency,
      timestampUs: this.#timestampUs,
      priority: this.#priority,
    };
  }

  protected bind(statement: Statement, params: CqlParams | undefined): BoundValue[] {
    try {
      return statement.bind(params);
    } catch (error) {
      if (!(error instanceof Error) || !isEncodingError(error)) throw error;
      const { boundBy, facts } = statement;
      throw new ClusterError(
        `A parameter does not fit its type on ${sideLabel(this.context.sessions, boundBy)} (${error.name}): ${facts.masked}`,
        boundBy,
        'write',
        'notApplied',
        { cause: error },
      );
    }
  }
}

/**
 * One statement: settings, then exactly one call that runs it.
 *
 * ```ts
 * const receipt = await helix.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, name]).exec();
 * const user = await helix.query('SELECT * FROM users WHERE id = ?', [id]).one();
 * ```
 */
export class CqlQuery<Row = CqlRow> extends CqlBuilder {
  #pageSize: number | undefined;

  /** @internal */
  constructor(
    context: CqlContext,
    private readonly text: string,
    private readonly params: CqlParams | undefined,
  ) {
    super(context, 'query');
  }

  /** Rows per page. Default: the driver's (5,000). */
  pageSize(rows: number): this {
    if (!Number.isSafeInteger(rows) || rows < 1) {
      throw new HelixUsageError(`query.pageSize(): expected a whole number of rows >= 1, received ${rows}`);
    }
    this.#pageSize = rows;
    return this;
  }

  /**
   * Writes to both clusters.
   *
   * @returns what became of it on each side; one applied side is success
   * @throws DualClusterError neither side applied it; `outcome` says whether a retry is safe
   * @throws ClusterError a side refused it (or failed, in single-cluster mode); nothing is replayed
   * @throws HazardousStatementError it would not converge on two clusters; nothing was sent
   */
  exec(): Promise<WriteReceipt> {
    try {
      this.use();
      const statement = this.context.statements.get(this.text);
      if (statement.facts.kind === 'select') {
        throw new HelixUsageError(
          `exec() is for writes; use one(), values() or all() to read: ${statement.facts.masked}`,
        );
      }
      statement.checkWritable();
      if (!statement.isReady) return this.#prepareAndRun(statement);
      return this.context.writePath.run(this.#operation(statement, this.params));
    } catch (error) {
      return Promise.reject(toError(error));
    }
  }

  /** First row, or `undefined` if there is none. */
  async one(): Promise<Row | undefined> {
    const { rows } = await this.context.readPath.run(
      new CqlPageRead(this.context, this.#select('one'), this.params, this.#readSettings),
    );
    return rows?.[0] as Row | undefined;
  }

  /** First row by position, or `undefined` if there is none. */
  async values(): Promise<unknown[] | undefined> {
    const { rows } = await this.context.readPath.run(
      new CqlPageRead(this.context, this.#select('values'), this.params, this.#readSettings),
    );
    return rows?.[0]?.values();
  }

  /** Every row of every page, all from one cluster; starts over on the other if that one fails. */
  async all(): Promise<Row[]> {
    const rows = await this.context.readPath.run(
      new CqlAllRead(this.context, this.#select('all'), this.params, this.#readSettings),
    );
    return rows as Row[];
  }

  get #readSettings(): ReadSettings {
    const { consistency, serialConsistency } = this.writeSettings;
    return { consistency, serialConsistency, pageSize: this.#pageSize };
  }

  #select(call: string): Statement {
    this.use();
    const statement = this.context.statements.get(this.text);
    if (statement.facts.kind !== 'select') {
      throw new HelixUsageError(`${call}() is for SELECT; use exec() to write: ${statement.facts.masked}`);
    }
    return statement;
  }

  #prepareAndRun(statement: Statement): Promise<WriteReceipt> {
    const { writePath, writeTimeoutMs } = this.context;
    // The caller may reuse its array while the statement is being prepared.
    const params = snapshot(this.params);
    return writePath.runPrepared(async () =>
      this.#operation(statement, params, await statement.prepare(writeTimeoutMs)),
    );
  }

  #operation(statement: Statement, params: CqlParams | undefined, errors?: PrepareErrors): CqlStatementWrite {
    // Without types there is nothing to encode for: no side could be prepared, so none will be sent to.
    const bound = statement.isReady ? this.bind(statement, params) : [];
    return new CqlStatementWrite(this.context, this.writeSettings, statement, bound, errors);
  }
}
