import { Logger, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { HelixModule, type HelixModuleOptions, StickyReadStrategy } from 'nestjs-helix';
import { HelixHealthModule } from 'nestjs-helix/terminus';
import { AppConfig } from './config/app.config.js';
import { ConfigModule } from './config/config.module.js';
import { HelixErrorFilter } from './helix-error.filter.js';
import { OrdersModule } from './orders/orders.module.js';
import { SchemaModule } from './schema/schema.module.js';
import { SchemaPolicy } from './schema/schema.policy.js';
import { UsersModule } from './users/users.module.js';

const logger = new Logger('Replay');

@Module({
  imports: [
    HelixModule.forRootAsync({
      imports: [ConfigModule, SchemaModule],
      inject: [AppConfig, SchemaPolicy],
      useFactory: (config: AppConfig, failoverPolicy: SchemaPolicy): HelixModuleOptions => ({
        cql: { A: config.cluster('A'), B: config.cluster('B') },
        readStrategy: new StickyReadStrategy(config.readFrom ? { preferred: config.readFrom } : {}),
        failoverPolicy,
        // A real application tells somebody: this write is on one cluster only, and will stay so.
        onReplayDropped: ({ operationId, cluster }, { name }) => {
          logger.error(`Operation ${operationId} is lost for cluster ${cluster} (${name})`);
        },
      }),
    }),
    HelixHealthModule.forRoot(),
    UsersModule,
    OrdersModule,
  ],
  providers: [{ provide: APP_FILTER, useClass: HelixErrorFilter }],
})
export class AppModule {}
