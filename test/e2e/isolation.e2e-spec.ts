import { expect, test } from 'vitest';
import { type ApiProcess } from '../support/test-api.js';
import { call, PATIENT } from '../support/client.js';
import { prepareService, createModelDir } from '../support/prepared-service.js';

const JWT_SECRET = 'a secret that both processes know';
const MODEL_QUEUE_ROWS = 3;

const settings = { MODEL_DIR: createModelDir({ own: ['heart-failure'], foreign: ['slow'] }), JWT_SECRET };
const { database, api, user, post, recordOf } = prepareService({
  ...settings,
  MODEL_QUEUE_ROWS: String(MODEL_QUEUE_ROWS),
});
const { api: impatient } = prepareService({ ...settings, PREDICTION_TIMEOUT_MS: '50' }, { database });

/** `b` tells one call from another: the slow model answers the sum. */
const askSlow = (service: ApiProcess, b = 2) =>
  call(service, 'POST', '/models/slow/predict', { body: { a: 1.5, b }, token: user.token });

test('a prediction that takes longer than PREDICTION_TIMEOUT_MS is 504, recorded with its model', async () => {
  const answer = await askSlow(impatient);
  expect(answer.status).toBe(504);
  expect(answer.body).toMatchObject({
    type: 'urn:foretell:error:prediction-timeout',
    detail: 'The model did not answer within 50 ms.',
  });
  const recorded = { model: 'slow', model_version: '1', status_code: 504, output: answer.body };
  expect(await recordOf(answer)).toMatchObject(recorded);
  const patient = await call(impatient, 'POST', '/predict', { body: PATIENT, token: user.token });
  expect(patient.status).toBe(200);
});

test('the same in the forms of MLflow and of the Open Inference Protocol', async () => {
  const inputs = ['a', 'b'].map((name) => ({ name, shape: [1], datatype: 'FP32', data: [1] }));
  for (const [path, body, expected] of [
    ['/models/slow/invocations', { data: [[1, 2]] }, { error_code: 'DEADLINE_EXCEEDED' }],
    ['/v2/models/slow/infer', { inputs }, { error: 'The model did not answer within 50 ms.' }],
  ] as const) {
    const ask = () => call(impatient, 'POST', path, { body, token: user.token });
    let answer = await ask();
    // The row that timed out is still being computed, and another is still waiting.
    while (answer.status === 503) answer = await ask();
    expect([answer.status, answer.body]).toMatchObject([504, expected]);
    expect(await recordOf(answer)).toMatchObject({ status_code: 504, output: answer.body, row_count: 1 });
  }
});

test('calls beyond a model’s waiting limit are 503 with Retry-After and recorded; others are answered', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, (_, b) => askSlow(api, b)));
  const taken = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 503);
  expect(taken).toHaveLength(1 + MODEL_QUEUE_ROWS);
  expect(refused).toHaveLength(8 - taken.length);
  for (const [b, answer] of answers.entries()) {
    if (answer.status === 200) expect(answer.body.predictions).toEqual([{ prediction: 1.5 + b }]);
    else expect(answer.headers.get('retry-after')).toBe('1');
    const recorded = { model: 'slow', model_version: '1', status_code: answer.status, output: answer.body };
    expect(await recordOf(answer)).toMatchObject(recorded);
  }
});

test('more instances than the model can answer in time are refused with 400 that names the limit', async () => {
  const instances = Array.from({ length: 500 }, () => ({ a: 1, b: 2 }));
  const answer = await post('/models/slow/predict', { instances });
  expect(answer.status).toBe(400);
  expect(answer.body.detail).toMatch(
    /^The model takes at most \d{2,3} rows at once\. Send fewer instances\.$/,
  );
  expect(await recordOf(answer)).toMatchObject({ status_code: 400 });
});

test('more instances than may wait for the model are answered, part by part', async () => {
  const instances = Array.from({ length: 2 * MODEL_QUEUE_ROWS + 1 }, (_, b) => ({ a: 1, b }));
  const answer = await post('/models/slow/predict', { instances });
  expect(answer.body.predictions).toEqual(instances.map(({ a, b }) => ({ prediction: a + b })));
});

test('while the slow model runs, /livez and another model are answered', async () => {
  let isSlowDone = false;
  const slow = Promise.all([askSlow(api), askSlow(api), askSlow(api)]).then((answers) => {
    isSlowDone = true;
    return answers;
  });
  for (let turn = 0; turn < 5; turn++) {
    expect((await call(api, 'GET', '/livez')).status).toBe(200);
    const { body } = await post('/predict', PATIENT);
    expect(body).toMatchObject({ yhat_prob: '0.5124506' });
  }
  expect(isSlowDone).toBe(false);
  expect((await slow).map(({ status }) => status)).toEqual([200, 200, 200]);
});
