import { Module } from '@nestjs/common';
import { AuditModule } from '#libs/audit';
import { ModelsModule, ServedModelsModule } from '#libs/models';
import { CallFigures } from './call-figures.js';
import { IdempotentAnswers } from './idempotent-answers.js';
import { ModelComparison } from './model-comparison.js';
import { PredictionsService } from './predictions.service.js';

@Module({
  imports: [ServedModelsModule, AuditModule],
  providers: [PredictionsService, IdempotentAnswers, CallFigures],
  exports: [PredictionsService, CallFigures],
})
export class PredictionsModule {}

/** Only reads the record. */
@Module({
  imports: [ModelsModule, AuditModule],
  providers: [ModelComparison],
  exports: [ModelComparison],
})
export class ComparisonModule {}
