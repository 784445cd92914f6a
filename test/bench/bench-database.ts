import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDataSource, migrate, openEmbeddedPostgres } from '#libs/database';

export interface BenchDatabase {
  readonly url: string;
  /** For whatever else the bench needs on disk; removed with the rest. */
  readonly folder: string;
  close(): Promise<void>;
}

/** A migrated PostgreSQL of its own, with `fsync` on. */
export async function openBenchDatabase(): Promise<BenchDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-bench-'));
  const { url, close } = await openEmbeddedPostgres({ dataDir: folder, purpose: 'command' });
  const dataSource = await createDataSource({ url, entities: [] }).initialize();
  await migrate(dataSource).finally(() => dataSource.destroy());
  return {
    url,
    folder,
    close: async () => {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
