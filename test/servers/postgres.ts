import { chownSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { answers } from './answers.js';
import { postgresBinaries } from './postgres-binaries.js';
import { isRoot, run, type Command } from './process-tree.js';
import { ServerProcess, started } from './server-process.js';
import type { PostgresServer, ServerOptions } from './server.js';

/** PostgreSQL refuses to run as root: the account nobody stands in. */
const nobody = 65_534;

export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  return started(new PostgresProcess(await postgresBinaries(), options));
}

class PostgresProcess extends ServerProcess implements PostgresServer {
  readonly user = 'helix';
  protected readonly announcement = 'database system is ready to accept connections';
  /** After SIGKILL the kernel may take a moment to let go of what the last backend process held. */
  protected override readonly passing =
    /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;
  readonly #binaries: string;

  constructor(binaries: string, options: ServerOptions) {
    super('postgres', options);
    this.#binaries = binaries;
  }

  get url(): string {
    return `postgres://${this.user}@${this.host}:${this.port}/postgres`;
  }

  protected async configure(): Promise<void> {
    const { directory, user } = this;
    if (existsSync(join(directory, 'PG_VERSION'))) return;
    if (isRoot) chownSync(directory, nobody, nobody);
    const options = ['-E', 'UTF8', '--locale=C', '-A', 'trust', '--no-sync', '--no-instructions'];
    const { code, output } = await run(this.#command('initdb', ['-D', directory, '-U', user, ...options]));
    if (code !== 0) throw new Error(`${this.name} could not be initialized:\n${output}`);
  }

  protected command(): Command {
    const settings = {
      listen_addresses: this.host,
      port: this.port,
      unix_socket_directories: '', // the default, /tmp, is one place for all servers of the machine
      shared_buffers: '16MB',
      max_connections: 50,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return this.#command('postgres', ['-D', this.directory, ...flags]);
  }

  protected accepts(): Promise<boolean> {
    return answers(this, sslRequest, ([answer]) => answer === sslRefused);
  }

  #command(name: string, args: string[]): Command {
    return {
      file: join(this.#binaries, 'bin', name),
      args,
      cwd: '/', // nobody may not be allowed to stay where we are
      env: { LC_ALL: 'C', TZ: 'UTC' },
      ...(isRoot && { uid: nobody }),
    };
  }
}

/** The one message that is answered without a user and a password. */
export const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const sslRefused = 'N'.charCodeAt(0);
