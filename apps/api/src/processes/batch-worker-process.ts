import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { startProcess } from '#libs/processes';
import type { WorkerHandle } from '../routes/batches/worker-beside.js';
import { RestartPause } from './restart-pause.js';

const FIRST_PAUSE_MS = 1_000;

/**
 * The worker that scores files, as a child of this process.
 *
 * States: none → running → none (again after a pause) … → closed. It is started when it is first needed, so that a
 * service without batches has one process less and starts as fast as ever.
 */
export class BatchWorkerProcess implements WorkerHandle {
  private readonly pause = new RestartPause(FIRST_PAUSE_MS);
  private child?: ChildProcess;
  private restart?: NodeJS.Timeout;
  private isClosed = false;

  constructor(private readonly warn: (message: string) => void) {}

  ensure(): void {
    if (!this.isClosed && !this.child && !this.restart) this.start();
  }

  /** Told at once, so that it has as long as the requests in flight; and only once, because a second signal ends it. */
  stop(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.restart);
    this.child?.kill('SIGTERM');
  }

  async close(): Promise<void> {
    this.stop();
    if (this.child) await once(this.child, 'exit');
  }

  private start(): void {
    const startedAt = performance.now();
    const child = startProcess('#worker');
    const ended = (reason: string) => {
      if (this.child !== child) return;
      this.child = undefined;
      // A worker that was told to stop and could not finish is reported as well.
      if (!this.isClosed || reason !== 'ended with 0') this.warn(`the worker ${reason}`);
      if (this.isClosed) return;
      this.restart = setTimeout(
        () => {
          this.restart = undefined;
          this.start();
        },
        this.pause.after(performance.now() - startedAt),
      ).unref();
    };
    child.once('error', ({ message }) => ended(`cannot be started: ${message}`));
    child.once('exit', (code, signal) => ended(`ended with ${signal ?? code}`));
    this.child = child;
  }
}
