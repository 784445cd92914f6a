import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { notHere } from './allowed-methods.js';
import { sendProblem } from './send-problem.js';

/** How many bytes of a body are read before the caller is known. */
const MAX_FIELDS_BYTES = 16 * 1024;

/** Finds out who is calling. @throws Problem if the caller cannot be identified */
export type Identify = (request: FastifyRequest) => true | Promise<true>;

/**
 * The memory and the time for a large body are only for known callers: before it is read, its token is
 * verified, and a path that does not exist is answered. A route that takes a few fields takes no large body at all.
 */
export const largeBodies = plugin(
  async (fastify: FastifyInstance, { identify }: { identify: Identify }) => {
    fastify.addHook('onRoute', (route) => {
      if (route.config?.body === undefined) route.bodyLimit = MAX_FIELDS_BYTES;
    });
    const identified = async (request: FastifyRequest) => identify(request);
    fastify.addHook('onRequest', (request, reply, done) => {
      if (!mayBeLarge(request)) done();
      else if (request.is404) sendProblem(reply, notHere(request), request.id);
      else if (request.routeOptions.config.body !== 'raw') done();
      else {
        // The guard asks again when the body has arrived: that may take long.
        identified(request).then(() => done(), done);
      }
    });
  },
  { name: 'large-bodies' },
);

function mayBeLarge({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > MAX_FIELDS_BYTES;
}
