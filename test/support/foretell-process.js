/** The built programs, each in a process with its own environment: for all kinds of tests, and benchmarks. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tests and benchmarks run from the project's root. */
export const CHECKOUT = process.cwd();
export const COMMAND_LINE = join(CHECKOUT, 'dist/apps/cli/src/main.js');
const API = join(CHECKOUT, 'dist/apps/api/src/main.js');

/** Cheap hashing, quiet logs, a port chosen by the system, and no limit on registrations. */
const ENVIRONMENT = {
  PATH: process.env.PATH,
  PORT: '0',
  BCRYPT_COST: '4',
  LOG_LEVEL: 'warn',
  REGISTRATIONS_PER_MINUTE: '10000',
};

/**
 * Starts any program with exactly this environment, plus ours and TMPDIR, and pipes to and from it.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { environment?: Record<string, string> }} [options]
 */
export function startProcess(program, args, { environment, ...options } = {}) {
  const child = spawn(program, args, {
    cwd: CHECKOUT,
    stdio: 'pipe',
    ...options,
    env: { ...ENVIRONMENT, TMPDIR: tmpdir(), ...environment },
  });
  let since = performance.now();
  const text = { stdout: '', stderr: '', output: '' };
  for (const stream of /** @type {const} */ (['stdout', 'stderr'])) {
    child[stream]?.setEncoding('utf8').on('data', (/** @type {string} */ chunk) => {
      text[stream] += chunk;
      text.output += chunk;
    });
  }
  /** @type {Promise<import('./data-dir.js').Ending>} */
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const { stdout, stderr } = text;
      resolve({ code, signal, stdout, stderr, durationMs: performance.now() - since });
    });
  });
  const signal = (/** @type {NodeJS.Signals} */ name) => {
    since = performance.now();
    child.kill(name);
    return ended;
  };
  return {
    process: child,
    /** Everything it has printed so far, stdout and stderr. */
    output: () => text.output,
    ended,
    signal,
    /** SIGTERM; resolves with the exit code. */
    stop: async () => (await signal('SIGTERM')).code,
    /** SIGKILL. */
    kill: async () => void (await signal('SIGKILL')),
  };
}

/** Runs `foretell …` to its end; `input` is its standard input. */
export function foretell(
  /** @type {string[]} */ args,
  /** @type {Parameters<typeof startProcess>[2] & { input?: string }} */ { input, ...options } = {},
) {
  const command = startProcess(process.execPath, [COMMAND_LINE, ...args], options);
  command.process.stdin?.on('error', () => undefined).end(input);
  return command.ended;
}

/** Starts the service; `listening` resolves with its URLs, if it gets that far. */
export function spawnService(
  /** @type {Parameters<typeof startProcess>[2] & { script?: string }} */ { script = API, ...options } = {},
) {
  const service = startProcess(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...options,
  });
  /** @type {Promise<{ url: string, metricsUrl?: string }>} The second with METRICS_PORT. */
  const listening = new Promise((resolve) => service.process.once('message', resolve));
  return { ...service, listening };
}

/** @param {ReturnType<typeof spawnService>} service @throws Error if it ends instead */
export async function untilListening(service) {
  const first = await Promise.race([service.listening, service.ended]);
  if ('url' in first) return { ...service, ...first };
  throw new Error(`The service ended with code ${first.code}:\n${service.output()}`);
}
