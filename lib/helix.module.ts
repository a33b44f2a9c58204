import { type DynamicModule, Module } from '@nestjs/common';
import type { HelixModuleAsyncOptions, HelixRegistration } from './helix.module-options.js';
import type { HelixModuleOptions } from './helix.options.js';
import { createProviders, exportedTokens, optionsFactoryProviders } from './helix.providers.js';
import { DEFAULT_INSTANCE } from './helix.tokens.js';

/**
 * Registers one pair of clusters.
 *
 * ```ts
 * HelixModule.forRootAsync({
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({
 *     cql: {
 *       A: { contactPoints: [config.getOrThrow('A_HOST')], localDataCenter: 'dc1', keyspace: 'shop' },
 *       B: { contactPoints: [config.getOrThrow('B_HOST')], localDataCenter: 'dc1', keyspace: 'shop' },
 *     },
 *   }),
 * })
 * ```
 *
 * Call `app.enableShutdownHooks()`: without it nothing is drained when the process is told to end.
 */
@Module({})
export class HelixModule {
  /**
   * Registers an instance whose options are known now.
   *
   * @throws HelixConfigError when the application starts: an option does not exist or is out of range; the message
   *   names it, what was received and what is allowed
   */
  static forRoot(options: HelixModuleOptions & HelixRegistration): DynamicModule {
    const { name, isGlobal, ...rest } = options;
    return HelixModule.forRootAsync({
      useFactory: () => rest,
      ...(name !== undefined && { name }),
      ...(isGlobal !== undefined && { isGlobal }),
    });
  }

  /**
   * Registers an instance whose options are made by a provider.
   *
   * @throws HelixConfigError not exactly one of `useFactory`, `useClass` and `useExisting` is given. When the
   *   application starts: as for {@link forRoot}
   */
  static forRootAsync(options: HelixModuleAsyncOptions): DynamicModule {
    const name = options.name ?? DEFAULT_INSTANCE;
    return {
      module: HelixModule,
      global: options.isGlobal ?? true,
      imports: options.imports ?? [],
      providers: [
        ...(options.extraProviders ?? []),
        ...optionsFactoryProviders(options),
        ...createProviders(name, options),
      ],
      exports: exportedTokens(name),
    };
  }
}
