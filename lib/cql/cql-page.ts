import type { ClusterId } from '../core/index.js';
import type { CqlColumn, CqlRow } from './cql-client.js';
import type { PageSource } from './cql-iter.js';
import type { AnsweredPage } from './cql-read.js';

/** One page of a query. */
export interface CqlPage<Row = CqlRow> {
  /** Its rows; a page that is not the last may have none. */
  readonly rows: Row[];
  /** How many rows it has. */
  readonly rowCount: number;
  /** For `query().pageState()`, to go on after this page. `undefined`: this was the last one. */
  readonly pageState: string | undefined;
  /** In the order of the statement. */
  readonly columns: readonly CqlColumn[];
  /** What the server warned of. */
  readonly warnings: readonly string[];
  /** The cluster that answered. The next page comes from it too. */
  readonly cluster: ClusterId;
}

export function toPage<Row>(source: PageSource, page: AnsweredPage): CqlPage<Row> {
  const { rows = [], columns, info } = page.result;
  return {
    rows: rows as readonly unknown[] as Row[],
    rowCount: rows.length,
    pageState: source.stateAfter(page),
    columns: columns ?? [],
    warnings: info?.warnings ?? [],
    cluster: page.cluster,
  };
}
