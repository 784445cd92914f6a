import type { IncomingMessage } from 'node:http';
import plugin from 'fastify-plugin';
import type { FastifyInstance } from 'fastify';
import { Problem } from '#libs/errors';
import { sendProblem } from './send-problem.js';

/** Refuses requests that a proxy in front may have understood differently. */
export const framing = plugin(
  async (fastify: FastifyInstance) => {
    fastify.addHook('onRequest', (request, reply, done) => {
      const flaw = flawOfFraming(request.raw);
      if (flaw === undefined) done();
      else sendProblem(reply, Problem.badRequest(flaw), request.id);
    });
  },
  { name: 'framing' },
);

/**
 * What is wrong with the headers that say where a request belongs and where it ends; undefined if nothing is. Node
 * takes the first of two Host headers, and ignores codings that it does not know; a proxy in front may read them
 * differently (RFC 9112 §3.2, §6.1, §11.2).
 */
function flawOfFraming({ headers, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) return 'The request has more than one Host header.';
  if (hosts === 0 && httpVersion !== '1.0') return 'The request has no Host header.';
  const coding = headers['transfer-encoding'];
  if (coding === undefined || coding.toLowerCase() === 'chunked') return undefined;
  return 'The only Transfer-Encoding supported is chunked.';
}
