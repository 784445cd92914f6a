import { beforeEach, describe, expect, test } from 'vitest';
import { call, createUser, PATIENT, type Answer, type TestUser } from '../support/client.js';
import { recordsOfUser } from '../support/records.js';
import { prepareService } from '../support/prepared-service.js';
import { startApiForThisTest } from '../support/test-api.js';

const settings = { JWT_SECRET: 'the same secret for two processes' };
const { database, api } = prepareService(settings);
const { api: other } = prepareService({ ...settings, AUDIT_MODE: 'async' }, { database });
let user: TestUser;

beforeEach(async () => {
  user = await createUser(api, database);
});

function ask(
  key: string,
  { at = api, path = '/predict', body = PATIENT as object | string, as = user } = {},
) {
  return call(at, 'POST', path, { body, token: as.token, headers: { 'idempotency-key': key } });
}

const isReplay = ({ headers }: Answer) => headers.get('idempotency-replayed') === 'true';
const outputs = async () => (await recordsOfUser(database, user.id)).map(({ output }) => output);

test('the same request under the same key gets the first answer, and one record', async () => {
  const first = await ask('a');
  expect(first).toMatchObject({ status: 200, text: '{"yhat_prob":"0.5124506","yhat":"1"}' });
  expect(isReplay(first)).toBe(false);
  for (const at of [api, other, api]) {
    const again = await ask('a', { at });
    expect(again).toMatchObject({ status: 200, text: first.text });
    expect(isReplay(again)).toBe(true);
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
  }
  expect(await outputs()).toEqual([first.body]);
});

test('it is the first answer byte for byte, in every dialect, even if jsonb would order it differently', async () => {
  const asks = {
    '/models/iris/predict': {
      instances: [{ sepal_length: 5, sepal_width: 3, petal_length: 1, petal_width: 0.2 }],
    },
    '/invocations': { dataframe_records: [PATIENT] },
    '/v2/models/heart-failure/infer': {
      id: 'mine',
      inputs: Object.entries(PATIENT).map(([name, value]) => ({
        name,
        shape: [1, 1],
        datatype: 'FP32',
        data: [value],
      })),
    },
  };
  for (const [path, body] of Object.entries(asks)) {
    const first = await ask(path, { path, body });
    expect(first).toMatchObject({ status: 200 });
    const again = await ask(path, { path, body });
    expect(again).toMatchObject({ status: 200, text: first.text });
    expect(isReplay(again)).toBe(true);
  }
  expect(await outputs()).toHaveLength(3);
});

test('without a key, or under another one, it is another call', async () => {
  for (const key of ['a', 'b']) expect(isReplay(await ask(key))).toBe(false);
  for (const _ of [1, 2]) await call(api, 'POST', '/predict', { body: PATIENT, token: user.token });
  expect(await outputs()).toHaveLength(4);
});

test('each user has keys of their own', async () => {
  const neighbour = await createUser(api, database);
  await ask('a');
  const theirs = await ask('a', { as: neighbour, body: { ...PATIENT, sex: 0 } });
  expect(theirs).toMatchObject({ status: 200, body: { yhat_prob: '0.55330104' } });
  expect(isReplay(theirs)).toBe(false);
});

test.each([
  ['another body', { body: { ...PATIENT, age: 26 } }],
  ['another model', { path: '/models/heart-failure/predict' }],
  ['another dialect', { path: '/invocations', body: { dataframe_records: [PATIENT] } }],
])('%s under the same key is refused with 422, without the first answer', async (_, changes) => {
  await ask('a');
  const answer = await ask('a', changes);
  expect(answer.status).toBe(422);
  expect(answer.text).not.toContain('0.5124506');
  expect(answer.text).toMatch(/Idempotency-Key/);
  expect(await outputs()).toHaveLength(1);
});

test.each(['', 'é', 'a'.repeat(256)])('the key %j is refused with 400', async (key) => {
  const answer = await ask(Buffer.from(key, 'utf8').toString('latin1'));
  expect(answer).toMatchObject({ status: 400, body: { title: 'Bad request' } });
  expect(answer.body.detail).toMatch(/1 to 255 printable ASCII/);
  expect(await outputs()).toEqual([]);
});

test('a key of the maximum length is accepted, whatever is in it', async () => {
  const key = `' OR 1=1; "$1" \\ {},`.padEnd(255, '~');
  await ask(key);
  expect(isReplay(await ask(key))).toBe(true);
});

test('a refusal is recorded each time, and the key can be used again', async () => {
  for (const _ of [1, 2])
    expect(await ask('a', { body: { ...PATIENT, age: 'old' } })).toMatchObject({ status: 400 });
  expect(await ask('a')).toMatchObject({ status: 200 });
  expect(await outputs()).toHaveLength(3);
});

describe('many at once', () => {
  test('under one key, in two processes: one answer, one record', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => ask('a', { at: index % 2 ? api : other })),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(
      new Set(['200 {"yhat_prob":"0.5124506","yhat":"1"}']),
    );
    expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
    expect(await outputs()).toHaveLength(1);
  });

  test('with and without keys, some of them twice: each request counts once', async () => {
    const asks = Array.from({ length: 60 }, (_, index) => {
      const body = { ...PATIENT, age: 20 + (index % 20) };
      return index % 3 === 2
        ? call(api, 'POST', '/predict', { body, token: user.token })
        : ask(`key ${index % 20}`, { body });
    });
    const answers = await Promise.all(asks);
    expect(answers.map(({ status }) => status)).toEqual(asks.map(() => 200));
    // Twenty without a key, and one for each of the twenty keys that was used.
    const keys = new Set(
      Array.from({ length: 60 }, (_, index) => index)
        .filter((i) => i % 3 !== 2)
        .map((i) => i % 20),
    );
    expect(await outputs()).toHaveLength(20 + keys.size);
  });
});

test('in async mode a call with a key waits for its record', async () => {
  await ask('a', { at: other });
  expect(await outputs()).toHaveLength(1);
});

test('a key is kept for a day', async () => {
  await ask('old');
  await ask('new');
  await database.query(
    `UPDATE idempotency_keys SET created_datetime = now() - interval '25 hours' WHERE user_id = $1 AND key = 'old'`,
    [user.id],
  );
  const next = await startApiForThisTest({
    DATABASE_URL: database.url,
    JWT_SECRET: 'the same secret for two processes',
  });
  const kept = () =>
    database.query('SELECT key FROM idempotency_keys WHERE user_id = $1 ORDER BY key', [user.id]);
  while ((await kept()).length > 1) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await kept()).toEqual([{ key: 'new' }]);
  expect(isReplay(await ask('old', { at: next }))).toBe(false);
  expect(isReplay(await ask('new', { at: next }))).toBe(true);
});
