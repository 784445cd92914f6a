import { loadConfig, type Config } from '#libs/config';
import { openDatabase } from '#libs/database';
import { createLogger, type Logger } from '#libs/observability';
import { createApi, entities } from './app.module.js';
import { announce } from './announce.js';
import { closeOnSignal } from './close-on-signal.js';

/** Boots in order; whatever was opened is closed in reverse order, on a signal or when a later step fails. */
async function main(config: Config, logger: Logger): Promise<void> {
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
    closeOnSignal(logger, [api, database]);
    await announce(api, config, database, logger);
  } catch (error) {
    await database.close();
    throw error;
  }
}

try {
  const config = loadConfig();
  await main(config, createLogger(config.logLevel));
} catch (error) {
  console.error(`Foretell cannot start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
