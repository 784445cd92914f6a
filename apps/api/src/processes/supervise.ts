import cluster, { type Worker } from 'node:cluster';
import type { Logger } from '#libs/observability';
import type { CollectedMetrics } from './collected-metrics.js';
import type { FromPrimary, ToPrimary } from './messages.js';
import { RestartPause } from './restart-pause.js';

const FIRST_PAUSE_MS = 100;

type Serving = Extract<ToPrimary, { type: 'foretell:serving' }>;

/**
 * The API processes, each of which is replaced when it ends.
 *
 * States: starting → serving → closed. While they start, the end of one ends the start. Once they serve, a process
 * that ends is started again after a pause, and the others answer meanwhile.
 *
 * Connections are distributed in turn (SCHED_RR) and belong to their process from then on: no request goes through
 * the primary. docs/adr/0013 has the measurements.
 */
export class ApiProcesses {
  private readonly running = new Set<Worker>();
  private isServing = false;
  private isClosed = false;
  private failed!: (error: Error) => void;

  constructor(
    private readonly logger: Logger,
    private readonly metrics: CollectedMetrics,
    private readonly onBatch: () => void,
  ) {
    // Set here, so that it is the same on every platform, regardless of NODE_CLUSTER_SCHED_POLICY.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    // However we end, none stays; those that were closed in order have ended before.
    process.on('exit', () => {
      for (const worker of this.running) worker.process.kill('SIGKILL');
    });
  }

  /** @throws Error with the reason of the first that cannot start */
  async start(count: number): Promise<Serving> {
    const failure = new Promise<never>((_, reject) => (this.failed = reject));
    const serving = Array.from({ length: count }, () => {
      const pause = new RestartPause(FIRST_PAUSE_MS);
      return new Promise<Serving>((resolve) => this.fork(pause, resolve));
    });
    const [first] = await Promise.race([Promise.all(serving), failure]);
    this.isServing = true;
    return first!;
  }

  /** Each answers its requests in flight and ends, all at the same time. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(
      [...this.running].map((worker) => {
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        this.stop(worker);
        return ended;
      }),
    );
  }

  private stop(worker: Worker): void {
    const message: FromPrimary = { type: 'foretell:stop' };
    // A process that can no longer receive it is ending.
    worker.send(message, () => undefined);
  }

  private fork(pause: RestartPause, onServing: (serving: Serving) => void): void {
    const startedAt = performance.now();
    const worker = cluster.fork();
    const { pid } = worker.process;
    this.metrics.add(worker);
    let reason: string | undefined;
    worker.on('message', (message: ToPrimary) => {
      if (message.type === 'foretell:serving') {
        // A message to a process that does not listen yet is lost.
        if (this.isClosed) this.stop(worker);
        else onServing(message);
      }
      if (message.type === 'foretell:cannot-start') reason = message.message;
      if (message.type === 'foretell:batch-submitted') this.onBatch();
    });
    const ended = (how: string) => {
      this.running.delete(worker);
      if (this.isClosed) {
        if (how !== '0') this.logger.error({ pid }, `an API process ended with ${how}`);
        return;
      }
      const told = reason ?? `One of the API processes ended with ${how}.`;
      if (!this.isServing) {
        this.failed(new Error(told));
        return;
      }
      const pauseMs = pause.after(performance.now() - startedAt);
      this.logger.error(
        { pid, reason: told, restart_in_ms: pauseMs },
        'an API process ended and is started again',
      );
      setTimeout(() => {
        if (!this.isClosed)
          this.fork(pause, ({ url }) => this.logger.info({ url }, 'an API process serves again'));
      }, pauseMs);
    };
    worker.once('exit', (code, signal) => {
      const how = signal ?? String(code);
      // Its last messages may be on their way: all have arrived once the channel is closed.
      if (worker.isConnected()) worker.once('disconnect', () => ended(how));
      else ended(how);
    });
    // Without a pid it could not be started and never exits; otherwise a message could no longer be sent to it.
    worker.on('error', ({ message }) => pid === undefined && ended(message));
    this.running.add(worker);
  }
}
