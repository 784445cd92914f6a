import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres, migrateDatabase as bringUpToDate } from '#libs/database';
import { migrations } from '#migrations';
import { databaseUrl } from './database-cluster.js';
import { withClient } from './postgres-client.js';

/** A migrated PostgreSQL of its own, with `fsync` on. @param settings of the server, besides ours */
export async function openOwnPostgres(settings: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-postgres-'));
  const postgres = await EmbeddedPostgres.open({ dataDir: folder, purpose: 'command', settings });
  const { url } = postgres;
  await migrateDatabase(url);
  return {
    url,
    /** A superuser, for what the owner may not do. */
    superuserUrl: postgres.superuserUrl,
    /** For other files of the test; removed with the rest. */
    folder,
    /** Another database on the same server, with nothing in it. */
    createDatabase: async (name: string) => {
      const create = `CREATE DATABASE "${name}" OWNER foretell`;
      await withClient(postgres.superuserUrl, (client) => client.query(create));
      return databaseUrl(url, name);
    },
    close: async () => {
      await postgres.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function migrateDatabase(url: string): Promise<void> {
  await bringUpToDate(url, migrations);
}
