import type { Config } from '#libs/config';
import { openDatabase } from '#libs/database';
import { ServedModels } from '#libs/models';
import type { Logger } from '#libs/observability';
import { createApi, entities } from './app.module.js';
import type { Closable } from './close-on-signal.js';
import { Draining } from './http/draining.js';

/** What serves, and where. */
export interface Booted {
  readonly url: string;
  /** The default one's name and version. */
  readonly model: string;
  /** Where it is, for people: without a password. */
  readonly database: string;
  /** To be closed in this order. */
  readonly closables: readonly Closable[];
}

/** Boots an API process in order; it closes what it opened when a step fails. */
export async function boot(config: Config, logger: Logger, purpose: 'service' | 'command'): Promise<Booted> {
  const database = await openDatabase(config, { purpose, entities, logger });
  try {
    const api = await createApi(config, database.dataSource, logger);
    await api.listen(config.port, config.host).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      throw new Error(
        `Port ${config.port} on ${config.host} is taken by another program. ` +
          `Stop it, or set PORT to a free one, for example PORT=${config.port + 1}.`,
      );
    });
    const { name, version } = api.get(ServedModels).default!;
    return {
      url: await api.getUrl(),
      model: `${name} ${version}`,
      database: database.description,
      closables: [api.get(Draining), api, database],
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
