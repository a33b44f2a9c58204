import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MB = 1_048_576;

it('holds no more after a million calls than after a hundred thousand, and one listener on a signal', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    '--import',
    'tsx',
    'test/bench/heap-run.ts',
  ]);
  const { early, late, mostListeners, listenersLeft, lost, replayed } = JSON.parse(stdout) as Record<
    'early' | 'late' | 'mostListeners' | 'listenersLeft' | 'lost' | 'replayed',
    number
  >;
  expect((late - early) / MB).toBeLessThan(5);
  expect(mostListeners).toBe(1);
  expect(listenersLeft).toBe(0);
  expect(lost).toBe(0);
  expect(replayed).toBeGreaterThan(100);
});
