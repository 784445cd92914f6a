import type { Readable } from 'node:stream';
import { Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBody, ApiConsumes, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BatchesService } from '#libs/batches';
import { Problem, type Actor } from '#libs/errors';
import { InGroup } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { Caller } from '../../guards/caller.decorator.js';
import { mediaTypeOf } from '../../server/bodies.js';
import { STRING } from '../../openapi/schemas.js';
import {
  BATCH,
  BATCH_PAGE,
  BATCH_TYPES,
  batchOf,
  BatchesQueryDto,
  formatOf,
  MEDIA_TYPES,
  SubmitBatchDto,
  type BatchDto,
  type BatchPageDto,
} from './batches.dto.js';
import { WorkerBeside } from './worker-beside.js';

@InGroup('Batches')
@Controller('batches')
export class BatchesController {
  constructor(
    private readonly batches: BatchesService,
    private readonly worker: WorkerBeside,
  ) {}

  @Post()
  @HttpCode(202)
  @RouteConfig({ body: 'stream', types: BATCH_TYPES })
  @ApiOperation({
    summary: 'Send a file of rows to be scored with one version of a model',
    description: 'CSV, TSV, JSON Lines or Parquet, gzipped or not.',
  })
  @ApiConsumes(...BATCH_TYPES.filter((type) => type !== ''))
  @ApiBody({ schema: { type: 'string', format: 'binary' } })
  @ApiResponse({
    status: 202,
    description: 'It is queued; `Location` is where to follow it.',
    schema: BATCH,
    headers: { Location: { schema: STRING, required: true } },
  })
  @Refuses({
    'bad-request': 'There is no file, or its format is not clear.',
    'model-not-found': 'No such model or version.',
    'body-too-large': 'Larger than MAX_BATCH_BYTES.',
    'too-many-batches': 'The user has too many unfinished batches, or too many bytes are kept for them.',
    'storage-full': 'There is not enough room on the disk.',
  })
  async submitBatch(
    @Query() { model, format }: SubmitBatchDto,
    @Req() request: FastifyRequest<{ Body?: Readable }>,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Caller() actor: Actor,
  ): Promise<BatchDto> {
    const { body: upload } = request;
    if (!upload) throw Problem.badRequest('The body must be the file.');
    const batch = await this.batches.submit({
      actor,
      model,
      format: formatOf(format, mediaTypeOf(request)),
      upload,
      declaredBytes: Number(request.headers['content-length'] ?? 0),
    });
    this.worker.ensure();
    reply.header('location', `/batches/${batch.id}`);
    return batchOf(batch);
  }

  @Get()
  @ApiOperation({ summary: 'Your batches, newest first; for admins, everybody’s' })
  @ApiResponse({ status: 200, schema: BATCH_PAGE })
  async listBatches(
    @Query() { limit, cursor }: BatchesQueryDto,
    @Caller() actor: Actor,
  ): Promise<BatchPageDto> {
    const { items, nextCursor } = await this.batches.page(actor, limit, cursor);
    return { items: items.map(batchOf), next_cursor: nextCursor };
  }

  @Get(':id')
  @ApiOperation({ summary: 'The state of a batch, how many rows are done, and how long the rest will take' })
  @ApiResponse({ status: 200, schema: BATCH })
  @Refuses({ 'batch-not-found': 'You have no such batch.' })
  async getBatch(@Param('id') id: string, @Caller() actor: Actor): Promise<BatchDto> {
    return batchOf(await this.batches.find(actor, id));
  }

  @Get(':id/output')
  @ApiOperation({ summary: 'The scored file of a batch, once it is complete' })
  @ApiResponse({
    status: 200,
    description: 'Every column that was sent, and those of the prediction.',
    content: Object.fromEntries(Object.values(MEDIA_TYPES).map((type) => [type, {}])),
  })
  @Refuses({
    'batch-not-found': 'You have no such batch.',
    'batch-not-finished': 'The batch is not finished yet.',
    'batch-without-output': 'The batch has failed or was cancelled.',
    'batch-expired': 'The output has been deleted.',
  })
  async getBatchOutput(
    @Param('id') id: string,
    @Caller() actor: Actor,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { batch, file } = await this.batches.openOutput(actor, id);
    await reply
      .header('content-type', MEDIA_TYPES[batch.format])
      .header('content-length', batch.outputBytes!)
      .header('content-disposition', `attachment; filename="${batch.model}-${batch.id}.${batch.format}"`)
      .header('etag', `"${batch.outputSha256}"`)
      .send(file.createReadStream());
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Cancel a batch; if it is finished, delete its output' })
  @ApiResponse({ status: 204, description: 'Done.' })
  @Refuses({ 'batch-not-found': 'You have no such batch.' })
  async removeBatch(@Param('id') id: string, @Caller() actor: Actor): Promise<void> {
    await this.batches.remove(actor, id);
  }
}
