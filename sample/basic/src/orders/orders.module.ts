import { Module } from '@nestjs/common';
import { UsersModule } from '../users/users.module.js';
import { OrdersController } from './orders.controller.js';
import { OrdersRepository } from './orders.repository.js';

@Module({ imports: [UsersModule], controllers: [OrdersController], providers: [OrdersRepository] })
export class OrdersModule {}
