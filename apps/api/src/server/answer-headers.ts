import plugin from 'fastify-plugin';
import type { FastifyInstance } from 'fastify';

/** For every answer except a page, which needs our scripts and styles (openapi/page.ts). */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'SAMEORIGIN',
  'cache-control': 'no-store',
} as const;

/** The headers of every answer. Fastify writes them with its own; setting them on Node's reply costs much more. */
export const answerHeaders = plugin(
  async (fastify: FastifyInstance) => {
    fastify.addHook('onRequest', (request, reply, done) => {
      reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
      done();
    });
  },
  { name: 'answer-headers' },
);
