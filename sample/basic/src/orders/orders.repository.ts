import { Injectable } from '@nestjs/common';
import { HelixCqlService, type WriteReceipt } from 'nestjs-helix';
import type { Order } from './order.js';

interface OrderRow {
  /** The driver's `Uuid`. */
  readonly id: { toString(): string };
  readonly user_id: { toString(): string };
  readonly placed_at: Date;
  readonly item: string;
  readonly quantity: number;
}

@Injectable()
export class OrdersRepository {
  constructor(private readonly helix: HelixCqlService) {}

  /** One order in two tables: a logged batch is one operation with one write time and one receipt. */
  place({ id, userId, placedAt, item, quantity }: Order): Promise<WriteReceipt> {
    const columns = '(id, user_id, placed_at, item, quantity) VALUES (?, ?, ?, ?, ?)';
    const values = [id, userId, placedAt, item, quantity];
    return this.helix
      .batch('logged')
      .add(`INSERT INTO orders ${columns}`, values)
      .add(`INSERT INTO orders_by_user ${columns}`, values)
      .exec();
  }

  async find(id: string): Promise<Order | undefined> {
    const row = await this.helix.query<OrderRow>('SELECT * FROM orders WHERE id = ?', [id]).one();
    return row && toOrder(row);
  }

  /** Latest first. */
  async ofUser(userId: string): Promise<Order[]> {
    const rows = await this.helix
      .query<OrderRow>('SELECT * FROM orders_by_user WHERE user_id = ?', [userId])
      .all();
    return rows.map(toOrder);
  }
}

function toOrder({ id, user_id, placed_at, item, quantity }: OrderRow): Order {
  return { id: id.toString(), userId: user_id.toString(), placedAt: placed_at, item, quantity };
}
