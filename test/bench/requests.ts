/** What a write brought: values as they were on the wire, `null` for null and unset ones. */
export interface ReceivedWrite {
  /** One list of values for each statement. */
  readonly values: readonly (readonly (string | null)[])[];
  /** Write time of the request, µs; `null` if it named none. */
  readonly timestampUs: number | null;
}

const FLAG = {
  values: 0x01,
  pageSize: 0x04,
  pagingState: 0x08,
  serialConsistency: 0x10,
  timestamp: 0x20,
} as const;

/** Reads the body of a request. */
export class RequestReader {
  constructor(
    private readonly buffer: Buffer,
    private offset: number,
  ) {}

  longString(): string {
    const length = this.#int();
    return this.#take(length).toString();
  }

  shortBytes(): Buffer {
    return this.#take(this.#short());
  }

  execute(): ReceivedWrite {
    this.shortBytes();
    this.#short(); // Consistency.
    const flags = this.#byte();
    const values = flags & FLAG.values ? this.#values() : [];
    if (flags & FLAG.pageSize) this.#int();
    if (flags & FLAG.pagingState) this.#value();
    if (flags & FLAG.serialConsistency) this.#short();
    return { values: [values], timestampUs: flags & FLAG.timestamp ? this.#long() : null };
  }

  batch(): ReceivedWrite {
    this.#byte(); // Logged, unlogged or counter.
    const values = Array.from({ length: this.#short() }, () => {
      const isPrepared = this.#byte() === 1;
      if (isPrepared) this.shortBytes();
      else this.longString();
      return this.#values();
    });
    this.#short(); // Consistency.
    const flags = this.#byte();
    if (flags & FLAG.serialConsistency) this.#short();
    return { values, timestampUs: flags & FLAG.timestamp ? this.#long() : null };
  }

  #values(): (string | null)[] {
    return Array.from({ length: this.#short() }, () => this.#value());
  }

  #value(): string | null {
    const length = this.#int();
    return length < 0 ? null : this.#take(length).toString('hex');
  }

  #byte(): number {
    return this.buffer.readUInt8(this.offset++);
  }

  #short(): number {
    this.offset += 2;
    return this.buffer.readUInt16BE(this.offset - 2);
  }

  #int(): number {
    this.offset += 4;
    return this.buffer.readInt32BE(this.offset - 4);
  }

  #long(): number {
    this.offset += 8;
    return Number(this.buffer.readBigInt64BE(this.offset - 8));
  }

  #take(length: number): Buffer {
    this.offset += length;
    return this.buffer.subarray(this.offset - length, this.offset);
  }
}
