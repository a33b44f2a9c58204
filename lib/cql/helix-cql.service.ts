import { type ClusterId, HelixConfigError, type SideResult, toError } from '../core/index.js';
import { CqlBatch, type BatchKind } from './cql-batch.js';
import { type CqlClient, type CqlRow } from './cql-client.js';
import { type CqlContext } from './cql-context.js';
import { CqlQuery } from './cql-query.js';
import { type CqlSession } from './driver/index.js';
import { type CqlParams } from './statement.js';

export interface OnBothOptions {
  /** Time for each side, in ms. Default 30,000. */
  readonly timeoutMs?: number;
}

/** Reads and writes over a pair of Cassandra or ScyllaDB clusters. */
export class HelixCqlService {
  readonly #context: CqlContext | undefined;
  readonly #close: () => Promise<void>;

  /** @internal Made by {@link HelixModule}; a `context` is missing if the instance is not configured with `cql`. */
  constructor(context: CqlContext | undefined, close: () => Promise<void>) {
    this.#context = context;
    this.#close = close;
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
   * Runs a text as it is on each cluster, one after the other, and reports each: for schema changes and
   * TRUNCATE, which cannot be replayed. Never throws for what a cluster answers. In single-cluster mode only
   * A is asked, and B counts as done.
   */
  async onBoth(cql: string, options: OnBothOptions = {}): Promise<Record<ClusterId, SideResult>> {
    const { sessions, statements, writePath } = this.#configured;
    writePath.checkOpen();
    const timeoutMs = options.timeoutMs ?? 30_000;
    const a = await runOn(sessions.A, cql, timeoutMs);
    const b = sessions.B ? await runOn(sessions.B, cql, timeoutMs) : DONE;
    statements.recheck();
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

  /** Shuts the instance down, as the end of the application would. */
  close(): Promise<void> {
    return this.#close();
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
  }
}
