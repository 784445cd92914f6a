import type { Config } from '#libs/config';
import { prepareDatabase } from '#libs/database';
import { textOf, type Logger } from '#libs/observability';
import { migrations } from '#migrations';
import { BatchWorkerProcess } from './batch-worker-process.js';
import type { Booted, Closable } from '../boot.js';
import { serveMetrics } from './metrics-server.js';
import { ApiProcesses } from './supervise.js';
import { CollectedMetrics } from './collected-metrics.js';

/**
 * Boots the primary of several API processes (WEB_CONCURRENCY): it has what must exist only once, which is the place in
 * DATA_DIR, the migrations, the listening socket and the worker for batches, and answers no request itself.
 */
export async function bootPrimary(config: Config, logger: Logger): Promise<Booted> {
  const database = await prepareDatabase(config, { purpose: 'service', migrations, logger });
  const worker = new BatchWorkerProcess((message) => logger.warn(message));
  const metrics = new CollectedMetrics();
  const processes = new ApiProcesses(logger, metrics, () => worker.ensure());
  const closables: Closable[] = [
    { close: () => Promise.all([worker.close(), processes.close()]) },
    { close: () => database.close() },
  ];
  try {
    const { url, model } = await processes.start(config.webConcurrency);
    const metricsServer = await serveMetrics(config, async () => textOf(await metrics.snapshots()), logger);
    if (metricsServer) closables.splice(1, 0, metricsServer);
    return { url, metricsUrl: metricsServer?.url, model, database: database.description, closables };
  } catch (error) {
    for (const closable of closables) await closable.close();
    throw error;
  }
}
