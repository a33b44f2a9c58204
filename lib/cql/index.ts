export { type Consistency, type ConsistencyName } from './consistency.js';
export { type BatchKind, CqlBatch } from './cql-batch.js';
export {
  type CqlClient,
  type CqlClientOptions,
  type CqlClientResult,
  type CqlClientRow,
  type CqlRow,
} from './cql-client.js';
export { type CqlContext } from './cql-context.js';
export { CqlBuilder, CqlQuery } from './cql-query.js';
export { CqlReplayTarget } from './cql-replay-target.js';
export { type CqlClusterOptions, CqlSession, type Driver, loadDriver } from './driver/index.js';
export { HelixCqlService, type OnBothOptions } from './helix-cql.service.js';
export { type CqlParams, type CqlSessions, Statements } from './statement.js';
