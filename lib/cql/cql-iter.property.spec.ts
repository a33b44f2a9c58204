import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setUpCql } from '../../test/support/cql.js';
import { invalid, timedOut, unreachable } from '../../test/support/fake-cql-client.js';
import { askedPages, type Failures, pageRow, servePages } from '../../test/support/pages.js';
import { type ClusterId, ClusterError, DualClusterError } from '../core/index.js';

interface Row {
  readonly id: number;
  readonly home: ClusterId;
}

/** What a cluster has: its own division into pages, and pages at which it fails. */
interface Layout {
  readonly sizes: readonly number[];
  readonly failures: Failures;
}

const failure = fc.constantFrom(timedOut, unreachable, invalid).map((make) => make());
const layout: fc.Arbitrary<Layout> = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 }),
  failures: fc.dictionary(fc.integer({ min: 0, max: 7 }).map(String), failure, { maxKeys: 2 }),
});

const rowsIn = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
const firstPages = (count: number): number[] => Array.from({ length: count }, (_, page) => page);

/** Pages that must have been asked for when so many rows were taken and the consumer then stopped. */
function pagesFor(rows: number, sizes: readonly number[]): number {
  let pages = 1;
  while (rowsIn(sizes.slice(0, pages)) < rows) pages++;
  return pages;
}

async function iterate(a: Layout, b: Layout, take: number) {
  const { helix, clients } = await setUpCql();
  servePages(clients.A, 'A', a.sizes, a.failures);
  servePages(clients.B, 'B', b.sizes, b.failures);
  const rows: Row[] = [];
  let error: unknown;
  let isStopped = false;
  try {
    for await (const { id, home } of helix.query<Row>('SELECT * FROM users').iter()) {
      rows.push({ id, home });
      isStopped = rows.length === take;
      if (isStopped) break;
    }
  } catch (thrown) {
    error = thrown;
  }
  const asked = { A: askedPages(clients.A, 'A'), B: askedPages(clients.B, 'B') };
  return { rows, error, isStopped, asked };
}

describe('an iteration over clusters that fail at any page', () => {
  it('gives the first rows of one of them, none twice and none left out, or says how many', async () => {
    await fc.assert(
      fc.asyncProperty(layout, layout, fc.integer({ min: 1, max: 30 }), async (a, b, take) => {
        const layouts = { A: a, B: b };
        const { rows, error, isStopped, asked } = await iterate(a, b, take);
        const home = rows[0]?.home;

        // A prefix of the rows of one cluster, in order.
        expect(rows).toEqual(rows.map((_, id) => pageRow(home ?? 'A', id)));
        // No page was asked for twice, and none was left out.
        for (const cluster of ['A', 'B'] as const) {
          expect(asked[cluster]).toEqual(firstPages(asked[cluster].length));
        }

        if (home && isStopped) {
          expect(asked[home]).toHaveLength(pagesFor(rows.length, layouts[home].sizes));
        } else if (home && error) {
          expect(error).toBeInstanceOf(ClusterError);
          expect(error).toMatchObject({ cluster: home, rowsDelivered: rows.length });
          const failed = asked[home].length - 1;
          expect(layouts[home].failures[failed]).toBe((error as ClusterError).cause);
          expect(rows).toHaveLength(rowsIn(layouts[home].sizes.slice(0, failed)));
        } else if (home) {
          expect(rows).toHaveLength(rowsIn(layouts[home].sizes));
          expect(asked[home]).toHaveLength(layouts[home].sizes.length);
        } else if (error instanceof DualClusterError) {
          expect(asked.A.length * asked.B.length).toBeGreaterThan(0);
        } else if (error) {
          expect((error as ClusterError).cause).toMatchObject({ name: 'ResponseError' });
        } else {
          const answered = asked.B.length > 0 ? b : a;
          expect(rowsIn(answered.sizes)).toBe(0);
        }
        // The other cluster is asked only if A failed before its first row.
        if (home === 'A') expect(asked.B).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
