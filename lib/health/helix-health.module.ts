import { type DynamicModule, Inject, Module, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { HelixConfigError } from '../core/index.js';
import { HelixService } from '../helix.service.js';
import { getHelixToken } from '../helix.tokens.js';
import { createHealthController } from './helix-health.controller.js';
import { HelixHealthIndicator } from './helix-health.indicator.js';
import { type HelixHealthModuleOptions, resolveHealthOptions } from './helix-health.options.js';

const PATH = Symbol('HelixHealthModule:path');

/**
 * Mounts the health of one instance, for orchestrators, load balancers and people:
 *
 * | endpoint        | answers 503                                                                             |
 * | --------------- | --------------------------------------------------------------------------------------- |
 * | `/health`       | while a cluster does not answer a ping or there are dead letters; once a write was lost |
 * | `/health/ready` | while no cluster answers                                                                |
 * | `/health/live`  | never, as long as the process answers; no cluster is asked                              |
 *
 * They are public unless the application guards them (a global guard applies to them too), and say no more
 * than the names of instance, clusters and errors, and counts of queued writes. They have the application's
 * global prefix, if it sets one, and no version.
 *
 * The instance must be visible everywhere, as it is by default (`isGlobal`). Its {@link HelixHealthIndicator} is
 * exported, for endpoints of your own: `@InjectHelix(HelixHealthIndicator, 'analytics')`.
 *
 * @example
 * imports: [
 *   HelixModule.forRoot({ … }),
 *   HelixHealthModule.forRoot(),
 *   HelixModule.forRoot({ name: 'analytics', … }),
 *   HelixHealthModule.forRoot({ name: 'analytics', path: 'health/analytics' }),
 * ]
 */
@Module({})
export class HelixHealthModule implements OnModuleInit {
  constructor(
    @Inject(PATH) private readonly path: string,
    private readonly modules: ModulesContainer,
  ) {}

  /** @throws {HelixConfigError} an option is unknown or wrong */
  static forRoot(options: HelixHealthModuleOptions = {}): DynamicModule {
    const { path, name } = resolveHealthOptions(options);
    const indicator = getHelixToken(HelixHealthIndicator, name);
    return {
      module: HelixHealthModule,
      imports: [TerminusModule],
      controllers: [createHealthController(path, name)],
      providers: [
        { provide: PATH, useValue: path },
        {
          provide: indicator,
          useFactory: (helix: HelixService, indicators: HealthIndicatorService) =>
            new HelixHealthIndicator(helix, indicators),
          inject: [getHelixToken(HelixService, name), HealthIndicatorService],
        },
      ],
      exports: [indicator],
    };
  }

  /** @throws {HelixConfigError} two instances at one path: the second would never be asked */
  onModuleInit(): void {
    const paths = [...this.modules.values()]
      .filter(({ metatype }) => metatype === HelixHealthModule)
      .map((module) => module.getProviderByKey<string>(PATH).instance);
    if (paths.filter((path) => path === this.path).length > 1) {
      throw new HelixConfigError(
        `HelixHealthModule: path '${this.path}' is mounted twice; give each instance a path of its own`,
      );
    }
  }
}
