import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '#libs/config';
import type { OpenDatabase } from '#libs/database';
import { ServedModels } from '#libs/models';
import type { Logger } from '#libs/observability';

/** Says where everything is: a few lines for a person in local, one log line elsewhere, a message to a parent process. */
export async function announce(
  api: NestFastifyApplication,
  config: Config,
  database: OpenDatabase,
  logger: Logger,
): Promise<void> {
  const url = await api.getUrl();
  const model = api.get(ServedModels).default!;
  const documentation = config.docsEnabled ? url + config.docsPath : 'off';
  if (config.appEnv === 'local') {
    console.log(`Foretell is ready.
  API            ${url}
  Documentation  ${documentation}
  Database       ${database.description}
  Model          ${model.name} ${model.version}
Stop it with Ctrl+C.`);
  } else {
    logger.info(
      { url, documentation, database: database.description, model: `${model.name} ${model.version}` },
      'ready',
    );
  }
  process.send?.({ url });
}
