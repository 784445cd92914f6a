import { applyDecorators, Controller, Header, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '#libs/errors';
import { parseModelReference } from '#libs/models';
import { namedDialect, plainDialect, PredictionsService, type PredictionCall } from '#libs/predictions';
import { Caller } from '../http/caller.decorator.js';
import { FEATURES_SCHEMA, NamedAnswerDto, PlainPredictionDto } from './predictions.dto.js';

type PredictionRequest = FastifyRequest<{ Body?: Buffer }>;

/** What all routes that predict have in common. */
const Predicts = (path: string, summary: string) =>
  applyDecorators(
    Post(path),
    HttpCode(200),
    RouteConfig({ body: 'raw' }),
    Header('content-type', 'application/json; charset=utf-8'),
    ApiOperation({ summary, description: 'The answer is recorded before it leaves.' }),
    ApiResponse({
      status: 400,
      description: 'Not JSON, or columns missing or not convertible: one error each.',
    }),
    ApiResponse({
      status: 401,
      description: 'No token, or one that is malformed, expired, or of a disabled user.',
    }),
    ApiResponse({
      status: 503,
      description: 'Overloaded, or the record cannot be written; see `Retry-After`.',
    }),
  );

@ApiTags('predictions')
@ApiBearerAuth()
@Controller()
export class PredictionsController {
  constructor(@Inject(PredictionsService) private readonly predictions: PredictionsService) {}

  @Predicts('predict', 'Predict for one feature dictionary with the default model')
  @ApiBody({ schema: { $ref: `#/components/schemas/${FEATURES_SCHEMA}` } })
  @ApiResponse({ status: 200, type: PlainPredictionDto })
  plain(@Req() request: PredictionRequest, @Caller() actor: Actor): Promise<string> {
    return this.predictions.predict({ ...asked(request, actor), dialect: plainDialect });
  }

  @Predicts('models/:name/predict', 'Predict with the served version of a model')
  @ApiResponse({ status: 200, type: NamedAnswerDto })
  @ApiResponse({ status: 404, description: 'No such model.' })
  named(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
  ): Promise<string> {
    return this.predictions.predict({
      ...asked(request, actor),
      dialect: namedDialect,
      model: parseModelReference(name),
    });
  }

  @Predicts('models/:name/versions/:version/predict', 'Predict with one version of a model')
  @ApiResponse({ status: 200, type: NamedAnswerDto })
  @ApiResponse({ status: 404, description: 'No such model or version.' })
  versioned(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<string> {
    return this.predictions.predict({
      ...asked(request, actor),
      dialect: namedDialect,
      model: { name, version },
    });
  }
}

function asked(
  request: PredictionRequest,
  actor: Actor,
): Pick<PredictionCall, 'actor' | 'requestId' | 'body'> {
  return { actor, requestId: request.id, body: request.body ?? Buffer.alloc(0) };
}
