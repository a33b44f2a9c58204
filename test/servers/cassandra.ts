import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import {
  cassandraConfig,
  logbackConfig,
  memoryFlags,
  moduleFlags,
  singleNodeFlags,
} from './cassandra-config.js';
import { cassandraJars } from './cassandra-jars.js';
import { findJava } from './java.js';
import { answers } from './answers.js';
import { freePort } from './ports.js';
import type { Command } from './process-tree.js';
import { ServerProcess, started } from './server-process.js';
import type { CassandraServer, ServerOptions } from './server.js';

export interface CassandraOptions extends ServerOptions {
  /** Default: the server's name. */
  clusterName?: string;
}

/** A cluster of one Cassandra node. */
export async function startCassandra(options: CassandraOptions = {}): Promise<CassandraServer> {
  const java = await findJava();
  return started(new CassandraProcess(java, await cassandraJars(), options));
}

class CassandraProcess extends ServerProcess implements CassandraServer {
  readonly clusterName: string;
  protected readonly announcement = 'Startup complete';
  readonly #java: string;
  readonly #jars: string[];

  constructor(java: string, jars: string[], options: CassandraOptions) {
    super('cassandra', options);
    this.clusterName = options.clusterName ?? this.name;
    this.#java = java;
    this.#jars = jars;
  }

  get clientOptions(): CassandraServer['clientOptions'] {
    return {
      contactPoints: [this.host],
      localDataCenter: 'datacenter1',
      protocolOptions: { port: this.port },
    };
  }

  protected async configure(port: number): Promise<void> {
    const { clusterName, directory, host } = this;
    const storagePort = await freePort(host);
    mkdirSync(join(directory, 'conf'), { recursive: true });
    writeFileSync(
      join(directory, 'conf/cassandra.yaml'),
      cassandraConfig({ clusterName, directory, host, port, storagePort }),
    );
    writeFileSync(join(directory, 'conf/logback.xml'), logbackConfig);
  }

  protected command(): Command {
    const { directory } = this;
    const jamm = this.#jars.find((jar) => /^jamm-[\d.]+\.jar$/.test(basename(jar)));
    if (jamm === undefined) throw new Error('The jamm agent is missing among the jars of Cassandra.');
    return {
      file: this.#java,
      args: [
        `-javaagent:${jamm}`,
        ...moduleFlags,
        ...memoryFlags,
        ...singleNodeFlags,
        '-Djava.net.preferIPv4Stack=true',
        `-Djava.io.tmpdir=${directory}`,
        `-Dlogback.configurationFile=${directory}/conf/logback.xml`,
        `-Dcassandra.config=file://${directory}/conf/cassandra.yaml`,
        `-Dcassandra.storagedir=${directory}`,
        `-Dcassandra.logdir=${directory}/logs`,
        '-Dcassandra-foreground=yes',
        '-cp',
        this.#jars.join(delimiter),
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
