import { Module } from '@nestjs/common';
import { Analysts } from './analysts.js';
import { KeptAnswers } from './kept-answers.js';
import { PredictionLog } from './prediction-log.js';
import { RecordedAnswers } from './recorded-answers.js';
import { RecordPartitions } from './record-partitions.js';
import { Recorder } from './recorder.js';
import { ShadowRecorder } from './shadow-recorder.js';

const PROVIDERS = [
  Recorder,
  ShadowRecorder,
  PredictionLog,
  RecordedAnswers,
  RecordPartitions,
  KeptAnswers,
  Analysts,
];

@Module({
  providers: PROVIDERS,
  exports: PROVIDERS,
})
export class AuditModule {}
