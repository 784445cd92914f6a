import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDataSource, migrate, openEmbeddedPostgres } from '#libs/database';

export interface BenchDatabase {
  readonly url: string;
  /** For whatever else the bench needs on disk; removed with the rest. */
  readonly folder: string;
  /** Another database on the same server, with nothing in it. */
  createDatabase(name: string): Promise<string>;
  close(): Promise<void>;
}

/** A migrated PostgreSQL of its own, with `fsync` on. @param settings of the server, besides ours */
export async function openBenchDatabase(settings: Record<string, string> = {}): Promise<BenchDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-bench-'));
  const { url, close } = await openEmbeddedPostgres({ dataDir: folder, purpose: 'command', settings });
  await migrateDatabase(url);
  return {
    url,
    folder,
    createDatabase: async (name) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`CREATE DATABASE "${name}"`).finally(() => client.end());
      return Object.assign(new URL(url), { pathname: `/${name}` }).href;
    },
    close: async () => {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function migrateDatabase(url: string): Promise<void> {
  const dataSource = await createDataSource({ url, entities: [] }).initialize();
  await migrate(dataSource).finally(() => dataSource.destroy());
}
