import { applyDecorators, Header, HttpCode, Post } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '#libs/errors';
import type { Dialect, PredictionCall } from '#libs/predictions';

/** Has its body as it came. */
export type PredictionRequest = FastifyRequest<{ Body?: Buffer }>;

/** What all routes that predict have in common. */
export const Predicts = (dialect: Dialect, path: string, summary: string) =>
  applyDecorators(
    Post(path),
    HttpCode(200),
    RouteConfig({ body: 'raw', dialect }),
    Header('content-type', 'application/json; charset=utf-8'),
    ApiOperation({ summary, description: 'The answer is recorded before it leaves.' }),
    ApiResponse({
      status: 400,
      description: 'Not to be read, or columns missing or not convertible: all of them are named.',
    }),
    ApiResponse({
      status: 401,
      description: 'No token, or one that is malformed, expired, or of a disabled user.',
    }),
    ApiResponse({ status: 415, description: `Not declared as ${dialect.mediaTypes}.` }),
    ApiResponse({
      status: 503,
      description: 'Overloaded, or the record cannot be written; see `Retry-After`.',
    }),
  );

/** What a route's caller asks, in the dialect of the route. */
export function asked(request: PredictionRequest, actor: Actor): PredictionCall {
  return {
    actor,
    requestId: request.id,
    dialect: request.routeOptions.config.dialect!,
    body: request.body ?? Buffer.alloc(0),
    headers: request.headers,
  };
}
