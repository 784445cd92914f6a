import { createServer, maxHeaderSize, type RequestListener, type Server } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config, TrustedProxies } from '#libs/config';
import type { ProblemForm } from '#libs/errors';
import type { Logger, Tracing } from '#libs/observability';
import { accessLog } from './access-log.js';
import { allowedMethods } from './allowed-methods.js';
import { Answer, answerHeaders } from './answer-headers.js';
import { arrival, type ArrivalOptions } from './arrival.js';
import { bodies } from './bodies.js';
import type { Door } from './door.js';
import { goodbye, type Draining } from './draining.js';
import { largeBodies, type Identify } from './large-bodies.js';
import { answerMalformedRequest } from './malformed-request.js';
import { framing } from './message-framing.js';
import type { RequestDurations } from './request-durations.js';
import { requestIdOf } from './request-id.js';
import { problemForms, sendProblem } from './send-problem.js';
import { toProblem } from './to-problem.js';
import { traces } from './trace-requests.js';

/** What the server needs from the code that knows routes, dialects and accounts. */
export interface ServerParts extends ArrivalOptions {
  readonly logger: Logger;
  readonly draining: Draining;
  readonly requests: RequestDurations;
  readonly door: Door;
  readonly tracing?: Tracing;
  readonly problemFormAt: (url: string) => ProblemForm;
  readonly identify: Identify;
  /** Whether the queue that a route names is full. */
  readonly isFull: (queue: string) => boolean;
}

/** The HTTP server below Nest: everything that a request passes through before it reaches a guard, in order. */
export async function registerPlugins(fastify: FastifyInstance, parts: ServerParts): Promise<void> {
  const { tracing } = parts;
  await fastify
    .register(allowedMethods)
    .register(problemForms, parts)
    .register(bodies, parts)
    .register(arrival, parts)
    .register(answerHeaders)
    .register(framing)
    .register(goodbye, parts)
    .register(accessLog, parts);
  if (tracing) await fastify.register(traces, { tracing });
  await fastify.register(parts.door.plugin, parts).register(largeBodies, parts);
}

/**
 * Fastify with its limits, and its answers when no plugin runs: to what is not HTTP, or has a malformed URL.
 * @param otherSpellings of paths, each with the path that is meant
 */
export function createAdapter(
  config: Config,
  { door, requests }: Pick<ServerParts, 'door' | 'requests'>,
  otherSpellings: ReadonlyMap<string, string>,
): FastifyAdapter {
  return new FastifyAdapter({
    serverFactory: (serve: RequestListener) => newServer(config.requestTimeoutMs, door.admit(serve)),
    trustProxy: trusting(config.trustedProxies),
    bodyLimit: config.maxBodyBytes,
    /** What Node accepts as a request's headers (16 KiB): a longer URL never gets this far, and a token may be long. */
    routerOptions: { maxParamLength: maxHeaderSize },
    rewriteUrl: ({ url = '' }) => {
      const end = url.indexOf('?');
      const meant = otherSpellings.get(end === -1 ? url : url.slice(0, end));
      return meant === undefined ? url : end === -1 ? meant : meant + url.slice(end);
    },
    genReqId: requestIdOf,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    skipMiddie: true,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      const problem = toProblem(error);
      requests.unreadable.with(String(problem.status)).add();
      // No hook runs for these.
      sendProblem(reply, problem, request.id);
    },
    clientErrorHandler: (error, socket) =>
      answerMalformedRequest(error, socket, (status) => requests.unreadable.with(String(status)).add()),
  });
}

function newServer(headersTimeout: number, serve: RequestListener): Server {
  const server = createServer(
    {
      ServerResponse: Answer,
      headersTimeout,
      // Bodies have limits of their own (arrival.ts).
      requestTimeout: 0,
      connectionsCheckingInterval: Math.ceil(headersTimeout / 6),
      keepAliveTimeout: 65_000,
      // Node's own refusal has no body; ours is in message-framing.ts.
      requireHostHeader: false,
    },
    serve,
  );
  // Their limit is in bytes. With a limit on their number Node 20 leaves out the rest, such as a second Host.
  server.maxHeadersCount = 0;
  // A client that has finished sending still waits for its answer; Node would hang up.
  Object.assign(server, { httpAllowHalfOpen: true });
  // The only known expectation is `100-continue`, which Node handles; it would refuse others without a body.
  return server.on('checkExpectation', serve);
}

/**
 * Fastify reads `X-Forwarded-For` from the right and stops at the first address that it does not trust. Given a number,
 * it trusts no proxy, because a client that bypasses the proxies could then invent its address. So a number becomes a
 * function here, and docs/security.md tells the operator to let nobody bypass the proxies.
 */
function trusting(proxies: TrustedProxies) {
  if (typeof proxies === 'number') return (_address: string, hop: number) => hop < proxies;
  return proxies && [...proxies];
}
