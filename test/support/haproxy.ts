import { execFileSync } from 'node:child_process';
import { startProcess } from './foretell-process.js';
import { freePort } from './free-port.js';
import { untilAnswering } from './until-answering.js';

/** Debian's package puts it in a folder that is only on root's PATH. */
const PATH = `${process.env.PATH}:/usr/sbin`;

export type Haproxy = Awaited<ReturnType<typeof startHaproxy>>;

/** The first line of `haproxy -v`; undefined if it is not installed. */
export function haproxyVersion(): string | undefined {
  try {
    return execFileSync('haproxy', ['-v'], { encoding: 'utf8', env: { PATH } }).split('\n')[0];
  } catch {
    return undefined;
  }
}

/** Starts HAProxy with deploy/haproxy.cfg in front of two ports; resolves once it forwards to one of them. */
export async function startHaproxy(ports: readonly [number, number]) {
  const listen = `127.0.0.1:${await freePort()}`;
  const [one, two] = ports.map((port) => `127.0.0.1:${port}`);
  const proxy = startProcess('haproxy', ['-db', '-f', 'deploy/haproxy.cfg'], {
    environment: { PATH, LISTEN: listen, FORETELL_1: one!, FORETELL_2: two! },
  });
  /** The URL for callers. */
  const url = `http://${listen}`;
  await untilAnswering(`${url}/livez`, proxy);
  return { url, stop: proxy.stop };
}
