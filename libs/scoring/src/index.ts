/**
 * Files in bulk: CSV, TSV, JSON Lines or Parquet in, the same rows with predictions out, on all cores and in flat
 * memory. It needs neither Nest, a database nor a feature. Called by `apps/cli` and `apps/worker`.
 */
export { scoreFile } from './score-file.js';
export {
  InputError,
  NotResumable,
  ScoringInterrupted,
  type ScoringOrder,
  type ScoringProgress,
  type ScoringResult,
} from './order.js';
export { shortened } from './messages.js';
export { FILE_FORMATS, formatOfName, type FileFormat } from './file-format.js';
