import { type DynamicModule, type FactoryProvider, Module } from '@nestjs/common';
import { type Clock, type PerCluster, systemClock } from '../core/index.js';
import type { CqlSession, Driver } from '../cql/index.js';
import type { HelixInstance } from '../helix.instance.js';
import type { HelixLifecycle } from '../helix.lifecycle.js';
import type { HelixRegistration } from '../helix.module-options.js';
import type { HelixModuleOptions } from '../helix.options.js';
import { createProviders, exportedTokens } from '../helix.providers.js';
import { DEFAULT_INSTANCE, getHelixToken, internalToken } from '../helix.tokens.js';
import { StickyReadStrategy } from '../strategies/index.js';
import { type FullDriver, withoutNetwork } from './driver.js';
import { InMemoryCluster } from './in-memory-cluster.js';
import { HelixTestingClusters } from './testing-clusters.js';
import { TestingLifecycle } from './testing-lifecycle.js';

/**
 * Options of the application's `HelixModule` without its clusters, and what the in-memory ones need. One default
 * differs: reads begin with cluster A.
 */
export interface HelixTestingOptions extends Omit<HelixModuleOptions, 'cql'>, HelixRegistration {
  /**
   * `CREATE TABLE`, `CREATE TYPE` and `CREATE INDEX` statements for both clusters: a text with as many as you
   * like, such as a `schema.cql`, or a list of them. Default: no tables.
   */
  readonly schema?: string | readonly string[];
  /**
   * What Helix's time limits, delays and write times, and TTLs, go by. Default: the system's clock. A
   * `FakeClock` stands still until the test advances it.
   */
  readonly clock?: Clock;
}

/**
 * Stands in for `HelixModule` in an application's tests: the same providers over two clusters in memory, without
 * servers and network. Everything of Helix is real; only the driver's way to a server is not.
 *
 * ```ts
 * const app = await Test.createTestingModule({
 *   imports: [HelixTestingModule.forRoot({ schema: 'CREATE TABLE users (id uuid PRIMARY KEY, name text)' })],
 *   providers: [UsersService],
 * }).compile();
 * await app.init(); // connects
 * const clusters = app.get(HelixTestingClusters);
 * clusters.B.goDown();
 * ```
 *
 * Needs `cassandra-driver`, for its types and encoding.
 */
@Module({})
export class HelixTestingModule {
  /**
   * Registers an instance over two new clusters in memory, which have the tables of `schema`.
   *
   * @throws HelixConfigError when the application starts: as `HelixModule.forRoot`
   */
  static forRoot(options: HelixTestingOptions = {}): DynamicModule {
    const { schema = [], clock = systemClock, name = DEFAULT_INSTANCE, isGlobal, ...rest } = options;
    const definitions = typeof schema === 'string' ? [schema] : schema;
    const clusters = getHelixToken(HelixTestingClusters, name);
    const driverToken = internalToken('driver', name);
    const clockToken = internalToken('clock', name);

    const ofHelix = createProviders(name, {
      useFactory: ({ A, B }: HelixTestingClusters): HelixModuleOptions => ({
        // The default begins at either side by chance, and no two runs of a test would be alike.
        readStrategy: new StickyReadStrategy({ preferred: 'A' }, clock),
        ...rest,
        cql: { A: A.client, B: B.client },
      }),
      inject: [clusters],
    });
    const replaced = ofHelix.map((provider): FactoryProvider => {
      if (provider.provide === clockToken) return { provide: clockToken, useFactory: () => clock };
      if (provider.provide !== driverToken) return provider;
      const load = provider.useFactory as () => Promise<Driver>;
      return { provide: driverToken, useFactory: async () => withoutNetwork(await load()) };
    });
    return {
      module: HelixTestingModule,
      global: isGlobal ?? true,
      providers: [
        ...replaced,
        {
          provide: clusters,
          useFactory: (driver: Driver) => {
            const [A, B] = (['A', 'B'] as const).map(
              (cluster) => new InMemoryCluster(cluster, driver as unknown as FullDriver, clock, definitions),
            ) as [InMemoryCluster, InMemoryCluster];
            return new HelixTestingClusters(A, B, clock);
          },
          inject: [driverToken],
        },
        {
          provide: internalToken('testing', name),
          useFactory: (
            made: HelixTestingClusters,
            sessions: PerCluster<CqlSession>,
            instance: HelixInstance,
            lifecycle: HelixLifecycle,
          ) => new TestingLifecycle(made, sessions, instance, lifecycle, clock),
          inject: [
            clusters,
            ...['sessions', 'instance', 'lifecycle'].map((part) => internalToken(part, name)),
          ],
        },
      ],
      exports: [...exportedTokens(name), clusters],
    };
  }
}
