import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { EmbeddedPostgres, migrateDatabase } from '#libs/database';
import { migrations } from '#migrations';
import { accountFor, runPostgres, type Account } from '../../libs/database/src/postgres-binaries.js';
import { processTree } from '../support/process-tree.js';
import { kill } from '../support/run-folder.js';
import { start } from '../../libs/database/src/postgres-cluster.js';

/** A migrated PostgreSQL of its own that can be broken in every way, and comes back at the same port. */
export class PostgresServer {
  private constructor(
    /** As its owner, as the service connects. */
    readonly url: string,
    private readonly superuserUrl: string,
    private readonly clusterDir: string,
    private readonly account: Account | undefined,
    private readonly remove: () => void,
    readonly hasOwnDisk: boolean,
  ) {}

  /** @param smallDisk in MB: on its own disk of that size. @throws if none can be mounted */
  static async start(settings: Record<string, string> = {}, smallDisk?: number): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'foretell-chaos-'));
    const remove = () => rmSync(folder, { recursive: true, force: true });
    let unmount = () => undefined as unknown;
    if (smallDisk !== undefined) {
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${smallDisk}m`, 'tmpfs', folder], {
          stdio: 'pipe',
        });
      } catch (error) {
        remove();
        throw error;
      }
      unmount = () => execFileSync('umount', [folder]);
      chmodSync(folder, 0o700);
    }
    const made = await EmbeddedPostgres.open({ dataDir: folder, purpose: 'command' });
    const { url, superuserUrl } = made;
    await migrateDatabase(url, migrations);
    // From here on only we look after it: what is broken stays broken until we repair it.
    await made.close();
    const clusterDir = join(folder, 'postgres');
    const removeAll = () => {
      unmount();
      remove();
    };
    const account = await accountFor(clusterDir);
    await start(clusterDir, settings, account);
    return new PostgresServer(url, superuserUrl, clusterDir, account, removeAll, smallDisk !== undefined);
  }

  async query<Row extends object = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query(sql, values)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** @throws if it accepts none */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.superuserUrl, application_name: 'chaos' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Resolves when no one else is connected to the database. */
  async connectionsEnded(): Promise<void> {
    const client = await this.connect();
    const others = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    while ((await client.query(others)).rowCount !== 0) await sleep(20);
    await client.end();
  }

  get isRunning(): boolean {
    return this.pid !== undefined && existsSync(`/proc/${this.pid}`);
  }

  /** To the server and to each of its processes. */
  signal(signal: NodeJS.Signals): void {
    for (const pid of this.pid === undefined ? [] : processTree(this.pid)) kill(pid, signal);
  }

  stop(mode: 'fast' | 'immediate'): Promise<unknown> {
    return runPostgres('pg_ctl', this.clusterDir, ['stop', '-m', mode, '-w', '-t', '60'], this.account);
  }

  /** At the same port, with the same settings: pg_ctl keeps them for a restart. */
  async startAgain(): Promise<void> {
    const log = join(this.clusterDir, 'start.log');
    await runPostgres('pg_ctl', this.clusterDir, ['restart', '-w', '-t', '60', '-l', log], this.account);
  }

  /** Fills its disk to the last byte. @returns a function that frees the space */
  fillDisk(): () => void {
    const ballast = join(this.clusterDir, '..', 'ballast');
    const chunk = Buffer.alloc(64 * 1024);
    const { bavail, bsize } = statfsSync(this.clusterDir);
    try {
      for (let left = bavail * bsize + chunk.length; left > 0; left -= chunk.length)
        writeFileSync(ballast, chunk, { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
    return () => rmSync(ballast);
  }

  async close(): Promise<void> {
    this.signal('SIGCONT');
    await this.stop('immediate').catch(() => undefined);
    while (this.isRunning) await sleep(50);
    this.remove();
  }

  private get pid(): number | undefined {
    try {
      return Number(readFileSync(join(this.clusterDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    } catch {
      return undefined;
    }
  }
}
