export { type ColumnDefinition } from './ast.js';
export { type Change, wholePartition } from './modification.js';
export { parseStatements } from './parser.js';
export { CqlRefusal } from './refusal.js';
export { Schema, type Table, type TableColumn } from './schema.js';
export { type ReadResult } from './selection.js';
export { apply, compile, type Compiled } from './statement.js';
export { isMultiCell, type CqlType, type WireType } from './types.js';
export { type BoundValue, type Codec, UNSET, type WireColumn } from './values.js';
