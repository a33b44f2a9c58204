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
import type { User } from './user.js';
import { UsersRepository } from './users.repository.js';

@Controller('users')
export class UsersController {
  constructor(private readonly users: UsersRepository) {}

  @Post()
  async create(@RequestBody() requestBody: unknown): Promise<{ user: User; receipt: WriteReceipt }> {
    const body = new Body(requestBody);
    // Made here, not with uuid() in the statement: both clusters must get the same value.
    const user: User = {
      id: randomUUID(),
      email: body.text('email'),
      name: body.text('name'),
      createdAt: new Date(),
    };
    return { user, receipt: await this.users.save(user) };
  }

  @Get(':id')
  async find(@Param('id', ParseUUIDPipe) id: string): Promise<User> {
    const user = await this.users.find(id);
    if (!user) throw new NotFoundException(`There is no user ${id}`);
    return user;
  }
}
