import type { Worker } from 'node:cluster';
import { growthOf, type Snapshot } from '#libs/observability';
import pTimeout from 'p-timeout';
import type { FromPrimary, ToPrimary } from './messages.js';

/** A process that does not answer in time is busy or gone: its last report is used. */
const ANSWER_LIMIT_MS = 2_000;

/**
 * What all API processes measure, as if they were one.
 *
 * Invariants
 * - what only grows never falls when a process ends: the last figures of an ended process are kept;
 * - a gauge covers the processes that are running and answered in time.
 */
export class CollectedMetrics {
  private readonly latest = new Map<Worker, Snapshot>();
  private readonly waiting = new Map<number, () => void>();
  /** The last figures of processes that have ended. */
  private departed: Promise<Snapshot> = Promise.resolve([]);
  private asked = 0;

  add(worker: Worker): void {
    this.latest.set(worker, []);
    worker.on('message', (message: ToPrimary) => {
      if (message.type === 'foretell:metrics-asked') void this.tell(worker, message.id);
      if (message.type !== 'foretell:snapshot') return;
      this.latest.set(worker, message.snapshot);
      this.waiting.get(message.id)?.();
    });
    worker.once('exit', () => {
      const last = this.latest.get(worker)!;
      this.latest.delete(worker);
      this.departed = this.departed.then((departed) => growthOf([departed, last]));
    });
  }

  /** Snapshots to be added up. */
  async snapshots(): Promise<Snapshot[]> {
    const heard = await Promise.all(
      [...this.latest.keys()].map(async (worker) => {
        const answered = await this.ask(worker);
        const snapshot = this.latest.get(worker);
        // It ended meanwhile: its figures are among the departed by now.
        if (!snapshot) return [];
        return answered ? snapshot : growthOf([snapshot]);
      }),
    );
    return [...heard, await this.departed];
  }

  /** @returns whether it answered in time */
  private ask(worker: Worker): Promise<boolean> {
    const id = this.asked++;
    const answered = new Promise<boolean>((resolve) => this.waiting.set(id, () => resolve(true)));
    const message: FromPrimary = { type: 'foretell:snapshot-asked', id };
    // A process that can no longer receive it is ending.
    worker.send(message, () => undefined);
    return pTimeout(answered, { milliseconds: ANSWER_LIMIT_MS, fallback: () => false }).finally(() =>
      this.waiting.delete(id),
    );
  }

  private async tell(worker: Worker, id: number): Promise<void> {
    const snapshots = await this.snapshots().catch(() => undefined);
    const message: FromPrimary = { type: 'foretell:metrics', id, snapshots };
    worker.send(message, () => undefined);
  }
}
