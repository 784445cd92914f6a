import { defineConfig } from 'vitest/config';
import config from '../../../vitest.config.js';

/** A run that never ends by itself, for test/acceptance/interrupted-run.spec.ts. */
export default defineConfig({
  ...config,
  root: process.cwd(),
  test: { ...config.test, projects: undefined, include: ['test/support/hanging-run/hangs.ts'] },
});
