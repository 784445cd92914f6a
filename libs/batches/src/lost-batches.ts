import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { BatchFiles } from './batch-files.js';
import { BatchQueue, transactionOf } from './batch-queue.js';
import { LOCK_KEY } from './running-batch.js';

/** A batch that took so many workers with it at the same place takes no more. */
const MAX_LOST_WORKERS = 3;

const FAILURE =
  `The worker died ${MAX_LOST_WORKERS} times at the same place of this file, for example because it needs more memory than there is. ` +
  `Send it in smaller parts, or ask the operator.`;

/** Batches that are running, as the table says, and that nobody holds the lock of: their workers are dead. */
@Injectable()
export class LostBatches {
  private readonly logger = new Logger(LostBatches.name);

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(BatchQueue) private readonly queue: BatchQueue,
    @Inject(BatchFiles) private readonly files: BatchFiles,
  ) {}

  /**
   * Puts them back into the queue.
   * @param dropped those whose connection we lost ourselves, so that nobody died; what is found again is taken from it
   */
  async recover(dropped: Set<string>): Promise<void> {
    const givenUp = await this.dataSource.transaction(async (manager) => {
      const lost = await manager.query<{ id: string; lostWorkers: number }[]>(
        // Materialised, so that no lock is tried but those of the rows that are meant.
        `WITH running AS MATERIALIZED (
           SELECT id, CASE WHEN share_done > lost_share THEN 0 ELSE lost_workers END AS lost_workers
           FROM batches WHERE finished_datetime IS NULL AND state = 'running')
         SELECT id, lost_workers AS "lostWorkers" FROM running WHERE pg_try_advisory_xact_lock(${LOCK_KEY})`,
      );
      const givenUp: string[] = [];
      for (const { id, lostWorkers } of lost) {
        const count = lostWorkers + (dropped.delete(id) ? 0 : 1);
        if (count < MAX_LOST_WORKERS) {
          await this.putBack(manager, id, count);
        } else {
          await this.giveUp(manager, id, count);
          givenUp.push(id);
        }
      }
      return givenUp;
    });
    for (const id of givenUp) await this.files.remove(id);
  }

  private async putBack(manager: EntityManager, id: string, lostWorkers: number): Promise<void> {
    await this.queue.putBack(transactionOf(manager), id);
    await changeRunning(
      manager,
      id,
      `state = 'queued', rows_per_second = NULL, lost_workers = $2, lost_share = share_done`,
      [lostWorkers],
    );
    this.logger.warn(`batch ${id}: its worker is gone; another goes on`);
  }

  private async giveUp(manager: EntityManager, id: string, lostWorkers: number): Promise<void> {
    await this.queue.remove(transactionOf(manager), id);
    await changeRunning(
      manager,
      id,
      `state = 'failed', finished_datetime = now(), lost_workers = $2, failure = $3`,
      [lostWorkers, FAILURE],
    );
    this.logger.error(`batch ${id}: failed, ${lostWorkers} workers died over it`);
  }
}

/** @throws Error where it was cancelled or let go of meanwhile; then nothing of this look is to be done. */
async function changeRunning(
  manager: EntityManager,
  id: string,
  assignments: string,
  values: unknown[],
): Promise<void> {
  const [, count] = await manager.query<[unknown[], number]>(
    `UPDATE batches SET ${assignments} WHERE id = $1 AND state = 'running'`,
    [id, ...values],
  );
  if (count === 0) throw new Error(`Batch ${id} is not running any more.`);
}
