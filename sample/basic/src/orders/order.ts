export interface Order {
  readonly id: string;
  readonly userId: string;
  readonly placedAt: Date;
  readonly item: string;
  readonly quantity: number;
}
