import { cassandraJars } from './cassandra-jars.js';
import { CassandraNode, type CassandraInstallation, type CassandraOptions } from './cassandra-node.js';
import { findJava } from './java.js';
import { started } from './server-process.js';
import type { CassandraServer } from './server.js';

/** A cluster of one Cassandra node. */
export async function startCassandra(options: CassandraOptions = {}): Promise<CassandraServer> {
  return started(new CassandraNode(await cassandraInstallation(), options));
}

export async function cassandraInstallation(): Promise<CassandraInstallation> {
  const java = await findJava();
  return { java, jars: await cassandraJars() };
}
