import { Injectable } from '@nestjs/common';
import type { ClusterId, CqlClusterOptions } from 'nestjs-helix';

/** What the application reads from its environment. */
@Injectable()
export class AppConfig {
  readonly #env: NodeJS.ProcessEnv = process.env;

  /** How to connect to a cluster: `CASSANDRA_A_CONTACT_POINTS=10.0.0.1,10.0.0.2` and so on. */
  cluster(cluster: ClusterId): CqlClusterOptions {
    return {
      contactPoints: this.#required(`CASSANDRA_${cluster}_CONTACT_POINTS`).split(','),
      localDataCenter: this.#required(`CASSANDRA_${cluster}_DATACENTER`),
      protocolOptions: { port: Number(this.#env[`CASSANDRA_${cluster}_PORT`] ?? 9042) },
      keyspace: this.#env['CASSANDRA_KEYSPACE'] ?? 'shop',
    };
  }

  /** Cluster to read from at first. Unset: one at random, so that processes spread over both. */
  get readFrom(): ClusterId | undefined {
    const value = this.#env['READ_FROM'];
    if (value === undefined || value === 'A' || value === 'B') return value;
    throw new Error(`READ_FROM must be A or B, received ${value}`);
  }

  #required(name: string): string {
    const value = this.#env[name];
    if (!value) throw new Error(`The environment variable ${name} is missing`);
    return value;
  }
}
