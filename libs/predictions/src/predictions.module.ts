import { Module } from '@nestjs/common';
import { AuditModule } from '#libs/audit';
import { ModelsModule, ServedModelsModule } from '#libs/models';
import { CallFigures } from './call-figures.js';
import { ModelComparison } from './model-comparison.js';
import { PredictionsService } from './predictions.service.js';

@Module({
  imports: [ServedModelsModule, AuditModule],
  providers: [PredictionsService, CallFigures],
  exports: [PredictionsService, CallFigures],
})
export class PredictionsModule {}

/** Reads the record and answers nobody. */
@Module({
  imports: [ModelsModule, AuditModule],
  providers: [ModelComparison],
  exports: [ModelComparison],
})
export class ComparisonModule {}
