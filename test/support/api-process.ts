import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { tmpdir } from 'node:os';
import { resolve as resolvePath } from 'node:path';

/** The built service; tests and benchmarks run from the project's root. */
const API = resolvePath('dist/apps/api/src/main.js');

export interface ApiProcess {
  readonly url: string;
  /** With METRICS_PORT. */
  readonly metricsUrl?: string;
  readonly process: ChildProcess;
  /** Everything it has printed so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Cheap hashing, quiet logs, a port of the system's choice, and no limit on the many users that tests register. */
const TEST_ENVIRONMENT = {
  PORT: '0',
  BCRYPT_COST: '4',
  LOG_LEVEL: 'warn',
  REGISTRATIONS_PER_MINUTE: '10000',
};

/** Starts the built service with exactly this environment (besides PATH and TMPDIR) and resolves once it listens. */
export async function startApi(
  environment: Record<string, string>,
  options: SpawnOptions & { script?: string } = {},
): Promise<ApiProcess> {
  const child = spawn(process.execPath, [options.script ?? API], {
    ...options,
    env: { PATH: process.env.PATH, TMPDIR: tmpdir(), ...TEST_ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  child.stdout!.on('data', (chunk) => (output += chunk));
  child.stderr!.on('data', (chunk) => (output += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const { url, metricsUrl } = await Promise.race([
    new Promise<Pick<ApiProcess, 'url' | 'metricsUrl'>>((resolve) =>
      child.once('message', (message) => resolve(message as Pick<ApiProcess, 'url'>)),
    ),
    ended.then((code) => Promise.reject(new Error(`The service ended with code ${code}:\n${output}`))),
  ]);
  return {
    url,
    metricsUrl,
    process: child,
    output: () => output,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
