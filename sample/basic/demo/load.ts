import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from './http.js';

export interface Receipt {
  readonly timestamp: number;
  readonly A: string;
  readonly B: string;
}

/** A write that was acknowledged: what the caller was told, and what must be on both clusters. */
export interface Acknowledged<T> {
  readonly value: T;
  readonly receipt: Receipt;
}

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly createdAt: string;
}

export interface Order {
  readonly id: string;
  readonly userId: string;
  readonly placedAt: string;
  readonly item: string;
  readonly quantity: number;
}

export class Figures {
  readonly writesMs: number[] = [];
  readonly readsMs: number[] = [];
  queued = 0;
  failures = 0;

  get requests(): number {
    return this.writesMs.length + this.readsMs.length;
  }
}

/** Clients of the application that write, read back and compare, at a steady rate. */
export class Load {
  readonly users: Acknowledged<User>[] = [];
  readonly orders: Acknowledged<Order>[] = [];
  /** The first failures in words. */
  readonly complaints: string[] = [];
  readonly #ordersOf = new Map<string, Order>();
  readonly #ratePerSecond: number;
  readonly #clients: Promise<unknown>;
  #figures = new Figures();
  #nextSlotMs = performance.now();
  #isStopped = false;
  #sequence = 0;

  constructor(
    private readonly http: HttpClient,
    { inFlight, ratePerSecond }: { inFlight: number; ratePerSecond: number },
  ) {
    this.#ratePerSecond = ratePerSecond;
    this.#clients = Promise.all(Array.from({ length: inFlight }, () => this.#client()));
  }

  /** Requests from now on are counted by themselves. */
  phase(): Figures {
    return (this.#figures = new Figures());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#clients;
  }

  async #client(): Promise<void> {
    while (!this.#isStopped) {
      const user = await this.#createUser();
      if (user) await this.#placeOrder(user);
      if (user) await this.#readOrders(user.id);
      await this.#readUser();
    }
  }

  async #createUser(): Promise<User | undefined> {
    const number = ++this.#sequence;
    const input = { email: `user-${number}@example.org`, name: `User ${number} Ünïcödé` };
    const answer = await this.#write<{ user: User; receipt: Receipt }>('/users', input);
    if (!answer) return undefined;
    const { user, receipt } = answer;
    this.users.push({ value: user, receipt });
    return user;
  }

  async #placeOrder({ id }: User): Promise<void> {
    const input = { item: `item-${this.#sequence % 97}`, quantity: 1 + (this.#sequence % 9) };
    const answer = await this.#write<{ order: Order; receipt: Receipt }>(`/users/${id}/orders`, input);
    if (!answer) return;
    const { order, receipt } = answer;
    this.orders.push({ value: order, receipt });
    this.#ordersOf.set(id, order);
  }

  async #readOrders(userId: string): Promise<void> {
    const order = this.#ordersOf.get(userId);
    await this.#read(`/users/${userId}/orders`, order ? [order] : []);
  }

  /** Any user that was ever acknowledged must be found, with the values it was given. */
  async #readUser(): Promise<void> {
    const known = this.users[Math.floor(Math.random() * this.users.length)];
    if (known) await this.#read(`/users/${known.value.id}`, known.value);
  }

  async #write<T extends { receipt: Receipt }>(path: string, input: object): Promise<T | undefined> {
    const figures = await this.#slot();
    const startedMs = performance.now();
    try {
      const { status, body } = await this.http.post(path, input);
      if (status !== 201) throw new Error(`answered ${status} ${JSON.stringify(body)}`);
      const answer = body as T;
      if (answer.receipt.A === 'queued' || answer.receipt.B === 'queued') figures.queued++;
      return answer;
    } catch (error) {
      this.#complain(figures, `POST ${path}: ${String(error)}`);
      return undefined;
    } finally {
      figures.writesMs.push(performance.now() - startedMs);
    }
  }

  async #read(path: string, expected: unknown): Promise<void> {
    const figures = await this.#slot();
    const startedMs = performance.now();
    try {
      const { status, body } = await this.http.get(path);
      const [received, wanted] = [JSON.stringify(body), JSON.stringify(expected)];
      if (status !== 200) throw new Error(`answered ${status} ${received}`);
      if (received !== wanted) throw new Error(`read ${received} instead of ${wanted}`);
    } catch (error) {
      this.#complain(figures, `GET ${path}: ${String(error)}`);
    } finally {
      figures.readsMs.push(performance.now() - startedMs);
    }
  }

  #complain(figures: Figures, complaint: string): void {
    figures.failures++;
    if (this.complaints.length < 5) this.complaints.push(complaint);
  }

  /** Waits for this request's turn, and answers with the figures of the phase in which it begins. */
  async #slot(): Promise<Figures> {
    const nowMs = performance.now();
    const slotMs = Math.max(this.#nextSlotMs, nowMs);
    this.#nextSlotMs = slotMs + 1_000 / this.#ratePerSecond;
    if (slotMs > nowMs) await delay(slotMs - nowMs);
    return this.#figures;
  }
}

export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
