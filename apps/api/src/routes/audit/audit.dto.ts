import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { IsDate, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { PageQueryDto } from '../../openapi/page-query.dto.js';
import {
  ANYTHING,
  COUNT,
  DATE_TIME,
  ID,
  named,
  NUMBER,
  orNull,
  page,
  record,
  STRING,
} from '../../openapi/schemas.js';

const STATUS = { type: 'integer', minimum: 100, maximum: 599 } as const;

const LOG_ITEM = named(
  'LoggedPrediction',
  record({
    id: STRING,
    request_id: STRING,
    user: record({ id: ID, username: orNull(STRING) }),
    model: record({ name: STRING, version: STRING }),
    dialect: STRING,
    row_count: orNull(COUNT),
    status: STATUS,
    input: ANYTHING,
    output: ANYTHING,
    created_datetime: DATE_TIME,
    duration_ms: { ...NUMBER, minimum: 0 },
  }),
);
export const LOG_PAGE = named('PredictionLogPage', page(LOG_ITEM));

/** ISO 8601 only: `new Date` alone would also take "1" for a year. */
const toDate = ({ value }: { value: unknown }) =>
  new Date(typeof value === 'string' && /^\d{4}-\d{2}-\d{2}/.test(value) ? value : NaN);

export class PredictionLogQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'The `next_cursor` of the previous page.' })
  @IsOptional()
  @Matches(/^\d{1,18}$/, { message: 'cursor must be the next_cursor of an earlier page' })
  cursor?: string;

  @ApiPropertyOptional({ description: 'A username; or, if nobody has that name, a user id.' })
  @IsOptional()
  @IsString()
  user?: string;

  @ApiPropertyOptional({ ...ID, description: 'A user id, even if it is also the name of somebody.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(2_147_483_647)
  user_id?: number;

  @ApiPropertyOptional({ example: 'heart-failure' })
  @IsOptional()
  @IsString()
  model?: string;

  @ApiPropertyOptional({ example: '1' })
  @IsOptional()
  @IsString()
  version?: string;

  @ApiPropertyOptional({ description: 'The `X-Request-Id` of the prediction, the caller’s or ours.' })
  @IsOptional()
  @IsString()
  request_id?: string;

  @ApiPropertyOptional({
    ...STATUS,
    example: 200,
    description: 'The The The The The The HTTP status of the answer.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(100)
  @Max(599)
  status?: number;

  @ApiPropertyOptional({
    example: '2026-01-01T00:00:00Z',
    description: 'Inclusive.',
    type: String,
    format: 'date-time',
  })
  @IsOptional()
  @Transform(toDate)
  @IsDate({ message: 'from must be an ISO 8601 date and time' })
  from?: Date;

  @ApiPropertyOptional({
    example: '2027-01-01T00:00:00Z',
    description: 'Exclusive.',
    type: String,
    format: 'date-time',
  })
  @IsOptional()
  @Transform(toDate)
  @IsDate({ message: 'to must be an ISO 8601 date and time' })
  to?: Date;
}
