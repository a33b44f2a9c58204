export { type Cell, compareBytes, winner } from './cell.js';
export { type Key, keyId } from './key.js';
export { type ColumnWrite, type Element, type LiveRow } from './row.js';
export {
  type Bound,
  type BoundOperator,
  type Compare,
  satisfies,
  type Slice,
  WHOLE_PARTITION,
} from './slice.js';
export {
  type LivePartition,
  type RowOrder,
  type RowsDeletion,
  type RowWrite,
  TableData,
} from './table-data.js';
