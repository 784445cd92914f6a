import { applyDecorators, Controller, HttpCode, Post, Req, Res, type Type } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBody, ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem, type Actor } from '#libs/errors';
import {
  dialects,
  PredictionsService,
  type Addressed,
  type Dialect,
  type PredictionCall,
  type PredictionRoute,
} from '#libs/predictions';
import { InGroupOf } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { ANYTHING, referenceTo } from '../../openapi/schemas.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/** An authenticated request, with its body as it arrived. */
export type PredictionRequest = FastifyRequest<{
  Body?: Buffer;
  Params: Addressed['params'];
  Querystring: Addressed['query'];
}> & { user: Actor };

export interface PredictionController {
  predict(request: PredictionRequest, reply: FastifyReply): Promise<void>;
}

/** One for every route of every dialect, by its path. They differ only in what the dialect defines. */
export const predictionControllers: ReadonlyMap<string, Type<PredictionController>> = new Map(
  dialects.flatMap((dialect) =>
    dialect.routes.map((route) => [`/${route.path}`, controllerOf(dialect, route)] as const),
  ),
);

function controllerOf(dialect: Dialect, route: PredictionRoute): Type<PredictionController> {
  @InGroupOf(dialect)
  @Controller()
  class PredictionController {
    constructor(private readonly predictions: PredictionsService) {}

    /** Declared to Nest; called from `directPredictions`. */
    @Predicts(dialect, route)
    async predict(@Req() request: PredictionRequest, @Res() reply: FastifyReply): Promise<void> {
      const answer = await this.predictions.predict({
        actor: request.user,
        requestId: request.id,
        dialect,
        body: request.body ?? Buffer.alloc(0),
        headers: request.headers,
        model: route.modelOf(request),
        idempotency: idempotencyOf(request, reply),
        trace: request.trace,
      });
      reply.header('content-type', JSON_TYPE).send(answer);
    }
  }
  return PredictionController;
}

/** What a caller may choose as an `Idempotency-Key`. */
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** @throws Problem `bad-request` */
function idempotencyOf(request: PredictionRequest, reply: FastifyReply): PredictionCall['idempotency'] {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key))
    throw Problem.badRequest('Idempotency-Key must be 1 to 255 printable ASCII characters.');
  return { key, onReplay: () => reply.header('idempotency-replayed', 'true') };
}

/** The schemas of bodies depend on the models, so they are added whenever the document is requested. */
function Predicts(
  dialect: Dialect,
  { path, operationId, summary, queryParameters = [] }: PredictionRoute,
): MethodDecorator {
  const { document, mediaTypes } = dialect;
  return applyDecorators(
    Post(path),
    HttpCode(200),
    RouteConfig({ body: 'raw', taken: dialect }),
    ApiOperation({
      operationId,
      summary,
      description:
        'The question and its answer are recorded before the answer is sent. What the model does not take, such as columns ' +
        'it does not have, is recorded up to 64 kB per row; the recorded input says what was left out: ' +
        '`"foretell_truncated": {"left_out": ["note"], "bytes": 1000007}`.',
    }),
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ApiParam({ name: name!, type: String })),
    ...queryParameters.map((each) => ApiQuery({ ...each, required: false })),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description:
        'A key of your choice for each question, 1 to 255 printable ASCII characters. The same question sent again with ' +
        'the same key within 24 hours gets the first answer, with `Idempotency-Replayed: true`, and no second record.',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[ -~]+$' },
    }),
    ApiBody({ schema: ANYTHING }),
    ApiResponse({
      status: 200,
      description: document.answerDescription,
      schema: referenceTo(document.answer),
    }),
    Refuses({
      'bad-request':
        'The body cannot be read, or columns are missing or not convertible; each of them is named.',
      'model-not-found': 'There is no such model, or no such version of it.',
      'body-too-large': 'Larger than MAX_BODY_BYTES.',
      'unsupported-media-type': `Not declared as ${mediaTypes}.`,
      'idempotency-key-reused': 'This `Idempotency-Key` was used for another question.',
      overloaded: 'More predictions are waiting than can be answered in time; see `Retry-After`.',
      'database-unavailable': 'The record cannot be written; see `Retry-After`.',
      'prediction-timeout': 'The model did not answer in time.',
    }),
  );
}
