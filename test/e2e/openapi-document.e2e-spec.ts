import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { makeArtifact } from '../support/artifacts.js';
import { call } from '../support/client.js';
import { operationsIn, type Operation } from '../support/openapi.js';
import { createModelDir, prepareService } from '../support/prepared-service.js';

/** Names and versions that differ only in punctuation. */
const ALIKE = [
  ['float-64', '1.0'],
  ['float.64', '1.0'],
  ['float_64', '10'],
] as const;

const MODEL_DIR = createModelDir({ foreign: ['tensor-per-column'] });
beforeAll(async () => {
  for (const [name, version] of ALIKE) {
    await makeArtifact(
      join(MODEL_DIR, name, version),
      { name, version },
      'test/support/foreign-models/float64',
    );
  }
  const columns = [
    { name: 'size', type: 'numeric', nullable: true, example: 3 },
    { name: 'rooms', type: 'numeric', minimum: 1 },
    { name: 'colour', type: 'categorical', categories: ['red', 'blue', 7] },
  ];
  const schema = { input_schema: { columns } };
  writeFileSync(join(MODEL_DIR, 'tensor-per-column/1/input_schema.json'), JSON.stringify(schema));
});

const { api, user } = prepareService({ MODEL_DIR });
// oxlint-disable-next-line typescript/no-explicit-any -- as untyped as an answer's body: tests say what they expect of it
let document: any;
let operations: Operation[];

beforeAll(async () => {
  document = (await call(api, 'GET', '/docs-json')).body;
  operations = operationsIn(document);
});

/** Every object in the document, and where it is. */
function* objectsIn(value: unknown, at = '#'): Generator<[string, Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [at, value as Record<string, unknown>];
  for (const [key, member] of Object.entries(value)) yield* objectsIn(member, `${at}/${key}`);
}

const nameOf = ({ method, path }: Operation) => `${method} ${path}`;

/** The id of something that exists, unless that does harm. */
async function request(
  { method, path }: Operation,
  headers: Record<string, string> = {},
  body?: string,
): Promise<{ status: number; text: string }> {
  const values: Record<string, string> = { name: 'iris', version: '1', token: user.token };
  const url = api.url + path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '0');
  const answer = await fetch(url, { method, headers, body });
  return { status: answer.status, text: await answer.text() };
}

test('is OpenAPI 3.1, and what may be null has null among its types', () => {
  expect(document.openapi).toBe('3.1.0');
  const described = [...objectsIn(document)].filter(([at]) => !/\/(?:example|properties|required)$/.test(at));
  expect(described.filter(([, { nullable }]) => nullable !== undefined).map(([at]) => at)).toEqual([]);
  const { properties } = document.components.schemas.Batch;
  expect(properties.failure).toEqual({ type: ['string', 'null'] });
  expect(properties.output.anyOf).toContainEqual({ type: 'null' });
  const { anyOf } = document.components.schemas.Features.properties.age;
  expect(anyOf).toContainEqual({ type: 'null' });
});

test('every reference leads to something, and every component is used', () => {
  const references = [...objectsIn(document)].flatMap(([at, { $ref }]) =>
    typeof $ref === 'string' ? [[at, $ref] as const] : [],
  );
  expect(references.length).toBeGreaterThan(operations.length);
  const schemas = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  for (const [at, reference] of references) expect(schemas, at).toContain(reference);
  expect(schemas.filter((schema) => !references.some(([, reference]) => reference === schema))).toEqual([]);
});

test('every successful JSON answer has a named schema', () => {
  const anonymous = operations.flatMap((operation) =>
    Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
      Object.entries(content)
        .filter(() => status.startsWith('2'))
        .filter(([type, { schema }]) => type.endsWith('json') && schema?.$ref === undefined)
        .map(([type]) => `${nameOf(operation)} ${status} ${type}`),
    ),
  );
  // An empty line, as MLflow answers; a JSON Lines file.
  expect(anonymous).toEqual([
    'GET /ping 200 application/json',
    'GET /batches/{id}/output 200 application/x-ndjson',
  ]);
  for (const name of ['Batch', 'BatchPage', 'PredictionLogPage', 'ModelVersion', 'Prediction', 'Problem']) {
    expect(document.components.schemas).toHaveProperty([name]);
  }
});

