import { loadConfig, type Config } from '#libs/config';
import { openDatabase } from '#libs/database';
import { createLogger, type Logger } from '#libs/observability';
import { createApi, entities } from './app.module.js';
import { announce } from './announce.js';
import { closeOnSignal, type Closable } from './close-on-signal.js';

/** Boots in order. What it returns is to be closed in that order; it closes it itself when a step fails. */
async function boot(config: Config, logger: Logger): Promise<Closable[]> {
  const database = await openDatabase(config, { purpose: 'service', entities, logger });
  try {
    const api = await createApi(config, database.dataSource, logger);
    await api.listen(config.port, config.host).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      throw new Error(
        `Port ${config.port} on ${config.host} is taken by another program. ` +
          `Stop it, or set PORT to a free one, for example PORT=${config.port + 1}.`,
      );
    });
    await announce(api, config, database, logger);
    return [api, database];
  } catch (error) {
    await database.close();
    throw error;
  }
}

try {
  const config = loadConfig();
  const logger = createLogger(config.logLevel);
  const booted = boot(config, logger);
  closeOnSignal(logger, booted);
  await booted;
} catch (error) {
  console.error(`Foretell cannot start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
