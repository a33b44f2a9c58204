import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range the kernel takes local ports of outgoing connections from (32768 and up). Inside it, a
 * client that reconnects to a killed server can be given the server's own port, connect to itself, and
 * keep the server from coming back.
 */
const lowest = 20_000;
const aboveHighest = 32_768;
const given = new Set<number>();

/**
 * A port that is free now on all these hosts. Random, so that parallel runs rarely pick the same one between this look and
 * the server's own bind; for when they do, see the retry in server-process.ts.
 */
export async function freePort(...hosts: string[]): Promise<number> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = randomInt(lowest, aboveHighest);
    if (given.has(port)) continue;
    const free = await Promise.all(hosts.map((host) => isFree(host, port)));
    if (free.every(Boolean)) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`No free port between ${lowest} and ${aboveHighest} on ${hosts.join(', ')}.`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port }, () => probe.close(() => resolve(true)));
  });
}
