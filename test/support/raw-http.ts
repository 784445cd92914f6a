import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** How long an exchange may take that both sides mean to end; a deliberately slow one has its own limit. */
const PATIENCE_MS = 60_000;

export function connectTo({ url }: { url: string }): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // A message cut off in the middle is expected here.
  socket.on('error', () => undefined);
  return socket;
}

/** A request with a body, of which only the head is sent. */
export function beginPost(
  api: { url: string },
  path: string,
  headers: Record<string, string | number>,
): Socket {
  const socket = connectTo(api);
  const lines = Object.entries({ host: 'foretell', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return socket;
}

/**
 * Sends these bytes as they are, and reads until the other side closes: `connection: close` in the last request, or a
 * mistake that closes the connection.
 */
export async function exchange(
  api: { url: string },
  bytes: string | Buffer,
  { isHead = false, halfClosed = false } = {},
): Promise<RawAnswer[]> {
  const socket = connectTo(api);
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  if (halfClosed) socket.end(bytes);
  else socket.write(bytes);
  return readAnswers(await untilClosed(socket), isHead);
}

export function untilClosed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(chunks))));
}

/** @throws Error unless these are complete answers */
export function readAnswers(bytes: Buffer, isHead = false): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const end = bytes.indexOf('\r\n\r\n', offset);
    const [line = '', ...fields] = bytes.toString('latin1', offset, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (end < 0 || !status) throw new Error(`no answer: ${bytes.toString('latin1', offset, offset + 200)}`);
    const headers = Object.fromEntries(
      fields.map((field) => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
      }),
    );
    offset = end + 4;
    const length = isHead || status < 200 || status === 204 ? 0 : Number(headers['content-length']);
    if (!(length <= bytes.length - offset)) throw new Error(`an answer of ${status} that is not whole`);
    answers.push({ status, headers, body: bytes.toString('utf8', offset, offset + length) });
    offset += length;
  }
  return answers;
}
