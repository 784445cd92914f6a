import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';

/** After DRAIN_MS. An orchestrator kills what has not ended 10 s (Docker) or 30 s (Kubernetes) after SIGTERM. */
const LIMIT_MS = 9_500;

export interface Closable {
  close(): Promise<unknown>;
}

interface ToClose {
  /** In this order. */
  readonly closables: readonly Closable[];
}

/**
 * On SIGTERM or SIGINT: the API stops accepting and answers what is in flight, the records are flushed, the database
 * is closed; in this order, each before the next. A signal that comes while it still starts waits for that, because
 * an embedded database that was just started would outlive us. A second signal ends at once.
 */
export function closeOnSignal(logger: Logger, config: Config, booted: Promise<ToClose>): void {
  const close = closeOnce(logger, config, booted);
  let isClosing = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isClosing) process.exit(1);
      isClosing = true;
      close({ signal });
    });
  }
}

/** @returns to be called with the reason, which is logged; only its first call does anything */
export function closeOnce(
  logger: Logger,
  { drainMs }: Pick<Config, 'drainMs'>,
  booted: Promise<ToClose>,
): (reason: object) => void {
  let isClosing = false;
  return (reason) => {
    if (isClosing) return;
    isClosing = true;
    logger.info(reason, 'stopping');
    setTimeout(() => {
      logger.error('not everything could be closed in time');
      process.exit(1);
    }, drainMs + LIMIT_MS).unref();
    void closeAll(logger, booted).then((code) => process.exit(code));
  };
}

/** All of them, also when one fails. */
async function closeAll(logger: Logger, booted: Promise<ToClose>): Promise<number> {
  let code = 0;
  const attempt = async <T>(step: () => Promise<T>) => {
    try {
      return await step();
    } catch (err) {
      logger.error({ err }, 'stopped with an error');
      code = 1;
      return undefined;
    }
  };
  const { closables } = (await attempt(() => booted)) ?? { closables: [] };
  for (const closable of closables) await attempt(() => closable.close());
  if (code === 0) logger.info('stopped');
  return code;
}
