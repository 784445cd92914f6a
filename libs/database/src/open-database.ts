import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import { createDataSource, type Migrations } from './data-source.js';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { migrateDatabase } from './migrate.js';

/** A page of the log over many rows takes long; nothing that a caller waits for should. */
const QUERY_TIMEOUT_MS = 10_000;
/** The embedded server's connections: PostgreSQL's own default, and what a process needs in addition to its pool. */
const CONNECTIONS = { least: 100, besidePool: 4, forCommands: 20 };

export type OpenDatabase = Awaited<ReturnType<typeof openDatabase>>;

interface PrepareOptions {
  purpose: 'service' | 'command';
  migrations: Migrations;
  logger?: Logger;
}

interface OpenOptions extends PrepareOptions {
  entities?: Parameters<typeof createDataSource>[0]['entities'];
}

/** Opens the configured database, or the embedded one, and brings its schema up to date. */
export async function openDatabase(config: Config, { entities, ...options }: OpenOptions) {
  const { url, description, migrated, close: leave } = await prepareDatabase(config, options);
  const dataSource = createDataSource({
    url,
    poolSize: config.databasePoolSize,
    entities,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    onPoolError: (err) => options.logger?.warn({ err }, 'an idle database connection was lost'),
  });
  const close = async () => {
    if (dataSource.isInitialized) await dataSource.destroy();
    await leave();
  };
  try {
    await dataSource.initialize();
    return { dataSource, description, migrated, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * The same for a process that does not query it: it is running and up to date until it is closed.
 * @returns `url` with the password, never to be printed; `description` for people, without it
 */
export async function prepareDatabase(config: Config, { purpose, migrations, logger }: PrepareOptions) {
  const server = config.databaseUrl
    ? {
        url: config.databaseUrl,
        description: withoutPassword(config.databaseUrl),
        close: async () => undefined,
      }
    : await EmbeddedPostgres.open({
        dataDir: config.dataDir,
        purpose,
        settings: { max_connections: String(connectionsOf(config)) },
        onWarning: (message) => logger?.warn(message),
      });
  try {
    const { url, description } = server;
    const migrated = await migrateDatabase(url, migrations);
    return { url, description, migrated, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

function connectionsOf({ webConcurrency, databasePoolSize }: Config): number {
  const { least, besidePool, forCommands } = CONNECTIONS;
  return Math.max(least, webConcurrency * (databasePoolSize + besidePool) + forCommands);
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.password = '';
  return url.href;
}
