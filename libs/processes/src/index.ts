/**
 * Our programs as processes: how one starts another, and how it ends on request. It depends on no program: each
 * has its name in package.json's `imports`. `apps/api`, `apps/cli` and `apps/worker` call it.
 */
export { startProcess } from './start-process.js';
export { onSignals, STOP_LIMIT_MS, stopOnce } from './stop.js';
