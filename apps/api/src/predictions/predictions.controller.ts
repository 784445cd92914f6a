import { Controller, Header, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '#libs/errors';
import { PredictionsService } from '#libs/predictions';
import { Caller } from '../http/caller.decorator.js';
import { plainDialect } from './plain.dialect.js';
import { FEATURES_SCHEMA, PlainPredictionDto } from './predictions.dto.js';

@ApiTags('predictions')
@ApiBearerAuth()
@Controller()
export class PredictionsController {
  constructor(@Inject(PredictionsService) private readonly predictions: PredictionsService) {}

  @Post('predict')
  @HttpCode(200)
  @RouteConfig({ body: 'raw' })
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({
    summary: 'Predict for one feature dictionary',
    description: 'The answer is recorded before it leaves.',
  })
  @ApiBody({ schema: { $ref: `#/components/schemas/${FEATURES_SCHEMA}` } })
  @ApiResponse({ status: 200, type: PlainPredictionDto })
  @ApiResponse({
    status: 400,
    description: 'Not a JSON object, or columns missing or not convertible: one error each.',
  })
  @ApiResponse({
    status: 401,
    description: 'No token, or one that is malformed, expired, or of a disabled user.',
  })
  @ApiResponse({
    status: 503,
    description: 'Overloaded, or the record cannot be written; see `Retry-After`.',
  })
  predict(@Req() request: FastifyRequest<{ Body?: Buffer }>, @Caller() actor: Actor): Promise<string> {
    return this.predictions.predict({
      actor,
      requestId: request.id,
      dialect: plainDialect,
      body: request.body ?? Buffer.alloc(0),
    });
  }
}
