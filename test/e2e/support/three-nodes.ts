import cassandra from 'cassandra-driver';
import { type CassandraCluster, startServers } from '../../servers/index.js';
import { InspectedCluster } from './clusters.js';

/** A cluster of three nodes, read at ALL: what it holds does not depend on which replicas answer. */
export class ThreeNodeCluster extends InspectedCluster {
  constructor(readonly cluster: CassandraCluster) {
    super(cluster.clientOptions, cassandra.types.consistencies.all);
  }

  /** Driver options for an application under test: every node is a contact point. */
  options(keyspace: string) {
    return { ...this.cluster.clientOptions, keyspace };
  }

  heal(): Promise<void> {
    return this.cluster.heal();
  }

  close = (): Promise<void> => this.disconnect();
}

export interface ThreeNodePair {
  readonly A: ThreeNodeCluster;
  readonly B: ThreeNodeCluster;
  /** Six servers are too many for the files that come after. */
  stop(): Promise<void>;
}

export async function startThreeNodePair(): Promise<ThreeNodePair> {
  const startMs = performance.now();
  const servers = await startServers({ threeNodes: 2, keepLogs: 'test-results/logs' });
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  process.stdout.write(`Two clusters of three nodes were ready after ${seconds} s.\n`);
  const [A, B] = servers.threeNodes.map((cluster) => new ThreeNodeCluster(cluster));
  return {
    A: A!,
    B: B!,
    stop: async () => {
      await Promise.all([A!.close(), B!.close()]);
      await servers.stop();
    },
  };
}
