import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Problem, problemJson, type ErrorCode } from '#libs/errors';
import { newRequestId } from './request-id.js';
import { SECURITY_HEADERS } from './answer-headers.js';

/** What the HTTP parser itself refuses never becomes a request: it is answered directly on the socket. */
export function answerMalformedRequest(
  error: NodeJS.ErrnoException,
  socket: AnsweringSocket,
  onRefused: (status: number) => void,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  // Nothing after a request with `Connection: close` is read; the answer is on its way.
  if (error.code === 'HPE_CLOSED_CONNECTION') return;
  // The parser keeps refusing whatever keeps arriving.
  if (refusing.has(socket)) return;
  refusing.add(socket);
  // A request that was answered before its body arrived has its answer, whatever its body turns out to be.
  const { _httpMessage: current } = socket;
  if (current?.headersSent && !current.req.complete) return;
  afterAnswers(socket, () => {
    if (socket.destroyed || !socket.writable) return;
    onRefused(refuseMalformed(error, socket));
  });
}

const refusing = new WeakSet<Socket>();

/** With the answer whose turn it is, as Node keeps it; it has no public name. */
type AnsweringSocket = Socket & { _httpMessage?: ServerResponse | null };

/** After the complete earlier requests on this connection are answered: they are recorded, too. */
function afterAnswers(socket: AnsweringSocket, then: () => void): void {
  const current = socket._httpMessage;
  if (current?.req.complete && !current.writableFinished) {
    current.once('close', () => setImmediate(afterAnswers, socket, then));
  } else {
    then();
  }
}

/** @returns the status */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): number {
  const [code, detail]: [ErrorCode, string] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['request-timeout', 'The request did not arrive in time.']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['headers-too-large', 'The headers are too large.']
        : ['bad-request', 'This is not an HTTP request.'];
  const problem = new Problem(code, detail);
  const requestId = newRequestId();
  const body = problemJson.write(problem, requestId);
  const headers = {
    ...SECURITY_HEADERS,
    'x-request-id': requestId,
    'content-type': problemJson.contentType,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.status} ${problem.title}\r\n${lines.join('')}\r\n${body}`);
  return problem.status;
}
