import type { IncomingMessage } from 'node:http';

/**
 * What is wrong with the headers that say where a request belongs and where it ends; undefined if nothing is. Node
 * takes the first of two Host headers, and leaves out codings that it does not know; a proxy in front may read them
 * otherwise (RFC 9112 §3.2, §6.1, §11.2).
 */
export function flawOfFraming({ headers, rawHeaders, httpVersion }: IncomingMessage): string | undefined {
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
