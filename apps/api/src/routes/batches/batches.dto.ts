import { ApiPropertyOptional, ApiProperty } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, IsUUID } from 'class-validator';
import { BATCH_FORMATS, type Batch, type BatchFormat } from '#libs/batches';
import { Problem } from '#libs/errors';
import { PageQueryDto } from '../../openapi/page-query.dto.js';
import {
  COUNT,
  DATE_TIME,
  ID,
  named,
  NUMBER,
  oneOf,
  orNull,
  page,
  record,
  STRING,
} from '../../openapi/schemas.js';

const FILE = named('BatchFile', record({ bytes: COUNT, sha256: STRING }));

/** What `batchOf` returns. */
export const BATCH = named(
  'Batch',
  record({
    id: { type: 'string', format: 'uuid' },
    user_id: ID,
    state: STRING,
    model: record({ name: STRING, version: STRING }),
    format: oneOf(...BATCH_FORMATS),
    rows: COUNT,
    errors: COUNT,
    share_done: { type: 'number', minimum: 0, maximum: 1 },
    rows_per_second: orNull(NUMBER),
    seconds_left: orNull(COUNT),
    failure: orNull(STRING),
    input: FILE,
    output: orNull(FILE),
    created_datetime: DATE_TIME,
    started_datetime: orNull(DATE_TIME),
    finished_datetime: orNull(DATE_TIME),
    expires_datetime: orNull(DATE_TIME),
  }),
);
export const BATCH_PAGE = named('BatchPage', page(BATCH));

const BY_MEDIA_TYPE: Record<string, BatchFormat> = {
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'application/x-ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/vnd.apache.parquet': 'parquet',
};

export const MEDIA_TYPES: Record<BatchFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  tsv: 'text/tab-separated-values; charset=utf-8',
  jsonl: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
};

/** What an upload may be declared as: its format, or nothing in particular. */
export const BATCH_TYPES = [
  ...Object.keys(BY_MEDIA_TYPE),
  'application/octet-stream',
  'application/gzip',
  'application/x-gzip',
  '',
];

export class SubmitBatchDto {
  @ApiProperty({ example: 'heart-failure', description: 'A name, name@alias, or a model URI.' })
  @IsString({ message: 'model must name a model: name, name@alias, models:/name/version' })
  model!: string;

  @ApiPropertyOptional({ enum: BATCH_FORMATS, description: 'If the Content-Type does not say it.' })
  @IsOptional()
  @IsIn(BATCH_FORMATS)
  format?: BatchFormat;
}

/** @throws Problem `bad-request` if nothing says which, or two things disagree */
export function formatOf(given: BatchFormat | undefined, mediaType: string): BatchFormat {
  const declared = BY_MEDIA_TYPE[mediaType];
  const format = given ?? declared;
  if (format !== undefined && (declared ?? format) === format) return format;
  const detail =
    format === undefined
      ? `is required unless the Content-Type is one of ${Object.keys(BY_MEDIA_TYPE).join(', ')}`
      : 'contradicts the Content-Type';
  throw Problem.badRequest('The format of the file is not clear.', [{ detail, pointer: '#/format' }]);
}

export class BatchesQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'The `next_cursor` of the previous page.' })
  @IsOptional()
  @IsUUID('all', { message: 'cursor must be the next_cursor of an earlier page' })
  cursor?: string;
}

/** In JSON, as `BATCH` describes it. */
export type BatchDto = ReturnType<typeof batchOf>;

export interface BatchPageDto {
  items: BatchDto[];
  next_cursor: string | null;
}

export function batchOf(batch: Batch) {
  const { id, userId, state, model, modelVersion, format, rows, errors, shareDone, rowsPerSecond } = batch;
  return {
    id,
    user_id: userId,
    state,
    model: { name: model, version: modelVersion },
    format,
    rows,
    errors,
    share_done: rounded(shareDone, 4),
    rows_per_second: rowsPerSecond === null ? null : rounded(rowsPerSecond, 1),
    seconds_left: secondsLeft(batch),
    failure: batch.failure,
    input: { bytes: batch.inputBytes, sha256: batch.inputSha256 },
    output: batch.outputSha256 === null ? null : { bytes: batch.outputBytes, sha256: batch.outputSha256 },
    created_datetime: batch.createdDatetime,
    started_datetime: batch.startedDatetime,
    finished_datetime: batch.finishedDatetime,
    expires_datetime: batch.expiresDatetime,
  };
}

/** At the rate of this run, for the number of rows that can be estimated from the share that is done. */
function secondsLeft({ state, rows, shareDone, rowsPerSecond }: Batch): number | null {
  if (state !== 'running' || !rowsPerSecond || shareDone === 0) return null;
  return Math.round((rows / shareDone - rows) / rowsPerSecond);
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
