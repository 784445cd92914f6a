import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import type { DataSource } from 'typeorm';
import { createDataSource } from './data-source.js';
import { openEmbeddedPostgres } from './embedded-postgres.js';
import { migrate } from './migrate.js';

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
    onPoolError: (err) => logger?.warn({ err }, 'an idle database connection was lost'),
  });
  const close = async () => {
    if (dataSource.isInitialized) await dataSource.destroy();
    await server.close();
  };
  try {
    await dataSource.initialize();
    return { dataSource, description: server.description, migrated: await migrate(dataSource), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.password = '';
  return url.href;
}
