import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { PredictionLog, type LogItem } from '#libs/audit';
import { UsersService } from '#libs/users';
import { Roles } from '../http/roles.guard.js';
import { page } from '../http/schemas.js';
import { LOG_ITEM, PredictionLogQueryDto } from './audit.dto.js';

/** No user has this number. */
const NOBODY = 0;

@ApiTags('audit')
@ApiBearerAuth()
@Controller('audit')
export class AuditController {
  constructor(
    @Inject(PredictionLog) private readonly log: PredictionLog,
    @Inject(UsersService) private readonly users: UsersService,
  ) {}

  @Get('predictions')
  @Roles('analyst', 'admin')
  @ApiOperation({ summary: 'Recorded predictions, newest first (analyst, admin)' })
  @ApiResponse({ status: 200, schema: page(LOG_ITEM) })
  async predictions(
    @Query() { limit, cursor, user, user_id: ofUser, ...filter }: PredictionLogQueryDto,
  ): Promise<{ items: LogItem[]; next_cursor: string | null }> {
    const userId = await this.userIdOf(user, ofUser);
    const { items, nextCursor } = await this.log.page({ ...filter, userId }, limit, cursor);
    return { items, next_cursor: nextCursor };
  }

  /** A name comes first, because somebody may be called 3; then a number. If both filters are given, both must hold. */
  private async userIdOf(user?: string, userId?: number): Promise<number | undefined> {
    if (user === undefined) return userId;
    const named = (await this.users.findByUsername(user))?.id;
    const id = named ?? (/^\d{1,9}$/.test(user) ? Number(user) : NOBODY);
    return userId === undefined || userId === id ? id : NOBODY;
  }
}
