import { Readable } from 'node:stream';
import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PredictionLog } from '#libs/audit';
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
  @ApiOperation({
    summary: 'Recorded predictions, newest first (analyst, admin)',
    description: 'A page ends early, with `next_cursor`, where its records are large: at about 16 MB.',
  })
  @ApiResponse({ status: 200, schema: page(LOG_ITEM) })
  async predictions(
    @Query() { limit, cursor, user, request_id: requestId, ...filter }: PredictionLogQueryDto,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const byUser = user !== undefined && /^\d{1,9}$/.test(user) ? Number(user) : user;
    const page = await this.log.page({ ...filter, user: byUser, requestId }, limit, cursor);
    await reply.type('application/json; charset=utf-8').send(Readable.from(page));
  }
}
