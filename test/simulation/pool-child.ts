import { runBatch } from './batch.js';
import { generate } from './generate.js';
import type { Assignment } from './pool.js';

/** One process of the pool: gets its seeds, answers with their report, ends. */
process.once('message', (message) => {
  const { from, count, stride, size, surface, stopAfter } = message as Assignment;
  const seeds = Array.from({ length: count }, (_, index) => from + index * stride);
  void runBatch(seeds, (seed) => generate(seed, size, surface), stopAfter).then((report) => {
    process.send?.(report, () => process.disconnect());
  });
});
