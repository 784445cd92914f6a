import { applyDecorators, Header, HttpCode, Post } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiHeader, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Problem, type Actor } from '#libs/errors';
import type { Dialect, PredictionCall } from '#libs/predictions';

/** Has its body as it came. */
export type PredictionRequest = FastifyRequest<{ Body?: Buffer }>;

/** What a caller may choose as an `Idempotency-Key`. */
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** What all routes that predict have in common. */
export const Predicts = (dialect: Dialect, path: string, summary: string) =>
  applyDecorators(
    Post(path),
    HttpCode(200),
    RouteConfig({ body: 'raw', dialect }),
    Header('content-type', 'application/json; charset=utf-8'),
    ApiOperation({
      summary,
      description:
        'The answer is recorded before it leaves, with what was asked. Of what the model does not use, such as columns ' +
        'that it does not have, 64 kB per row are recorded; the rest is left out, and the recorded input says so: ' +
        '`"foretell_truncated": {"left_out": ["note"], "bytes": 1000007}`.',
    }),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description:
        'A text of your choice, new for each question, 1 to 255 printable ASCII characters. Sent again with the same question ' +
        'within 24 hours, it gets the first answer, with `Idempotency-Replayed: true`, and no second record.',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[ -~]+$' },
    }),
    ApiResponse({
      status: 400,
      description:
        'The body cannot be read, or columns are missing or not convertible: all of them are named.',
    }),
    ApiResponse({ status: 404, description: 'There is no such model, or no such version of it.' }),
    ApiResponse({ status: 413, description: 'Larger than MAX_BODY_BYTES.' }),
    ApiResponse({ status: 415, description: `Not declared as ${dialect.mediaTypes}.` }),
    ApiResponse({
      status: 422,
      description: 'A different question was answered under this `Idempotency-Key`.',
    }),
    ApiResponse({
      status: 503,
      description: 'Overloaded, or the record cannot be written; see `Retry-After`.',
    }),
    ApiResponse({ status: 504, description: 'The model did not answer in time.' }),
  );

/** What a route's caller asks, in the dialect of the route. */
export function asked(request: PredictionRequest, actor: Actor): PredictionCall {
  return {
    actor,
    requestId: request.id,
    dialect: request.routeOptions.config.dialect!,
    body: request.body ?? Buffer.alloc(0),
    headers: request.headers,
    idempotency: idempotencyOf(request),
    trace: request.trace,
  };
}

/** @throws Problem `bad-request` */
function idempotencyOf(request: PredictionRequest): PredictionCall['idempotency'] {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key))
    throw Problem.badRequest('Idempotency-Key must be 1 to 255 printable ASCII characters.');
  return { key, onReplay: () => (request.isReplay = true) };
}
