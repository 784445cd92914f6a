import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '#libs/errors';
import { weighJson } from '#libs/json';
import { arriving, type ArrivalOptions } from './arrival.js';
import { readBytes } from './read-bytes.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the route gets its body; parsed JSON unless it says otherwise. */
    body?: 'raw' | 'stream';
    /** The media types that a streamed body may be declared as; '' means none was declared. */
    types?: readonly string[];
    /** What a raw body may be declared as; `mediaTypes` describes it for people. */
    taken?: { accepts(contentType: string | undefined): boolean; readonly mediaTypes: string };
  }
}

/**
 * JSON, unless a route says otherwise. With `@RouteConfig({ body: 'raw', taken })` a route gets the bytes of what
 * it accepts: a prediction's body is read after its caller is known, so that a body that is not JSON is recorded
 * like any other refusal. With `@RouteConfig({ body: 'stream', types })` it gets the chunks as they come, however many
 * and for as long as they keep coming: the route enforces their limit.
 *
 * If JSON is taken, a body that declares nothing is read as JSON, as the tutorial's scripts send it. A page of another
 * origin can send such a body without a preflight; it has no token to send with it, and cookies are never read.
 */
export const bodies = plugin(
  async (fastify: FastifyInstance, { requestTimeoutMs }: ArrivalOptions) => {
    const parseJson = fastify.getDefaultJsonParser('remove', 'remove');
    const isAccepted = ({ routeOptions, headers }: FastifyRequest) =>
      routeOptions.config.taken?.accepts(headers['content-type']) ?? false;
    fastify.removeAllContentTypeParsers();
    const refuse = (request: FastifyRequest, done: (error: Problem | null) => void) => {
      const { types, taken } = request.routeOptions.config;
      const right =
        types?.filter((type) => type !== '').join(', ') ?? taken?.mediaTypes ?? 'application/json';
      const problem = new Problem('unsupported-media-type', `Send the body as ${right}.`);
      // The next handler reports that there is nothing at this path.
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
    fastify.addContentTypeParser('application/json', (request, stream, done) => {
      readBytes(request, stream, (error, body) => {
        const wanted = request.routeOptions.config.body;
        if (!body) done(error);
        else if (isEncoded(request)) done(encoded());
        else if (wanted === 'stream' || (wanted === 'raw' && !isAccepted(request))) refuse(request, done);
        else if (wanted === 'raw') done(null, body);
        else if (body.length === 0) done(null, undefined);
        else parseFields(request, body, done);
      });
    });
    fastify.addContentTypeParser('*', (request, stream, done) => {
      const { body, types } = request.routeOptions.config;
      const isUndeclared = body === undefined && !request.is404 && mediaTypeOf(request) === '';
      if (body === 'stream' && types?.includes(mediaTypeOf(request))) {
        done(null, arriving(stream, requestTimeoutMs));
      } else if (isUndeclared || (body === 'raw' && isAccepted(request))) {
        if (isEncoded(request)) done(encoded());
        else if (body === 'raw') readBytes(request, stream, done);
        else
          readBytes(request, stream, (error, bytes) =>
            bytes ? parseFields(request, bytes, done) : done(error),
          );
      } else refuse(request, done);
    });
  },
  { name: 'bodies' },
);

/** Compressed, for example. For a streamed file, its first bytes show it. */
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
