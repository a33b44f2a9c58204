import { CARRIES_CONTEXT, type ClusterId, type WriteReceipt } from '../core/index.js';
import type { CqlClientInfo, CqlColumn, CqlRow } from './cql-client.js';
import { type PageSource, rowsOf } from './cql-iter.js';
import type { AnsweredPage } from './cql-read.js';

/** What is known about an execution. */
export interface CqlResultInfo extends CqlClientInfo {
  /** The cluster that answered a read; a write has a {@link CqlResultSet.receipt} instead. */
  readonly cluster: ClusterId | undefined;
  /** What the server warned of (of a write: either of them), `undefined` when there was nothing. */
  readonly warnings: readonly string[] | undefined;
}

/** What `execute()` answers with, in the shape of the driver's `ResultSet`. */
export class CqlResultSet<Row = CqlRow> implements Iterable<Row>, AsyncIterable<Row> {
  /** @internal */
  readonly [CARRIES_CONTEXT] = true;
  /** Rows of this page; `undefined` for a write. */
  readonly rows: Row[] | undefined;
  /** Number of rows of this page; `undefined` for a write. */
  readonly rowLength: number | undefined;
  /** `null` for a write. */
  readonly columns: readonly CqlColumn[] | null;
  /** For the option `pageState`, to go on after this page; `null` on the last. */
  readonly pageState: string | null;
  /** What is known about the execution. */
  readonly info: CqlResultInfo;
  /** What became of a write on each side; `undefined` for a read. */
  readonly receipt: WriteReceipt | undefined;
  readonly #source: PageSource;
  readonly #page: AnsweredPage;

  /** @internal */
  constructor(source: PageSource, page: AnsweredPage, receipt?: WriteReceipt) {
    const { rows, columns, info } = page.result;
    this.rows = rows as readonly unknown[] | undefined as Row[] | undefined;
    this.rowLength = rows?.length;
    this.columns = columns ?? null;
    this.pageState = source.stateAfter(page) ?? null;
    this.info = {
      ...info,
      warnings: info?.warnings ?? undefined,
      cluster: receipt ? undefined : page.cluster,
    };
    this.receipt = receipt;
    this.#source = source;
    this.#page = page;
  }

  /** The first row of this page, or `null`. */
  first(): Row | null {
    return this.rows?.[0] ?? null;
  }

  /** False if a conditional statement was not applied. */
  wasApplied(): boolean {
    const first = this.first() as Readonly<Record<string, unknown>> | null;
    return first?.['[applied]'] !== false;
  }

  /** Whether more pages follow. */
  isPaged(): boolean {
    return this.pageState !== null;
  }

  /** The rows of this page. */
  [Symbol.iterator](): Iterator<Row> {
    return (this.rows ?? [])[Symbol.iterator]();
  }

  /** The rows of this page and of those that follow, each of which is asked for when it is needed. */
  [Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    const rows: AsyncGenerator<unknown, void, undefined> = rowsOf(this.#source, this.#page);
    return rows as AsyncGenerator<Row, void, undefined>;
  }
}
