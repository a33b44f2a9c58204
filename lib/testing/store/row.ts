import { type Cell, isLive, NEVER, winner } from './cell.js';
import { type Key, keyId } from './key.js';

/** What a write does to one column of a row. */
export type ColumnWrite =
  | { readonly column: string; readonly cell: Cell }
  /** One element of a collection, by its key. */
  | { readonly column: string; readonly element: Uint8Array; readonly cell: Cell }
  /** Every element of a collection written until then. */
  | { readonly column: string; readonly deletedUs: number };

export interface Element {
  readonly key: Uint8Array;
  readonly cell: Cell;
}

interface Collection {
  deletedUs: number;
  readonly elements: Map<string, Element>;
}

/** A row as a reader sees it: live cells only. */
export interface LiveRow {
  readonly clustering: Key;
  /** What an INSERT leaves beside its cells: it keeps a row alive whose columns are all null. */
  readonly marker: Cell | undefined;
  readonly cells: ReadonlyMap<string, Cell & { readonly value: Uint8Array }>;
  /** Live elements of collections, unordered; a collection without any is absent. */
  readonly collections: ReadonlyMap<string, readonly Element[]>;
}

/** Everything that was ever written to one row, each place keeping the write that wins. */
export class Row {
  #marker: Cell | undefined;
  readonly #cells = new Map<string, Cell>();
  readonly #collections = new Map<string, Collection>();

  constructor(private readonly clustering: Key) {}

  mark(marker: Cell): void {
    this.#marker = this.#marker ? winner(this.#marker, marker) : marker;
  }

  write(write: ColumnWrite): void {
    if ('deletedUs' in write) {
      const collection = this.#collection(write.column);
      collection.deletedUs = Math.max(collection.deletedUs, write.deletedUs);
    } else if ('element' in write) {
      const { elements } = this.#collection(write.column);
      const id = keyId([write.element]);
      const present = elements.get(id);
      elements.set(id, { key: write.element, cell: present ? winner(present.cell, write.cell) : write.cell });
    } else {
      const present = this.#cells.get(write.column);
      this.#cells.set(write.column, present ? winner(present, write.cell) : write.cell);
    }
  }

  /** `undefined` when nothing of the row is live. */
  read(deletedUs: number, nowS: number): LiveRow | undefined {
    const cells = new Map<string, Cell & { value: Uint8Array }>();
    for (const [column, cell] of this.#cells) if (isLive(cell, deletedUs, nowS)) cells.set(column, cell);
    const collections = new Map<string, Element[]>();
    for (const [column, collection] of this.#collections) {
      const coveredUs = Math.max(deletedUs, collection.deletedUs);
      const elements = [...collection.elements.values()].filter(({ cell }) => isLive(cell, coveredUs, nowS));
      if (elements.length > 0) collections.set(column, elements);
    }
    const marker = this.#marker && isLive(this.#marker, deletedUs, nowS) ? this.#marker : undefined;
    if (!marker && cells.size === 0 && collections.size === 0) return undefined;
    return { clustering: this.clustering, marker, cells, collections };
  }

  #collection(column: string): Collection {
    let collection = this.#collections.get(column);
    if (!collection) this.#collections.set(column, (collection = { deletedUs: NEVER, elements: new Map() }));
    return collection;
  }
}
