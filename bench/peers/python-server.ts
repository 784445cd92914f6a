import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/support/free-port.js';
import { spawnBare } from '../measured-run.js';

const START_MS = 90_000;
const STOP_MS = 10_000;

export type PythonServer = Awaited<ReturnType<typeof startPythonServer>>;

interface ServerCommand {
  command: string;
  args: readonly (string | number)[];
  cwd?: string;
  environment?: Record<string, string>;
  /** Answers with 200 once the server is ready. */
  readyPath: string;
}

/** Starts a server, with all its child processes, as a process group of its own, and waits until it is ready. */
export async function startPythonServer(at: (port: number) => ServerCommand) {
  const port = await freePort();
  const options = at(port);
  const url = `http://127.0.0.1:${port}`;
  const { child, said } = spawnBare(options.command, options.args.map(String), {
    cwd: options.cwd,
    env: { PYTHONDONTWRITEBYTECODE: '1', ...options.environment },
    detached: true,
  });
  await new Promise((resolve, reject) => child.once('spawn', () => resolve(undefined)).once('error', reject));
  const pid = child.pid!;
  const stop = async () => {
    signal(pid, 'SIGTERM');
    for (const end = Date.now() + STOP_MS; signal(pid, 0) && Date.now() < end;) await sleep(50);
    signal(pid, 'SIGKILL');
  };
  const deadline = Date.now() + START_MS;
  while (!(await isReady(url + options.readyPath))) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || Date.now() > deadline) {
      await stop();
      throw new Error(`${hasEnded ? 'ended' : 'not ready in time'}: ${said.all.trim().split('\n').at(-1)}`);
    }
    await sleep(200);
  }
  return { url, pid, stop };
}

async function isReady(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}

/** @returns whether any process in the group received it */
function signal(group: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, name);
  } catch {
    return false;
  }
}
