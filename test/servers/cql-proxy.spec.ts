import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BodyReader,
  encodeFrame,
  type Frame,
  FrameReader,
  int,
  longString,
  opcodes,
  requestFrame,
  resultKinds,
  short,
} from './cql-frames.js';
import { type CqlProxy, startCqlProxy } from './cql-proxy.js';

const WANTED = 'SELECT wanted';
const OTHER = 'SELECT other';

describe('A CQL proxy', () => {
  let node: Server;
  let asked: Frame[];
  let proxy: CqlProxy;
  let client: Client;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    asked = [];
    node = createServer((socket) => {
      sockets.push(socket);
      const reader = new FrameReader();
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        for (const frame of reader.push(chunk)) {
          asked.push(frame);
          socket.write(encodeFrame(answerTo(frame)));
        }
      });
    });
    node.listen(0, '127.0.0.1');
    await once(node, 'listening');
    proxy = await startCqlProxy({ host: '127.0.0.1', port: (node.address() as AddressInfo).port });
    client = new Client(proxy);
  });

  afterEach(async () => {
    client.socket.destroy();
    await proxy.stop();
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => node.close(resolve));
  });

  it('passes requests and answers, however their bytes are spread', async () => {
    const request = requestFrame(7, opcodes.query, longString(WANTED));
    for (const byte of request) {
      client.socket.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    client.socket.write(Buffer.concat([query(8, OTHER), query(9, WANTED)]));
    await client.hears(7, 8, 9);
    expect(asked.map(({ body }) => new BodyReader(body).longString())).toEqual([WANTED, OTHER, WANTED]);
  });

  it('delays the answers to matching texts, while others pass', async () => {
    proxy.delay(/wanted/, 100);
    const startMs = performance.now();
    client.socket.write(Buffer.concat([query(1, WANTED), query(2, OTHER)]));
    await client.hears(2, 1);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(95);
    expect(proxy.caught).toBe(1);
  });

  it('swallows the answers to matching texts, asked as QUERY, PREPARE or EXECUTE, and to no others', async () => {
    client.socket.write(prepare(1, WANTED));
    client.socket.write(prepare(2, OTHER));
    await client.hears(1, 2);
    proxy.swallow(/wanted/);
    for (const frame of [query(3, WANTED), prepare(4, WANTED), execute(5, WANTED)])
      client.socket.write(frame);
    for (const frame of [query(6, OTHER), prepare(7, OTHER), execute(8, OTHER)]) client.socket.write(frame);
    await client.hears(1, 2, 6, 7, 8);
    expect(asked).toHaveLength(8);
    expect(proxy.caught).toBe(3);

    proxy.pass();
    client.socket.write(query(3, WANTED));
    await client.hears(1, 2, 6, 7, 8, 3);
  });

  it('answers matching texts with an error that the node knows nothing of', async () => {
    proxy.refuse(/wanted/, 0x2100, 'No permission');
    client.socket.write(Buffer.concat([query(1, WANTED), query(2, OTHER)]));
    await client.hears(1, 2);
    const refused = client.heard.find(({ stream }) => stream === 1)!;
    expect([refused.version, refused.opcode]).toEqual([0x84, opcodes.error]);
    const body = new BodyReader(refused.body);
    expect([body.int(), body.string()]).toEqual([0x2100, 'No permission']);
    expect(asked.map(({ stream }) => stream)).toEqual([2]);
  });

  it('holds everything while it is paused, connections that come then included, and loses nothing', async () => {
    client.socket.write(query(1, OTHER));
    await client.hears(1);
    proxy.pause();
    client.socket.write(query(2, OTHER));
    const late = new Client(proxy);
    late.socket.write(query(3, OTHER));
    await expect.poll(() => sockets.length, { message: 'connections at the node' }).toBe(2);
    const direct = new Client(node.address() as AddressInfo);
    direct.socket.write(query(4, OTHER));
    await direct.hears(4);
    expect(asked.map(({ stream }) => stream)).toEqual([1, 4]);
    proxy.resume();
    await client.hears(1, 2);
    await late.hears(3);
    for (const { socket } of [late, direct]) socket.destroy();
  });

  it('closes with the node', async () => {
    client.socket.write(query(1, OTHER));
    await client.hears(1);
    const closed = new Promise((resolve) => client.socket.on('close', resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
});

class Client {
  readonly heard: Frame[] = [];
  readonly socket: Socket;

  constructor({ port }: { port: number }) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const reader = new FrameReader();
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => this.heard.push(...reader.push(chunk)));
  }

  async hears(...streams: number[]): Promise<void> {
    const heard = (): number[] => this.heard.map(({ stream }) => stream).sort();
    await expect.poll(heard, { message: 'streams answered', timeout: 5_000 }).toEqual([...streams].sort());
  }
}

const query = (stream: number, text: string): Buffer => requestFrame(stream, opcodes.query, longString(text));
const prepare = (stream: number, text: string): Buffer =>
  requestFrame(stream, opcodes.prepare, longString(text));
const execute = (stream: number, text: string): Buffer =>
  requestFrame(stream, opcodes.execute, shortBytes(text));

/** Its ids are the texts themselves. */
function answerTo({ stream, opcode, body }: Frame): Frame {
  const result =
    opcode === opcodes.prepare
      ? [int(resultKinds.prepared), shortBytes(new BodyReader(body).longString())]
      : [int(resultKinds.rows)];
  return { version: 0x84, flags: 0, stream, opcode: opcodes.result, body: Buffer.concat(result) };
}

function shortBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([short(bytes.length), bytes]);
}
