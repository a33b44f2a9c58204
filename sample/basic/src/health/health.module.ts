import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HelixHealthIndicator } from 'nestjs-helix/terminus';
import { HealthController } from './health.controller.js';

@Module({
  imports: [TerminusModule],
  controllers: [HealthController],
  providers: [HelixHealthIndicator],
})
export class HealthModule {}
