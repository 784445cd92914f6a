import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runPostgres, type Account } from './postgres-binaries.js';

/** The files of an embedded PostgreSQL and the server on them: made, started, found. */

/** A complete cluster or none: initialised next to its final place and then renamed. */
export async function initialise(
  clusterDir: string,
  superuser: string,
  password: string,
  account: Account | undefined,
): Promise<void> {
  const draft = `${clusterDir}.${process.pid}`;
  const passwordFile = `${draft}.password`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  try {
    if (account) {
      chownSync(draft, account.uid, account.gid);
      chownSync(passwordFile, account.uid, account.gid);
    }
    await runPostgres(
      'initdb',
      draft,
      [
        `--username=${superuser}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // Unicode case mapping independent of the operating system's locales: `lower(username)` is the same everywhere.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      account,
    );
    renameSync(draft, clusterDir);
  } catch (error) {
    if (!ignorable(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(draft, { recursive: true, force: true });
  }
}

export async function start(
  clusterDir: string,
  settings: Record<string, string>,
  account: Account | undefined,
): Promise<void> {
  const flags = Object.entries({
    port: String(await choosePort(clusterDir)),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    logging_collector: 'on',
    log_filename: 'postgresql-%a.log',
    log_truncate_on_rotation: 'on',
    ...settings,
  }).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(clusterDir, 'start.log');
  try {
    await runPostgres(
      'pg_ctl',
      clusterDir,
      ['start', '-w', '-t', '60', '-l', log, '-o', flags.join(' ')],
      account,
    );
  } catch (cause) {
    const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
    throw new Error(lines.at(-1) ?? (cause as Error).message, { cause });
  }
}

/** How long a process may take to end once the server has removed its pid file: milliseconds, on an idle machine. */
const ENDING_MS = 10_000;

/**
 * Stops the server. `pg_ctl` waits for the pid file to go, which the server removes before it has ended, and before its
 * logger does: when this resolves, they have.
 */
export async function stop(clusterDir: string, account: Account | undefined): Promise<void> {
  const pid = readPostmaster(clusterDir)?.pid;
  const pids = pid === undefined ? [] : [pid, ...childrenOf(pid)];
  // `fast` ends all connections, our own as well.
  await runPostgres('pg_ctl', clusterDir, ['stop', '-m', 'fast', '-w', '-t', '30'], account);
  for (const deadline = Date.now() + ENDING_MS; pids.some(isRunning) && Date.now() < deadline;)
    await sleep(10);
}

/** Only on Linux; elsewhere the server itself is all that is waited for. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function isRunning(pid: number): boolean {
  try {
    // Empty for a zombie, which nobody may ever collect.
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
    return process.kill(pid, 0);
  } catch (error) {
    return ignorable(error, 'EPERM');
  }
}

/** `postmaster.pid`: pid, data folder, start time, port, socket folder, address, shared memory, status. */
export function readPostmaster(
  clusterDir: string,
): { pid: number; port: number; isReady: boolean } | undefined {
  try {
    const lines = readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), port: Number(lines[3]), isReady: lines[7]?.trim() === 'ready' };
  } catch (error) {
    if (ignorable(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Removes a pid file whose process is gone, or is another program that later got the same number (common in
 * containers, where numbers start again): PostgreSQL itself would take that program for its predecessor.
 */
export function removeIfStale(clusterDir: string): boolean {
  const postmaster = readPostmaster(clusterDir);
  if (!postmaster || isPostmasterOf(clusterDir, postmaster.pid)) return false;
  rmSync(join(clusterDir, 'postmaster.pid'), { force: true });
  return true;
}

/** On systems other than Linux any process with this number counts: the pid file of a running server must stay. */
export function isPostmasterOf(clusterDir: string, pid: number): boolean {
  try {
    if (process.platform !== 'linux') return process.kill(pid, 0);
    // Empty for a zombie; and only the postmaster has arguments: its children replace them with their status.
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const folder = args[args.indexOf('-D') + 1];
    return basename(program) === 'postgres' && folder !== undefined && isSameFolder(folder, clusterDir);
  } catch (error) {
    return ignorable(error, 'EPERM');
  }
}

function isSameFolder(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

/** The port it had before, because other users of the server will look there; another one if that is taken. */
async function choosePort(clusterDir: string): Promise<number> {
  const options = join(clusterDir, 'postmaster.opts');
  const before = existsSync(options) ? /port=(\d+)/.exec(readFileSync(options, 'utf8'))?.[1] : undefined;
  return listenBriefly(Number(before ?? 0)).catch(() => listenBriefly(0));
}

/** @returns the port, which is free; for 0, one that the system chooses */
function listenBriefly(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address.port));
    });
  });
}

export function ignorable(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as { code?: string } | undefined)?.code ?? '');
}
