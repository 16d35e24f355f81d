import { defineConfig } from 'vitest/config';

const never = ['**/node_modules/**', '**/dist/**', '.bedside/**'];
const integration = '**/*.integration.test.{ts,mjs}';
const e2e = '**/*.e2e.test.{ts,mjs}';

/**
 * Three suites by file name. `npm test` runs them one after the other; the environment that the
 * last two need (MEDIASOUP_WORKER_BIN, BEDSIDE_CHROMIUM) comes from scripts/setup.mjs.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.{ts,mjs}'],
          exclude: [...never, integration, e2e],
        },
      },
      {
        // Real Redis and real media workers, which share this machine's cores: one file at a time.
        test: {
          name: 'integration',
          include: [integration],
          exclude: never,
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The whole product and a real browser.
        test: {
          name: 'e2e',
          include: [e2e],
          exclude: never,
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
