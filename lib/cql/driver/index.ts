export { classifyReadError, classifyWriteError, isEncodingError } from './classify.js';
export { type CqlClusterOptions, CqlSession, type StatementOptions } from './cql-session.js';
export { type Column, type ColumnType, type Token } from './driver-internals.js';
export { type Driver, loadDriver } from './load-driver.js';
export { type PreparedBatchItem, type PreparedRequests, type PreparedText } from './prepared-requests.js';
export { sharedToken, type SharedToken } from './routing-token.js';
export { type SchemaView, type TableColumns, type TableDescription } from './schema-view.js';
export { hasUdt, parametersSignature, setsMore, takes, TYPE_CODE } from './types.js';
export { isUnprepared } from './unprepared.js';
