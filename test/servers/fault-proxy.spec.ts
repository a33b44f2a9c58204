import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFaultProxy, type FaultProxy } from './index.js';

describe('the fault proxy', () => {
  let echo: Server;
  let reachedServer: string;
  let proxy: FaultProxy;
  const clients: Socket[] = [];
  const served = new Set<Socket>();

  beforeEach(async () => {
    reachedServer = '';
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => (reachedServer += text));
      socket.on('error', () => undefined);
      served.add(socket);
      socket.on('close', () => served.delete(socket));
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await startFaultProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.stop();
    await new Promise((resolve) => echo.close(resolve));
  });

  class Client {
    received = '';
    readonly socket = connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true, noDelay: true });
    readonly closed = new Promise<string>((resolve) => {
      let how = 'closed';
      this.socket.on('error', (error: NodeJS.ErrnoException) => (how = error.code ?? error.message));
      this.socket.on('close', () => resolve(how));
    });

    constructor() {
      clients.push(this.socket);
      this.socket.setEncoding('latin1').on('data', (text: string) => (this.received += text));
    }

    async hears(text: string): Promise<void> {
      await expect.poll(() => this.received, { message: 'what came back', timeout: 5_000 }).toBe(text);
    }
  }

  async function exchanging(): Promise<Client> {
    const client = new Client();
    client.socket.write('a');
    await client.hears('a');
    return client;
  }

  it('passes bytes both ways and counts connections', async () => {
    const first = await exchanging();
    await exchanging();
    expect([proxy.connections, proxy.accepted]).toEqual([2, 2]);
    first.socket.destroy();
    await expect.poll(() => proxy.connections, { message: 'connections open' }).toBe(1);
    expect(proxy.accepted).toBe(2);
  });

  it('delays bytes each way', async () => {
    const client = await exchanging();
    proxy.latency(60);
    const asked = performance.now();
    client.socket.write('b');
    await client.hears('ab');
    expect(performance.now() - asked).toBeGreaterThanOrEqual(120);
  });

  it('keeps the order of bytes while the latency changes', async () => {
    const client = new Client();
    let sent = '';
    for (let turn = 0; turn < 300; turn += 1) {
      proxy.latency([20, 0, 5, 0][turn % 4]!);
      client.socket.write(`${turn} `);
      sent += `${turn} `;
      await new Promise(setImmediate); // chunks of their own, not one
    }
    await client.hears(sent);
  });

  it('keeps the order of bytes under more than the buffers hold', async () => {
    const client = new Client();
    const sent = Array.from({ length: 2_500_000 }, (_, index) => `${index} `).join('');
    proxy.latency(5);
    client.socket.write(sent);
    await client.hears(sent);
  });

  it('lets the end of a stream follow its bytes', async () => {
    proxy.latency(20);
    const client = new Client();
    client.socket.end('last words');
    await once(client.socket, 'end');
    expect(client.received).toBe('last words');
    expect(await client.closed).toBe('closed');
  });

  it('refuses: resets who is connected and who comes', async () => {
    const client = await exchanging();
    proxy.refuse();
    expect(await client.closed).toBe('ECONNRESET');
    expect(await new Client().closed).toBe('ECONNRESET');
    expect([proxy.connections, proxy.accepted]).toEqual([0, 1]);
    proxy.pass();
    await exchanging();
  });

  it('resets once and goes on passing', async () => {
    const client = await exchanging();
    proxy.reset();
    expect(await client.closed).toBe('ECONNRESET');
    await exchanging();
  });

  it('swallows bytes as a black hole and resets who lost some when it passes again', async () => {
    const losing = await exchanging();
    const idle = await exchanging();
    proxy.blackHole();
    losing.socket.write('lost');
    const late = new Client();
    late.socket.write('lost too');
    await expect.poll(() => proxy.accepted, { message: 'connections accepted' }).toBe(3);
    expect([losing, idle, late].map(({ socket }) => socket.destroyed)).toEqual([false, false, false]);
    proxy.pass();
    expect(await losing.closed).toBe('ECONNRESET');
    expect(await late.closed).toBe('ECONNRESET');
    expect([losing.received, late.received, reachedServer]).toEqual(['a', '', 'aa']);

    idle.socket.write('b');
    await idle.hears('ab');
  });

  it('swallows what was under way when the black hole opened', async () => {
    const client = await exchanging();
    proxy.latency(5_000);
    client.socket.write('under way');
    const marker = new Client();
    await expect.poll(() => proxy.accepted, { message: 'connections accepted' }).toBe(2);
    marker.socket.destroy();
    proxy.blackHole();
    proxy.pass();
    expect(await client.closed).toBe('ECONNRESET');
    expect(reachedServer).toBe('a');
  });

  it('hides from its clients that the server went away in a black hole', async () => {
    const client = await exchanging();
    proxy.blackHole();
    for (const socket of served) socket.resetAndDestroy();
    new Client();
    await expect.poll(() => proxy.accepted, { message: 'connections accepted' }).toBe(2);
    expect(client.socket.destroyed).toBe(false);
    proxy.pass();
    expect(await client.closed).toBe('ECONNRESET');
  });
});
