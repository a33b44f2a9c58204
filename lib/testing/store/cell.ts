/** A value with its write time: what last-write-wins decides about. */
export interface Cell {
  /** `undefined`: the value was deleted, the cell is a tombstone. */
  readonly value: Uint8Array | undefined;
  /** µs since the epoch. */
  readonly writeTimeUs: number;
  /** From this second since the epoch on it counts as deleted. `undefined`: it has no TTL. */
  readonly expiresAtS?: number | undefined;
}

/** The write time of a deletion that never was. */
export const NEVER = Number.NEGATIVE_INFINITY;

/**
 * The cell that remains of two, whatever order they came in (Cassandra's `Cells.resolveRegular`): the later
 * write; at equal times a tombstone, then one with a TTL, then the later expiry, then the greater bytes.
 */
export function winner(a: Cell, b: Cell): Cell {
  if (a.writeTimeUs !== b.writeTimeUs) return a.writeTimeUs > b.writeTimeUs ? a : b;
  if (!a.value || !b.value) return a.value ? b : a;
  if (a.expiresAtS !== b.expiresAtS) {
    return (a.expiresAtS ?? NEVER) > (b.expiresAtS ?? NEVER) ? a : b;
  }
  return compareBytes(a.value, b.value) >= 0 ? a : b;
}

/** Whether the cell is there for a reader, under the latest deletion that covers it. A deletion wins a tie. */
export function isLive(cell: Cell, deletedUs: number, nowS: number): cell is Cell & { value: Uint8Array } {
  return (
    cell.value !== undefined &&
    cell.writeTimeUs > deletedUs &&
    (cell.expiresAtS === undefined || cell.expiresAtS > nowS)
  );
}

/** Order of unsigned bytes; of two that begin alike, the longer is greater. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
