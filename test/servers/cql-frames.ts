/** The frames of CQL's native protocol up to version 4: a header of nine bytes, then the body. */
export interface Frame {
  /** 4 in a request, 0x84 in its answer. */
  readonly version: number;
  readonly flags: number;
  /** Answers carry that of their request; events have -1. */
  readonly stream: number;
  readonly opcode: number;
  readonly body: Buffer;
}

export const opcodes = {
  error: 0x00,
  startup: 0x01,
  ready: 0x02,
  query: 0x07,
  result: 0x08,
  prepare: 0x09,
  execute: 0x0a,
  register: 0x0b,
  event: 0x0c,
} as const;

/** Of the body of a RESULT: its first four bytes. */
export const resultKinds = { rows: 2, prepared: 4 } as const;

const HEADER = 9;
const VERSION = 4;

export function encodeFrame({ version, flags, stream, opcode, body }: Frame): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(version, 0);
  header.writeUInt8(flags, 1);
  header.writeInt16BE(stream, 2);
  header.writeUInt8(opcode, 4);
  header.writeUInt32BE(body.length, 5);
  return Buffer.concat([header, body]);
}

export function requestFrame(stream: number, opcode: number, ...parts: readonly Buffer[]): Buffer {
  return encodeFrame({ version: VERSION, flags: 0, stream, opcode, body: Buffer.concat(parts) });
}

/** What a server answers to a request that it refuses. */
export function errorAnswer(to: Frame, code: number, message: string): Frame {
  const body = Buffer.concat([int(code), string(message)]);
  return { version: to.version | 0x80, flags: 0, stream: to.stream, opcode: opcodes.error, body };
}

/** Cuts a stream of bytes into frames, however they are spread over chunks. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      if (this.#rest.length < HEADER) return frames;
      const end = HEADER + this.#rest.readUInt32BE(5);
      if (this.#rest.length < end) return frames;
      frames.push({
        version: this.#rest.readUInt8(0),
        flags: this.#rest.readUInt8(1),
        stream: this.#rest.readInt16BE(2),
        opcode: this.#rest.readUInt8(4),
        body: this.#rest.subarray(HEADER, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

/** Reads a body from its beginning. */
export class BodyReader {
  #at = 0;

  constructor(private readonly body: Buffer) {}

  int(): number {
    this.#at += 4;
    return this.body.readInt32BE(this.#at - 4);
  }

  short(): number {
    this.#at += 2;
    return this.body.readUInt16BE(this.#at - 2);
  }

  /** `null`: a value that is not there. */
  bytes(): Buffer | null {
    const length = this.int();
    return length < 0 ? null : this.#take(length);
  }

  shortBytes(): Buffer {
    return this.#take(this.short());
  }

  string(): string {
    return this.shortBytes().toString();
  }

  longString(): string {
    return this.#take(this.int()).toString();
  }

  #take(length: number): Buffer {
    this.#at += length;
    return this.body.subarray(this.#at - length, this.#at);
  }
}

export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([short(bytes.length), bytes]);
}

export function longString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([int(bytes.length), bytes]);
}
