import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  resolve: {
    // The source, not what was built last.
    alias: [
      { find: /^#libs\/([^/]+)$/, replacement: `${root}libs/$1/src/index.ts` },
      { find: '#migrations', replacement: `${root}migrations/index.ts` },
    ],
  },
  test: {
    globalSetup: ['test/support/database-cluster.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes when it comes, also on a busy machine.
    expect: { poll: { timeout: 45_000 } },
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          // `npm test`, in three minutes: functions, and HTTP against a service that is started once per file.
          name: 'quick',
          include: ['libs/**/*.spec.ts', 'test/e2e/**/*.e2e-spec.ts'],
          exclude: ['**/*.acceptance.spec.ts'],
        },
      },
      {
        extends: true,
        test: {
          // `npm run test:acceptance`: processes that are started, replaced and killed, limits as long as they are.
          name: 'acceptance',
          include: ['test/acceptance/**/*.spec.ts', 'libs/**/*.acceptance.spec.ts'],
        },
      },
    ],
  },
});
