import {
  ServerResponse,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
} from 'node:http';
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

const SECURITY_PAIRS = Object.entries(SECURITY_HEADERS);

/** Node's answer with our headers, whether Fastify writes it or the door. */
export class Answer<Request extends IncomingMessage> extends ServerResponse<Request> {
  private bodyLength: OutgoingHttpHeader | undefined;

  /** Given a flat list, Node writes the headers as they come; setting them one by one costs much more. */
  override writeHead(
    status: number,
    given?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
    also?: OutgoingHttpHeaders | OutgoingHttpHeader[],
  ): this {
    const [message, headers = {}] = typeof given === 'string' ? [given, also] : [undefined, given ?? also];
    if (Array.isArray(headers)) throw new TypeError('The headers of an answer are given by name.');
    const list: OutgoingHttpHeader[] = [];
    for (const [name, value] of SECURITY_PAIRS)
      if (headers[name] === undefined && !this.hasHeader(name)) list.push(name, value);
    for (const name in headers) list.push(name, headers[name]!);
    this.bodyLength = headers['content-length'];
    return super.writeHead(status, message, list);
  }

  /**
   * Head and body of a text in one write. Node's own `end` puts an empty chunk behind them, and gathering two chunks
   * costs more than the headers do.
   */
  override end(body?: unknown, encoding?: unknown, onFinish?: unknown): this {
    const { socket } = this;
    // It is another answer's turn, or it is no text of Fastify's or ours.
    if (!socket || !this.headersSent || typeof body !== 'string' || encoding || onFinish)
      return super.end(body, encoding as BufferEncoding, onFinish as () => void);
    socket.cork();
    // As many bytes as characters: it is ASCII, and needs no encoder.
    this.write(body, Number(this.bodyLength) === body.length ? 'latin1' : 'utf8');
    socket.uncork();
    return super.end();
  }
}

/** The header that differs from answer to answer; those that do not are in `Answer`. */
export const answerHeaders = plugin(
  async (fastify: FastifyInstance) => {
    fastify.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id);
      done();
    });
  },
  { name: 'answer-headers' },
);
