import { type ClusterId, HelixConfigError, type SideResult, toError } from '../core/index.js';
import type { CallRunner, DualWriteCallOptions, StickyReadCallOptions } from './call-options.js';
import { CqlBatch, type BatchKind } from './cql-batch.js';
import type { CqlClient, CqlRow } from './cql-client.js';
import type { CqlContext } from './cql-context.js';
import { CqlQuery } from './cql-query.js';
import type { CqlResultSet } from './cql-result-set.js';
import type { CqlSession } from './driver/index.js';
import { applyOptions, checkExecutable, type CqlExecuteOptions } from './execute.js';
import type { CqlParams } from './statement.js';

/** Options of {@link HelixCqlService.onBoth}. */
export interface OnBothOptions {
  /** Time for each side, in ms. Default 30,000. */
  readonly timeoutMs?: number;
}

/** Reads and writes over a pair of Cassandra or ScyllaDB clusters. */
export class HelixCqlService {
  readonly #context: CqlContext | undefined;
  readonly #close: () => Promise<void>;
  readonly #calls: CallRunner | undefined;

  /** @internal Made by {@link HelixModule}; a `context` is missing if the instance is not configured with `cql`. */
  constructor(context: CqlContext | undefined, close: () => Promise<void>, calls?: CallRunner) {
    this.#context = context;
    this.#close = close;
    this.#calls = calls;
  }

  /** True when no cluster B is configured. */
  get isSingleCluster(): boolean {
    return this.#configured.sessions.B === undefined;
  }

  /**
   * Begins a statement. Parameters by position (`?`) or by name (`:name`).
   *
   * ```ts
   * await helix.query('UPDATE users SET name = ? WHERE id = ?', [name, id]).exec();
   * ```
   */
  query<Row = CqlRow>(cql: string, params?: CqlParams): CqlQuery<Row> {
    return new CqlQuery<Row>(this.#configured, cql, params);
  }

  /** Begins a batch. Default kind: `logged`. */
  batch(kind: BatchKind = 'logged'): CqlBatch {
    if (!['logged', 'unlogged', 'counter'].includes(kind)) {
      throw new HelixConfigError(
        `batch(): kind must be 'logged', 'unlogged' or 'counter', received ${JSON.stringify(kind)}`,
      );
    }
    return new CqlBatch(this.#configured, kind);
  }

  /**
   * The driver's `execute()` over two clusters: a SELECT is read from one, an INSERT, UPDATE or DELETE is written
   * to both, and the result has the shape of the driver's.
   *
   * ```ts
   * const { rows } = await helix.execute('SELECT * FROM users WHERE id = ?', [id]);
   * const { receipt } = await helix.execute('DELETE FROM users WHERE id = ?', [id], { ack: 'both' });
   * ```
   *
   * @throws HelixUsageError an option that cannot be honoured on two clusters; says what to do instead
   * @throws HazardousStatementError a statement of another kind; names the call for it
   */
  async execute<Row = CqlRow>(
    cql: string,
    params?: CqlParams,
    options: CqlExecuteOptions = {},
  ): Promise<CqlResultSet<Row>> {
    const context = this.#configured;
    const query = new CqlQuery<Row>(context, cql, params);
    applyOptions(query, options);
    checkExecutable(context.statements.get(cql).facts);
    return query.resultSet();
  }

  /**
   * Runs a text as it is on each cluster, one after the other, and reports each: for schema changes and
   * TRUNCATE, which cannot be replayed. Never throws for what a cluster answers. In single-cluster mode only
   * A is asked, and B counts as done.
   */
  async onBoth(cql: string, options: OnBothOptions = {}): Promise<Record<ClusterId, SideResult>> {
    const { sessions, writePath } = this.#configured;
    writePath.checkOpen();
    const timeoutMs = options.timeoutMs ?? 30_000;
    const a = await runOn(sessions.A, cql, timeoutMs);
    const b = sessions.B ? await runOn(sessions.B, cql, timeoutMs) : DONE;
    return { A: a, B: b };
  }

  /**
   * The driver's own client of one cluster; what is done with it bypasses Helix. For the driver's type:
   * `helix.session('A') as Client`.
   */
  session(cluster: ClusterId): CqlClient {
    const session = this.#configured.sessions[cluster];
    if (!session) throw new HelixConfigError(`session('${cluster}'): cql.${cluster} is not configured`);
    return session.client;
  }

  /**
   * What `@DualWrite` does, for a function: every write through Helix is dual with or without it, and it is not a
   * transaction.
   *
   * ```ts
   * await helix.dualWrite({ ack: 'both' }, () => this.archive(order));
   * ```
   *
   * @returns what the function returns; promises, generators and Observables keep the context
   * @throws HelixUsageError wrong options, or a result that no context can be kept for
   */
  dualWrite<T>(options: DualWriteCallOptions, call: () => T): T {
    return this.#runner.dualWrite(options, call);
  }

  /**
   * What `@StickyRead` does, for a function: all its reads stay on one side. A write inside it throws
   * `HelixUsageError` unless a nested `dualWrite` or `@DualWrite` wraps it.
   *
   * ```ts
   * const orders = await helix.stickyRead({ key: customer }, () => this.ordersOf(customer));
   * ```
   *
   * @returns what the function returns; promises, generators and Observables keep the context
   * @throws HelixUsageError wrong options, or a result that no context can be kept for
   */
  stickyRead<T>(options: StickyReadCallOptions, call: () => T): T {
    return this.#runner.stickyRead(options, call);
  }

  /** Shuts the instance down, as the end of the application would. */
  close(): Promise<void> {
    return this.#close();
  }

  get #runner(): CallRunner {
    if (!this.#calls) throw new HelixConfigError('Only a service that HelixModule has made keeps contexts');
    return this.#calls;
  }

  get #configured(): CqlContext {
    if (!this.#context) {
      throw new HelixConfigError('This Helix instance has no clusters: give it `cql` in its options');
    }
    return this.#context;
  }
}

const DONE: SideResult = { ok: true };

async function runOn(session: CqlSession, cql: string, timeoutMs: number): Promise<SideResult> {
  try {
    if (!session.hasConnected) throw session.notConnected();
    await session.run(cql, timeoutMs);
    return DONE;
  } catch (error) {
    return { ok: false, error: toError(error) };
  } finally {
    // Also of a change that has failed: its answer may have been lost.
    session.renewSchema();
  }
}
