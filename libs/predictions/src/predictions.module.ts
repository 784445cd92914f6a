import { Module } from '@nestjs/common';
import { AuditModule } from '#libs/audit';
import { ModelsModule } from '#libs/models';
import { PredictionsService } from './predictions.service.js';

@Module({
  imports: [ModelsModule, AuditModule],
  providers: [PredictionsService],
  exports: [PredictionsService],
})
export class PredictionsModule {}
