import { defineConfig } from 'vitest/config';
import { FailureReporter } from './e2e/failure-reporter.ts';

/** Contract tests with volumes on real disks, below these directories. */
const WITH_DISKS = ['btrfs', 'disks', 'volumes', 'health', 'drills'].map(
  (room) => `src/agent/${room}/**/*.contract.test.ts`,
);
WITH_DISKS.push('src/agent/files/compact.contract.test.ts', 'src/drills/**/*.contract.test.ts');

/** A second try in continuous integration only: whoever works on the code sees the first failure. */
const retry = process.env.CI ? 1 : 0;

const ONE_AT_A_TIME = { fileParallelism: false, retry, testTimeout: 180_000, hookTimeout: 180_000 };

/**
 * unit: fast, in parallel. The others have real parts, one file at a time: storage with disks, contract without, pages in a browser before a
 * stand-in of the API, e2e the whole platform. They mostly wait, so bin/holdfast-test runs contract and pages beside storage.
 */
export default defineConfig({
  test: {
    reporters: ['default', new FailureReporter()],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts', 'web/src/**/*.test.{ts,tsx}'],
          exclude: ['**/*.contract.test.ts', '**/node_modules/**'],
          retry,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'storage',
          include: WITH_DISKS,
          globalSetup: ['src/agent/volumes/testing/sweep.ts'],
          ...ONE_AT_A_TIME,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['src/**/*.contract.test.ts'],
          exclude: [...WITH_DISKS, '**/node_modules/**'],
          ...ONE_AT_A_TIME,
        },
      },
      { test: { name: 'pages', include: ['e2e/pages*.e2e.test.ts'], ...ONE_AT_A_TIME } },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.test.ts'],
          exclude: ['e2e/pages*.e2e.test.ts', '**/node_modules/**'],
          fileParallelism: false,
          retry,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
