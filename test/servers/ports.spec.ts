import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startNats, startPostgres, type Server } from './index.js';
import { freePort } from './ports.js';

vi.mock('./ports.js', { spy: true });

describe('the port of a server', () => {
  const taken = createServer();
  let server: Server | undefined;

  afterEach(async () => {
    await server?.stop();
    taken.close();
  });

  it.each<[string, () => Promise<Server>]>([
    ['NATS', startNats],
    ['PostgreSQL', startPostgres],
  ])('is another one when something took it before %s could', async (_, start) => {
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    vi.mocked(freePort).mockResolvedValueOnce(port);
    server = await start();
    expect(server.port).not.toBe(port);
    expect(server.log).toMatch(/in use/);
  });

  it('is not one the kernel gives to outgoing connections', async () => {
    expect(await freePort('127.0.0.1')).toBeLessThan(32_768);
  });
});
