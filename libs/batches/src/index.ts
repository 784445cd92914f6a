/**
 * Files that are scored later: taken and kept (`BatchesService`, called by `apps/api`), worked on one after the other
 * (`BatchWorker`, run by `apps/worker`), remembered for good in the table `batches`, and counted there (`BatchFigures`). How a file is read, scored and
 * written is `libs/scoring`'s business.
 */
export { batchEntities, BatchesModule, BatchWorkerModule } from './batches.module.js';
export { BatchesService } from './batches.service.js';
export { BatchFigures } from './batch-figures.js';
export { BatchWorker } from './batch-worker.js';
export { BATCH_FORMATS, type Batch, type BatchFormat } from './batch.entity.js';
