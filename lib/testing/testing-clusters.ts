import type { Clock } from '../core/index.js';
import type { StatementPattern } from './faults.js';
import type { GivenRows } from './in-memory-client.js';
import { type InMemoryCluster, type Respond, seedTimeUs } from './in-memory-cluster.js';
import type { StoredCell } from './stored-cells.js';

/** A cell that is on one cluster alone, or not the same on both. */
export interface CellDifference {
  readonly table: string;
  readonly A: StoredCell | undefined;
  readonly B: StoredCell | undefined;
}

/** The two clusters of an instance made by `HelixTestingModule`, and what concerns both. */
export class HelixTestingClusters {
  readonly #clock: Clock;

  /** @internal Made by `HelixTestingModule`. */
  constructor(
    readonly A: InMemoryCluster,
    readonly B: InMemoryCluster,
    clock: Clock,
  ) {
    this.#clock = clock;
  }

  /** The same rows with the same write times on both. See {@link InMemoryCluster.seed}. */
  seed(table: string, rows: GivenRows, options: { readonly writeTimeUs?: number } = {}): void {
    const writeTimeUs = options.writeTimeUs ?? seedTimeUs(this.#clock);
    for (const cluster of [this.A, this.B]) cluster.seed(table, rows, { writeTimeUs });
  }

  /** The same answer by hand on both. See {@link InMemoryCluster.respond}. */
  respond(pattern: StatementPattern, respond: Respond): void {
    for (const cluster of [this.A, this.B]) cluster.respond(pattern, respond);
  }

  /** Empties both. */
  clear(): void {
    for (const cluster of [this.A, this.B]) cluster.clear();
  }

  /**
   * What one cluster has and the other has not, value and write time compared; `[]` when they are equal.
   *
   * @param table Default: every table that both have
   */
  differences(table?: string): CellDifference[] {
    const tables =
      table === undefined ? this.A.tables.filter((each) => this.B.tables.includes(each)) : [table];
    return tables.flatMap((each) => {
      const [a, b] = [this.A, this.B].map(
        (cluster) => new Map(cluster.comparable(each).map((cell) => [cell.id, cell])),
      );
      const ids = new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])]);
      return [...ids].flatMap((id) => {
        const [onA, onB] = [a?.get(id), b?.get(id)];
        return onA?.content === onB?.content ? [] : { table: each, A: onA?.cell, B: onB?.cell };
      });
    });
  }
}
