import { randomInt } from 'node:crypto';
import { afterEach, expect, it, vi } from 'vitest';
import { type LoopbackNetwork, reserveAddresses } from './loopback.js';

vi.mock('node:crypto', { spy: true });

const held: LoopbackNetwork[] = [];

afterEach(async () => {
  vi.mocked(randomInt).mockReset();
  await Promise.all(held.splice(0).map((network) => network.release()));
});

/** The numbers that the next networks are made of. */
function drawing(...numbers: number[]): void {
  for (const number of numbers) vi.mocked(randomInt as () => number).mockReturnValueOnce(number);
}

async function reserved(count: number): Promise<readonly string[]> {
  const network = await reserveAddresses(count);
  held.push(network);
  return network.addresses;
}

it('gives addresses of one network', async () => {
  drawing(211, 17);
  expect(await reserved(3)).toEqual(['127.211.17.1', '127.211.17.2', '127.211.17.3']);
});

it('does not give addresses twice while they are held', async () => {
  drawing(212, 18, 212, 18, 213, 19);
  expect(await reserved(1)).toEqual(['127.212.18.1']);
  expect(await reserved(1)).toEqual(['127.213.19.1']);
});

it('gives addresses again that were released', async () => {
  drawing(214, 20, 214, 20);
  const first = await reserveAddresses(1);
  await first.release();
  expect(await reserved(1)).toEqual(first.addresses);
});
