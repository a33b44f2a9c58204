import { Controller, Get, type Type, VERSION_NEUTRAL } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { HelixService } from '../helix.service.js';
import { InjectHelix } from '../helix.tokens.js';
import { HelixHealthIndicator } from './helix-health.indicator.js';

/** The endpoints of one instance at one path: a class of their own, because Nest keeps the path on the class. */
export function createHealthController(path: string, name: string): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  class HelixHealthController {
    constructor(
      private readonly checks: HealthCheckService,
      @InjectHelix(HelixService, name) private readonly helix: HelixService,
      @InjectHelix(HelixHealthIndicator, name) private readonly health: HelixHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    everything(): Promise<HealthCheckResult> {
      const { health, helix } = this;
      return this.checks.check([
        () => health.cluster('A'),
        ...(helix.isSingleCluster ? [] : [() => health.cluster('B')]),
        () => health.replay(),
      ]);
    }

    @Get('ready')
    @HealthCheck()
    ready(): Promise<HealthCheckResult> {
      return this.checks.check([() => this.health.readiness()]);
    }

    @Get('live')
    @HealthCheck()
    live(): Promise<HealthCheckResult> {
      return this.checks.check([() => this.health.liveness()]);
    }
  }
  return HelixHealthController;
}
