import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const processTests = 'packages/**/*.process.test.ts';
// Some tests wait more than they compute; but with more workers than this, scripted agents miss their heartbeats.
const unitWorkers = availableParallelism() + 1;

// unit: one package each, in parallel, under a minute together; but those that are nothing but processes (*.process.test.ts).
// compose: the same in containers; needs Docker, and so is run by `pnpm test:compose` alone.
// small-kernel: compiles a kernel for minutes; run by `pnpm test:small-kernel` alone.
// cluster: real processes, kernels and sockets; one file after the other, for two cores starve a lease of 1.5 s.
export default defineConfig({
  test: {
    globalSetup: ['./scripts/vitest-global-setup.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/**/*.test.ts'],
          exclude: ['**/node_modules/**', processTests],
          testTimeout: 20_000,
          maxWorkers: unitWorkers,
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/**/*.test.ts', processTests],
          exclude: ['**/node_modules/**', 'test/compose/**', 'test/small-kernel/**'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'small-kernel',
          include: ['test/small-kernel/*.test.ts'],
          testTimeout: 180_000,
          // Two slow cores compile it in ten minutes.
          hookTimeout: 1_800_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'compose',
          include: ['test/compose/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 900_000,
          // Testcontainers' reaper is an image from a registry; we take down ourselves, and .ci/run once more.
          env: { TESTCONTAINERS_RYUK_DISABLED: 'true', TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1' },
        },
      },
    ],
  },
});
