import cassandra from 'cassandra-driver';
import { ClientGuard } from '../../../lib/cql/driver/client-guard.js';
import type { DriverClient } from '../../../lib/cql/driver/driver-internals.js';
import { type ClusterId, systemClock } from '../../../lib/core/index.js';
import { type CassandraServer, type FaultProxy, startFaultProxy, startServers } from '../../servers/index.js';

/** What is really there, asked straight at the servers: past every proxy and past Helix. */
export class InspectedCluster {
  readonly #direct: cassandra.Client;

  constructor(options: CassandraServer['clientOptions'], consistency?: number) {
    const { reconnection } = cassandra.policies;
    this.#direct = new cassandra.Client({
      ...options,
      policies: { reconnection: new reconnection.ConstantReconnectionPolicy(100) },
      socketOptions: { readTimeout: 20_000 },
      ...(consistency !== undefined && { queryOptions: { consistency } }),
    });
    // The client outlives every fault of a run, so it needs the guard that Helix gives its own.
    ClientGuard.of(this.#direct as unknown as DriverClient, systemClock);
  }

  /** Runs a statement straight on the server; waits for the client to find its way back after a fault. */
  async run(cql: string): Promise<cassandra.types.ResultSet> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      try {
        const options = { fetchSize: 100_000 };
        const result = await this.#direct.execute(cql, [], options);
        for (let { pageState } = result; pageState;) {
          const page = await this.#direct.execute(cql, [], { ...options, pageState });
          for (const row of page.rows) result.rows.push(row);
          ({ pageState } = page);
        }
        return result;
      } catch (error) {
        if (!(error instanceof cassandra.errors.NoHostAvailableError) || Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Columns of a table, the key's first. */
  async columns(keyspace: string, table: string): Promise<{ keys: string[]; regular: string[] }> {
    const { rows } = await this.run(
      `SELECT column_name, kind FROM system_schema.columns WHERE keyspace_name = '${keyspace}' AND table_name = '${table}'`,
    );
    const names = (isKey: boolean): string[] =>
      rows.filter((row) => (row['kind'] !== 'regular') === isKey).map((row) => row['column_name'] as string);
    return { keys: names(true), regular: names(false) };
  }

  protected disconnect(): Promise<void> {
    return this.#direct.shutdown();
  }
}

/** A real cluster of one node behind a fault proxy. Faults act on the process or on the network before it. */
export class TestCluster extends InspectedCluster {
  constructor(
    readonly server: CassandraServer,
    readonly proxy: FaultProxy,
  ) {
    super(server.clientOptions);
  }

  /** Driver options for an application under test: through the proxy. */
  options(keyspace: string) {
    return {
      contactPoints: [this.proxy.host],
      localDataCenter: this.server.clientOptions.localDataCenter,
      protocolOptions: { port: this.proxy.port },
      keyspace,
    };
  }

  kill = (): Promise<void> => this.server.kill();
  restart = (): Promise<void> => this.server.start();
  freeze = (): void => this.server.freeze();
  thaw = (): void => this.server.thaw();

  /** Ends whatever fault there is. */
  async heal(): Promise<void> {
    this.proxy.pass();
    if (this.server.running) this.server.thaw();
    else await this.server.start();
    await this.run('SELECT key FROM system.local');
  }
}

/** Two clusters, whatever they are made of. */
export type InspectedPair = Readonly<Record<ClusterId, InspectedCluster>>;

export interface TestPair {
  readonly A: TestCluster;
  readonly B: TestCluster;
}

let starting: Promise<TestPair> | undefined;

/** The pair that all files of a run share. It ends with the process. */
export function clusterPair(): Promise<TestPair> {
  return (starting ??= start());
}

async function start(): Promise<TestPair> {
  const { cassandra: servers } = await startServers({ cassandra: 2, keepLogs: 'test-results/logs' });
  const [A, B] = await Promise.all(
    servers.map(async (server) => new TestCluster(server, await startFaultProxy(server))),
  );
  return { A: A!, B: B! };
}

/** A keyspace of one's own on both clusters; `schema` runs in it. */
export async function createKeyspace(
  pair: InspectedPair,
  name: string,
  schema: readonly string[],
  replicas = 1,
): Promise<void> {
  for (const cluster of [pair.A, pair.B]) {
    await cluster.run(
      `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${replicas}}`,
    );
    for (const statement of schema) await cluster.run(statement.replaceAll('$ks', name));
  }
}
