import { spawn, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { childEnvironment } from '#libs/config';

const { resolve } = createRequire(import.meta.url);

/**
 * Starts one of our programs, with our environment. Its channel tells it when we are gone, however we ended. It has a
 * process group of its own: Ctrl+C reaches only us, and we stop it in our own order.
 */
export function startProcess(
  program: '#api' | '#worker',
  { environment = {}, isQuiet = false }: { environment?: Record<string, string>; isQuiet?: boolean } = {},
): ChildProcess {
  return spawn(process.execPath, [resolve(program)], {
    env: childEnvironment(environment),
    stdio: ['ignore', isQuiet ? 'ignore' : 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
}
