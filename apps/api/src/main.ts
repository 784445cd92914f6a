import cluster from 'node:cluster';
import { loadConfig, type Config } from '#libs/config';
import { createLogger, type Logger } from '#libs/observability';
import { onSignals } from '#libs/processes';
import type { Booted } from './boot.js';
import { closeOnce } from './processes/stop.js';

/** One process that serves, or with WEB_CONCURRENCY the primary of several; each imports no more than it needs. */
try {
  const config = loadConfig();
  const logger = createLogger(config.logLevel);
  const isOneOfSeveral = config.webConcurrency > 1;
  if (isOneOfSeveral && cluster.isWorker) {
    const { runOneOfSeveral } = await import('./processes/child.js');
    await runOneOfSeveral(config, logger.child({ pid: process.pid }));
  } else {
    const booted = isOneOfSeveral
      ? (await import('./processes/primary.js')).bootPrimary(config, logger)
      : (await import('./processes/alone.js')).bootAlone(config, logger);
    onSignals(closeOnce(logger, config, booted));
    announce(await booted, config, logger);
  }
} catch (error) {
  console.error(`Foretell cannot start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

/** Says where everything is: a few lines for a person in local, else one log line, or a message to a parent process. */
function announce({ url, model, database, metricsUrl }: Booted, config: Config, logger: Logger): void {
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
