import { Module } from '@nestjs/common';
import { PredictionLog } from './prediction-log.js';
import { Recorder } from './recorder.js';

@Module({ providers: [Recorder, PredictionLog], exports: [Recorder, PredictionLog] })
export class AuditModule {}
