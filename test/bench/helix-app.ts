import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HelixCqlService, HelixModule, type HelixModuleOptions } from 'nestjs-helix';

@Module({})
class BenchApp {}

/** Boots Helix as an application does, so that what is measured is what users get. */
export async function bootHelix(
  cql: HelixModuleOptions['cql'],
): Promise<{ helix: HelixCqlService; close: () => Promise<void> }> {
  const app = await NestFactory.createApplicationContext(
    { module: BenchApp, imports: [HelixModule.forRoot({ cql, connect: 'both' })] },
    { logger: false, abortOnError: false },
  );
  return { helix: app.get(HelixCqlService), close: () => app.close() };
}
