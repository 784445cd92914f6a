/**
 * Load of one kind of request over kept-alive connections, each of which sends its next request once it has its
 * answer. Bare sockets: on two cores a load generator that parses HTTP properly takes processor time from what it
 * measures (31 µs per request or more beside the service, this about 20). Every answer must be a 200 with a
 * Content-Length and a body of exactly the same length; headers may differ from answer to answer.
 */
import { connect } from 'node:net';
import { PATIENT } from '../test/support/client.js';

export interface Figures {
  /** Requests answered, all of them with 200. */
  count: number;
  perSecond: number;
  /** Latencies in milliseconds. */
  p50: number;
  p99: number;
}

export interface LoadTarget {
  url: string;
  path: string;
  /** If there are several, each connection gets the next one, starting over after the last. */
  token?: string | readonly string[];
  /** Sent with POST; without a body it is a GET. */
  body?: string;
}

interface LoadOptions extends LoadTarget {
  connections: number;
}

export const PREDICT = { path: '/predict', body: JSON.stringify(PATIENT) };

type Duration = { seconds: number } | { until: AbortSignal };

/** A service that is silent for this long has lost the request. */
const SILENCE_MS = 60_000;

/** @throws Error at the first answer that is not like the others, or that does not come. */
export async function load(options: LoadOptions & Duration): Promise<Figures> {
  const { hostname, port } = new URL(options.url);
  const tokens = [options.token ?? []].flat();
  const latencies: number[] = [];
  const started = performance.now();
  const until = 'until' in options ? options.until : AbortSignal.timeout(Math.ceil(options.seconds * 1000));

  const runConnection = (index: number) =>
    new Promise<void>((resolve, reject) => {
      const request = requestOf(options, hostname, tokens[index % tokens.length]);
      const socket = connect(Number(port), hostname);
      socket.setNoDelay(true);
      socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('no answer')));
      let bodyLength: number | undefined;
      let start: Buffer | undefined;
      let missing = 0;
      let sentAt = 0;
      const send = () => {
        missing = 0;
        sentAt = performance.now();
        socket.write(request);
      };
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('close', () =>
        until.aborted ? resolve() : reject(new Error('the service closed the connection')),
      );
      socket.on('data', (chunk: Buffer) => {
        if (missing > 0) missing -= chunk.length;
        else {
          const answer = start ? Buffer.concat([start, chunk]) : chunk;
          const head = answer.indexOf('\r\n\r\n') + 4;
          start = head < 4 ? answer : undefined;
          if (start) return;
          // "HTTP/1.1 200": the status is at bytes 9 to 11.
          if (answer.toString('latin1', 9, 12) !== '200')
            return socket.destroy(new Error(answer.toString('latin1', 0, 1000)));
          try {
            bodyLength ??= contentLength(answer.toString('latin1', 0, head));
          } catch (error) {
            return socket.destroy(error as Error);
          }
          missing = head + bodyLength - answer.length;
        }
        if (missing > 0) return;
        if (missing < 0) return socket.destroy(new Error('an answer of another length'));
        latencies.push(performance.now() - sentAt);
        if (!until.aborted) send();
        else socket.destroy();
      });
    });
  await Promise.all(Array.from({ length: options.connections }, (_, index) => runConnection(index)));

  const elapsed = (performance.now() - started) / 1000;
  const sorted = Float64Array.from(latencies).toSorted();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { count: sorted.length, perSecond: sorted.length / elapsed, p50: at(0.5), p99: at(0.99) };
}

function requestOf({ path, body }: LoadTarget, host: string, token: string | undefined): Buffer {
  const content =
    body === undefined
      ? '\r\n'
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  return Buffer.from(
    `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nHost: ${host}\r\n` +
      `${token === undefined ? '' : `Authorization: Bearer ${token}\r\n`}${content}`,
  );
}

function contentLength(head: string): number {
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without Content-Length:\n${head}`);
  return Number(length);
}
