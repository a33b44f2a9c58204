import { Injectable } from '@nestjs/common';
import { HelixCqlService, type WriteReceipt } from 'nestjs-helix';
import type { User } from './user.js';

interface UserRow {
  readonly email: string;
  readonly name: string;
  readonly created_at: Date;
}

@Injectable()
export class UsersRepository {
  constructor(private readonly helix: HelixCqlService) {}

  save({ id, email, name, createdAt }: User): Promise<WriteReceipt> {
    return this.helix
      .query('INSERT INTO users (id, email, name, created_at) VALUES (?, ?, ?, ?)', [
        id,
        email,
        name,
        createdAt,
      ])
      .exec();
  }

  async find(id: string): Promise<User | undefined> {
    const row = await this.helix
      .query<UserRow>('SELECT email, name, created_at FROM users WHERE id = ?', [id])
      .one();
    return row && { id, email: row.email, name: row.name, createdAt: row.created_at };
  }
}
