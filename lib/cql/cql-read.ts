import { type ClusterId, type FailedOutcome, type ReadOperation, toError } from '../core/index.js';
import { type CqlClientResult, type CqlClientRow } from './cql-client.js';
import { type CqlContext } from './cql-context.js';
import { classifyReadError, isBlockedConnect, NotConnectedError } from './driver/index.js';
import { type CqlParams, type Statement } from './statement.js';

export interface ReadSettings {
  readonly consistency: number | undefined;
  readonly serialConsistency: number | undefined;
  readonly pageSize: number | undefined;
}

/** A SELECT on its way to one cluster, and to the other if that fails. */
abstract class CqlRead<Result> implements ReadOperation<Result> {
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

  classify(error: unknown): FailedOutcome {
    if (error instanceof NotConnectedError) {
      return { kind: isBlockedConnect(error) ? 'blocked' : 'unreached', error };
    }
    return classifyReadError(error);
  }

  protected page(cluster: ClusterId, pageState?: string): Promise<CqlClientResult> {
    const session = this.context.sessions[cluster];
    if (!session?.hasConnected) {
      return Promise.reject(
        session?.notConnected() ?? new NotConnectedError(`There is no cluster ${cluster}`),
      );
    }
    const { consistency, serialConsistency, pageSize } = this.settings;
    try {
      return session.read(this.statement.text, this.params, {
        consistency: consistency ?? session.consistency,
        serialConsistency: serialConsistency ?? session.serialConsistency,
        timeoutMs: this.context.readTimeoutMs,
        fetchSize: pageSize,
        pageState,
      });
    } catch (error) {
      // The driver answers with a promise; a client of the user's own may throw.
      return Promise.reject(toError(error));
    }
  }
}

/** The first page is enough. */
export class CqlPageRead extends CqlRead<CqlClientResult> {
  override attempt(cluster: ClusterId): Promise<CqlClientResult> {
    return this.page(cluster);
  }
}

/** Every page, all from the same cluster: a page state means nothing to another. */
export class CqlAllRead extends CqlRead<CqlClientRow[]> {
  override async attempt(cluster: ClusterId, onProgress: () => boolean): Promise<CqlClientRow[]> {
    const rows: CqlClientRow[] = [];
    let pageState: string | undefined;
    do {
      const result = await this.page(cluster, pageState);
      for (const row of result.rows ?? []) rows.push(row);
      pageState = result.pageState ?? undefined;
    } while (pageState !== undefined && onProgress());
    return rows;
  }
}
