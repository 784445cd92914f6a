import type { FastifyInstance, FastifyRequest } from 'fastify';
import { notHere } from './allowed-methods.js';
import type { AuthGuard } from '../guards/auth.guard.js';
import { sendProblem } from './fastify.js';

/** Up to so many bytes of a body are read before anybody asks whose it is. */
export const MAX_FIELDS_BYTES = 16 * 1024;

/**
 * The memory and the time that a large body takes are for callers who are known: before it is read, its token is
 * verified, and a path that is not there is answered. A route that takes a few fields takes no large body at all.
 *
 * To be called when there are no routes yet.
 */
export function limitLargeBodies(fastify: FastifyInstance, guard: AuthGuard): void {
  fastify.addHook('onRoute', (route) => {
    if (route.config?.body === undefined) route.bodyLimit = MAX_FIELDS_BYTES;
  });
  const identify = async (request: FastifyRequest) => guard.identify(request);
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!mayBeLarge(request)) done();
    else if (request.is404) sendProblem(reply, notHere(request), request.id);
    else if (request.routeOptions.config.body !== 'raw') done();
    else {
      // The guard asks again when the body is there: that may take long.
      identify(request).then(() => done(), done);
    }
  });
}

function mayBeLarge({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > MAX_FIELDS_BYTES;
}
