import { BadRequestException } from '@nestjs/common';

/** Reads the fields of a request body and refuses what does not fit. A larger application uses a schema library. */
export class Body {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(body: unknown) {
    this.#fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
    throw new BadRequestException(`${name} must be a text`);
  }

  count(name: string): number {
    const value = this.#fields[name];
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
    throw new BadRequestException(`${name} must be a whole number above 0`);
  }
}
