import { maxHeaderSize } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config, TrustedProxies } from '#libs/config';
import { Problem, type ProblemForm } from '#libs/errors';
import { weighJson } from '#libs/json';
import type { Logger } from '#libs/observability';
import { AllowedMethods } from './allowed-methods.js';
import { arriving, limitArrival } from './arrival.js';
import type { Draining } from './draining.js';
import { answerMalformedRequest } from './malformed-request.js';
import { flawOfFraming } from './message-framing.js';
import { readBytes } from './read-bytes.js';
import { requestIdOf } from './request-id.js';
import { UNKNOWN_ROUTE, type RequestDurations } from './request-durations.js';
import { SECURITY_HEADERS } from './security-headers.js';
import { toProblem } from './to-problem.js';

declare module 'fastify' {
  interface FastifyInstance {
    allowedMethods: AllowedMethods;
    /** How refusals are written at a URL, whether or not anything is there. */
    problemFormAt(url: string): ProblemForm;
  }

  interface FastifyRequest {
    /** Answered with what an earlier request under the same `Idempotency-Key` was answered. */
    isReplay: boolean;
  }

  interface FastifyContextConfig {
    /** How the route gets its body; parsed JSON unless it says otherwise. */
    body?: 'raw' | 'stream';
    /** The media types that a streamed body may be declared as; '' means none was declared. */
    types?: readonly string[];
    /** Of a raw body: what it may be declared as; `mediaTypes` says it for people. */
    taken?: { accepts(contentType: string | undefined): boolean; readonly mediaTypes: string };
  }
}

/** So long may a body go on arriving after its answer. */
const LINGER_MS = 1_000;

/** Fastify, set up below Nest: request ids, limits, body parsing, the access log, and errors that Nest never sees. */
export function createFastify(
  config: Config,
  logger: Logger,
  draining: Draining,
  requests: RequestDurations,
  problemFormAt: FastifyInstance['problemFormAt'],
): FastifyAdapter {
  const adapter = new FastifyAdapter({
    trustProxy: trusting(config.trustedProxies),
    bodyLimit: config.maxBodyBytes,
    /** The headers' limit; bodies have limits of their own (arrival.ts). */
    http: {
      headersTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
      // Node's own refusal has no body; ours is in the first hook.
      requireHostHeader: false,
    },
    keepAliveTimeout: 65_000,
    /** What Node takes as a request's headers (16 KiB): a longer URL never comes this far, and a token may be long. */
    routerOptions: { maxParamLength: maxHeaderSize },
    // The one path with a slash at its end: the Open Inference Protocol's document writes it both ways.
    rewriteUrl: ({ url = '' }) => url.replace(/^\/v2\/(?=\?|$)/, '/v2'),
    genReqId: requestIdOf,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    skipMiddie: true,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      const problem = toProblem(error);
      requests.unreadable.with(String(problem.status)).add();
      // No hook runs for these.
      sendProblem(reply.headers(SECURITY_HEADERS), problem, request.id);
    },
    clientErrorHandler: (error, socket) =>
      answerMalformedRequest(error, socket, (status) => requests.unreadable.with(String(status)).add()),
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  fastify.decorateRequest('isReplay', false);
  fastify.decorate('problemFormAt', problemFormAt);
  fastify.decorate('allowedMethods', new AllowedMethods(fastify));
  parseBodies(fastify);
  // A client that says it sends no more still waits for its answer; Node would hang up.
  Object.assign(fastify.server, { httpAllowHalfOpen: true });
  // Nothing is known to expect but `100-continue`, which Node sees to; it would refuse the rest without a body.
  fastify.server.on('checkExpectation', (request, response) =>
    fastify.server.emit('request', request, response),
  );
  const watchArrival = limitArrival(fastify, (reply, problem) =>
    sendProblem(reply, problem, reply.request.id),
  );

  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    watchArrival(reply, request.routeOptions.config.body === 'stream');
    reply.header('x-request-id', request.id);
    reply.header('cache-control', 'no-store');
    const flaw = flawOfFraming(request.raw);
    if (flaw === undefined) done();
    else sendProblem(reply, Problem.badRequest(flaw), request.id);
  });
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    closeUnread(request, reply);
    if (request.isReplay) reply.header('idempotency-replayed', 'true');
    // So that a client with a kept-alive connection does not send its next request to a closed one.
    if (closing || draining.isDraining) reply.header('connection', 'close');
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const { url: route = UNKNOWN_ROUTE } = request.routeOptions;
    requests.observe(request.method, route, reply.statusCode, reply.elapsedTime);
    logRequest(logger, route, request, reply);
    done();
  });
  return adapter;
}

