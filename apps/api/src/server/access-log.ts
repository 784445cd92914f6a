import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '#libs/observability';
import { UNKNOWN_ROUTE, type RequestDurations } from './request-durations.js';

/** A line and a duration for each request, whether or not it has a route. */
export const accessLog = plugin(
  async (fastify: FastifyInstance, { logger, requests }: { logger: Logger; requests: RequestDurations }) => {
    fastify.addHook('onResponse', (request, reply, done) => {
      const { url: route = UNKNOWN_ROUTE } = request.routeOptions;
      requests.observe(request.method, route, reply.statusCode, reply.elapsedTime);
      logRequest(logger, route, request, reply);
      done();
    });
  },
  { name: 'access-log' },
);

/** The route's pattern and never the URL, which may hold a token. Every answered prediction is in the database. */
function logRequest(logger: Logger, route: string, request: FastifyRequest, reply: FastifyReply): void {
  const level = reply.statusCode >= 500 ? 'error' : reply.statusCode >= 400 ? 'info' : 'debug';
  if (!logger.isLevelEnabled(level)) return;
  logger[level](
    {
      request_id: request.id,
      method: request.method,
      route,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 1000) / 1000,
    },
    'request',
  );
}
