export { startCassandra, type CassandraOptions } from './cassandra.js';
export { startFaultProxy, type FaultProxy } from './fault-proxy.js';
export { startNats } from './nats.js';
export { startPostgres } from './postgres.js';
export type { CassandraServer, NatsServer, PostgresServer, Server, ServerOptions } from './server.js';
export { startServers, type Servers, type WantedServers } from './servers.js';
