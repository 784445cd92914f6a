import plugin from 'fastify-plugin';
import type { FastifyInstance } from 'fastify';
import type { Span, Tracing } from '#libs/observability';
import { UNKNOWN_ROUTE } from './request-durations.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set if requests are traced. */
    trace?: Span;
  }
}

/**
 * A span for each request, in the trace that its `traceparent` names: route and status, never the URL, which may hold a
 * token, and nothing about who asks or what.
 */
export const traces = plugin(
  async (fastify: FastifyInstance, { tracing }: { tracing: Tracing }) => {
    fastify.addHook('onRequest', (request, _reply, done) => {
      const { method, headers, id } = request;
      const { url: route = UNKNOWN_ROUTE } = request.routeOptions;
      request.trace = tracing.begin(`${method} ${route}`, headers, {
        'http.request.method': method,
        'http.route': route,
        request_id: id,
      });
      done();
    });
    fastify.addHook('onResponse', ({ trace }, { statusCode }, done) => {
      trace?.set({ 'http.response.status_code': statusCode });
      if (statusCode >= 500) trace?.fail();
      trace?.end();
      done();
    });
  },
  { name: 'traces' },
);
