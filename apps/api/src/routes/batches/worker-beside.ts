import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { BatchesService } from '#libs/batches';

/** Injection token of the `WorkerHandle`; undefined if workers are run separately (BATCH_WORKER=separate). */
export const WORKER = Symbol('Worker');

export interface WorkerHandle {
  /** Starts a worker if none is running. */
  ensure(): void;
  /** Tells it to end. */
  stop(): void;
  /** Resolves when it has ended. */
  close(): Promise<void>;
}

const HOUSEKEEPING_EVERY_MS = 60_000;

/** The worker for batches, as long as this process runs, and housekeeping every minute, in every API process. */
@Injectable()
export class WorkerBeside implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger(WorkerBeside.name);
  private timer?: NodeJS.Timeout;
  private housekeeping?: Promise<void>;

  constructor(
    @Inject(WORKER) private readonly worker: WorkerHandle | undefined,
    private readonly batches: BatchesService,
  ) {}

  onApplicationBootstrap(): void {
    const keepHouse = () =>
      (this.housekeeping ??= this.keepHouse().finally(() => (this.housekeeping = undefined)));
    void keepHouse();
    this.timer = setInterval(keepHouse, HOUSEKEEPING_EVERY_MS).unref();
  }

  /** Makes sure that a worker runs for what was just submitted. */
  ensure(): void {
    this.worker?.ensure();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.worker?.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.housekeeping;
    await this.worker?.close();
  }

  private async keepHouse(): Promise<void> {
    try {
      await this.batches.sweep();
      if (await this.batches.hasUnfinished()) this.ensure();
    } catch (error) {
      // It is tried again in a minute.
      this.logger.warn(`housekeeping of batches: ${(error as Error).message}`);
    }
  }
}
