import { Readable } from 'node:stream';
import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PredictionLog } from '#libs/audit';
import { UsersService } from '#libs/users';
import { InGroup } from '../../openapi/groups.js';
import { Roles } from '../../guards/roles.guard.js';
import { LOG_PAGE, PredictionLogQueryDto } from './audit.dto.js';

/** No user has this id. */
const NOBODY = 0;

@InGroup('Audit')
@Controller('audit')
export class AuditController {
  constructor(
    private readonly log: PredictionLog,
    private readonly users: UsersService,
  ) {}

  @Get('predictions')
  @Roles('analyst', 'admin')
  @ApiOperation({
    summary: 'Recorded predictions, newest first (analyst, admin)',
    description: 'A page of large records ends early, at about 16 MB, with `next_cursor`.',
  })
  @ApiResponse({ status: 200, schema: LOG_PAGE })
  async listPredictions(
    @Query()
    { limit, cursor, user, user_id: ofUser, request_id: requestId, ...filter }: PredictionLogQueryDto,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const userId = await this.userIdOf(user, ofUser);
    const page = await this.log.page({ ...filter, userId, requestId }, limit, cursor);
    await reply.type('application/json; charset=utf-8').send(Readable.from(page));
  }

  /** A name comes first, because a user may be called 3; then a number. If both filters are given, both must hold. */
  private async userIdOf(user?: string, userId?: number): Promise<number | undefined> {
    if (user === undefined) return userId;
    const named = (await this.users.findByUsername(user))?.id;
    const id = named ?? (/^\d{1,9}$/.test(user) ? Number(user) : NOBODY);
    return userId === undefined || userId === id ? id : NOBODY;
  }
}
