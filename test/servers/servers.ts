import { startCassandra } from './cassandra.js';
import { startCassandraCluster } from './cassandra-cluster.js';
import { startNats } from './nats.js';
import { startPostgres } from './postgres.js';
import type {
  CassandraCluster,
  CassandraServer,
  NatsServer,
  PostgresServer,
  ServerOptions,
} from './server.js';

export interface WantedServers {
  /** Clusters of one node. */
  cassandra?: number;
  /** Clusters of three nodes. */
  threeNodes?: number;
  postgres?: number;
  nats?: number;
  /** A folder that receives `<name>.log` of every server when it ends. */
  keepLogs?: string;
}

export interface Servers {
  readonly cassandra: readonly CassandraServer[];
  readonly threeNodes: readonly CassandraCluster[];
  readonly postgres: readonly PostgresServer[];
  readonly nats: readonly NatsServer[];
  stop(): Promise<void>;
}

/** Starts what is asked for, all at once. If one fails, the others are stopped. */
export async function startServers({ keepLogs, ...wanted }: WantedServers): Promise<Servers> {
  const starts: Promise<{ stop(): Promise<void> }>[] = [];
  const several = <S extends { stop(): Promise<void> }>(
    kind: string,
    count: number | undefined,
    start: (options: ServerOptions) => Promise<S>,
  ): Promise<S[]> => {
    const names = Array.from({ length: count ?? 0 }, (_, index) => `${kind}-${index + 1}`);
    const those = names.map((name) => start({ name, ...(keepLogs !== undefined && { keepLogs }) }));
    starts.push(...those);
    return Promise.all(those);
  };
  const stop = async () => {
    const running = await Promise.allSettled(starts);
    await Promise.all(running.flatMap((start) => (start.status === 'fulfilled' ? [start.value.stop()] : [])));
  };
  try {
    const [cassandra, threeNodes, postgres, nats] = await Promise.all([
      several('cassandra', wanted.cassandra, startCassandra),
      several('three-nodes', wanted.threeNodes, startCassandraCluster),
      several('postgres', wanted.postgres, startPostgres),
      several('nats', wanted.nats, startNats),
    ]);
    return { cassandra, threeNodes, postgres, nats, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
