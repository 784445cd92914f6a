import { Module } from '@nestjs/common';
import { PredictionLog } from './prediction-log.js';
import { Recorder } from './recorder.js';
import { ShadowRecorder } from './shadow-recorder.js';

@Module({
  providers: [Recorder, ShadowRecorder, PredictionLog],
  exports: [Recorder, ShadowRecorder, PredictionLog],
})
export class AuditModule {}
