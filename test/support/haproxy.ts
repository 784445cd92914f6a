import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.js';

/** Debian's package puts it where only root looks. */
const PATH = `${process.env.PATH}:/usr/sbin`;
const PATIENCE_MS = 60_000;

export interface Haproxy {
  /** Where callers find it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** The first line of `haproxy -v`; undefined if it is not installed. */
export function haproxyVersion(): string | undefined {
  try {
    return execFileSync('haproxy', ['-v'], { encoding: 'utf8', env: { PATH } }).split('\n')[0];
  } catch {
    return undefined;
  }
}

/** Starts HAProxy with deploy/haproxy.cfg in front of two ports; resolves once it forwards to one of them. */
export async function startHaproxy(ports: readonly [number, number]): Promise<Haproxy> {
  const listen = `127.0.0.1:${await freePort()}`;
  const [one, two] = ports.map((port) => `127.0.0.1:${port}`);
  const proxy = spawn('haproxy', ['-db', '-f', 'deploy/haproxy.cfg'], {
    env: { PATH, TMPDIR: tmpdir(), LISTEN: listen, FORETELL_1: one, FORETELL_2: two },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  proxy.stderr.on('data', (chunk) => (said += chunk));
  const stop = async () => {
    if (proxy.exitCode !== null || proxy.signalCode !== null) return;
    proxy.kill('SIGTERM');
    await once(proxy, 'exit');
  };
  const url = `http://${listen}`;
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isAnswering(url))) {
    if (proxy.exitCode !== null) throw new Error(`HAProxy ended:\n${said}`);
    if (performance.now() > deadline) {
      await stop();
      throw new Error(`HAProxy does not answer:\n${said}`);
    }
    await sleep(20);
  }
  return { url, stop };
}

function isAnswering(url: string): Promise<boolean> {
  return fetch(`${url}/livez`).then(
    ({ ok }) => ok,
    () => false,
  );
}
