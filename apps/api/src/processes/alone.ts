import type { Config } from '#libs/config';
import { textOf, type Logger } from '#libs/observability';
import { boot, type Booted } from '../boot.js';
import { BatchWorkerProcess } from './batch-worker-process.js';
import { serveMetrics } from './metrics-server.js';

/** Boots the one process of a service: it answers, has the worker for batches, and serves its own metrics. */
export async function bootAlone(config: Config, logger: Logger): Promise<Booted> {
  const booted = await boot(config, logger, 'service', {
    worker:
      config.batchWorker === 'separate'
        ? undefined
        : new BatchWorkerProcess((message) => logger.warn(message)),
    collectSnapshots: async (own) => [await own()],
  });
  const closables = [...booted.closables];
  try {
    const metrics = await serveMetrics(config, async () => textOf([await booted.snapshot()]), logger);
    // It keeps reporting measurements until the requests in flight are answered.
    if (metrics) closables.splice(2, 0, metrics);
    return { ...booted, metricsUrl: metrics?.url, closables };
  } catch (error) {
    for (const closable of closables) await closable.close();
    throw error;
  }
}
