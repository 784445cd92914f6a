import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { PredictionLog, type LogItem } from '#libs/audit';
import { Roles } from '../http/roles.guard.js';
import { page } from '../http/schemas.js';
import { LOG_ITEM, PredictionLogQueryDto } from './audit.dto.js';

@ApiTags('audit')
@ApiBearerAuth()
@Controller('audit')
export class AuditController {
  constructor(@Inject(PredictionLog) private readonly log: PredictionLog) {}

  @Get('predictions')
  @Roles('analyst', 'admin')
  @ApiOperation({ summary: 'Recorded predictions, newest first (analyst, admin)' })
  @ApiResponse({ status: 200, schema: page(LOG_ITEM) })
  async predictions(
    @Query() { limit, cursor, user, ...filter }: PredictionLogQueryDto,
  ): Promise<{ items: LogItem[]; next_cursor: string | null }> {
    const byUser = user !== undefined && /^\d{1,9}$/.test(user) ? Number(user) : user;
    const { items, nextCursor } = await this.log.page({ ...filter, user: byUser }, limit, cursor);
    return { items, next_cursor: nextCursor };
  }
}
