import cluster from 'node:cluster';
import type { Config } from '#libs/config';
import type { Logger } from '#libs/observability';
import { boot, type BootedApi } from '../boot.js';
import type { WorkerHandle } from '../routes/batches/worker-beside.js';
import { askPrimaryForMetrics, tellPrimary, type FromPrimary } from './messages.js';
import { closeOnce } from './stop.js';

/** The primary has one worker for all of us, and ends it. */
const PRIMARYS_WORKER: WorkerHandle = {
  ensure: () => void tellPrimary({ type: 'foretell:batch-submitted' }),
  stop: () => undefined,
  close: () => Promise.resolve(),
};

/**
 * One of several API processes. It ends when the primary says so or is gone. The primary handles signals: Ctrl+C
 * and process managers send theirs to all of us at once.
 *
 * It uses the database as a command does, because the place in DATA_DIR is the primary's.
 */
export async function runOneOfSeveral(config: Config, logger: Logger): Promise<void> {
  const booted = boot(config, logger, 'command', {
    worker: config.batchWorker === 'separate' ? undefined : PRIMARYS_WORKER,
    collectSnapshots: askPrimaryForMetrics,
  });
  const close = closeOnce(logger, config, booted);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  process.on('message', (message: FromPrimary) => {
    if (message.type === 'foretell:stop') close({ reason: 'told by the primary' });
    if (message.type === 'foretell:snapshot-asked') void tellSnapshot(booted, message.id, logger);
  });
  // Unless this is set when the primary is gone, Node would end us at once, with requests in flight.
  cluster.worker!.exitedAfterDisconnect = true;
  process.on('disconnect', () => close({ reason: 'the primary is gone' }));
  try {
    const { url, model } = await booted;
    await tellPrimary({ type: 'foretell:serving', url, model });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await tellPrimary({ type: 'foretell:cannot-start', message });
    process.exit(1);
  }
}

async function tellSnapshot(booted: Promise<BootedApi>, id: number, logger: Logger): Promise<void> {
  try {
    const snapshot = await (await booted).snapshot();
    await tellPrimary({ type: 'foretell:snapshot', id, snapshot });
  } catch (err) {
    logger.error({ err }, 'the metrics cannot be collected');
  }
}