/**
 * Fastify reads `X-Forwarded-For` from the right and stops at the first address that it does not trust. Given a number, it
 * trusts nobody, because a client that bypasses the proxies could then invent its address. So a number becomes a function
 * here, and docs/security.md tells the operator to let nobody bypass the proxies.
 */
function trusting(proxies: TrustedProxies) {
  if (typeof proxies === 'number') return (_address: string, hop: number) => hop < proxies;
  return proxies && [...proxies];
}

export function sendProblem(reply: FastifyReply, problem: Problem, requestId: string): void {
  const form = reply.server.problemFormAt(reply.request.raw.url!);
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  reply
    .code(problem.status)
    // Set here as well: a malformed URL is refused before any hook runs.
    .header('x-request-id', requestId)
    .headers(problem.headers)
    .header('content-type', form.contentType)
    .send(form.write(problem, requestId));
}

/**
 * JSON, but for routes that say otherwise. With `@RouteConfig({ body: 'raw', taken })` a route gets the bytes of what
 * it accepts: a prediction's body is read after its caller is known, so that a body that is no JSON is recorded
 * like any other refusal. With `@RouteConfig({ body: 'stream', types })` it gets the chunks as they arrive, however many
 * and for as long as they keep coming: the route sees to their limit.
 *
 * Where JSON is taken, a body that declares nothing is read as JSON, as the tutorial's scripts send it. A page of another
 * origin can send such a body without asking first; it has no token to send with it, and no cookie is ever looked at.
 */
function parseBodies(fastify: FastifyInstance): void {
  const parseJson = fastify.getDefaultJsonParser('remove', 'remove');
  const isAccepted = ({ routeOptions, headers }: FastifyRequest) =>
    routeOptions.config.taken?.accepts(headers['content-type']) ?? false;
  fastify.removeAllContentTypeParsers();
  const refuse = (request: FastifyRequest, done: (error: Problem | null) => void) => {
    const { types, taken } = request.routeOptions.config;
    const right = types?.filter((type) => type !== '').join(', ') ?? taken?.mediaTypes ?? 'application/json';
    const problem = new Problem('unsupported-media-type', `Send the body as ${right}.`);
    // That there is nothing at this path is said by who answers next.
    done(request.is404 ? null : problem);
  };
  const parseFields = (
    request: FastifyRequest,
    body: Buffer,
    done: (error: Error | null, value?: unknown) => void,
  ) => {
    try {
      weighJson(body);
    } catch (problem) {
      done(problem as Problem);
      return;
    }
    parseJson(request, body.toString('utf8'), done);
  };
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const wanted = request.routeOptions.config.body;
    if (isEncoded(request)) done(encoded());
    else if (wanted === 'stream' || (wanted === 'raw' && !isAccepted(request))) refuse(request, done);
    else if (wanted === 'raw') done(null, body);
    else if (body.length === 0) done(null, undefined);
    else parseFields(request, body as Buffer, done);
  });
  fastify.addContentTypeParser('*', (request, stream, done) => {
    const { body, types } = request.routeOptions.config;
    const isUndeclared = body === undefined && !request.is404 && mediaTypeOf(request) === '';
    if (body === 'stream' && types?.includes(mediaTypeOf(request))) done(null, arriving(stream));
    else if (isUndeclared || (body === 'raw' && isAccepted(request))) {
      if (isEncoded(request)) done(encoded());
      else if (body === 'raw') readBytes(request, stream, done);
      else
        readBytes(request, stream, (error, bytes) =>
          bytes ? parseFields(request, bytes, done) : done(error),
        );
    } else refuse(request, done);
  });
}

/** Compressed, for example. Of a file that is streamed, its first bytes tell. */
function isEncoded({ headers: { 'content-encoding': encoding = 'identity' } }: FastifyRequest): boolean {
  return encoding.toLowerCase() !== 'identity';
}

function encoded(): Problem {
  return new Problem('unsupported-media-type', 'Send the body as it is, without a Content-Encoding.', {
    headers: { 'accept-encoding': 'identity' },
  });
}

/** Without its parameters; '' if there is none. */
export function mediaTypeOf({ headers }: Pick<FastifyRequest, 'headers'>): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

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

/**
 * A body that is answered before all of it is there (401, 413, 415) is not read to its end. The connection takes no
 * other request, and is closed when the sender had time to hear the answer: what is closed with a body still coming is
 * reset, and the answer may be lost with it (RFC 9112 §9.6).
 */
function closeUnread({ raw, headers }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return;
  if (headers['transfer-encoding'] === undefined && !Number(headers['content-length'])) return;
  const { socket } = raw;
  reply.header('connection', 'close');
  socket.destroySoon = () => {
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}