test('numbers in paths and queries are integers with bounds, as ids and counts are in answers', () => {
  const parameters = operations.flatMap(({ parameters }) => parameters);
  const schemasOf = (wanted: string) =>
    parameters.filter(({ name }) => name === wanted).map(({ schema }) => schema);
  const limit = { type: 'integer', minimum: 1, maximum: 1000, default: 100 };
  expect(schemasOf('limit')).toEqual([limit, limit]);
  const id = { type: 'integer', minimum: 1, maximum: 2_147_483_647 };
  expect(schemasOf('user_id')).toEqual([id, id, id]);
  expect(parameters.filter(({ schema }) => schema.type === 'number').map(({ name }) => name)).toEqual([]);
  const { schemas } = document.components;
  expect(schemas.Batch.properties.user_id).toEqual(id);
  expect(schemas.RegisteredUser.properties.user_id).toMatchObject(id);
  expect(schemas.Batch.properties.rows).toMatchObject({ type: 'integer', minimum: 0 });
  // These appear only if a type was not found.
  expect(schemas).not.toHaveProperty('Object');
});

test('operation ids are short and unique, even for models with similar names', () => {
  const ids = operations.map(({ operationId }) => operationId);
  expect(ids.filter((id) => !/^[a-z][A-Za-z0-9_]{2,40}$/.test(id) || id.includes('Controller'))).toEqual([]);
  expect(ids.toSorted()).toEqual([...new Set(ids)].toSorted());
  expect(ids).toEqual(
    expect.arrayContaining([
      'registerUser',
      'createToken',
      'predict',
      'predictHeartFailure',
      'predictHeartFailureVersion1',
      'listBatches',
      'listPredictions',
    ]),
  );
  expect(ids.filter((id) => id.startsWith('predictFloat_64'))).toHaveLength(6);
});

test('says of every operation whether it needs a token, and calls without one are answered accordingly', async () => {
  for (const operation of operations) {
    const { security } = operation;
    expect(security, nameOf(operation)).toBeInstanceOf(Array);
    const { status } = await request(operation);
    if (security.length > 0) {
      expect(security).toEqual([{ bearer: [] }]);
      expect(status, nameOf(operation)).toBe(401);
    } else expect(status, nameOf(operation)).not.toBe(401);
  }
});

test('has Idempotency-Key, as optional, only on the operations that use it', async () => {
  let count = 0;
  for (const operation of operations) {
    const header = operation.parameters.find(({ name }) => name === 'Idempotency-Key');
    const headers = { authorization: `Bearer ${user.token}`, 'idempotency-key': 'x'.repeat(256) };
    const { text } =
      operation.method === 'POST'
        ? await request(operation, { ...headers, 'content-type': 'application/json' }, '{}')
        : await request(operation, headers);
    expect(text.includes('Idempotency-Key must be'), nameOf(operation)).toBe(header !== undefined);
    if (!header) continue;
    expect(header).toMatchObject({ in: 'header', required: false, schema: { type: 'string' } });
    count++;
  }
  expect(count).toBe(1 + 3 + 2 + 2 * 7);
});

test('says what a column takes: a numeric category as text, too', () => {
  const { properties, example } = document.components.schemas['Features-tensor-per-column-1'];
  expect(properties).toEqual({
    size: {
      anyOf: [{ type: 'number' }, { type: 'string' }, { type: 'boolean' }, { type: 'null' }],
      example: 3,
    },
    rooms: { anyOf: [{ type: 'number', minimum: 1 }, { type: 'string' }, { type: 'boolean' }] },
    colour: {
      anyOf: [
        { type: 'string', enum: ['red', 'blue', '7'] },
        { type: 'number', enum: [7] },
      ],
    },
  });
  expect(example).toEqual({ size: 3, rooms: 1, colour: 'red' });
});

test('has a working example for every model, even if its columns have none', async () => {
  const predicting = operations.filter(({ path }) => /^\/models\/[^{]+\/predict$/.test(path));
  expect(predicting).toHaveLength(2 * 7);
  for (const operation of predicting) {
    const { example } = operation.requestBody!.content['application/json']!;
    const { status, body } = await call(api, 'POST', operation.path, { body: example, token: user.token });
    expect(status, `${nameOf(operation)} ${JSON.stringify(body)}`).toBe(200);
  }
});
