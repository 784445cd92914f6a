import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { Problem } from '#libs/errors';
import { bodyTooLarge } from './to-problem.js';

export type BytesRead = (error: Error | null, bytes?: Buffer) => void;

/** A body's bytes, up to the route's limit. */
export function readBytes(
  { headers, routeOptions: { bodyLimit } }: FastifyRequest,
  stream: Readable,
  done: BytesRead,
): void {
  if (Number(headers['content-length']) > bodyLimit) {
    done(bodyTooLarge(bodyLimit));
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  let isDone = false;
  const end = (error: Error | null) => {
    if (isDone) return;
    isDone = true;
    if (error) done(error);
    else done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  };
  // They stay: taking them off costs more than a call that finds the body done.
  stream
    .on('data', (chunk: Buffer) => {
      if (isDone) return;
      length += chunk.length;
      if (length > bodyLimit) end(bodyTooLarge(bodyLimit));
      else chunks.push(chunk);
    })
    .on('end', () => end(null))
    .on('error', (cause) => end(new Problem('bad-request', 'The body broke off before its end.', { cause })));
}
