import { expect } from 'vitest';
import type { LaneStats, ReplayStats } from '../../lib/index.js';
import { cellsOfBoth } from '../e2e/support/cells.js';
import type { InspectedPair } from '../e2e/support/clusters.js';
import type { WriteResult } from '../e2e/support/load.js';

interface HelixMatchers {
  /** Every write was answered with a receipt. */
  toAllHaveSucceeded(): void;
  /** enqueued = applied + queued + inFlight + deadLettered + purged + superseded + dropped, on both lanes. */
  toAddUp(): void;
  /** Values and write times of a table are the same on both clusters, and there are so many rows. */
  toBeEqualCellByCell(keyspace: string, table: string, rows: number): Promise<void>;
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- declaration merging
  interface Matchers extends HelixMatchers {}
}

expect.extend({
  toAllHaveSucceeded(results: readonly WriteResult[]) {
    const failed = results.filter((result) => 'error' in result);
    return {
      pass: failed.length === 0,
      message: () =>
        `${failed.length} of ${results.length} writes failed, first: ${String(failed[0]?.error)}`,
    };
  },

  toAddUp(stats: ReplayStats) {
    const wrong = (['A', 'B'] as const).filter((cluster) => missing(stats[cluster]) !== 0);
    return {
      pass: wrong.length === 0,
      message: () =>
        wrong
          .map(
            (cluster) =>
              `lane ${cluster} is ${missing(stats[cluster])} short: ${JSON.stringify(stats[cluster])}`,
          )
          .join('; '),
    };
  },

  async toBeEqualCellByCell(pair: InspectedPair, keyspace: string, table: string, rows: number) {
    const { A, B } = await cellsOfBoth(pair, keyspace, table);
    const [inA, inB] = [new Set(A), new Set(B)];
    const onlyA = A.filter((row) => !inB.has(row));
    const onlyB = B.filter((row) => !inA.has(row));
    return {
      pass: onlyA.length === 0 && onlyB.length === 0 && A.length === rows,
      message: () =>
        `expected ${rows} equal rows; A has ${A.length}, B has ${B.length}; only on A: ${onlyA.slice(0, 3).join(' ')}; only on B: ${onlyB.slice(0, 3).join(' ')}`,
    };
  },
});

function missing(lane: LaneStats): number {
  const { enqueued, applied, queued, inFlight, deadLettered, purged, superseded, dropped } = lane;
  return enqueued - (applied + queued + inFlight + deadLettered + purged + superseded + dropped);
}
