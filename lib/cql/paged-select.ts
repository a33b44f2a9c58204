import { ClusterError, OperationAbortedError, OverloadedError, type ReadCall } from '../core/index.js';
import type { CqlContext } from './cql-context.js';
import type { PageSource } from './cql-iter.js';
import {
  type AnsweredPage,
  CqlAnsweredPageRead,
  CqlFirstRowsRead,
  CqlPageRead,
  type ReadSettings,
} from './cql-read.js';
import { encodePageState } from './page-state.js';
import { type CqlParams, snapshot, type Statement } from './statement.js';

/** A SELECT that is read page by page, all of them from the cluster that answered with the first. */
export class PagedSelect implements PageSource {
  readonly #params: CqlParams | undefined;

  constructor(
    private readonly context: CqlContext,
    private readonly statement: Statement,
    params: CqlParams | undefined,
    private readonly settings: ReadSettings,
    private readonly call: ReadCall | undefined,
  ) {
    // The caller may reuse its array between two pages.
    this.#params = snapshot(params);
  }

  firstPage(): Promise<AnsweredPage> {
    return this.context.readPath.run(
      new CqlAnsweredPageRead(this.context, this.statement, this.#params, this.settings),
      this.call,
    );
  }

  firstRows(): Promise<AnsweredPage> {
    return this.context.readPath.run(
      new CqlFirstRowsRead(this.context, this.statement, this.#params, this.settings),
      this.call,
    );
  }

  after({ cluster, result }: AnsweredPage, rowsDelivered: number): Promise<AnsweredPage> | undefined {
    if (!result.pageState) return undefined;
    this.checkWanted(rowsDelivered);
    const settings = { ...this.settings, pageState: result.pageState };
    const read = new CqlPageRead(this.context, this.statement, this.#params, settings);
    return this.context.readPath.run(read, { ...this.call, cluster }).then(
      (answer) => ({ cluster, result: answer }),
      (error: unknown) => {
        throw counting(rowsDelivered, error);
      },
    );
  }

  stateAfter({ cluster, result }: AnsweredPage): string | undefined {
    if (!result.pageState) return undefined;
    return encodePageState({ cluster, driverState: result.pageState }, this.context, this.statement);
  }

  checkWanted(rowsDelivered: number): void {
    const signal = this.call?.signal;
    if (!signal?.aborted) return;
    throw new OperationAbortedError(
      `Aborted by its signal after ${rows(rowsDelivered)}: ${this.statement.facts.masked}`,
      'notApplied',
      { cause: signal.reason },
    );
  }
}

/** Who iterates must know how far it had come. */
function counting(rowsDelivered: number, error: unknown): unknown {
  const isOverload = error instanceof OverloadedError;
  if (!isOverload && !(error instanceof ClusterError)) return error;
  const message = `With ${rows(rowsDelivered)} delivered, ${error.message}`;
  if (isOverload) return new OverloadedError(message, rowsDelivered);
  const { cluster, operation, outcome, cause } = error;
  return new ClusterError(message, cluster, operation, outcome, { cause }, rowsDelivered);
}

function rows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`;
}
