/**
 * The record: every prediction's request and response as rows that outlive us, written before the answer leaves,
 * and read back by analysts. It depends on no models, tokens or other features. Called by `libs/predictions` (to
 * write) and `apps/api` (to read).
 */
export { Analysts } from './analysts.js';
export { auditEntities, AuditModule } from './audit.module.js';
export {
  CommitLog,
  positionAfter,
  type CommitPosition,
  type CommittedPrediction,
  type ReadCommit,
} from './commit-log.js';
export { AlreadyAnswered } from './commit-writer.js';
export { Recorder } from './recorder.js';
export { ShadowRecorder } from './shadow-recorder.js';
export { RecordTrace } from './record-trace.js';
export type { PredictionRecord } from './prediction-record.js';
export { PredictionLog } from './prediction-log.js';
export { RecordPartitions } from './record-partitions.js';
export { RecordedAnswers, type AnswerFigures } from './recorded-answers.js';
export { KeptAnswers, type Idempotency } from './kept-answers.js';
export { PredictionRequest } from './prediction-request.entity.js';
export { PredictionResponse } from './prediction-response.entity.js';
