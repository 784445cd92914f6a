import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import type { DataSource } from 'typeorm';
import { createDataSource } from './data-source.js';
import { openEmbeddedPostgres } from './embedded-postgres.js';
import { migrate } from './migrate.js';

/** A page of the log over many rows takes long; nothing that a caller waits for should. */
const QUERY_TIMEOUT_MS = 10_000;

export interface OpenDatabase {
  readonly dataSource: DataSource;
  /** Where it is, for people: without a password. */
  readonly description: string;
  readonly migrated: readonly string[];
  close(): Promise<void>;
}

interface OpenOptions {
  purpose: 'service' | 'command';
  entities: Parameters<typeof createDataSource>[0]['entities'];
  logger?: Logger;
}

/** Opens the configured database, or the embedded one, and brings its schema up to date. */
export async function openDatabase(
  config: Config,
  { purpose, entities, logger }: OpenOptions,
): Promise<OpenDatabase> {
  const server = config.databaseUrl
    ? {
        url: config.databaseUrl,
        description: withoutPassword(config.databaseUrl),
        close: async () => undefined,
      }
    : await openEmbeddedPostgres({ dataDir: config.dataDir, purpose });
  const dataSource = createDataSource({
    url: server.url,
    poolSize: config.databasePoolSize,
    entities,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    onPoolError: (err) => logger?.warn({ err }, 'an idle database connection was lost'),
  });
  const close = async () => {
    if (dataSource.isInitialized) await dataSource.destroy();
    await server.close();
  };
  try {
    const migrated = await migrateSchema(server.url);
    await dataSource.initialize();
    return { dataSource, description: server.description, migrated, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function migrateSchema(url: string): Promise<string[]> {
  const dataSource = await createDataSource({ url, poolSize: 2, entities: [] }).initialize();
  return migrate(dataSource).finally(() => dataSource.destroy());
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.password = '';
  return url.href;
}
