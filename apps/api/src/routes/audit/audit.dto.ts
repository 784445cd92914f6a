import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
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

/** In the order in which stacked decorators are applied: the last first. */
const Filter = (options: ApiPropertyOptions, ...checks: PropertyDecorator[]) =>
  applyDecorators(...checks, IsOptional(), ApiPropertyOptional(options));
const TextFilter = (options: ApiPropertyOptions) => Filter(options, IsString());
const NumberFilter = (options: ApiPropertyOptions & { minimum: number; maximum: number }) =>
  Filter(
    options,
    Max(options.maximum),
    Min(options.minimum),
    IsInt(),
    Type(() => Number),
  );
const TimeFilter = (description: string, example: string) =>
  Filter(
    { example, description, type: String, format: 'date-time' },
    IsDate({ message: '$property must be an ISO 8601 date and time' }),
    Transform(toDate),
  );

export class PredictionLogQueryDto extends PageQueryDto {
  @Filter(
    { description: 'The `next_cursor` of the previous page.' },
    Matches(/^\d{1,18}$/, { message: 'cursor must be the next_cursor of an earlier page' }),
  )
  cursor?: string;

  @TextFilter({ description: 'A username; or, if nobody has that name, a user id.' })
  user?: string;

  @NumberFilter({ ...ID, description: 'A user id, even if it is also the name of somebody.' })
  user_id?: number;

  @TextFilter({ example: 'heart-failure' })
  model?: string;

  @TextFilter({ example: '1' })
  version?: string;

  @TextFilter({ description: 'The `X-Request-Id` of the prediction, the caller’s or ours.' })
  request_id?: string;

  @NumberFilter({ ...STATUS, example: 200, description: 'The HTTP status of the answer.' })
  status?: number;

  @TimeFilter('Inclusive.', '2026-01-01T00:00:00Z')
  from?: Date;

  @TimeFilter('Exclusive.', '2027-01-01T00:00:00Z')
  to?: Date;
}
