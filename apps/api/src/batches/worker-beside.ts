import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { BatchesService } from '#libs/batches';
import { childEnvironment, CONFIG, type Config } from '#libs/config';

const WORKER = fileURLToPath(new URL('../../../worker/src/main.js', import.meta.url));

const HOUSEKEEPING_EVERY_MS = 60_000;
/** After its end; twice as long each time that it did not live for a minute. */
const RESTART_AFTER_MS = { first: 1_000, longest: 30_000 };
const LONG_LIFE_MS = 60_000;

/**
 * The worker as a child of the API, where nobody else sees to workers (BATCH_WORKER=beside), and the minute's
 * housekeeping, which any API does.
 *
 * States: none → running → none (again after a pause, while there is work) … → closed. It is started with the first
 * batch and not before, so that a service without batches has one process and starts as fast as ever.
 */
@Injectable()
export class WorkerBeside implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger(WorkerBeside.name);
  private child?: ChildProcess;
  private restart?: NodeJS.Timeout;
  private pauseMs = RESTART_AFTER_MS.first;
  private timer?: NodeJS.Timeout;
  private housekeeping?: Promise<void>;
  private isClosed = false;

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
    if (this.config.batchWorker === 'separate' || this.isClosed || this.child || this.restart) return;
    this.start();
  }

  /** At once, so that it has as long as the requests in flight. */
  onModuleDestroy(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    clearTimeout(this.restart);
    this.child?.kill('SIGTERM');
  }

  async onApplicationShutdown(): Promise<void> {
    await this.housekeeping;
    if (this.child) await once(this.child, 'exit');
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

  private start(): void {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [WORKER], {
      env: childEnvironment({}),
      // The channel tells it when we are gone, whatever way we went.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A group of its own: Ctrl+C reaches us alone, and we end it in our own order.
      detached: true,
    });
    const ended = (reason: string) => {
      if (this.child !== child) return;
      this.child = undefined;
      if (this.isClosed) return;
      this.logger.warn(`the worker ${reason}`);
      const livedLong = performance.now() - startedAt > LONG_LIFE_MS;
      const pauseMs = livedLong ? RESTART_AFTER_MS.first : this.pauseMs;
      this.pauseMs = Math.min(pauseMs * 2, RESTART_AFTER_MS.longest);
      this.restart = setTimeout(() => {
        this.restart = undefined;
        this.start();
      }, pauseMs).unref();
    };
    child.once('error', ({ message }) => ended(`cannot be started: ${message}`));
    child.once('exit', (code, signal) => ended(`ended with ${signal ?? code}`));
    this.child = child;
  }
}
