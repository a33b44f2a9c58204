import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  BodyReader,
  type Frame,
  FrameReader,
  longString,
  opcodes,
  requestFrame,
  resultKinds,
  short,
  string,
} from './cql-frames.js';

/** What a node says has become of its schema, as it says it to every client that listens. */
export interface SchemaEvent {
  readonly change: string;
  readonly target: string;
  readonly keyspace: string;
  /** Of the table or type; empty for a keyspace. */
  readonly name: string;
}

/** One connection without a driver: values as the bytes they are stored as, and events as they come. */
export class CqlConnection {
  readonly events: SchemaEvent[] = [];
  readonly #waiting = new Map<number, { resolve: (frame: Frame) => void; reject: (error: Error) => void }>();
  #streams = 0;

  private constructor(private readonly socket: Socket) {
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      for (const frame of reader.push(chunk)) this.#heard(frame);
    });
    socket.on('error', () => undefined); // `close` follows
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('The connection was closed.'));
      this.#waiting.clear();
    });
  }

  static async open({ host, port }: { host: string; port: number }): Promise<CqlConnection> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    const connection = new CqlConnection(socket);
    await connection.#request(opcodes.startup, short(1), string('CQL_VERSION'), string('3.0.0'));
    return connection;
  }

  /** From now on `events` holds what happens to the schema. */
  async listen(): Promise<void> {
    await this.#request(opcodes.register, short(1), string('SCHEMA_CHANGE'));
  }

  /** The rows of one page, each value as it is stored. */
  async rows(cql: string): Promise<(Buffer | null)[][]> {
    const atOneWithoutMetadata = Buffer.from([0, 1, 2]);
    const { body } = await this.#request(opcodes.query, longString(cql), atOneWithoutMetadata);
    const reader = new BodyReader(body);
    if (reader.int() !== resultKinds.rows) return [];
    const flags = reader.int();
    const isBare = (flags & 4) !== 0 && (flags & 2) === 0;
    if (!isBare) throw new Error(`Rows without metadata and more pages were expected, not flags ${flags}.`);
    const columns = reader.int();
    const count = reader.int();
    return Array.from({ length: count }, () => Array.from({ length: columns }, () => reader.bytes()));
  }

  /** Has the node prepare a text, in the keyspace of the last USE. */
  async prepare(cql: string): Promise<void> {
    await this.#request(opcodes.prepare, longString(cql));
  }

  close(): void {
    this.socket.destroy();
  }

  async #request(opcode: number, ...parts: readonly Buffer[]): Promise<Frame> {
    const stream = (this.#streams = (this.#streams + 1) % 32_768);
    const answer = new Promise<Frame>((resolve, reject) => this.#waiting.set(stream, { resolve, reject }));
    this.socket.write(requestFrame(stream, opcode, ...parts));
    const frame = await answer;
    if (frame.opcode !== opcodes.error) return frame;
    const body = new BodyReader(frame.body);
    throw new Error(`0x${body.int().toString(16)}: ${body.string()}`);
  }

  #heard(frame: Frame): void {
    if (frame.opcode !== opcodes.event) {
      this.#waiting.get(frame.stream)?.resolve(frame);
      this.#waiting.delete(frame.stream);
      return;
    }
    const body = new BodyReader(frame.body);
    if (body.string() !== 'SCHEMA_CHANGE') return;
    const [change, target, keyspace] = [body.string(), body.string(), body.string()];
    this.events.push({ change, target, keyspace, name: target === 'KEYSPACE' ? '' : body.string() });
  }
}
