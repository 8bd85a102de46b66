import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Tests of sockets and processes wait more than they compute.
const unitWorkers = 2 * availableParallelism();

// unit: one package each, in parallel, under a minute together.
// compose: the same in containers; needs Docker, and so is run by `pnpm test:compose` alone.
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
          testTimeout: 20_000,
          maxWorkers: unitWorkers,
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'test/compose/**'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
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
