import cluster from 'node:cluster';
import { loadConfig } from '#libs/config';
import { createLogger } from '#libs/observability';
import { announce } from './announce.js';
import { closeOnSignal } from './processes/stop.js';
import { isOneOfSeveral } from './processes/messages.js';

/** One process that serves, or with WEB_CONCURRENCY the primary of several; each imports no more than it needs. */
try {
  const config = loadConfig();
  const logger = createLogger(config.logLevel);
  if (isOneOfSeveral(config)) {
    const { runOneOfSeveral } = await import('./processes/child.js');
    await runOneOfSeveral(config, logger.child({ pid: process.pid }));
  } else {
    const booted =
      config.webConcurrency > 1 && cluster.isPrimary
        ? (await import('./processes/primary.js')).bootPrimary(config, logger)
        : (await import('./boot.js')).boot(config, logger, 'service');
    closeOnSignal(logger, config, booted);
    announce(await booted, config, logger);
  }
} catch (error) {
  console.error(`Foretell cannot start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
