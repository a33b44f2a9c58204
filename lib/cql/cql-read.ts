import { type ClusterId, type FailedOutcome, NotConnectedError, type ReadOperation } from '../core/index.js';
import type { CqlClientResult, CqlClientRow } from './cql-client.js';
import type { CqlContext } from './cql-context.js';
import { classifyReadError, type CqlSession, isUnprepared, type PreparedText } from './driver/index.js';
import type { CqlParams, Statement } from './statement.js';

export interface ReadSettings {
  readonly consistency: number | undefined;
  readonly serialConsistency: number | undefined;
  readonly pageSize: number | undefined;
  /** The driver's state of the page to begin with. `undefined`: the first page. */
  readonly pageState: string | undefined;
}

/** One page and the cluster that answered with it: the only one that can go on from there. */
export interface AnsweredPage {
  readonly cluster: ClusterId;
  readonly result: CqlClientResult;
}

/** A SELECT on its way to one cluster, and to the other if that fails. */
abstract class CqlRead<Result> implements ReadOperation<Result> {
  /** By what each side was sent it last: a hedge asks both. */
  #sentToABy: PreparedText | undefined;
  #sentToBBy: PreparedText | undefined;

  constructor(
    private readonly context: CqlContext,
    private readonly statement: Statement,
    private readonly params: CqlParams | undefined,
    private readonly settings: ReadSettings,
  ) {}

  get masked(): string {
    return this.statement.facts.masked;
  }

  abstract attempt(cluster: ClusterId, onProgress: () => boolean): Promise<Result>;

  mustPrepareAgain(error: unknown, cluster: ClusterId): boolean {
    if (!isUnprepared(error)) return false;
    const prepared = cluster === 'A' ? this.#sentToABy : this.#sentToBBy;
    if (prepared) this.statement.forget(cluster, prepared);
    return true;
  }

  classify(error: unknown): FailedOutcome {
    return classifyReadError(error);
  }

  protected page(cluster: ClusterId, pageState = this.settings.pageState): Promise<CqlClientResult> {
    const session = this.context.sessions[cluster];
    if (!session?.hasConnected) {
      return Promise.reject(
        session?.notConnected() ?? new NotConnectedError(`There is no cluster ${cluster}`),
      );
    }
    const prepared = this.statement.preparedOn(cluster);
    if (prepared) return this.#send(session, prepared, pageState);
    return this.statement.knowledgeOf(cluster).then((learnt) => this.#send(session, learnt, pageState));
  }

  #send(
    session: CqlSession,
    prepared: PreparedText,
    pageState: string | undefined,
  ): Promise<CqlClientResult> {
    if (session.cluster === 'A') this.#sentToABy = prepared;
    else this.#sentToBBy = prepared;
    const { consistency, serialConsistency, pageSize } = this.settings;
    return session.read(prepared, this.params, {
      consistency: consistency ?? session.consistency,
      serialConsistency: serialConsistency ?? session.serialConsistency,
      timeoutMs: this.context.readTimeoutMs,
      fetchSize: pageSize,
      pageState,
    });
  }
}

/** The rows of one page are enough. */
export class CqlPageRead extends CqlRead<CqlClientResult> {
  override attempt(cluster: ClusterId): Promise<CqlClientResult> {
    return this.page(cluster);
  }
}

/** One page, and where it came from. */
export class CqlAnsweredPageRead extends CqlRead<AnsweredPage> {
  override async attempt(cluster: ClusterId): Promise<AnsweredPage> {
    return { cluster, result: await this.page(cluster) };
  }
}

/** The first page that has rows, or the last one. Until then nothing is lost by starting over elsewhere. */
export class CqlFirstRowsRead extends CqlRead<AnsweredPage> {
  override async attempt(cluster: ClusterId, onProgress: () => boolean): Promise<AnsweredPage> {
    let result = await this.page(cluster);
    while (!result.rows?.length && result.pageState && onProgress()) {
      result = await this.page(cluster, result.pageState);
    }
    return { cluster, result };
  }
}

/** Every page, all from the same cluster: a page state means nothing to another. */
export class CqlAllRead extends CqlRead<CqlClientRow[]> {
  override async attempt(cluster: ClusterId, onProgress: () => boolean): Promise<CqlClientRow[]> {
    let result = await this.page(cluster);
    const rows = [...(result.rows ?? [])];
    while (result.pageState && onProgress()) {
      result = await this.page(cluster, result.pageState);
      for (const row of result.rows ?? []) rows.push(row);
    }
    return rows;
  }
}
