import { Module } from '@nestjs/common';
import { KeptAnswers } from './kept-answers.js';
import { PredictionLog } from './prediction-log.js';
import { RecordedAnswers } from './recorded-answers.js';
import { RecordPartitions } from './record-partitions.js';
import { Recorder } from './recorder.js';
import { ShadowRecorder } from './shadow-recorder.js';

@Module({
  providers: [Recorder, ShadowRecorder, PredictionLog, RecordedAnswers, RecordPartitions, KeptAnswers],
  exports: [Recorder, ShadowRecorder, PredictionLog, RecordedAnswers, RecordPartitions, KeptAnswers],
})
export class AuditModule {}
