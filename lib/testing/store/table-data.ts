import { type Cell, NEVER } from './cell.js';
import { type Key, keyId } from './key.js';
import { type ColumnWrite, type LiveRow, Row } from './row.js';
import { type Compare, covers, isWholePartition, type Slice, sliceId } from './slice.js';

/** A write to one row. */
export interface RowWrite {
  readonly partition: Key;
  /** `undefined`: the static columns of the partition. */
  readonly clustering: Key | undefined;
  readonly marker?: Cell | undefined;
  readonly columns: readonly ColumnWrite[];
}

/** A deletion of whole rows. */
export interface RowsDeletion {
  readonly partition: Key;
  readonly slice: Slice;
  readonly deletedUs: number;
}

/** A partition as a reader sees it. */
export interface LivePartition {
  readonly key: Key;
  readonly statics: LiveRow | undefined;
  /** In the order of the table. */
  readonly rows: readonly LiveRow[];
}

interface Partition {
  readonly key: Key;
  readonly statics: Row;
  readonly rows: Map<string, { readonly clustering: Key; readonly row: Row }>;
  readonly deletions: Map<string, { readonly slice: Slice; readonly deletedUs: number }>;
}

export interface RowOrder {
  /** Natural order of each component of the clustering key. */
  readonly compares: readonly Compare[];
  /** Whether the table stores that component from the greatest to the least. */
  readonly isReversed: readonly boolean[];
}

/**
 * The cells of one table with their write times, and what was deleted. The same writes and deletions give the
 * same rows in whatever order and however often they come: nothing here knows CQL, types or time.
 */
export class TableData {
  readonly #partitions = new Map<string, Partition>();

  constructor(private readonly order: RowOrder) {}

  write({ partition: key, clustering, marker, columns }: RowWrite): void {
    const partition = this.#partition(key);
    const row = clustering ? rowOf(partition, clustering) : partition.statics;
    if (marker) row.mark(marker);
    for (const column of columns) row.write(column);
  }

  delete({ partition: key, slice, deletedUs }: RowsDeletion): void {
    const { deletions } = this.#partition(key);
    const id = sliceId(slice);
    const beforeUs = deletions.get(id)?.deletedUs ?? NEVER;
    deletions.set(id, { slice, deletedUs: Math.max(beforeUs, deletedUs) });
  }

  clear(): void {
    this.#partitions.clear();
  }

  /** @param nowS seconds since the epoch, for what has expired */
  read(key: Key, nowS: number): LivePartition | undefined {
    const partition = this.#partitions.get(keyId(key));
    return partition && this.#readPartition(partition, nowS);
  }

  /** Every partition with something live in it, in the order of their keys' bytes. */
  readAll(nowS: number): LivePartition[] {
    return [...this.#partitions.keys()].sort().flatMap((id) => {
      const partition = this.#partitions.get(id);
      return (partition && this.#readPartition(partition, nowS)) ?? [];
    });
  }

  /** How two rows of a partition stand to each other in the order of the table. */
  compare(a: Key, b: Key): number {
    for (const [i, compare] of this.order.compares.entries()) {
      const [left, right] = [a[i], b[i]];
      const order = left && right ? compare(left, right) : 0;
      if (order !== 0) return this.order.isReversed[i] ? -order : order;
    }
    return 0;
  }

  #readPartition({ key, statics, rows, deletions }: Partition, nowS: number): LivePartition | undefined {
    const deletedUs = (isDeleted: (slice: Slice) => boolean): number => {
      let latestUs = NEVER;
      for (const deletion of deletions.values()) {
        if (isDeleted(deletion.slice)) latestUs = Math.max(latestUs, deletion.deletedUs);
      }
      return latestUs;
    };
    const live = [...rows.values()].flatMap(({ clustering, row }) => {
      const coveredUs = deletedUs((slice) => covers(slice, clustering, this.order.compares));
      return row.read(coveredUs, nowS) ?? [];
    });
    const liveStatics = statics.read(deletedUs(isWholePartition), nowS);
    if (live.length === 0 && !liveStatics) return undefined;
    live.sort((a, b) => this.compare(a.clustering, b.clustering));
    return { key, statics: liveStatics, rows: live };
  }

  #partition(key: Key): Partition {
    const id = keyId(key);
    let partition = this.#partitions.get(id);
    if (!partition) {
      partition = { key, statics: new Row([]), rows: new Map(), deletions: new Map() };
      this.#partitions.set(id, partition);
    }
    return partition;
  }
}

function rowOf({ rows }: Partition, clustering: Key): Row {
  const id = keyId(clustering);
  let entry = rows.get(id);
  if (!entry) rows.set(id, (entry = { clustering, row: new Row(clustering) }));
  return entry.row;
}
