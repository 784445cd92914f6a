import { Module } from '@nestjs/common';
import { Analysts } from './analysts.js';
import { CommitLog } from './commit-log.js';
import { Commit } from './commit.entity.js';
import { IdempotencyKey } from './idempotency-key.entity.js';
import { KeptAnswers } from './kept-answers.js';
import { PredictionLog } from './prediction-log.js';
import { PredictionRequest } from './prediction-request.entity.js';
import { PredictionResponse } from './prediction-response.entity.js';
import { RecordedAnswers } from './recorded-answers.js';
import { RecordPartitions } from './record-partitions.js';
import { Recorder } from './recorder.js';
import { ShadowRecorder } from './shadow-recorder.js';
import { ShadowResponse } from './shadow-response.entity.js';
import { Writer } from './writer.entity.js';

export const auditEntities = [
  PredictionRequest,
  PredictionResponse,
  ShadowResponse,
  IdempotencyKey,
  Commit,
  Writer,
];

const PROVIDERS = [
  Recorder,
  ShadowRecorder,
  PredictionLog,
  RecordedAnswers,
  RecordPartitions,
  CommitLog,
  KeptAnswers,
  Analysts,
];

@Module({
  providers: PROVIDERS,
  exports: PROVIDERS,
})
export class AuditModule {}
