import type { Logger } from '#libs/observability';

/** An orchestrator kills what has not ended 10 s (Docker) or 30 s (Kubernetes) after SIGTERM. */
export const STOP_LIMIT_MS = 9_500;

type Stop = (reason: object) => void;

/** @returns a function to call with the reason, which is logged; only its first call does anything */
export function stopOnce(logger: Logger, limitMs: number, stop: () => void): Stop {
  let isStopping = false;
  return (reason) => {
    if (isStopping) return;
    isStopping = true;
    logger.info(reason, 'stopping');
    setTimeout(() => {
      logger.error('could not stop in time');
      process.exit(1);
    }, limitMs).unref();
    stop();
  };
}

/** Stops on SIGTERM or SIGINT. A second signal ends the process at once. */
export function onSignals(stop: Stop): void {
  let isStopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      stop({ signal });
    });
  }
}
