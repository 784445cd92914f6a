import { describe, expect, test } from 'vitest';
import { call, PATIENT } from '../support/client.js';
import { exchange, type RawAnswer } from '../support/raw-http.js';
import { recordsOfRequest } from '../support/records.js';
import { prepareService } from '../support/prepared-service.js';

const { database, api, user } = prepareService();

const one = async (bytes: string): Promise<RawAnswer> => {
  const answers = await exchange(api, bytes);
  expect(answers).toHaveLength(1);
  return answers[0]!;
};

const prediction = (id: string, headers: string, body = JSON.stringify(PATIENT)) =>
  `POST /predict HTTP/1.1\r\n${headers}authorization: Bearer ${user.token}\r\nx-request-id: ${id}\r\n` +
  `content-type: application/json\r\nconnection: close\r\n\r\n${body}`;

describe('a request that two parsers could read differently is refused, and predicts nothing', () => {
  const length = JSON.stringify(PATIENT).length;
  const chunked = `${length.toString(16)}\r\n${JSON.stringify(PATIENT)}\r\n0\r\n\r\n`;

  test.each([
    [
      'two Host headers',
      () => prediction('two-hosts', `host: a\r\nhost: b\r\ncontent-length: ${length}\r\n`),
    ],
    [
      'the same Host twice',
      () => prediction('two-hosts', `host: a\r\nHOST: a\r\ncontent-length: ${length}\r\n`),
    ],
    [
      'Transfer-Encoding: gzip, chunked',
      () => prediction('coded', `host: a\r\ntransfer-encoding: gzip, chunked\r\n`, chunked),
    ],
    [
      'Transfer-Encoding twice',
      () =>
        prediction('coded', `host: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n`, chunked),
    ],
  ])('%s', async (_, bytes) => {
    const answer = await one(bytes());
    expect([answer.status, answer.headers['content-type']]).toEqual([
      400,
      expect.stringMatching(/^application\/problem\+json/),
    ]);
    expect(JSON.parse(answer.body).detail).toMatch(/Host header|Transfer-Encoding/);
    for (const id of ['two-hosts', 'coded']) expect(await recordsOfRequest(database, id)).toEqual([]);
  });

  test('but a chunked one is not', async () => {
    const answer = await one(prediction('chunked', `host: a\r\nTransfer-Encoding: Chunked\r\n`, chunked));
    expect([answer.status, answer.body]).toEqual([200, '{"yhat_prob":"0.5124506","yhat":"1"}']);
  });
});

describe('the service does not wait for a large body', () => {
  const announced = { length: 'content-length: 16000000\r\n', chunks: 'transfer-encoding: chunked\r\n' };

  test.each([
    ['without a user', 'POST', '/predict', '', 401],
    ['without a user', 'POST', '/v2/models/heart-failure/infer', '', 401],
    ['without a user', 'POST', '/invocations', '', 401],
    ['of an unknown user', 'POST', '/predict', 'authorization: Bearer a.b.c\r\n', 401],
    ['to an unknown path', 'POST', '/nothing', '', 404],
    ['with another method', 'PUT', '/token', '', 405],
  ])('%s: %s %s', async (_, method, path, authorization, status) => {
    for (const framing of Object.values(announced)) {
      const answer = await one(
        `${method} ${path} HTTP/1.1\r\nhost: a\r\n${authorization}content-type: application/json\r\n${framing}\r\n`,
      );
      expect([answer.status, answer.headers.connection]).toEqual([status, 'close']);
    }
  });

  test.each(['/token', '/register-user'])('of a few fields: POST %s', async (path) => {
    const head = `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`;
    const chunk = `4001\r\n${' '.repeat(0x4001)}\r\n`;
    for (const bytes of [
      `${head}content-length: 16385\r\n\r\n`,
      `${head}transfer-encoding: chunked\r\n\r\n${chunk}`,
    ]) {
      const answer = await one(bytes);
      expect([answer.status, JSON.parse(answer.body).detail]).toEqual([
        413,
        'This route takes a body of at most 16384 bytes.',
      ]);
    }
  });

  test('except for a user’s, which is answered', async () => {
    const body = JSON.stringify({ ...PATIENT, note: 'x'.repeat(20_000) });
    const answer = await one(prediction('large-body', `host: a\r\ncontent-length: ${body.length}\r\n`, body));
    expect([answer.status, answer.body]).toEqual([200, '{"yhat_prob":"0.5124506","yhat":"1"}']);
  });
});

describe('answers from before any route have the same headers as all others', () => {
  const names = [
    'content-security-policy',
    'cross-origin-opener-policy',
    'cross-origin-resource-policy',
    'referrer-policy',
    'strict-transport-security',
    'x-content-type-options',
    'x-frame-options',
    'cache-control',
    'x-request-id',
  ];

  test.each([
    ['a request that is not HTTP', 'NONSENSE\r\n\r\n', 400],
    ['headers that are too large', `GET /livez HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['an invalid URL', 'GET /token_status/%E0%A4%A HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', 400],
    ['a path that is not there', 'GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', 404],
    ['a route', 'GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', 200],
  ])('%s', async (_, bytes, status) => {
    const answer = await one(bytes);
    expect(answer.status).toBe(status);
    expect(Object.keys(answer.headers)).toEqual(expect.arrayContaining(names));
  });
});

describe('a method that a path does not take is 405, and Allow says which it takes', () => {
  test.each([
    ['DELETE', '/livez', 'GET, HEAD'],
    ['TRACE', '/livez', 'GET, HEAD'],
    ['GET', '/predict', 'POST'],
    ['PATCH', '/models/heart-failure/aliases/production', 'DELETE, PUT'],
    ['OPTIONS', '/batches', 'GET, HEAD, POST'],
    ['POST', '/batches/85752117-3af2-4888-9dd5-30ba9c6673db?x=1', 'DELETE, GET, HEAD'],
    ['PROPFIND', '/token', 'POST'],
  ])('%s %s', async (method, path, allow) => {
    const answer = await one(`${method} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
    expect(JSON.parse(answer.body)).toMatchObject({ message: 'Method not allowed', status: 405 });
  });

  test('has the form of the path’s dialect', async () => {
    const infer = await call(api, 'GET', '/v2/models/heart-failure/infer');
    expect([infer.status, infer.headers.get('allow'), Object.keys(infer.body)]).toEqual([
      405,
      'POST',
      ['error'],
    ]);
    const invocations = await call(api, 'PUT', '/invocations');
    expect([invocations.status, invocations.headers.get('allow'), invocations.body.error_code]).toEqual([
      405,
      'POST',
      'BAD_REQUEST',
    ]);
  });

  test('and an unknown path is 404 for every method', async () => {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      const answer = await call(api, method, '/nothing/here');
      expect([answer.status, answer.headers.get('allow')]).toEqual([404, null]);
    }
  });
});
