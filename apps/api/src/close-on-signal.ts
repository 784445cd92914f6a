import type { Logger } from '#libs/observability';

/** An orchestrator kills what has not ended 10 s (Docker) or 30 s (Kubernetes) after SIGTERM. */
const LIMIT_MS = 9_500;

export interface Closable {
  close(): Promise<unknown>;
}

/**
 * On SIGTERM or SIGINT: the API stops accepting and answers what is in flight, the records are flushed, the database
 * is closed; in this order, each before the next. A signal that comes while it still starts waits for that, because
 * an embedded database that was just started would outlive us. A second signal ends at once.
 */
export function closeOnSignal(logger: Logger, booted: Promise<readonly Closable[]>): void {
  let closing = false;
  const close = async (signal: NodeJS.Signals) => {
    if (closing) process.exit(1);
    closing = true;
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('not everything could be closed in time');
      process.exit(1);
    }, LIMIT_MS).unref();
    try {
      for (const closable of await booted) await closable.close();
      logger.info('stopped');
      process.exit(0);
    } catch (err) {
      logger.error({ err }, 'stopped with an error');
      process.exit(1);
    }
  };
  process.on('SIGTERM', close);
  process.on('SIGINT', close);
}
