import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Kills servers and workers and waits for clocks: by itself, on a machine that does nothing else.
    exclude: [
      ...configDefaults.exclude,
      ...(process.env['SPEXLENS_TEST_FAULTS'] === '1' ? [] : ['test/measure/queue/faults.test.ts']),
    ],
    setupFiles: ['test/setup.ts'],
    testTimeout: 30_000,
    pool: 'forks',
    maxWorkers: Math.max(2, availableParallelism()), // the default leaves one core idle, which is half of two
  },
});
