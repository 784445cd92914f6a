import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { BatchesService } from '#libs/batches';
import { CONFIG, type Config } from '#libs/config';
import { isOneOfSeveral, tellPrimary } from '../../processes/messages.js';
import { BatchWorkerProcess } from '../../processes/batch-worker-process.js';

const HOUSEKEEPING_EVERY_MS = 60_000;

/**
 * The worker beside the API, where nobody else sees to workers (BATCH_WORKER=beside), and the minute's housekeeping,
 * which any API does. Of several API processes under one primary, none has a worker: the primary has it for them all.
 */
@Injectable()
export class WorkerBeside implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger(WorkerBeside.name);
  private readonly worker = new BatchWorkerProcess((message) => this.logger.warn(message));
  private timer?: NodeJS.Timeout;
  private housekeeping?: Promise<void>;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(BatchesService) private readonly batches: BatchesService,
  ) {}

  onApplicationBootstrap(): void {
    const keepHouse = () =>
      (this.housekeeping ??= this.keepHouse().finally(() => (this.housekeeping = undefined)));
    void keepHouse();
    this.timer = setInterval(keepHouse, HOUSEKEEPING_EVERY_MS).unref();
  }

  /** A worker for what was just submitted. */
  ensure(): void {
    if (this.config.batchWorker === 'separate') return;
    if (isOneOfSeveral(this.config)) void tellPrimary({ type: 'foretell:batch-submitted' });
    else this.worker.ensure();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.worker.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.housekeeping;
    await this.worker.close();
  }

  private async keepHouse(): Promise<void> {
    try {
      await this.batches.sweep();
      if (await this.batches.hasUnfinished()) this.ensure();
    } catch (error) {
      // In a minute again.
      this.logger.warn(`housekeeping of batches: ${(error as Error).message}`);
    }
  }
}
