import { Module } from '@nestjs/common';
import { ModelsModule } from '#libs/models';
import { Batch } from './batch.entity.js';
import { BatchFigures } from './batch-figures.js';
import { BatchFiles } from './batch-files.js';
import { BatchQueue } from './batch-queue.js';
import { BatchWorker } from './batch-worker.js';
import { BatchesService } from './batches.service.js';
import { LostBatches } from './lost-batches.js';

export const batchEntities = [Batch];

/** For processes that accept batches and hand out their results. */
@Module({
  imports: [ModelsModule],
  providers: [BatchQueue, BatchFiles, BatchesService, BatchFigures],
  exports: [BatchesService, BatchFigures],
})
export class BatchesModule {}

/** For processes that work on them. */
@Module({
  imports: [ModelsModule],
  providers: [BatchQueue, BatchFiles, LostBatches, BatchWorker],
  exports: [BatchWorker],
})
export class BatchWorkerModule {}
