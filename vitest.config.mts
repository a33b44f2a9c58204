import { defineConfig } from 'vitest/config';

const shared = {
  // Vite compiles with Oxc: Nest needs the decorator metadata that TypeScript would have emitted.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
};
const setupFiles = ['reflect-metadata'];

export default defineConfig({
  ...shared,
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: ['lib/**/*.spec.ts', 'test/matchers/**/*.spec.ts'],
          setupFiles,
          // Properties take a while where other work is done.
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.spec.ts'],
          // Many histories run in processes of their own: one file at a time has the cores to itself.
          fileParallelism: false,
          testTimeout: 300_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'servers',
          include: ['test/servers/**/*.spec.ts', 'test/bench/**/*.spec.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.spec.ts'],
          setupFiles,
          // One process for all files, so that they share one pair of clusters.
          isolate: false,
          maxWorkers: 1,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'packaging',
          include: ['test/packaging/*.spec.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'soak',
          include: ['test/soak/**/*.spec.ts'],
          setupFiles,
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
