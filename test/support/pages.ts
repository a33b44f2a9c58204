import type { ClusterId } from '../../lib/core/index.js';
import { type Answer, columns, type Executed, type FakeCqlClient, row, type } from './fake-cql-client.js';

/** A failure instead of a page, by the number of the page. */
export type Failures = Readonly<Record<number, Error | 'never'>>;

export const PAGE_COLUMNS = columns({ id: type('int'), home: type('text') });

/** The driver's state with which the page of that number is asked for. */
export function driverState(cluster: ClusterId, page: number): string {
  return Buffer.from(`${cluster}${page}`).toString('hex');
}

/** Row of a cluster: which one it came from shows. */
export function pageRow(cluster: ClusterId, id: number): { id: number; home: ClusterId } {
  return { id, home: cluster };
}

/** Has a client answer with pages of so many rows each, numbered through, and fail instead of some of them. */
export function servePages(
  client: FakeCqlClient,
  cluster: ClusterId,
  sizes: readonly number[],
  failures: Failures = {},
): void {
  client.serve = ({ options }: Executed): Answer => {
    const page = pageOf(cluster, options['pageState'] as string | undefined);
    const failure = failures[page];
    if (failure !== undefined) return failure;
    const before = sizes.slice(0, page).reduce((sum, size) => sum + size, 0);
    const rows = Array.from({ length: sizes[page] ?? 0 }, (_, i) => row(pageRow(cluster, before + i)));
    const next = page + 1 < sizes.length ? { pageState: driverState(cluster, page + 1) } : {};
    return { rows, columns: PAGE_COLUMNS, warnings: [`page ${page} of ${cluster}`], ...next };
  };
}

/** Which pages a client was asked for, in this order. */
export function askedPages(client: FakeCqlClient, cluster: ClusterId): number[] {
  return client.executed.map(({ options }) => pageOf(cluster, options['pageState'] as string | undefined));
}

function pageOf(cluster: ClusterId, state: string | undefined): number {
  if (state === undefined) return 0;
  const spelled = Buffer.from(state, 'hex').toString();
  // A real cluster would answer with wrong rows.
  if (!spelled.startsWith(cluster)) throw new Error(`page state ${spelled} was given to ${cluster}`);
  return Number(spelled.slice(1));
}
