import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readOrCreateSecret } from '#libs/config';
import { Connection } from './connection.js';
import { DATABASE, OWNER, prepareRoles, SUPERUSER, upgradeRoles, type Passwords } from './embedded-roles.js';
import { accountFor, type Account } from './postgres-binaries.js';
import {
  ignorable,
  initialise,
  isPostmasterOf,
  readPostmaster,
  removeIfStale,
  start,
  stop,
} from './postgres-cluster.js';

/** Advisory locks in the database `postgres`, to which only the superuser may connect. */
const USERS = 7_310_001;
const SERVICE = 7_310_002;
const PATIENCE_MS = 60_000;
const RESTART_PAUSE_MS = { first: 250, longest: 5_000 };

/** Another service runs on this `DATA_DIR`. */
export class AlreadyServed extends Error {}

interface OpenOptions {
  dataDir: string;
  purpose: 'service' | 'command';
  /** Server settings besides ours, for example `{ fsync: 'off' }` for a test's throw-away data. */
  settings?: Record<string, string>;
  /** Called when the server has ended, and when it runs again. */
  onWarning?(message: string): void;
}

/**
 * A real PostgreSQL under `<dataDir>/postgres`, shared by every Foretell process that uses this folder.
 *
 * States of the folder: absent → initialised → served by a postmaster. Any process moves it forward; there is no
 * parent: the postmaster is a daemon, so that a killed Foretell leaves a database that the next one finds and uses. A
 * server that ends while it is in use is started again, on the same port.
 *
 * Invariants, kept by locks inside the database itself, which PostgreSQL releases however a process dies:
 * - each process that uses the database holds USERS shared; the last one (which can take USERS exclusively) stops it;
 * - at most one service holds SERVICE: a second one on the same folder is refused;
 * - commands (`foretell users …`) take no SERVICE lock and so run next to a service.
 */
export class EmbeddedPostgres {
  private keeper!: Connection;
  private port?: number;
  private isClosed = false;
  private restarting?: Promise<void>;

  private constructor(
    private readonly options: OpenOptions,
    private readonly clusterDir: string,
    private readonly account: Account | undefined,
    private readonly passwords: Passwords,
  ) {}

  /** @throws AlreadyServed, or Error if it cannot be started */
  static async open(options: OpenOptions): Promise<EmbeddedPostgres> {
    const { dataDir } = options;
    const clusterDir = join(dataDir, 'postgres');
    const passwords = {
      owner: readOrCreateSecret(dataDir, 'database-password'),
      superuser: readOrCreateSecret(dataDir, 'database-superuser-password'),
    };
    const postgres = new EmbeddedPostgres(options, clusterDir, await accountFor(clusterDir), passwords);
    await postgres.join();
    try {
      await postgres.claim();
      await prepareRoles(postgres.keeper, postgres.connect, passwords);
    } catch (error) {
      await postgres.close();
      throw error;
    }
    postgres.keep();
    return postgres;
  }

  /** For the role that owns the database and is not a superuser. Contains the password: never print it. */
  get url(): string {
    return this.urlOf(OWNER, this.passwords.owner);
  }

  /** For operations that need a superuser, such as making other databases. */
  get superuserUrl(): string {
    return this.urlOf(SUPERUSER, this.passwords.superuser);
  }

  /** Where it is, for people: without the password, but with the file that has it. */
  get description(): string {
    const file = join(this.options.dataDir, 'database-password');
    return `postgresql://${OWNER}@127.0.0.1:${this.port}/${DATABASE} (password in ${file})`;
  }

