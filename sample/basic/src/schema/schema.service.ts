import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { type ClusterId, HelixCqlService, ReplayWorker } from 'nestjs-helix';
import { SchemaPolicy } from './schema.policy.js';

const TABLES = [
  `CREATE TABLE IF NOT EXISTS users (
     id uuid PRIMARY KEY, email text, name text, created_at timestamp)`,
  `CREATE TABLE IF NOT EXISTS orders (
     id uuid PRIMARY KEY, user_id uuid, placed_at timestamp, item text, quantity int)`,
  `CREATE TABLE IF NOT EXISTS orders_by_user (
     user_id uuid, placed_at timestamp, id uuid, item text, quantity int,
     PRIMARY KEY (user_id, placed_at, id)) WITH CLUSTERING ORDER BY (placed_at DESC, id ASC)`,
];
const RETRY_MS = 2_000;

/**
 * Creates the tables on each cluster. The application starts with one of them; the other gets its tables when
 * it is back, and is left alone until then.
 */
@Injectable()
export class SchemaService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(SchemaService.name);
  #retry: NodeJS.Timeout | undefined;
  #isEnding = false;

  constructor(
    private readonly cql: HelixCqlService,
    private readonly replay: ReplayWorker,
    private readonly policy: SchemaPolicy,
  ) {}

  /** Runs after Helix has connected, which it does in `onModuleInit`, and before the first request. */
  async onApplicationBootstrap(): Promise<void> {
    const errors = await this.#createTables();
    if (errors.A && errors.B) throw new Error('The tables could not be created', { cause: errors.A });
    for (const cluster of ['A', 'B'] as const) {
      const error = errors[cluster];
      if (!error) continue;
      this.#logger.warn(`Cluster ${cluster} has no tables yet (${error.name}); trying on`);
      this.policy.setTables(cluster, false);
      this.replay.pause(cluster);
      this.#retryLater(cluster);
    }
  }

  beforeApplicationShutdown(): void {
    this.#isEnding = true;
    clearTimeout(this.#retry);
  }

  async #createTables(): Promise<Partial<Record<ClusterId, Error>>> {
    const errors: Partial<Record<ClusterId, Error>> = {};
    for (const table of TABLES) {
      const results = await this.cql.onBoth(table);
      for (const cluster of ['A', 'B'] as const) {
        const result = results[cluster];
        if (!result.ok) errors[cluster] ??= result.error;
      }
    }
    return errors;
  }

  #retryLater(cluster: ClusterId): void {
    if (this.#isEnding) return;
    this.#retry = setTimeout(() => {
      this.#complete(cluster).catch((error: unknown) => {
        this.#logger.error(error);
        this.#retryLater(cluster);
      });
    }, RETRY_MS);
  }

  async #complete(cluster: ClusterId): Promise<void> {
    const errors = await this.#createTables();
    if (errors[cluster]) {
      this.#retryLater(cluster);
      return;
    }
    this.#logger.log(`Cluster ${cluster} has its tables now and gets what it has missed`);
    // What is avoided is not replayed to either.
    this.policy.setTables(cluster, true);
    this.replay.resume(cluster);
  }
}
