import { randomUUID } from 'node:crypto';
import {
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
  Body as RequestBody,
} from '@nestjs/common';
import type { WriteReceipt } from 'nestjs-helix';
import { Body } from '../body.js';
import { UsersRepository } from '../users/users.repository.js';
import type { Order } from './order.js';
import { OrdersRepository } from './orders.repository.js';

@Controller()
export class OrdersController {
  constructor(
    private readonly orders: OrdersRepository,
    private readonly users: UsersRepository,
  ) {}

  @Post('users/:userId/orders')
  async place(
    @Param('userId', ParseUUIDPipe) userId: string,
    @RequestBody() requestBody: unknown,
  ): Promise<{ order: Order; receipt: WriteReceipt }> {
    const body = new Body(requestBody);
    const order: Order = {
      id: randomUUID(),
      userId,
      placedAt: new Date(),
      item: body.text('item'),
      quantity: body.count('quantity'),
    };
    if (!(await this.users.find(userId))) throw new NotFoundException(`There is no user ${userId}`);
    return { order, receipt: await this.orders.place(order) };
  }

  @Get('users/:userId/orders')
  ofUser(@Param('userId', ParseUUIDPipe) userId: string): Promise<Order[]> {
    return this.orders.ofUser(userId);
  }

  @Get('orders/:id')
  async find(@Param('id', ParseUUIDPipe) id: string): Promise<Order> {
    const order = await this.orders.find(id);
    if (!order) throw new NotFoundException(`There is no order ${id}`);
    return order;
  }
}
