import { CARRIES_CONTEXT, HelixUsageError } from '../core/index.js';
import type { CqlClientRow, CqlColumn, CqlRow } from './cql-client.js';
import type { AnsweredPage } from './cql-read.js';

/** Where an iteration gets its pages from. */
export interface PageSource {
  /** The first page that has rows, or the only one. */
  firstRows(): Promise<AnsweredPage>;
  /** The page after this one; `undefined` when there is none. */
  after(page: AnsweredPage, rowsDelivered: number): Promise<AnsweredPage> | undefined;
  /** The state with which a later query continues after this page. */
  stateAfter(page: AnsweredPage): string | undefined;
  /** Throws once nobody wants the rows any more. */
  checkWanted(rowsDelivered: number): void;
}

/** Each row of each page, from `first` on. A page is asked for when every row before it has been taken. */
export async function* rowsOf(
  source: PageSource,
  first: AnsweredPage | undefined,
  onPage?: (page: AnsweredPage) => void,
): AsyncGenerator<CqlClientRow, void, undefined> {
  let rowsDelivered = 0;
  let page: AnsweredPage | undefined = first ?? (await source.firstRows());
  while (page) {
    onPage?.(page);
    for (const row of page.result.rows ?? []) {
      source.checkWanted(rowsDelivered);
      rowsDelivered++;
      yield row;
    }
    page = await source.after(page, rowsDelivered);
  }
}

/**
 * Rows of a query, page after page: the next page is asked for when the rows before it have been taken.
 *
 * ```ts
 * for await (const user of helix.query<User>('SELECT * FROM users').pageSize(500).iter()) { … }
 * ```
 *
 * All pages come from one cluster. It fails over only before its first row; after that a failure is a
 * `ClusterError` with `rowsDelivered`, so that no row is ever repeated or left out. Ending the loop early asks for
 * no more pages.
 *
 * It belongs to the decorated method that made it, wherever it is iterated.
 */
export class CqlIter<Row = CqlRow> implements AsyncIterable<Row> {
  /** @internal */
  readonly [CARRIES_CONTEXT] = true;
  readonly #source: PageSource;
  #page: AnsweredPage | undefined;
  #isUsed = false;

  /** @internal */
  constructor(source: PageSource) {
    this.#source = source;
  }

  /** Columns of the current page; empty before the first. */
  get columns(): readonly CqlColumn[] {
    return this.#page?.result.columns ?? [];
  }

  /** What the server warned of with the current page. */
  get warnings(): readonly string[] {
    return this.#page?.result.info?.warnings ?? [];
  }

  /**
   * Continues after the **whole** current page, in `query().pageState()`. `undefined` before the first page
   * and on the last.
   */
  get pageState(): string | undefined {
    return this.#page && this.#source.stateAfter(this.#page);
  }

  /** Rows of the current page; 0 before the first. */
  get rowCount(): number {
    return this.#page?.result.rows?.length ?? 0;
  }

  /** @throws HelixUsageError when called a second time: the rows are not kept. */
  [Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    if (this.#isUsed) {
      throw new HelixUsageError('An iterator can be iterated once. Build another query for each iteration');
    }
    this.#isUsed = true;
    const rows = rowsOf(this.#source, undefined, (page) => (this.#page = page));
    return rows as AsyncGenerator<unknown, void, undefined> as AsyncGenerator<Row, void, undefined>;
  }
}
