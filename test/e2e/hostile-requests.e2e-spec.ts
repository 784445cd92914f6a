import { describe, expect, test } from 'vitest';
import { call, PATIENT } from '../support/client.js';
import { HOSTILE_REQUESTS, mistakesIn } from '../support/hostile-requests.js';
import { connectTo, exchange, readAnswers, untilClosed } from '../support/raw-http.js';
import { recordsOfRequest } from '../support/records.js';
import { prepareService } from '../support/prepared-service.js';

const { database, api, user, post } = prepareService();
let count = 0;

const sender = () => ({ token: user.token, id: `hostile-${++count}` });
const statusesOf = async (id: string) =>
  (await recordsOfRequest(database, id)).map(({ status_code }) => status_code).toSorted();

describe('a hostile request is answered, and recorded if it is a prediction', () => {
  test.each(HOSTILE_REQUESTS)('$name', async ({ bytes, answers, records, isHead }) => {
    const from = sender();
    const got = await exchange(api, bytes(from), { isHead });
    expect(
      got.map(({ status }) => status),
      got.map(({ body }) => body.slice(0, 300)).join('\n'),
    ).toEqual(answers);
    expect(got.flatMap((answer) => mistakesIn(answer, isHead))).toEqual([]);
    expect(await statusesOf(from.id)).toEqual(records.toSorted());
  });
});

describe('a broken connection', () => {
  const request = (id: string, extra = '') =>
    `POST /predict HTTP/1.1\r\nhost: foretell\r\nauthorization: Bearer ${user.token}\r\nx-request-id: ${id}\r\n` +
    `content-type: application/json\r\n${extra}content-length: ${JSON.stringify(PATIENT).length}\r\n\r\n${JSON.stringify(PATIENT)}`;

  test('half closed after a whole request: it is answered and recorded', async () => {
    const { id } = sender();
    const answers = await exchange(api, request(id), { halfClosed: true });
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, '{"yhat_prob":"0.5124506","yhat":"1"}'],
    ]);
    expect(await statusesOf(id)).toEqual([200]);
  });

  test.each([20, 150, -20])('half closed after %i bytes of a request: not a prediction', async (length) => {
    const { id } = sender();
    const answers = await exchange(api, request(id).slice(0, length), { halfClosed: true });
    expect(answers.filter(({ status }) => status !== 400)).toEqual([]);
    expect(await statusesOf(id)).toEqual([]);
  });

  test('cut anywhere in the middle of a request: not a prediction', async () => {
    const ids: string[] = [];
    for (let cut = 1; cut < 40; cut++) {
      const { id } = sender();
      ids.push(id);
      const bytes = request(id);
      const socket = connectTo(api);
      const closed = untilClosed(socket);
      socket.write(bytes.slice(0, Math.floor((bytes.length * cut) / 40)), () => socket.resetAndDestroy());
      expect(await closed).toHaveLength(0);
    }
    expect((await call(api, 'GET', '/readyz')).status).toBe(200);
    expect((await Promise.all(ids.map(statusesOf))).flat()).toEqual([]);
  });

  test('cut after a whole request: the prediction is recorded, or was never made', async () => {
    const ids = Array.from({ length: 40 }, () => sender().id);
    await Promise.all(
      ids.map((id) => {
        const socket = connectTo(api);
        const closed = untilClosed(socket);
        socket.write(request(id), () => socket.resetAndDestroy());
        return closed;
      }),
    );
    for (const statuses of await Promise.all(ids.map(statusesOf))) {
      expect(statuses.length).toBeLessThanOrEqual(1);
    }
  });

  test('a hundred predictions in one packet are answered in their order', async () => {
    const ids = Array.from({ length: 100 }, () => sender().id);
    const answers = await exchange(
      api,
      ids.map((id, index) => request(id, index === 99 ? 'connection: close\r\n' : '')).join(''),
    );
    expect(answers.map(({ headers }) => headers['x-request-id'])).toEqual(ids);
    expect((await Promise.all(ids.map(statusesOf))).flat()).toEqual(ids.map(() => 200));
  });

  test('CONNECT opens no tunnel', async () => {
    const socket = connectTo(api);
    socket.write('CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n');
    expect(readAnswers(await untilClosed(socket))).toEqual([]);
  });
});

test('a body cut off after its request was refused gets no second answer', async () => {
  const head = 'POST /predict HTTP/1.1\r\nhost: foretell\r\ncontent-type: application/json\r\n';
  const answers = await exchange(api, `${head}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n`);
  expect(answers.map(({ status }) => status)).toEqual([401]);
});

describe('an unknown path is refused in the form of the protocol it was meant for', () => {
  test.each([
    ['GET', '/v2/nowhere', 404],
    ['POST', '/v2', 405],
    ['DELETE', '/v2/models/heart-failure/infer?x=1', 405],
    ['GET', '/v2/%zz', 400],
  ] as const)('%s %s', async (method, path, status) => {
    const answer = await call(api, method, path);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ error: expect.stringMatching(/./) });
  });

  test.each([
    ['PUT', '/invocations', 405, 'BAD_REQUEST'],
    ['POST', '/ping', 405, 'BAD_REQUEST'],
    ['GET', '/models/heart-failure/invocations?x=1', 405, 'BAD_REQUEST'],
    ['GET', '/models/heart-failure/nothing/invocations', 404, 'RESOURCE_DOES_NOT_EXIST'],
  ] as const)('%s %s', async (method, path, status, code) => {
    const answer = await call(api, method, path);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({
      error_code: code,
      message: expect.stringMatching(/./),
    });
  });

  test.each(['/v20', '/pings', '/nowhere?/invocations'])('GET %s belongs to no protocol', async (path) => {
    expect((await call(api, 'GET', path)).body).toMatchObject({ type: 'urn:foretell:error:not-found' });
  });
});

test('gzip is refused, and the answer says what is accepted', async () => {
  const answer = await post('/predict', '{}', { 'content-encoding': 'gzip' });
  expect(answer.status).toBe(415);
  expect(answer.headers.get('accept-encoding')).toBe('identity');
});

test('a number too large for a float is in the record, and not as a missing value', async () => {
  const { id } = sender();
  const body = JSON.stringify(PATIENT).replace('25', '1e400').replace('}', ',"x":[-1e999,null]}');
  const answer = await post('/predict', body, { 'x-request-id': id });
  expect(answer.body.errors).toEqual([
    { detail: 'must fit a 32-bit floating point number', pointer: '#/age' },
  ]);
  const [record] = await recordsOfRequest(database, id);
  expect(record!.input).toEqual({ ...PATIENT, age: 'Infinity', x: ['-Infinity', null] });
});

test('too many rows for one call are refused, and the answer names the limit', async () => {
  const instances = Array.from({ length: 100_001 }, () => []);
  const { body, status } = await post('/invocations', { instances });
  expect(status).toBe(400);
  expect(body.message).toBe('One call takes at most 100000 rows. Send more as a file to POST /batches.');
});

test('if every value is bad, only the first ones are reported', async () => {
  const records = Array.from({ length: 100_000 }, () => ({}));
  const { body } = await post('/invocations', { dataframe_records: records });
  expect(body.message).toMatch(/^Model is missing inputs \['age', .*'high_blood_pressure'\]\.$/);
});

test.sequential('afterwards the service is healthy, and its log has no errors', async () => {
  expect((await call(api, 'GET', '/readyz')).status).toBe(200);
  const answer = await post('/predict', PATIENT);
  expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
  expect(api.output()).not.toMatch(/unhandled|uncaught|"level":"(error|fatal)"/i);
});
