import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cell, compareBytes, TableData } from './index.js';

/** Small enough ranges that everything collides with everything. */
const timeUs = fc.integer({ min: 1, max: 4 });
const rowIndex = fc.integer({ min: 0, max: 2 });
const column = fc.constantFrom('a', 'b');
const NOW_S = 100;

type Write =
  | { readonly kind: 'cell'; readonly row: number; readonly column: string; readonly cell: Cell }
  | { readonly kind: 'element'; readonly row: number; readonly key: number; readonly cell: Cell }
  | { readonly kind: 'clearElements'; readonly row: number; readonly atUs: number }
  | { readonly kind: 'marker'; readonly row: number; readonly cell: Cell }
  /** Rows from one to another, or the whole partition. */
  | { readonly kind: 'delete'; readonly from: number; readonly to: number; readonly atUs: number }
  | { readonly kind: 'deletePartition'; readonly atUs: number };

const cell = fc
  .record({
    value: fc.option(
      fc.constantFrom('', 'x', 'y').map((text) => Buffer.from(text)),
      { nil: undefined },
    ),
    writeTimeUs: timeUs,
    expiresAtS: fc.constantFrom(undefined, undefined, NOW_S - 1, NOW_S + 1, NOW_S + 2),
  })
  // A tombstone has no TTL.
  .map((each): Cell => (each.value ? each : { value: undefined, writeTimeUs: each.writeTimeUs }));
const marker = cell.map((each): Cell => ({ ...each, value: new Uint8Array() }));

const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ kind: fc.constant('cell' as const), row: rowIndex, column, cell }),
  fc.record({ kind: fc.constant('element' as const), row: rowIndex, key: fc.nat(1), cell }),
  fc.record({ kind: fc.constant('clearElements' as const), row: rowIndex, atUs: timeUs }),
  fc.record({ kind: fc.constant('marker' as const), row: rowIndex, cell: marker }),
  fc.record({ kind: fc.constant('delete' as const), from: rowIndex, to: rowIndex, atUs: timeUs }),
  fc.record({ kind: fc.constant('deletePartition' as const), atUs: timeUs }),
);
const writes = fc.array(write, { maxLength: 14 });

const PARTITION = [Buffer.from('p')];
const bytes = (value: number): Uint8Array => Uint8Array.of(value);

function tableOf(all: readonly Write[]): TableData {
  const table = new TableData({ compares: [compareBytes], isReversed: [false] });
  for (const each of all) {
    switch (each.kind) {
      case 'cell':
        table.write({
          partition: PARTITION,
          clustering: [bytes(each.row)],
          columns: [{ column: each.column, cell: each.cell }],
        });
        break;
      case 'element':
        table.write({
          partition: PARTITION,
          clustering: [bytes(each.row)],
          columns: [{ column: 'set', element: bytes(each.key), cell: each.cell }],
        });
        break;
      case 'clearElements':
        table.write({
          partition: PARTITION,
          clustering: [bytes(each.row)],
          columns: [{ column: 'set', deletedUs: each.atUs }],
        });
        break;
      case 'marker':
        table.write({ partition: PARTITION, clustering: [bytes(each.row)], marker: each.cell, columns: [] });
        break;
      case 'delete':
        table.delete({
          partition: PARTITION,
          slice: {
            prefix: [],
            bounds: [
              { operator: '>=', value: bytes(each.from) },
              { operator: '<=', value: bytes(each.to) },
            ],
          },
          deletedUs: each.atUs,
        });
        break;
      case 'deletePartition':
        table.delete({ partition: PARTITION, slice: { prefix: [], bounds: [] }, deletedUs: each.atUs });
    }
  }
  return table;
}

/** What a reader sees, as plain data. */
function seen(table: TableData): object {
  const rows = table.read(PARTITION, NOW_S)?.rows ?? [];
  return rows.map((row) => ({
    row: row.clustering[0]?.[0],
    marker: row.marker && show(row.marker),
    cells: Object.fromEntries([...row.cells].map(([name, each]) => [name, show(each)])),
    elements: [...(row.collections.get('set') ?? [])]
      .sort((a, b) => compareBytes(a.key, b.key))
      .map((each) => [each.key[0], show(each.cell)]),
  }));
}

function show({ value, writeTimeUs, expiresAtS }: Cell): unknown[] {
  return [value && Buffer.from(value).toString(), writeTimeUs, expiresAtS];
}

/** Of all writes to one place, the one that a server with an eternity to sort them would keep. */
function naive(all: readonly Write[]): object {
  const rows = [0, 1, 2].map((row) => {
    const deletions = all.flatMap((each) => {
      if (each.kind === 'deletePartition') return each.atUs;
      return each.kind === 'delete' && each.from <= row && row <= each.to ? each.atUs : [];
    });
    const deletedUs = Math.max(0, ...deletions);
    const survivor = (cells: readonly Cell[], coveredUs = deletedUs): Cell | undefined => {
      const [best] = cells.filter((each) => each.writeTimeUs > coveredUs).sort(laterFirst);
      return best?.value && (best.expiresAtS ?? Infinity) > NOW_S ? best : undefined;
    };
    const clearedUs = all.flatMap((each) =>
      each.kind === 'clearElements' && each.row === row ? each.atUs : [],
    );
    const mine = survivor(
      all.flatMap((each) => (each.kind === 'marker' && each.row === row ? each.cell : [])),
    );
    const cells = ['a', 'b'].flatMap((name) => {
      const best = survivor(
        all.flatMap((each) =>
          each.kind === 'cell' && each.row === row && each.column === name ? each.cell : [],
        ),
      );
      return best ? [[name, show(best)] as const] : [];
    });
    const elements = [0, 1].flatMap((key) => {
      const best = survivor(
        all.flatMap((each) =>
          each.kind === 'element' && each.row === row && each.key === key ? each.cell : [],
        ),
        Math.max(deletedUs, ...clearedUs),
      );
      return best ? [[key, show(best)]] : [];
    });
    return { row, marker: mine && show(mine), cells: Object.fromEntries(cells), elements };
  });
  return rows.filter(
    ({ marker: mine, cells, elements }) => mine ?? (Object.keys(cells).length > 0 || elements.length > 0),
  );
}

/** Later; then without value; then with the later end of its TTL, none being the earliest; then greater. */
function laterFirst(a: Cell, b: Cell): number {
  return (
    b.writeTimeUs - a.writeTimeUs ||
    Number(!b.value) - Number(!a.value) ||
    (b.expiresAtS ?? 0) - (a.expiresAtS ?? 0) ||
    Buffer.compare(b.value ?? Buffer.alloc(0), a.value ?? Buffer.alloc(0))
  );
}

describe('a table of cells', () => {
  it('is the same after the same writes in any order and any number of times', () => {
    const twoOrders = writes.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2, maxLength: all.length * 2 }),
      ),
    );
    fc.assert(
      fc.property(twoOrders, ([once, shuffledTwice]) => {
        expect(seen(tableOf(shuffledTwice))).toEqual(seen(tableOf(once)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('shows of each place the write that wins among all that were made', () => {
    fc.assert(
      fc.property(writes, (all) => {
        expect(seen(tableOf(all))).toEqual(naive(all));
      }),
      { numRuns: 2_000 },
    );
  });
});
