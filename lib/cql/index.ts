export { type CallRunner, type DualWriteCallOptions, type StickyReadCallOptions } from './call-options.js';
export { type Consistency, consistencyCode, type ConsistencyName } from './consistency.js';
export { type BatchKind, CqlBatch } from './cql-batch.js';
export {
  type CqlClient,
  type CqlClientInfo,
  type CqlClientOptions,
  type CqlClientResult,
  type CqlClientRow,
  type CqlColumn,
  type CqlColumnType,
  type CqlRow,
} from './cql-client.js';
export { type CqlContext } from './cql-context.js';
export { CqlIter } from './cql-iter.js';
export { type CqlPage } from './cql-page.js';
export { CqlBuilder, CqlQuery } from './cql-query.js';
export { CqlReplayTarget } from './cql-replay-target.js';
export { type CqlResultInfo, CqlResultSet } from './cql-result-set.js';
export {
  type CqlClusterOptions,
  CqlSession,
  type Driver,
  loadDriver,
  parametersSignature,
  type PreparedBatchItem,
  type PreparedRequests,
  type PreparedText,
} from './driver/index.js';
export { type CqlExecuteOptions } from './execute.js';
export { HelixCqlService, type OnBothOptions } from './helix-cql.service.js';
export { scanStatement, type Token as TextToken, tokenise } from './scanner.js';
export { checkedAck, checkedPriority, checkedTimeoutMs } from './settings.js';
export { type CqlParams, type CqlSessions, Statements } from './statement.js';
