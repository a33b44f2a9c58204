import { setTimeout as delay } from 'node:timers/promises';
import cassandra from 'cassandra-driver';
import { cassandraInstallation } from './cassandra.js';
import {
  CassandraNode,
  localDataCenter,
  type CassandraInstallation,
  type CassandraOptions,
  type CassandraSeat,
} from './cassandra-node.js';
import { type LoopbackNetwork, reserveAddresses } from './loopback.js';
import { freePort } from './ports.js';
import type { CassandraCluster, CassandraServer } from './server.js';

export interface CassandraClusterOptions extends CassandraOptions {
  /** How many; default 3. */
  nodes?: number;
}

/** A cluster of several Cassandra nodes, ready when every node sees every other one. */
export async function startCassandraCluster(
  options: CassandraClusterOptions = {},
): Promise<CassandraCluster> {
  const installation = await cassandraInstallation();
  const network = await reserveAddresses(options.nodes ?? 3);
  const hosts = network.addresses;
  const place = { hosts, port: await freePort(...hosts), storagePort: await freePort(...hosts) };
  const cluster = new CassandraNodes(installation, network, place, options);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

type SharedPlace = Pick<CassandraSeat, 'hosts' | 'port' | 'storagePort'>;

class CassandraNodes implements CassandraCluster {
  readonly name: string;
  readonly clusterName: string;
  readonly nodes: readonly ClusterNode[];
  readonly port: number;
  readonly #network: LoopbackNetwork;
  readonly #timeoutMs: number;

  constructor(
    installation: CassandraInstallation,
    network: LoopbackNetwork,
    place: SharedPlace,
    options: CassandraClusterOptions,
  ) {
    this.name = options.name ?? 'cassandra';
    this.clusterName = options.clusterName ?? this.name;
    this.port = place.port;
    this.#network = network;
    this.#timeoutMs = options.startTimeoutMs ?? 90_000;
    this.nodes = place.hosts.map((host, index) => {
      const seat = { ...place, host, token: evenly(index, place.hosts.length) };
      const named = { ...options, name: `${this.name}-${index + 1}`, clusterName: this.clusterName };
      return new ClusterNode(installation, named, seat, () => this.united());
    });
  }

  get clientOptions(): CassandraServer['clientOptions'] {
    const contactPoints = this.nodes.map(({ host }) => host);
    return { contactPoints, localDataCenter, protocolOptions: { port: this.port } };
  }

  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.startAlone()));
    await this.united();
  }

  async united(): Promise<void> {
    const deadline = Date.now() + this.#timeoutMs;
    for (;;) {
      const awake = this.nodes.filter(({ running, frozen }) => running && !frozen);
      const complaints = await this.#complaints(awake);
      if (complaints.length === 0) return;
      if (Date.now() > deadline) {
        const logs = awake.map(({ name, log }) => `The end of the log of ${name}:\n${log.slice(-4_000)}`);
        const what = complaints.join('; ');
        throw new Error(
          `${this.name} was not united after ${this.#timeoutMs} ms: ${what}.\n${logs.join('\n')}`,
        );
      }
      await delay(100);
    }
  }

  async heal(): Promise<void> {
    await Promise.all(
      this.nodes.map(async (node) => {
        if (node.running) node.thaw();
        else await node.startAlone();
      }),
    );
    await this.united();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.#network.release();
  }

  async #complaints(awake: readonly ClusterNode[]): Promise<string[]> {
    const views = await Promise.all(
      awake.map((node) => viewOf(node).catch((error: unknown) => `${node.name} says: ${String(error)}`)),
    );
    const seen = views.filter((view) => typeof view !== 'string');
    const complaints = views.filter((view) => typeof view === 'string');
    for (const { name, known, alive } of seen) {
      if (known < this.nodes.length) complaints.push(`${name} knows ${known} nodes`);
      else if (alive < awake.length) complaints.push(`${name} sees ${alive} nodes up`);
    }
    const schemas = new Set(seen.map(({ schema }) => schema));
    if (schemas.size > 1) complaints.push(`there are ${schemas.size} schema versions`);
    return complaints;
  }
}

/** A node that has started when the others see it. */
class ClusterNode extends CassandraNode {
  frozen = false;
  readonly #united: () => Promise<void>;

  constructor(
    installation: CassandraInstallation,
    options: CassandraOptions,
    seat: CassandraSeat,
    united: () => Promise<void>,
  ) {
    super(installation, options, seat);
    this.#united = united;
  }

  startAlone(): Promise<void> {
    return super.start();
  }

  override async start(): Promise<void> {
    await this.startAlone();
    await this.#united();
  }

  override async kill(): Promise<void> {
    await super.kill();
    this.frozen = false;
  }

  override freeze(): void {
    super.freeze();
    this.frozen = true;
  }

  override thaw(): void {
    super.thaw();
    this.frozen = false;
  }
}

/** Tokens that give every node of a cluster the same share of the ring. */
function evenly(index: number, count: number): bigint {
  return -(2n ** 63n) + (BigInt(index + 1) * 2n ** 64n) / BigInt(count + 1);
}

interface View {
  name: string;
  schema: string;
  /** Nodes in its tables, up or down. */
  known: number;
  /** Nodes it takes for up. */
  alive: number;
}

/** What a node thinks of its cluster, asked at the node itself. */
async function viewOf({ name, host, port }: CassandraServer): Promise<View> {
  const { loadBalancing, retry } = cassandra.policies;
  const client = new cassandra.Client({
    contactPoints: [host],
    localDataCenter,
    protocolOptions: { port },
    isMetadataSyncEnabled: false,
    pooling: { warmup: false },
    socketOptions: { connectTimeout: 2_000, readTimeout: 6_000 },
    policies: {
      loadBalancing: new loadBalancing.WhiteListPolicy(new loadBalancing.RoundRobinPolicy(), [
        `${host}:${port}`,
      ]),
      retry: new retry.FallthroughRetryPolicy(),
    },
  });
  try {
    const local = await client.execute('SELECT schema_version FROM system.local');
    const peers = await client.execute('SELECT peer FROM system.peers');
    const known = peers.rowLength + 1;
    const schema = String(local.first()['schema_version']);
    return { name, schema, known, alive: await aliveOf(client, known) };
  } finally {
    await client.shutdown();
  }
}

/**
 * Every node has a replica of system_distributed (see `startFlags`): at ALL a coordinator sends to none as long
 * as it takes one for down, and says how many are up.
 */
async function aliveOf(client: cassandra.Client, all: number): Promise<number> {
  const { responseErrorCodes: codes, consistencies } = cassandra.types;
  try {
    await client.execute('SELECT view_name FROM system_distributed.view_build_status', [], {
      consistency: consistencies.all,
    });
    return all;
  } catch (error) {
    const { code, alive } = error as { code?: number; alive?: number };
    if (code === codes.readTimeout) return all; // it did send
    if (code === codes.unavailableException && alive !== undefined) return alive;
    throw error;
  }
}
