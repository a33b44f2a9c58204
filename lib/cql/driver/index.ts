export { classifyReadError, classifyWriteError, isEncodingError } from './classify.js';
export {
  type CqlClusterOptions,
  CqlSession,
  type PreparedStatement,
  type StatementOptions,
  type UnsafeColumns,
} from './cql-session.js';
export { type Column, type Driver, loadDriver, type Token } from './driver-internals.js';
export { sharedToken, type SharedToken } from './routing-token.js';
export { parametersSignature } from './types.js';
