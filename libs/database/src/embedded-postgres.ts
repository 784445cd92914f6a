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
import pg from 'pg';
import { readOrCreateSecret } from '#libs/config';
import { accountFor, runPostgres, type Account } from './postgres-binaries.js';

/**
 * A real PostgreSQL under `<dataDir>/postgres`, shared by every Foretell process that names this folder.
 *
 * States of the folder: absent → initialised → served by a postmaster. Any process moves it forward; there is no
 * parent: the postmaster is a daemon, so that a killed Foretell leaves a database that the next one finds and uses.
 *
 * Invariants, kept by locks inside the database itself, which PostgreSQL releases whatever way a process dies:
 * - whoever uses the database holds USERS shared; the last to leave (it can take USERS exclusively) stops it;
 * - at most one service holds SERVICE: a second one on the same folder is told so;
 * - commands (`foretell users …`) take no SERVICE lock and so run beside a service.
 */
const USERS = 7_310_001;
const SERVICE = 7_310_002;
const SUPERUSER = 'foretell';
const DATABASE = 'foretell';
const PATIENCE_MS = 60_000;

export interface EmbeddedPostgres {
  /** With the password: never to be printed. */
  readonly url: string;
  /** Where it is, for people: no password, but where to read it. */
  readonly description: string;
  close(): Promise<void>;
}

/** Another service runs on this `DATA_DIR`. */
export class AlreadyServed extends Error {}

interface OpenOptions {
  dataDir: string;
  purpose: 'service' | 'command';
  /** Server settings besides ours, for example `{ fsync: 'off' }` for a test's throw-away data. */
  settings?: Record<string, string>;
}

export async function openEmbeddedPostgres(options: OpenOptions): Promise<EmbeddedPostgres> {
  const { dataDir } = options;
  const clusterDir = join(dataDir, 'postgres');
  const password = readOrCreateSecret(dataDir, 'database-password');
  const account = await accountFor(clusterDir);
  const connect = (port: number, database: string) =>
    connectClient({
      port,
      database,
      password,
      application_name: `foretell ${options.purpose} ${process.pid}`,
    });

  const { client: keeper, port } = await joinCluster();
  // A keeper whose server is stopped by an operator must not take the process down with an unhandled 'error'.
  keeper.on('error', () => undefined);
  try {
    if (options.purpose === 'service') await claimService(keeper, dataDir);
    await keeper.query(`CREATE DATABASE ${DATABASE}`).catch(ignore('42P04', '23505'));
  } catch (error) {
    await leave();
    throw error;
  }
  return {
    url: `postgresql://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE}`,
    description: `postgresql://${SUPERUSER}@127.0.0.1:${port}/${DATABASE} (password in ${join(dataDir, 'database-password')})`,
    close: leave,
  };

  /** Connects to the running server, or starts it, until a connection holds USERS. */
  async function joinCluster(): Promise<{ client: pg.Client; port: number }> {
    const deadline = Date.now() + PATIENCE_MS;
    let failure: unknown;
    while (Date.now() < deadline) {
      const running = readPostmaster(clusterDir);
      // The pid file of a folder that was copied names the server of its original.
      if (running?.isReady && isPostmasterOf(clusterDir, running.pid)) {
        try {
          const client = await connect(running.port, 'postgres');
          await client.query('SELECT pg_advisory_lock_shared($1)', [USERS]);
          return { client, port: running.port };
        } catch (error) {
          // It is stopping or starting (57P03), or its pid file outlived it.
          failure = error;
          if (ignorable(error, 'ECONNREFUSED')) removeIfStale(clusterDir);
        }
      }
      if (!running) {
        try {
          if (!existsSync(clusterDir)) await initialise(clusterDir, password, account);
          await start(clusterDir, options.settings ?? {}, account);
          continue;
        } catch (error) {
          // Another process may have been faster; if not, the next rounds fail for the same reason.
          if (failure && (error as Error).message === (failure as Error).message) break;
          failure = error;
        }
      } else {
        removeIfStale(clusterDir);
      }
      await sleep(100);
    }
    throw new Error(
      `The embedded PostgreSQL in ${clusterDir} could not be started: ${(failure as Error | undefined)?.message}`,
      { cause: failure },
    );
  }

  async function leave(): Promise<void> {
    try {
      await keeper.query('SELECT pg_advisory_unlock_all()');
      const { rows } = await keeper.query<{ last: boolean }>('SELECT pg_try_advisory_lock($1) AS last', [
        USERS,
      ]);
      // `fast` ends the keeper's own connection as well.
      if (rows[0]?.last)
        await runPostgres('pg_ctl', clusterDir, ['stop', '-m', 'fast', '-w', '-t', '30'], account);
      else await keeper.end();
    } catch (error) {
      // The server is gone already: there is nothing left to stop.
      if (readPostmaster(clusterDir) && !removeIfStale(clusterDir)) throw error;
    }
  }
}

async function claimService(keeper: pg.Client, dataDir: string): Promise<void> {
  const { rows } = await keeper.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1) AS free', [
    SERVICE,
  ]);
  if (rows[0]?.free) return;
  const holder = await keeper.query<{ application_name: string }>(
    `SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND objid = $1`,
    [SERVICE],
  );
  const name = holder.rows[0]?.application_name ?? 'foretell service';
  throw new AlreadyServed(
    `Another Foretell (${name.replace('foretell service', 'process')}) is already running on ${dataDir}. ` +
      `Stop it, or set DATA_DIR to another folder.`,
  );
}

async function connectClient(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    user: SUPERUSER,
    connectionTimeoutMillis: 10_000,
    ...config,
  });
  await client.connect();
  return client;
}

/** A complete cluster or none: initialised beside its place and renamed into it. */
async function initialise(clusterDir: string, password: string, account: Account | undefined): Promise<void> {
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
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // Unicode case mapping without the operating system's locales: `lower(username)` is the same everywhere.
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

async function start(
  clusterDir: string,
  settings: Record<string, string>,
  account: Account | undefined,
): Promise<void> {
  const flags = Object.entries({
    port: String(await freePort()),
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

/** `postmaster.pid`: pid, data folder, start time, port, socket folder, address, shared memory, status. */
function readPostmaster(clusterDir: string): { pid: number; port: number; isReady: boolean } | undefined {
  try {
    const lines = readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), port: Number(lines[3]), isReady: lines[7]?.trim() === 'ready' };
  } catch (error) {
    if (ignorable(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Removes a pid file whose process is gone, or is another program that was given the same number later (usual in
 * containers, where numbers start anew): PostgreSQL itself would take that program for its predecessor.
 */
function removeIfStale(clusterDir: string): boolean {
  const postmaster = readPostmaster(clusterDir);
  if (!postmaster || isPostmasterOf(clusterDir, postmaster.pid)) return false;
  rmSync(join(clusterDir, 'postmaster.pid'), { force: true });
  return true;
}

/** Elsewhere than on Linux any process with this number counts: the pid file of a server that runs must stay. */
function isPostmasterOf(clusterDir: string, pid: number): boolean {
  try {
    if (process.platform !== 'linux') return process.kill(pid, 0);
    // Empty for a zombie; and only the postmaster has arguments, its children write what they do in their place.
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function ignorable(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as { code?: string } | undefined)?.code ?? '');
}

function ignore(...codes: string[]) {
  return (error: unknown) => {
    if (!ignorable(error, ...codes)) throw error;
  };
}
