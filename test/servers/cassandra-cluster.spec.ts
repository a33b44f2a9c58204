import cassandra from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCassandraCluster, type CassandraCluster, type CassandraServer } from './index.js';

const { all, localQuorum } = cassandra.types.consistencies;
const insert = 'INSERT INTO kept.users (id, name) VALUES (?, ?)';

describe('a Cassandra cluster of three nodes', () => {
  let cluster: CassandraCluster;
  const clients: cassandra.Client[] = [];

  async function connected(options: Partial<cassandra.ClientOptions> = {}): Promise<cassandra.Client> {
    const client = new cassandra.Client({
      ...cluster.clientOptions,
      // Its control connection stays away from the nodes that are hurt here.
      contactPoints: [cluster.nodes[0]!.host],
      policies: { reconnection: new cassandra.policies.reconnection.ConstantReconnectionPolicy(100) },
      ...options,
    });
    clients.push(client);
    await client.connect();
    return client;
  }

  /** Sent to this node alone. */
  async function askedAt({ host, port }: CassandraServer, cql: string): Promise<cassandra.types.Row[]> {
    const { RoundRobinPolicy, WhiteListPolicy } = cassandra.policies.loadBalancing;
    const client = await connected({
      contactPoints: [host],
      policies: { loadBalancing: new WhiteListPolicy(new RoundRobinPolicy(), [`${host}:${port}`]) },
    });
    return (await client.execute(cql)).rows;
  }

  const hostId = async (node: CassandraServer): Promise<string> =>
    String((await askedAt(node, 'SELECT host_id FROM system.local'))[0]!['host_id']);

  beforeAll(async () => {
    cluster = await startCassandraCluster({ name: 'cluster-spec' });
    const client = await connected();
    await client.execute(
      `CREATE KEYSPACE kept WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}`,
    );
    await client.execute('CREATE TABLE kept.users (id int PRIMARY KEY, name text)');
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.shutdown()));
    await cluster.heal();
  });
  afterAll(() => cluster.stop());

  it('is one ring: every node is on an address of its own and knows the two others', async () => {
    const hosts = cluster.nodes.map(({ host }) => host);
    expect(new Set(hosts).size).toBe(3);
    for (const node of cluster.nodes) {
      expect(node.port).toBe(cluster.port);
      const peers = await askedAt(node, 'SELECT peer FROM system.peers');
      const others = hosts.filter((host) => host !== node.host);
      expect(peers.map(({ peer }: cassandra.types.Row) => String(peer)).sort()).toEqual(others);
    }
  });

  it('serves a quorum while a node is killed, and that node comes back as the one it was', async () => {
    const node = cluster.nodes[2]!;
    const { host, pid } = node;
    const id = await hostId(node);
    const client = await connected();
    const write = (key: number) =>
      client.execute(insert, [key, 'Ada'], { prepare: true, consistency: localQuorum });
    await write(0);
    await node.kill();
    for (let key = 1; key <= 20; key++) {
      const { info } = await write(key);
      expect(info.queriedHost).not.toContain(`${host}:`);
    }

    await node.restart();
    expect(node.pid).not.toBe(pid);
    expect([node.host, await hostId(node)]).toEqual([host, id]);
    // Seen by the others: not one of them says that a replica is missing.
    await client.execute(insert, [21, 'Ada'], { prepare: true, consistency: all });
    const coordinator = async (): Promise<string> => (await write(22)).info.queriedHost;
    await expect
      .poll(coordinator, { timeout: 10_000, interval: 20, message: 'the client uses it again' })
      .toBe(`${host}:${node.port}`);
  });

  it('serves a quorum while a node is frozen, and all of it once that is thawed', async () => {
    const node = cluster.nodes[1]!;
    const [first] = cluster.nodes;
    const { RoundRobinPolicy, WhiteListPolicy } = cassandra.policies.loadBalancing;
    const client = await connected({
      policies: {
        loadBalancing: new WhiteListPolicy(new RoundRobinPolicy(), [`${first!.host}:${first!.port}`]),
      },
      socketOptions: { readTimeout: 1_000 },
    });
    const write = (consistency: number) =>
      client.execute(insert, [100, 'Ada'], { prepare: true, consistency, isIdempotent: false });
    node.freeze();
    expect(node.running).toBe(true);
    await write(localQuorum);
    await expect(write(all)).rejects.toBeInstanceOf(cassandra.errors.OperationTimedOutError);

    node.thaw();
    await cluster.united();
    await write(all);
  });
});
