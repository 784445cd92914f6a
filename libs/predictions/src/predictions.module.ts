import { Module } from '@nestjs/common';
import { AuditModule } from '#libs/audit';
import { ServedModelsModule } from '#libs/models';
import { PredictionsService } from './predictions.service.js';

@Module({
  imports: [ServedModelsModule, AuditModule],
  providers: [PredictionsService],
  exports: [PredictionsService],
})
export class PredictionsModule {}
