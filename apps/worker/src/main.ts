import { setPriority } from 'node:os';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { batchEntities, BatchWorker, BatchWorkerModule } from '#libs/batches';
import { ConfigModule, loadConfig, type Config } from '#libs/config';
import { DatabaseModule, openDatabase } from '#libs/database';
import { modelEntities } from '#libs/models';
import { createLogger, NestLogger, type Logger } from '#libs/observability';
import { onSignals, STOP_LIMIT_MS, stopOnce } from '#libs/processes';
import { userEntities } from '#libs/users';
import { migrations } from '#migrations';

/** The API answers first if we are its child. */
const PRIORITY_BESIDE = 10;

const entities = [...userEntities, ...modelEntities, ...batchEntities];

@Module({ imports: [BatchWorkerModule] })
class WorkerModule {}

/** Aborted when we should end: by a signal, or because the API that started us is gone. A second signal ends us. */
function untilStopped(logger: Logger): AbortSignal {
  const stopping = new AbortController();
  const stop = stopOnce(logger, STOP_LIMIT_MS, () => stopping.abort());
  onSignals(stop);
  if (process.channel) process.on('disconnect', () => stop({ reason: 'the API is gone' }));
  return stopping.signal;
}

async function run(config: Config, logger: Logger, stop: AbortSignal): Promise<void> {
  const database = await openDatabase(config, { purpose: 'command', entities, migrations, logger });
  let features: INestApplicationContext | undefined;
  try {
    const imports = [ConfigModule.forRoot(config), DatabaseModule.forRoot(database.dataSource)];
    const options = { logger: new NestLogger(logger), abortOnError: false };
    features = await NestFactory.createApplicationContext({ module: WorkerModule, imports }, options);
    logger.info({ database: database.description }, 'worker ready');
    process.send?.({ ready: true });
    await features.get(BatchWorker).run(stop);
  } finally {
    await features?.close();
    await database.close();
  }
}

try {
  if (process.channel) setPriority(PRIORITY_BESIDE);
  const config = loadConfig();
  const logger = createLogger(config.logLevel).child({ program: 'worker' });
  await run(config, logger, untilStopped(logger));
  logger.info('worker stopped');
  process.exit(0);
} catch (error) {
  console.error(`The worker cannot work. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
