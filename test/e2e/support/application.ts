import {
  type DynamicModule,
  type INestApplication,
  type INestApplicationContext,
  type Provider,
  type LoggerService,
  Controller,
  Get,
  Module,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { expect } from 'vitest';
import { HelixHealthIndicator } from '../../../lib/health/index.js';
import {
  CircuitBreaker,
  type ClusterId,
  HelixCqlService,
  HelixModule,
  type HelixModuleOptions,
  HelixService,
} from '../../../lib/index.js';

@Module({})
class ApplicationModule {}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly helix: HelixHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  all() {
    return this.health.check([
      () => this.helix.cluster('A'),
      () => this.helix.cluster('B'),
      () => this.helix.replay(),
    ]);
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.helix.readiness()]);
  }

  @Get('live')
  @HealthCheck()
  live() {
    return this.health.check([() => this.helix.liveness()]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [HelixHealthIndicator],
})
class HealthModule {}

export interface TestApplication<App extends INestApplicationContext = INestApplicationContext> {
  readonly app: App;
  readonly cql: HelixCqlService;
  readonly helix: HelixService;
}

const running = new Set<INestApplicationContext>();

/** The default breaker waits half a minute before it asks a cluster again. */
function withQuickBreaker(options: HelixModuleOptions): HelixModuleOptions {
  return { failoverPolicy: new CircuitBreaker({ resetTimeoutMs: 300 }), ...options };
}

function withImports(...imports: NonNullable<DynamicModule['imports']>): DynamicModule {
  return { module: ApplicationModule, imports };
}

export interface ApplicationExtras {
  /** Of the application itself. */
  readonly providers?: readonly Provider[];
  /** Default: nothing is logged. */
  readonly logger?: LoggerService | false;
}

/** Boots Helix as an application does. */
export async function startApplication(
  options: HelixModuleOptions,
  { providers = [], logger = false }: ApplicationExtras = {},
): Promise<TestApplication> {
  const app = await NestFactory.createApplicationContext(
    {
      ...withImports(HelixModule.forRoot(withQuickBreaker(options))),
      providers: [...providers],
    },
    {
      logger,
      abortOnError: false,
    },
  );
  return known(app);
}

/** The same, with health endpoints over HTTP. */
export async function startHttpApplication(
  options: HelixModuleOptions,
): Promise<TestApplication<INestApplication>> {
  const app = await NestFactory.create(
    withImports(HelixModule.forRoot(withQuickBreaker(options)), HealthModule),
    {
      logger: false,
      abortOnError: false,
    },
  );
  running.add(app);
  await app.init();
  return known(app);
}

function known<App extends INestApplicationContext>(app: App): TestApplication<App> {
  running.add(app);
  return { app, cql: app.get(HelixCqlService), helix: app.get(HelixService) };
}

/**
 * The driver's client of one cluster has got an answer, so that what the cluster sent before it has arrived, and Helix
 * writes there. Helix itself asks nothing for this: its own pings would tell it more.
 */
export async function answersHelix({ cql, helix }: TestApplication, side: ClusterId): Promise<void> {
  const isWell = (): Promise<boolean> =>
    cql
      .session(side)
      .execute('SELECT key FROM system.local')
      .then(
        () => helix.status()[side]?.breaker === 'closed',
        () => false,
      );
  await expect.poll(isWell, { timeout: 30_000, interval: 20, message: `${side} is well` }).toBe(true);
}

/** For `afterEach`: ends what a test has started, whether it passed or not. */
export async function stopApplications(): Promise<void> {
  const apps = [...running];
  running.clear();
  await Promise.all(apps.map((app) => app.close()));
}
