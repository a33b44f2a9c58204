import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { HelixHealthIndicator } from 'nestjs-helix/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly helix: HelixHealthIndicator,
  ) {}

  /** For operators: 503 as soon as anything is wrong. */
  @Get()
  @HealthCheck()
  everything(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.helix.cluster('A'),
      () => this.helix.cluster('B'),
      // The memory queue holds 10,000: be told before it is full.
      () => this.helix.replay({ maxQueued: 8_000 }),
    ]);
  }

  /** For a load balancer: 503 only when neither cluster answers. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.helix.readiness()]);
  }

  /** For a process supervisor: does not ask the clusters. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.helix.liveness()]);
  }
}