  /** Releases the server, and stops it if no other process uses it. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.restarting;
    try {
      await this.keeper.query('SELECT pg_advisory_unlock_all()');
      const { rows } = await this.keeper.query('SELECT pg_try_advisory_lock($1) AS last', [USERS]);
      if (rows[0].last) await stop(this.clusterDir, this.account);
      else await this.keeper.end();
    } catch (error) {
      // The server is already gone: there is nothing left to stop.
      if (readPostmaster(this.clusterDir) && !removeIfStale(this.clusterDir)) throw error;
    }
  }

  private urlOf(user: string, password: string): string {
    return `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/${DATABASE}`;
  }

  /** Connects to the running server, or starts it, until a connection holds USERS. */
  private async join(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    let failure: unknown;
    while (Date.now() < deadline) {
      const running = readPostmaster(this.clusterDir);
      // The pid file of a copied folder names the server of its original.
      if (running?.isReady && isPostmasterOf(this.clusterDir, running.pid)) {
        try {
          this.port = running.port;
          this.keeper = await this.connectKeeper();
          await this.keeper.query('SELECT pg_advisory_lock_shared($1)', [USERS]);
          return;
        } catch (error) {
          // It is stopping or starting (57P03), or its pid file outlived it.
          failure = error;
          if (ignorable(error, 'ECONNREFUSED')) removeIfStale(this.clusterDir);
        }
      }
      if (!running) {
        try {
          await this.start();
          continue;
        } catch (error) {
          // Another process may have been faster; if not, the next rounds fail for the same reason.
          if (failure && (error as Error).message === (failure as Error).message) break;
          failure = error;
        }
      } else {
        removeIfStale(this.clusterDir);
      }
      await sleep(100);
    }
    throw new Error(
      `The embedded PostgreSQL in ${this.clusterDir} could not be started: ${(failure as Error | undefined)?.message}`,
      { cause: failure },
    );
  }

  private async start(): Promise<void> {
    const { clusterDir, account, options } = this;
    if (!existsSync(clusterDir)) await initialise(clusterDir, SUPERUSER, this.passwords.superuser, account);
    await start(clusterDir, options.settings ?? {}, account);
  }

  private async connectKeeper(): Promise<Connection> {
    try {
      return await this.connect('postgres');
    } catch (error) {
      // Made by a release whose only role was the superuser `foretell`.
      if (!ignorable(error, '28P01')) throw error;
      await upgradeRoles(this.connect, this.passwords);
      return this.connect('postgres');
    }
  }

  private readonly connect = (database: string, user = SUPERUSER, password = this.passwords.superuser) =>
    new Connection({
      host: '127.0.0.1',
      port: this.port,
      user,
      password,
      database,
      connectionTimeoutMillis: 10_000,
      application_name: `foretell ${this.options.purpose} ${process.pid}`,
    }).connect();

  private async claim(): Promise<void> {
    if (this.options.purpose !== 'service') return;
    const { rows } = await this.keeper.query('SELECT pg_try_advisory_lock($1) AS free', [SERVICE]);
    if (rows[0].free) return;
    const holder = await this.keeper.query(
      `SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND objid = $1`,
      [SERVICE],
    );
    const name = (holder.rows[0]?.application_name as string | undefined) ?? 'foretell service';
    throw new AlreadyServed(
      `Another Foretell (${name.replace('foretell service', 'process')}) is already running on ${this.options.dataDir}. ` +
        `Stop it, or set DATA_DIR to another folder.`,
    );
  }

  /** The keeper's connection ends with the server: then the server is started again, for as long as we use it. */
  private keep(): void {
    this.keeper.once('end', () => {
      if (!this.isClosed) this.restarting = this.restart().finally(() => (this.restarting = undefined));
    });
  }

  private async restart(): Promise<void> {
    const { onWarning } = this.options;
    onWarning?.('the embedded PostgreSQL has ended; it is started again');
    for (
      let pauseMs = RESTART_PAUSE_MS.first;
      !this.isClosed;
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MS.longest)
    ) {
      try {
        await this.join();
        await this.claim();
        this.keep();
        onWarning?.('the embedded PostgreSQL runs again');
        return;
      } catch (error) {
        onWarning?.((error as Error).message);
        await sleep(pauseMs);
      }
    }
  }
}
