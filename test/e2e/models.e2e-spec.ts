import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startApi } from '../support/test-api.js';
import { call, createUser, PATIENT } from '../support/client.js';
import { createTestDatabase } from '../support/test-database.js';
import { pointersOf } from '../support/problems.js';
import { prepareService, createModelDir } from '../support/prepared-service.js';

const HUT = { size: 1, rooms: 1, colour: 'red' };
const PALACE = { size: 6, rooms: 3, colour: 'blue' };
const FLOWER = { sepal_length: 5, sepal_width: 3, petal_length: 1 };

const FOREIGN = ['int64-labels', 'float64', 'tensor-per-column', 'zipmap'];
const modelDir = createModelDir({ own: ['heart-failure'], foreign: FOREIGN });
const { database, api, post: predict, recordOf } = prepareService({ MODEL_DIR: modelDir });
/** A service with the models of this repository. */
const committed = prepareService();

test('a classifier answers by name with label, confidence and a probability for each class', async () => {
  const answer = await predict('/models/tensor-per-column/predict', PALACE);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    request_id: answer.headers.get('x-request-id'),
    model: { name: 'tensor-per-column', version: '1' },
    predictions: [
      {
        label: 'palace',
        confidence: expect.any(Number),
        probabilities: { house: expect.any(Number), hut: expect.any(Number), palace: expect.any(Number) },
      },
    ],
  });
  expect(answer.body.predictions[0].confidence).toBeGreaterThan(0.5);
  expect(answer.body.predictions[0].confidence).toBe(answer.body.predictions[0].probabilities.palace);
});

test('a regression answers by name with its value', async () => {
  const answer = await predict('/models/float64/predict', FLOWER);
  expect(answer.body.predictions).toEqual([{ prediction: expect.closeTo(-0.084069, 5) }]);
});

test('many instances are answered in their order and are one record, whose output is the answer', async () => {
  const instances = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? PALACE : HUT));
  const answer = await predict('/models/tensor-per-column/versions/1/predict', { instances });
  expect(answer.body.predictions.map(({ label }: { label: string }) => label)).toEqual(
    instances.map((instance) => (instance === PALACE ? 'palace' : 'hut')),
  );
  expect(await recordOf(answer)).toMatchObject({
    model: 'tensor-per-column',
    model_version: '1',
    dialect: 'named',
    input: { instances },
    output: answer.body,
    status_code: 200,
  });
});

test('every bad column of every instance is named by its position', async () => {
  const answer = await predict('/models/tensor-per-column/predict', {
    instances: [HUT, { ...HUT, rooms: 1.5 }, { size: 'big', rooms: 1 }],
  });
  expect(answer.status).toBe(400);
  expect(pointersOf(answer)).toEqual(['#/instances/1/rooms', '#/instances/2/size', '#/instances/2/colour']);
});

test.each([
  ['no instances', { instances: [] }],
  ['instances that are not an array', { instances: HUT }],
  ['an instance that is not an object', { instances: [HUT, 5] }],
  ['more than a thousand instances', { instances: Array.from({ length: 1001 }, () => HUT) }],
  ['an array', [HUT]],
])('%s: 400, recorded', async (_, body) => {
  const answer = await predict('/models/tensor-per-column/predict', body);
  expect(answer.status).toBe(400);
  expect(await recordOf(answer)).toMatchObject({ status_code: 400, output: answer.body });
});

test('an unknown model or version is 404, and so is one that could not be loaded, as the log explains', async () => {
  for (const path of ['nobody', 'tensor-per-column/versions/2', 'zipmap']) {
    const answer = await predict(`/models/${path}/predict`, HUT);
    expect(answer.status).toBe(404);
    expect(answer.body.type).toBe('urn:foretell:error:model-not-found');
  }
  expect(api.output()).toMatch(/zipmap.* is a ZipMap.*Export the model without it/);
});

test('without a token: 401', async () => {
  expect((await call(api, 'POST', '/models/float64/predict', { body: HUT })).status).toBe(401);
});

test('the default model answers by name as well, with the same number', async () => {
  const plain = await predict('/predict', PATIENT);
  const named = await predict('/models/heart-failure/predict', PATIENT);
  expect(named.body.predictions[0].probabilities['1']).toBe(Number(plain.body.yhat_prob));
});

test.each([
  ['tensor-per-column', HUT, /^\{"prediction":"hut","confidence":"0\.\d+"\}$/],
  ['float64', FLOWER, /^\{"prediction":"-0\.08406901\d+"\}$/],
])('the plain dialect on %s as the default model', async (model, body, expected) => {
  const other = await startApi({ DATABASE_URL: database.url, MODEL_DIR: modelDir, DEFAULT_MODEL: model });
  const { token } = await createUser(other, database);
  const answer = await call(other, 'POST', '/predict', { body, token });
  expect(answer.text).toMatch(expected);
  const { body: document } = await call(other, 'GET', '/docs-json');
  expect(document.components.schemas.Prediction.required).toEqual(Object.keys(answer.body));
});

test('the documentation has a path, a schema and an example for every loaded model', async () => {
  const { body: document } = await call(api, 'GET', '/docs-json');
  const { schema, example } =
    document.paths['/models/tensor-per-column/predict'].post.requestBody.content['application/json'];
  expect(schema.anyOf[0].$ref).toBe('#/components/schemas/Features-tensor-per-column-1');
  expect(Object.keys(example)).toEqual(['size', 'rooms', 'colour']);
  expect(document.paths).toHaveProperty(['/models/float64/versions/1/predict']);
  expect(document.paths).not.toHaveProperty(['/models/zipmap/predict']);
});

test.each([
  ['heart-failure', { label: '1', confidence: 0.5124506 }],
  ['california-housing', { prediction: expect.any(Number) }],
  ['iris', { label: expect.any(String), confidence: expect.any(Number) }],
])('the committed %s answers the example of its documentation', async (name, expected) => {
  const { body: document } = await call(committed.api, 'GET', '/docs-json');
  const { example } = document.paths[`/models/${name}/predict`].post.requestBody.content['application/json'];
  const answer = await committed.post(`/models/${name}/predict`, example);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.predictions).toEqual([expect.objectContaining(expected)]);
});

test('/health reports a version that cannot be loaded at the start, and the other models answer', async () => {
  const scratch = await createTestDatabase();
  const folder = createModelDir({ own: ['heart-failure'], foreign: ['float64'] });
  const environment = { DATABASE_URL: scratch.url, MODEL_DIR: folder };
  await (await startApi(environment)).stop();
  appendFileSync(join(folder, 'float64/1/model.onnx'), 'damaged');
  const other = await startApi(environment);
  const { status, body } = await call(other, 'GET', '/health');
  expect(status).toBe(200);
  const failure = expect.stringMatching(/^the sha256 of model\.onnx is \w{64}, the manifest says \w{64}/);
  expect(body.failed_models).toEqual([{ name: 'float64', version: '1', failure }]);
  const { token } = await createUser(other, scratch);
  expect((await call(other, 'POST', '/models/float64/predict', { body: HUT, token })).status).toBe(404);
  expect((await call(other, 'POST', '/predict', { body: PATIENT, token })).status).toBe(200);
});
