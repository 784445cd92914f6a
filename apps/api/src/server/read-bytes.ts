import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { bodyTooLarge } from './to-problem.js';

export type BytesRead = (error: Error | null, bytes?: Buffer) => void;

/** A body's bytes, up to the route's limit: what Fastify itself does for the types that all routes share. */
export function readBytes(
  { headers, routeOptions }: FastifyRequest,
  stream: Readable,
  done: BytesRead,
): void {
  const limit = routeOptions.bodyLimit;
  const tooLarge = () => bodyTooLarge(limit);
  if (Number(headers['content-length']) > limit) {
    done(tooLarge());
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer) => {
    length += chunk.length;
    chunks.push(chunk);
    if (length > limit) end(tooLarge());
  };
  const end = (error?: Error) => {
    stream.off('data', take).off('end', end).off('error', end);
    if (error) done(error);
    else done(null, Buffer.concat(chunks));
  };
  stream.on('data', take).on('end', end).on('error', end);
}
