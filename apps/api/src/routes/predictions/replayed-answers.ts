import plugin from 'fastify-plugin';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** The answer is that of an earlier request under the same `Idempotency-Key`. */
    isReplay: boolean;
  }
}

export const replayedAnswers = plugin(
  async (fastify: FastifyInstance) => {
    fastify.decorateRequest('isReplay', false);
    fastify.addHook('onSend', (request, reply, _payload, done) => {
      if (request.isReplay) reply.header('idempotency-replayed', 'true');
      done();
    });
  },
  { name: 'replayed-answers' },
);
