import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { tarGz } from '../support/archives.js';
import { IRIS } from '../support/artifacts.js';
import { PATIENT } from '../support/client.js';
import { createFolder } from '../support/folders.js';
import { createModelDir, prepareService } from '../support/prepared-service.js';

const LIMIT_MS = 1_000;
const TMPDIR = createFolder();
const { database, api, user } = prepareService(
  { MODEL_DIR: createModelDir({ own: ['heart-failure'] }), TMPDIR, REQUEST_TIMEOUT_MS: `${LIMIT_MS}` },
  { role: 'admin' },
);

interface Sending {
  path: string;
  type: string;
  body: Buffer;
  /** The pieces of the body, one sent every `everyMs`; fewer if the client goes silent. */
  pieces: number;
  sent?: number;
  everyMs: number;
  /** Sends the rest as soon as the answer arrives. */
  hurries?: boolean;
}

/** What came back, and how long after the headers were sent the connection was closed. */
function send({ path, type, body, pieces, sent = pieces, everyMs, hurries }: Sending) {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: close\r\nx-request-id: slowly\r\n` +
      `authorization: Bearer ${user.token}\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  const size = Math.ceil(body.length / pieces);
  let piece = 0;
  const timer = setInterval(() => {
    if (piece === sent) clearInterval(timer);
    else socket.write(body.subarray(size * piece, size * ++piece));
  }, everyMs);
  if (hurries) {
    socket.once('data', () => {
      clearInterval(timer);
      socket.write(body.subarray(size * piece));
    });
  }
  return closing(socket, () => clearInterval(timer));
}

function closing(socket: ReturnType<typeof connect>, onClose = () => {}) {
  const start = performance.now();
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  return new Promise<{ status: number; answer: string; ms: number }>((resolve) => {
    socket.once('close', () => {
      onClose();
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
      resolve({ status, answer, ms: performance.now() - start });
    });
  });
}

const JSON_BODY = { type: 'application/json', body: Buffer.from(JSON.stringify(PATIENT)) };
/** The precision of a clock that is read only now and then. */
const LONGER = expect.toSatisfy((ms: number) => ms > 0.95 * LIMIT_MS);

function expectTooLate({ status, answer, ms }: Awaited<ReturnType<typeof send>>): void {
  expect({ status, ms }).toEqual({ status: 408, ms: LONGER });
  expect(answer).toMatch(/^content-type: application\/problem\+json/im);
  expect(answer).toContain('"type":"urn:foretell:error:request-timeout"');
}

/** A request refused after it was begun is refused once: no second answer, and no record of a prediction. */
const records = () => database.query(`SELECT FROM requests WHERE request_uuid = 'slowly'`);

test.concurrent('a body that trickles in has one time limit in total, and is refused after it', async () => {
  const late = await send({ path: '/predict', ...JSON_BODY, pieces: 100, everyMs: 100, hurries: true });
  expectTooLate(late);
  expect(late.answer).toMatch(/^x-request-id: slowly\r$/im);
  expect(late.answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(await records()).toEqual([]);
});

test.concurrent('a body that stalls gets no more time, whether or not the service asked for it', async () => {
  const silent = { ...JSON_BODY, pieces: 10, sent: 3, everyMs: 10 };
  const late = await Promise.all(['/token', '/nowhere'].map((path) => send({ path, ...silent })));
  late.forEach(expectTooLate);
});

test.concurrent('headers that trickle in have one time limit in total', async () => {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`GET /livez HTTP/1.1\r\nhost: ${hostname}\r\n`);
  const timer = setInterval(() => socket.write('x-more: of it\r\n'), 100);
  expectTooLate(await closing(socket, () => clearInterval(timer)));
});

test.concurrent('an upload takes as long as it keeps arriving', async () => {
  const body = await tarGz(IRIS);
  const type = 'application/gzip';
  const upload = await send({ path: '/models/iris/versions', type, body, pieces: 16, everyMs: 100 });
  expect(upload).toMatchObject({ status: 201, ms: LONGER });
});

test.concurrent('an upload that stalls is refused after the timeout, and nothing of it is left', async () => {
  const body = await tarGz(IRIS);
  const type = 'application/gzip';
  const path = '/models/silent/versions';
  expectTooLate(await send({ path, type, body, pieces: 4, sent: 2, everyMs: 100 }));
});

test.sequential('afterwards nothing is left of any of them, and the service answers', async () => {
  expect(readdirSync(TMPDIR)).toEqual([]);
  expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
  expect(api.output()).not.toMatch(/unhandled|uncaught|"level":"error"/i);
});
