import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '#libs/errors';
import { sendProblem } from './send-problem.js';

/** Once a second for half a minute. */
const LOOKS = 30;
/** So long may a body go on arriving after its answer. */
const LINGER_MS = 1_000;

export interface ArrivalOptions {
  /**
   * A whole request must have arrived by then, so that slow senders do not hold connections. A streamed body may take as
   * long as it likes, but never so long without a byte.
   */
  readonly requestTimeoutMs: number;
}

/**
 * Limits how long requests may take to arrive, but for those whose body is streamed. Node's own limit, which is the
 * same for every request of a server, would cut large uploads; a timer each would be paid by every prediction. So what
 * a request pays is one entry in a map, and now and then those are looked at that are not complete.
 */
export const arrival = plugin(
  async (fastify: FastifyInstance, { requestTimeoutMs }: ArrivalOptions) => {
    /** What every connection brought last. */
    const latest = new Map<Socket, FastifyReply>();
    const firstSeen = new WeakMap<FastifyReply, number>();
    fastify.server.on('connection', (socket: Socket) => socket.once('close', () => latest.delete(socket)));

    const look = () => {
      const now = performance.now();
      for (const [socket, reply] of latest) {
        const { raw, id } = reply.request;
        const since = firstSeen.get(reply) ?? now;
        firstSeen.set(reply, since);
        if (!raw.complete && !reply.sent && now - since < requestTimeoutMs) continue;
        latest.delete(socket);
        if (raw.complete || reply.sent) continue;
        // Fastify takes no body any more once the reply was sent.
        sendProblem(reply, outOfTime(), id);
      }
    };
    setInterval(look, requestTimeoutMs / LOOKS).unref();

    fastify.addHook('onRequest', ({ raw: { socket }, routeOptions }, reply, done) => {
      if (routeOptions.config.body === 'stream') latest.delete(socket);
      else latest.set(socket, reply);
      done();
    });
    fastify.addHook('onSend', (request, reply, _payload, done) => {
      closeUnread(request, reply);
      done();
    });
  },
  { name: 'arrival' },
);

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

/**
 * A streamed body, that fails with the Problem `request-timeout` where nothing comes for too long, and `bad-request`
 * where it breaks off. The request is left unread rather than destroyed when the reader stops early, because the
 * answer takes the same connection.
 */
export function arriving(body: IncomingMessage, idleLimitMs: number): Readable {
  // It may break off when nobody reads it yet; the reader hears of it all the same.
  body.on('error', () => undefined);
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncGenerator<Uint8Array>;
  return Readable.from(chunksOf(chunks, idleLimitMs), { objectMode: false });
}

async function* chunksOf(
  chunks: AsyncGenerator<Uint8Array>,
  idleLimitMs: number,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await inTime(chunks.next(), idleLimitMs);
    if (done) return;
    yield value;
  }
}

function inTime<T>(chunk: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(outOfTime()), limitMs);
    chunk
      .then(resolve, (cause: Error) =>
        reject(new Problem('bad-request', 'The body broke off before its end.', { cause })),
      )
      .finally(() => clearTimeout(timer));
  });
}

function outOfTime(): Problem {
  return new Problem('request-timeout', 'The request did not arrive in time.');
}
