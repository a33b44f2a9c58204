import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { randomInt } from 'node:crypto';

export interface LoopbackNetwork {
  readonly addresses: readonly string[];
  release(): Promise<void>;
}

/** Below the ports that servers are given. */
const guardPort = 19_999;

/**
 * Addresses of this machine that no other run is given: the last one of their network is listened on for as
 * long as they are held, so that the kernel knows the owner, and knows when the owner has ended.
 */
export async function reserveAddresses(count: number): Promise<LoopbackNetwork> {
  for (let tries = 0; tries < 100; tries += 1) {
    const network = `127.${randomInt(1, 255)}.${randomInt(256)}`;
    const guard = await listener(`${network}.254`);
    if (guard === undefined) continue;
    return {
      addresses: Array.from({ length: count }, (_, index) => `${network}.${index + 1}`),
      release: () => new Promise((resolve) => guard.close(() => resolve())),
    };
  }
  throw new Error(`Port ${guardPort} is taken on every address of 127.0.0.0/8 that was tried.`);
}

async function listener(host: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen({ host, port: guardPort });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw new Error(`Nodes need an address each, and ${host} cannot be used; Linux has it.`, {
      cause: error,
    });
  }
}
