import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Batch } from './batch.entity.js';
import { BatchFiles } from './batch-files.js';
import { BatchQueue, transactionOf } from './batch-queue.js';
import { endRun, NotRunning } from './running-batch.js';

/** A batch on which this many workers died at the same place is not tried again. */
const MAX_LOST_WORKERS = 3;

const FAILURE =
  `The worker died ${MAX_LOST_WORKERS} times at the same place in this file, for example because it needs more memory than is available. ` +
  `Send it in smaller parts, or ask the operator.`;

const LEASE_RAN_OUT = `lease_expires_datetime < now()`;

/** `lostWorkers`: including this one, which came no further than the one before. */
type LostBatch = Pick<Batch, 'id' | 'runs' | 'lostWorkers'>;

/** Batches that are running, according to the table, and whose lease was not renewed: their workers are dead. */
@Injectable()
export class LostBatches {
  private readonly logger = new Logger(LostBatches.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly queue: BatchQueue,
    private readonly files: BatchFiles,
  ) {}

  /** Puts them back into the queue. */
  async recover(): Promise<void> {
    const lost = await this.dataSource.query<LostBatch[]>(
      `SELECT id, runs, CASE WHEN share_done > lost_share THEN 1 ELSE lost_workers + 1 END AS "lostWorkers"
       FROM batches WHERE finished_datetime IS NULL AND state = 'running' AND ${LEASE_RAN_OUT}`,
    );
    for (const batch of lost) {
      await this.takeFromItsWorker(batch).catch((error) => {
        // Its worker was only slow, or another process was quicker.
        if (!(error instanceof NotRunning)) throw error;
      });
    }
  }

  private async takeFromItsWorker(batch: LostBatch): Promise<void> {
    const { id, lostWorkers } = batch;
    const mayGoOn = lostWorkers < MAX_LOST_WORKERS;
    const [assignments, values] = mayGoOn
      ? [`state = 'queued', rows_per_second = NULL, lost_share = share_done`, []]
      : [`state = 'failed', finished_datetime = now(), failure = $4`, [FAILURE]];
    await this.dataSource.transaction(async (manager) => {
      const transaction = transactionOf(manager);
      await (mayGoOn ? this.queue.putBack(transaction, id) : this.queue.remove(transaction, id));
      const counted = `lost_workers = $3, ${assignments}`;
      await endRun(manager, batch, counted, [lostWorkers, ...values], LEASE_RAN_OUT);
    });
    if (mayGoOn) {
      this.logger.warn(`batch ${id}: its worker is gone; another goes on`);
      return;
    }
    this.logger.error(`batch ${id}: failed, ${lostWorkers} workers died over it`);
    await this.files.remove(id);
  }
}
