/**
 * The temporary folder of one run of tests, and its keeper.
 *
 * Every process of a run gets the folder as its TMPDIR, which sets what belongs to the run apart from everything
 * else. The keeper is a process in a session of its own, which Ctrl+C does not reach, and waits for the end of its
 * standard input: the kernel closes that with the run, however it ends. It then kills leftovers, unmounts what the run
 * mounted there, and removes the folder.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(import.meta.url);
/** PostgreSQL frees its shared memory on SIGQUIT, but not on SIGKILL. */
const PATIENCE_WITH_POSTGRES_MS = 3_000;
const PATIENCE_MS = 15_000;

/** Sets TMPDIR for this process and all that it starts from now on. */
export function openRunFolder() {
  const path = mkdtempSync(join(tmpdir(), 'foretell-run-'));
  // Like the folder around it: some processes of the run belong to other users.
  chmodSync(path, 0o1777);
  const keeper = spawn(process.execPath, [HERE, path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
    env: {},
  });
  const outside = process.env.TMPDIR;
  process.env.TMPDIR = path;
  return {
    path,
    close: async () => {
      if (outside === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = outside;
      const ended = once(keeper, 'exit');
      keeper.stdin.end();
      await ended;
    },
  };
}

/**
 * Every process that works in this folder or refers to it, including PostgreSQL's.
 *
 * @param {string} folder
 * @returns {string[]} `<pid> <command line>`
 */
export function processesIn(folder) {
  const own = String(process.pid);
  const found =
    process.platform === 'linux'
      ? processesOnLinux(folder)
      : execFileSync('ps', ['-A', '-o', 'pid=,command='], { encoding: 'utf8' })
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line.includes(folder));
  return found.filter((line) => line.split(' ')[0] !== own);
}

/** @param {string} line of `processesIn` */
export const isPostgres = (line) => /^\d+ \S*postgres\b/.test(line);

/** Kills everything that works in this folder. @param {string} folder */
export async function endProcessesIn(folder) {
  const start = performance.now();
  for (let left = processesIn(folder); left.length > 0; left = processesIn(folder)) {
    const waitedMs = performance.now() - start;
    if (waitedMs > PATIENCE_MS) return;
    for (const line of left) {
      const isSpared = isPostgres(line) && waitedMs < PATIENCE_WITH_POSTGRES_MS;
      kill(Number.parseInt(line, 10), isSpared ? 'SIGQUIT' : 'SIGKILL');
    }
    await sleep(50);
  }
}

/** Found by its arguments, its working folder (PostgreSQL), or its environment (Foretell itself). */
function processesOnLinux(/** @type {string} */ folder) {
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = readable(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim());
    // A zombie no longer has a command line: it has ended.
    if (!command) continue;
    const cwd = readable(() => readlinkSync(`/proc/${pid}/cwd`));
    const environment = readable(() => readFileSync(`/proc/${pid}/environ`, 'utf8'));
    if ([command, cwd, environment].some((trace) => trace?.includes(folder))) found.push(`${pid} ${command}`);
  }
  return found;
}

/** Undefined for a process that has ended or belongs to someone else. */
function readable(/** @type {() => string} */ read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Nothing happens if it has already ended. */
export function kill(/** @type {number} */ pid, /** @type {NodeJS.Signals} */ signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It has already ended.
  }
}

if (process.argv[1] === HERE) {
  const folder = process.argv[2];
  process.stdin.resume();
  await once(process.stdin, 'close');
  await endProcessesIn(folder);
  for (const [, disk] of (readable(() => readFileSync('/proc/mounts', 'utf8')) ?? '').matchAll(
    /^\S+ (\S+)/gm,
  ))
    if (disk.startsWith(`${folder}/`)) execFileSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
}
