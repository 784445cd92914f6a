/**
 * Files that are scored later: accepted and kept (`BatchesService`, called by `apps/api`), processed one after another
 * (`BatchWorker`, run by `apps/worker`), recorded in the table `batches`, which keeps them, and counted there
 * (`BatchFigures`). `libs/scoring` knows how a file is read, scored and written.
 */
export { batchEntities, BatchesModule, BatchWorkerModule } from './batches.module.js';
export { BatchesService } from './batches.service.js';
export { BatchFigures } from './batch-figures.js';
export { BatchWorker } from './batch-worker.js';
export { BATCH_FORMATS, type Batch, type BatchFormat } from './batch.entity.js';
