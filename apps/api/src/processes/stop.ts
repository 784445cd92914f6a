import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import { STOP_LIMIT_MS, stopOnce } from '#libs/processes';
import type { Booted } from '../boot.js';

/**
 * The API stops accepting and answers what is in flight, the records are flushed, the database is closed; each before
 * the next. A process that is told to stop while it is still starting finishes that first, because an embedded database
 * that was just started would outlive it.
 *
 * @returns a function to call with the reason, which is logged; only its first call does anything
 */
export function closeOnce(
  logger: Logger,
  { drainMs }: Pick<Config, 'drainMs'>,
  booted: Promise<Pick<Booted, 'closables'>>,
): (reason: object) => void {
  return stopOnce(logger, drainMs + STOP_LIMIT_MS, () => {
    void closeAll(logger, booted).then((code) => process.exit(code));
  });
}

/** Closes all of them, even if one fails. */
async function closeAll(logger: Logger, booted: Promise<Pick<Booted, 'closables'>>): Promise<number> {
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
