import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { cassandraConfig, logbackConfig, memoryFlags, moduleFlags, startFlags } from './cassandra-config.js';
import { answers } from './answers.js';
import { freePort } from './ports.js';
import type { Command } from './process-tree.js';
import { ServerProcess } from './server-process.js';
import type { CassandraServer, ServerOptions } from './server.js';

export interface CassandraOptions extends ServerOptions {
  /** Default: the server's name. */
  clusterName?: string;
  /** Whoever connects has to say who it is: `cassandra` with the password `cassandra`, at first. Default false. */
  asksForPassword?: boolean;
}

/** What every node runs with. */
export interface CassandraInstallation {
  java: string;
  jars: string[];
}

/** The place of a node in a cluster of several, which is known before any of them has started. */
export interface CassandraSeat {
  host: string;
  port: number;
  storagePort: number;
  /** Hosts of all nodes. */
  hosts: readonly string[];
  token: bigint;
}

export const localDataCenter = 'datacenter1';

/** One node; without a seat it is a cluster of its own. */
export class CassandraNode extends ServerProcess implements CassandraServer {
  readonly clusterName: string;
  protected readonly announcement = 'Startup complete';
  readonly #installation: CassandraInstallation;
  readonly #asksForPassword: boolean;
  readonly #seat: CassandraSeat | undefined;

  constructor(installation: CassandraInstallation, options: CassandraOptions, seat?: CassandraSeat) {
    super('cassandra', options, seat);
    this.clusterName = options.clusterName ?? this.name;
    this.#installation = installation;
    this.#asksForPassword = options.asksForPassword ?? false;
    this.#seat = seat;
  }

  get clientOptions(): CassandraServer['clientOptions'] {
    return {
      contactPoints: [this.host],
      localDataCenter,
      protocolOptions: { port: this.port },
    };
  }

  protected async configure(port: number): Promise<void> {
    const { clusterName, directory, host } = this;
    const storagePort = this.#seat?.storagePort ?? (await freePort(host));
    const seeds = this.#seat?.hosts ?? [host];
    const asksForPassword = this.#asksForPassword;
    mkdirSync(join(directory, 'conf'), { recursive: true });
    writeFileSync(
      join(directory, 'conf/cassandra.yaml'),
      cassandraConfig({ clusterName, directory, host, port, storagePort, seeds, asksForPassword }),
    );
    writeFileSync(join(directory, 'conf/logback.xml'), logbackConfig);
  }

  protected command(): Command {
    const { directory } = this;
    const { java, jars } = this.#installation;
    const jamm = jars.find((jar) => /^jamm-[\d.]+\.jar$/.test(basename(jar)));
    if (jamm === undefined) throw new Error('The jamm agent is missing among the jars of Cassandra.');
    return {
      file: java,
      args: [
        `-javaagent:${jamm}`,
        ...moduleFlags,
        ...memoryFlags,
        ...startFlags({ token: this.#seat?.token ?? 0n, nodes: this.#seat?.hosts.length ?? 1 }),
        '-Djava.net.preferIPv4Stack=true',
        `-Djava.io.tmpdir=${directory}`,
        `-Dlogback.configurationFile=${directory}/conf/logback.xml`,
        `-Dcassandra.config=file://${directory}/conf/cassandra.yaml`,
        `-Dcassandra.storagedir=${directory}`,
        `-Dcassandra.logdir=${directory}/logs`,
        '-Dcassandra-foreground=yes',
        '-cp',
        jars.join(delimiter),
        'org.apache.cassandra.service.CassandraDaemon',
      ],
      cwd: directory,
      // With it Cassandra locks all its memory (mlockall) and doubles its resident size.
      dropIpcLock: true,
    };
  }

  protected accepts(): Promise<boolean> {
    return answers(this, optionsRequest, (answer) => answer[4] === supportedOpcode);
  }
}

/** An OPTIONS request of CQL protocol 4 and the opcode of its answer. */
const optionsRequest = Buffer.from([4, 0, 0, 0, 5, 0, 0, 0, 0]);
const supportedOpcode = 6;
