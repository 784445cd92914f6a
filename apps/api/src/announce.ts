import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import type { Booted } from './boot.js';

/** Says where everything is: a few lines for a person in local, one log line elsewhere, a message to a parent process. */
export function announce({ url, model, database, metricsUrl }: Booted, config: Config, logger: Logger): void {
  const documentation = config.docsEnabled ? url + config.docsPath : 'off';
  const processes = config.webConcurrency;
  if (config.appEnv === 'local') {
    console.log(`Foretell is ready.
  API            ${url}${processes > 1 ? ` (${processes} processes)` : ''}
  Documentation  ${documentation}
  Database       ${database}
  Model          ${model}${metricsUrl ? `\n  Metrics        ${metricsUrl}` : ''}
Stop it with Ctrl+C.`);
  } else {
    logger.info({ url, processes, documentation, database, model, metrics: metricsUrl }, 'ready');
  }
  process.send?.({ url, metricsUrl });
}
