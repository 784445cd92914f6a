import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '#libs/errors';
import { sendProblem } from './send-problem.js';

/** Once a second for half a minute. */
const LOOKS = 30;
/** How long a body may keep arriving after its answer. */
const LINGER_MS = 1_000;

export interface ArrivalOptions {
  /**
   * A whole request must have arrived by then, so that slow senders do not hold connections. A streamed body may take
   * as long as it likes, but may not pause for this long.
   */
  readonly requestTimeoutMs: number;
}

/**
 * Limits how long requests may take to arrive, except for streamed bodies. Node's own limit, which is the
 * same for every request of a server, would cut off large uploads; a timer for each would slow down every prediction.
 * So a request costs only one entry in a map, and now and then the incomplete ones are checked.
 */
export const arrival = plugin(
  async (fastify: FastifyInstance, { requestTimeoutMs }: ArrivalOptions) => {
    /** The latest reply on every connection. */
    const latest = new Map<Socket, FastifyReply>();
    const firstSeen = new WeakMap<FastifyReply, number>();
    fastify.server.on('connection', (socket: Socket) => socket.once('close', () => latest.delete(socket)));

    const look = () => {
      const now = performance.now();
      for (const [socket, reply] of latest) {
        const { raw, id, routeOptions } = reply.request;
        const since = firstSeen.get(reply) ?? now;
        firstSeen.set(reply, since);
        if (!raw.complete && !reply.sent && now - since < requestTimeoutMs) continue;
        latest.delete(socket);
        if (raw.complete || reply.sent || routeOptions.config.body === 'stream') continue;
        // Fastify accepts no more of a body once the reply was sent.
        sendProblem(reply, outOfTime(), id);
      }
    };
    setInterval(look, requestTimeoutMs / LOOKS).unref();

    fastify.addHook('onRequest', ({ raw }, reply, done) => {
      latest.set(raw.socket, reply);
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
 * A body that is answered before all of it has arrived (401, 413, 415) is not read to its end. The connection takes no
 * other request, and is closed after the sender has had time to read the answer: if it is closed while a body is still
 * arriving, it is reset, and the answer may be lost with it (RFC 9112 §9.6).
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
 * A streamed body that fails with the Problem `request-timeout` if nothing arrives for too long, and `bad-request`
 * if it breaks off. The request is left unread rather than destroyed when the reader stops early, because the
 * answer uses the same connection.
 */
export function arriving(body: IncomingMessage, idleLimitMs: number): Readable {
  // It may break off when nothing reads it yet; the reader still gets the error.
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
