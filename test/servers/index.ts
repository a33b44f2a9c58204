export { startCassandra } from './cassandra.js';
export { startCassandraCluster, type CassandraClusterOptions } from './cassandra-cluster.js';
export type { CassandraOptions } from './cassandra-node.js';
export { CqlConnection, type SchemaEvent } from './cql-connection.js';
export { type CqlProxy, startCqlProxy } from './cql-proxy.js';
export { startFaultProxy, type FaultProxy } from './fault-proxy.js';
export { startNats } from './nats.js';
export { startPostgres } from './postgres.js';
export type {
  CassandraCluster,
  CassandraServer,
  NatsServer,
  PostgresServer,
  Server,
  ServerOptions,
} from './server.js';
export { startServers, type Servers, type WantedServers } from './servers.js';
