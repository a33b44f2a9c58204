import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers } from './answers.js';
import { findNats } from './nats-binary.js';
import type { Command } from './process-tree.js';
import { ServerProcess, started } from './server-process.js';
import type { NatsServer, ServerOptions } from './server.js';

/** A NATS server with JetStream. */
export async function startNats(options: ServerOptions = {}): Promise<NatsServer> {
  return started(new NatsProcess(await findNats(), options));
}

class NatsProcess extends ServerProcess implements NatsServer {
  protected readonly announcement = 'Server is ready';
  readonly #binary: string;

  constructor(binary: string, options: ServerOptions) {
    super('nats', options);
    this.#binary = binary;
  }

  get url(): string {
    return `nats://${this.host}:${this.port}`;
  }

  protected async configure(port: number): Promise<void> {
    const { directory, host, name } = this;
    const config = {
      host,
      port,
      server_name: name,
      jetstream: {
        store_dir: join(directory, 'jetstream'),
        max_mem: 64 * 1024 ** 2,
        max_file: 1024 ** 3,
        // An ack means: on disk. By default it is synced every two minutes.
        sync_interval: 'always',
      },
    };
    writeFileSync(join(directory, 'nats.conf'), JSON.stringify(config, null, 2));
  }

  protected command(): Command {
    return { file: this.#binary, args: ['-c', join(this.directory, 'nats.conf')], cwd: this.directory };
  }

  protected accepts(): Promise<boolean> {
    return answers(this, undefined, (greeting) => greeting.toString('latin1').startsWith('INFO '));
  }
}
