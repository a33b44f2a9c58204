export { classifyReadError, classifyWriteError, isEncodingError, type Stage } from './classify.js';
export {
  type CqlClusterOptions,
  CqlSession,
  isBlockedConnect,
  NotConnectedError,
  type PreparedStatement,
  type StatementOptions,
  type UnsafeColumns,
} from './cql-session.js';
export { type Column, type Driver, loadDriver } from './driver-internals.js';
export { parametersSignature } from './types.js';
