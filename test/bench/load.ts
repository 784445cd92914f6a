/**
 * Load of one kind of request over kept-alive connections, each of which sends its next request when it has its
 * answer. Bare sockets: on two cores a load generator that parses HTTP properly takes the processor from what it
 * measures (31 µs a request or more beside the service, this about 20). Every answer must be a 200 of the very same length.
 */
import { connect } from 'node:net';

export interface Figures {
  /** Requests answered, all of them with 200. */
  count: number;
  perSecond: number;
  /** Latencies in milliseconds. */
  p50: number;
  p99: number;
}

interface LoadOptions {
  url: string;
  path: string;
  token: string;
  /** Sent with POST; without one it is a GET. */
  body?: string;
  connections: number;
}

type Duration = { seconds: number } | { until: AbortSignal };

/** @throws Error at the first answer that is not like the others. */
export async function load(options: LoadOptions & Duration): Promise<Figures> {
  const { url, path, token, body, connections } = options;
  const { hostname, port } = new URL(url);
  const content =
    body === undefined
      ? '\r\n'
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const request = Buffer.from(
    `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nHost: ${hostname}\r\n` +
      `Authorization: Bearer ${token}\r\n${content}`,
  );
  const latencies: number[] = [];
  const started = performance.now();
  const until = 'until' in options ? options.until : AbortSignal.timeout(Math.ceil(options.seconds * 1000));

  const runConnection = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.setNoDelay(true);
      let answerLength = 0;
      let received = 0;
      let sentAt = 0;
      const send = () => {
        received = 0;
        sentAt = performance.now();
        socket.write(request);
      };
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('close', () => resolve());
      socket.on('data', (chunk) => {
        if (received === 0) {
          // "HTTP/1.1 200": the status is at bytes 9 to 11.
          if (chunk.toString('latin1', 9, 12) !== '200')
            return socket.destroy(new Error(chunk.toString('latin1', 0, 200)));
          answerLength ||= lengthOf(chunk);
        }
        received += chunk.length;
        if (received < answerLength) return;
        if (received > answerLength) return socket.destroy(new Error('an answer of another length'));
        const now = performance.now();
        latencies.push(now - sentAt);
        if (!until.aborted) send();
        else socket.destroy();
      });
    });
  await Promise.all(Array.from({ length: connections }, runConnection));

  const elapsed = (performance.now() - started) / 1000;
  const sorted = Float64Array.from(latencies).toSorted();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { count: sorted.length, perSecond: sorted.length / elapsed, p50: at(0.5), p99: at(0.99) };
}

/** Of head and body together, from the first answer on a connection. */
function lengthOf(answer: Buffer): number {
  const head = answer.indexOf('\r\n\r\n') + 4;
  const length = /content-length: (\d+)/i.exec(answer.toString('latin1', 0, head))?.[1];
  if (head < 4 || length === undefined) throw new Error('the first answer has no Content-Length');
  return head + Number(length);
}
