import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import type { CassandraServer } from '../../../test/servers/index.js';
import { until } from './wait.js';

const DIRECTORY = fileURLToPath(new URL('..', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 20_000;
const LOG_LIMIT = 200_000;
/** Ends the application when this process is gone, even by SIGKILL: its end of the channel closes then. */
const TETHER = `data:text/javascript,process.once('disconnect',()=>process.exit(1))`;

/** The sample application as a process of its own, as it would run anywhere. */
export class Application {
  readonly #child: ChildProcess;
  #log = '';

  private constructor(env: Record<string, string>) {
    this.#child = spawn(process.execPath, ['--import', TETHER, 'dist/main.js'], {
      cwd: DIRECTORY,
      env: { ...process.env, ...env, NO_COLOR: '1' },
      // A session of its own: Ctrl-C is for the demo, which ends the application in its own time.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const collect = (chunk: string) => (this.#log = (this.#log + chunk).slice(-LOG_LIMIT));
    this.#child.stdout?.setEncoding('utf8').on('data', collect);
    this.#child.stderr?.setEncoding('utf8').on('data', collect);
    process.once('exit', this.#kill);
  }

  static async start(a: CassandraServer, b: CassandraServer, keyspace: string): Promise<Application> {
    const application = new Application({
      ...clusterEnvironment('A', a),
      ...clusterEnvironment('B', b),
      CASSANDRA_KEYSPACE: keyspace,
      READ_FROM: 'B', // the cluster that will be killed, so that reads have to fail over
      PORT: '0',
    });
    try {
      await until('the application to listen', START_MS, () => {
        if (!application.isRunning) throw new Error(`The application ended:\n${application.log}`);
        return Promise.resolve(application.#listeningAt);
      });
      return application;
    } catch (error) {
      await application.stop();
      throw error;
    }
  }

  get url(): string {
    return this.#listeningAt ?? '';
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what it has written. */
  get log(): string {
    return this.#log;
  }

  /** What Helix has logged, without what Nest writes before and after each line. */
  get helixLog(): string[] {
    const lines = this.#log.matchAll(
      /^\[Nest\] .*? +(?<level>[A-Z]+) \[Helix\] (?<text>.*?)(?: \+\d+ms)?$/gm,
    );
    return Array.from(lines, ({ groups }) => `${groups?.['level']?.padEnd(6)}${groups?.['text']}`);
  }

  /** SIGTERM, as a supervisor would; SIGKILL if that is not enough. */
  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    if (!this.isRunning) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await Promise.race([ended, delay(STOP_MS, undefined, { ref: false })]);
    this.#kill();
    await ended;
  }

  get #listeningAt(): string | undefined {
    return /^Listening on (\S+)$/m.exec(this.#log)?.[1];
  }

  readonly #kill = (): void => {
    if (this.isRunning) this.#child.kill('SIGKILL');
  };
}

function clusterEnvironment(cluster: 'A' | 'B', server: CassandraServer): Record<string, string> {
  const { contactPoints, localDataCenter, protocolOptions } = server.clientOptions;
  return {
    [`CASSANDRA_${cluster}_CONTACT_POINTS`]: contactPoints.join(','),
    [`CASSANDRA_${cluster}_DATACENTER`]: localDataCenter,
    [`CASSANDRA_${cluster}_PORT`]: String(protocolOptions.port),
  };
}
