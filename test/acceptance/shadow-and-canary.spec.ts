import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { HEART_FAILURE_2, makeArtifact } from '../support/artifacts.js';
import { ANSWER, call, createUser, PATIENT } from '../support/client.js';
import { foretell } from '../support/foretell-process.js';
import { createFolder } from '../support/folders.js';
import { createModelDir, prepareService, prepareUser } from '../support/prepared-service.js';
import { startApiForThisTest } from '../support/test-api.js';
import { createTestDatabase } from '../support/test-database.js';

/** The answer of each version for the patient. */
const BY_VERSION: Record<string, string> = { 1: '0.5124506', 2: '0.5248858' };

const modelDir = createModelDir({ own: ['heart-failure'] });
const service = prepareService({ MODEL_DIR: modelDir });
const { database, api, user } = service;
const admin = prepareUser(service, 'admin');

beforeAll(async () => {
  await models('register', HEART_FAILURE_2);
  const slow = { name: 'heart-failure', version: '3' };
  await models('register', await makeArtifact(createFolder(), slow, 'test/support/foreign-models/slow'));
});

/** `foretell models …` on the services' database; it must succeed. */
async function models(...args: string[]): Promise<string> {
  const environment = { DATABASE_URL: database.url, MODEL_DIR: modelDir };
  const { code, stdout, stderr } = await foretell(['models', ...args], { environment });
  expect(code, stdout + stderr).toBe(0);
  return stdout;
}

const predict = (path: string, body: object, by = user) => call(api, 'POST', path, { body, token: by.token });

/** What candidates answered to one request. */
async function shadowsOf(requestId: unknown) {
  return database.query(
    `SELECT shadow_responses.model_version, shadow_responses.status_code, shadow_responses.output, input
     FROM shadow_responses JOIN requests ON requests.id = request_id WHERE request_uuid = $1`,
    [requestId],
  );
}

describe('a shadow', () => {
  beforeAll(async () => {
    await models('shadow', 'heart-failure', '2');
  });

  afterAll(async () => {
    await models('shadow', 'heart-failure', '--off');
  });

  test('gets the same request; its answer is recorded beside the served one, which it does not change', async () => {
    const answer = await predict('/predict', PATIENT);
    expect(answer.text).toBe(ANSWER);
    const requestId = answer.headers.get('x-request-id');
    const output = { yhat: '0', yhat_prob: BY_VERSION[2] };
    await expect
      .poll(() => shadowsOf(requestId))
      .toEqual([{ model_version: '2', status_code: 200, output, input: PATIENT }]);
  });

  test('of many instances is one row, in the dialect of the request', async () => {
    const instances = [PATIENT, { ...PATIENT, sex: 0 }];
    const answer = await predict('/models/heart-failure/predict', { instances });
    expect(answer.body.model.version).toBe('1');
    await expect.poll(() => shadowsOf(answer.body.request_id)).toHaveLength(1);
    const [{ output }] = (await shadowsOf(answer.body.request_id)) as [{ output: typeof answer.body }];
    expect(output).toMatchObject({ model: { name: 'heart-failure', version: '2' } });
    expect(output.predictions).toHaveLength(2);
    expect(output.predictions[0].probabilities['1']).toBe(Number(BY_VERSION[2]));
  });

  test('answers in the form of MLflow or of the Open Inference Protocol requests in that form', async () => {
    const row = Object.values(PATIENT);
    const { body: metadata } = await call(api, 'GET', '/v2/models/heart-failure', { token: user.token });
    const inputs = [{ name: metadata.inputs[0].name, shape: [1, 8], datatype: 'FP32', data: row }];
    const probability = Number(BY_VERSION[2]);
    const probabilities = [expect.closeTo(1 - probability, 6), probability];
    for (const [path, body, output] of [
      [
        '/invocations',
        { data: [row], params: { predict_method: 'predict_proba' } },
        { predictions: [probabilities] },
      ],
      [
        '/v2/models/heart-failure/infer',
        { inputs },
        { model_version: '2', outputs: [{ data: [0] }, { data: probabilities }] },
      ],
    ] as const) {
      const answer = await predict(path, body);
      expect(answer.status).toBe(200);
      await expect
        .poll(() => shadowsOf(answer.headers.get('x-request-id')))
        .toMatchObject([{ model_version: '2', status_code: 200, output }]);
    }
  });

  test('with other columns than the served version refuses rows without column names', async () => {
    await models('shadow', 'heart-failure', '3');
    const answer = await predict('/invocations', { data: [Object.values(PATIENT)] });
    expect(answer.status).toBe(200);
    await expect
      .poll(() => shadowsOf(answer.headers.get('x-request-id')))
      .toMatchObject([{ model_version: '3', status_code: 400, output: { error_code: 'BAD_REQUEST' } }]);
    await models('shadow', 'heart-failure', '2');
  });

  test('also gets what the served version refused, but not what could not be read', async () => {
    const refused = await predict('/predict', { ...PATIENT, age: 'young' });
    expect(refused.status).toBe(400);
    await expect.poll(() => shadowsOf(refused.body.request_id)).toMatchObject([{ status_code: 400 }]);
    const unread = await predict('/predict', [PATIENT]);
    await predict('/predict', PATIENT);
    expect(await shadowsOf(unread.body.request_id)).toEqual([]);
  });

  test('does not get the requests that it answers itself', async () => {
    const answer = await predict('/models/heart-failure/versions/2/predict', PATIENT);
    expect(answer.body.predictions[0].probabilities['1']).toBe(Number(BY_VERSION[2]));
    const later = await predict('/predict', PATIENT);
    await expect.poll(() => shadowsOf(later.headers.get('x-request-id'))).toHaveLength(1);
    expect(await shadowsOf(answer.body.request_id)).toEqual([]);
  });

  test('is recorded in AUDIT_MODE=async as well', async () => {
    const other = await startApiForThisTest({
      DATABASE_URL: database.url,
      MODEL_DIR: modelDir,
      AUDIT_MODE: 'async',
      JWT_SECRET: 'a secret of this test alone, long enough',
    });
    const { token } = await createUser(other, database);
    const answer = await call(other, 'POST', '/predict', { body: PATIENT, token });
    await expect.poll(() => shadowsOf(answer.headers.get('x-request-id'))).toHaveLength(1);
  });
});

test('a slow shadow delays no one: ten answers arrive before its first few', async () => {
  await models('shadow', 'heart-failure', '3');
  onTestFinished(async () => void (await models('shadow', 'heart-failure', '--off')));
  // Columns that a version does not have are ignored by it: this body has those of both.
  const body = { ...PATIENT, a: 1, b: 2 };
  const count = async () =>
    (await database.query(`SELECT 1 FROM shadow_responses WHERE model_version = '3' AND status_code = 200`))
      .length;
  for (let index = 0; index < 10; index++) {
    expect((await predict('/predict', body)).text).toBe(ANSWER);
  }
  expect(await count()).toBeLessThan(8);
  await expect.poll(count, { timeout: 20_000 }).toBe(10);
});

test('a canary answers the same users every time, more of them as it grows, and the record says so', async () => {
  const users = await Promise.all(Array.from({ length: 24 }, () => createUser(api, database)));
  const versionsOf = async () => {
    const versions: string[] = [];
    for (const each of users) {
      const { body, headers } = await predict('/predict', PATIENT, each);
      const [{ model_version }] = (await database.query(
        `SELECT model_version FROM requests WHERE request_uuid = $1`,
        [headers.get('x-request-id')],
      )) as [{ model_version: string }];
      expect(body.yhat_prob).toBe(BY_VERSION[model_version]);
      versions.push(model_version);
    }
    return versions;
  };
  const put = (version: string, percent: number) =>
    call(api, 'PUT', '/models/heart-failure/aliases/canary', {
      body: { version, percent },
      token: admin.token,
    });
  const canaryUsers = (versions: string[]) =>
    versions.flatMap((version, user) => (version === '2' ? [user] : []));

  expect((await put('2', 0)).status).toBe(200);
  expect(canaryUsers(await versionsOf())).toEqual([]);
  expect((await put('2', 40)).body).toMatchObject({ alias: 'canary', version: '2' });
  // A new percentage needs no load: it applies with the next look at the registry.
  await expect.poll(async () => canaryUsers(await versionsOf()).length).toBeGreaterThan(0);
  const some = canaryUsers(await versionsOf());
  expect(some.length).toBeLessThan(24);
  expect(canaryUsers(await versionsOf())).toEqual(some);
  await put('2', 80);
  await expect.poll(async () => canaryUsers(await versionsOf()).length).toBeGreaterThan(some.length);
  expect(canaryUsers(await versionsOf())).toEqual(expect.arrayContaining(some));

  const named = await predict('/models/heart-failure/versions/1/predict', PATIENT, users[some[0]!]);
  expect(named.body.model.version).toBe('1');

  await call(api, 'DELETE', '/models/heart-failure/aliases/canary', { token: admin.token });
  await expect.poll(async () => canaryUsers(await versionsOf())).toEqual([]);
});

/** A service with a record of its own, and version 1 in production; `models` on its database. */
async function startForComparison() {
  const records = await createTestDatabase();
  const environment = { DATABASE_URL: records.url, MODEL_DIR: modelDir };
  const compared = await startApiForThisTest(environment);
  const { token } = await createUser(compared, records);
  const models = (...args: string[]) => foretell(['models', ...args], { environment });
  // Two versions were in MODEL_DIR: the newest is in production by default.
  await models('promote', 'heart-failure', '1');
  return { records, service: compared, token, foretell: models };
}

// A dozen commands, each a process of its own.
test('compare reports from the record, and --replay predicts again', { timeout: 90_000 }, async () => {
  const { records, service, token, foretell } = await startForComparison();
  const ask = (path: string, body: object) => call(service, 'POST', path, { body, token });
  const female = { ...PATIENT, sex: 0 };

  for (const body of [PATIENT, female, { ...PATIENT, age: 'young' }]) await ask('/predict', body);
  const none = await foretell('compare', 'heart-failure', '1', '2');
  expect(none.stdout).toContain('No request was answered by one version and seen by the other');

  const replayed = await foretell('compare', 'heart-failure', '1', '2', '--replay', '--quiet');
  expect(replayed).toMatchObject({ code: 0, stderr: '' });
  expect(replayed.stdout).toMatch(/2 requests, 2 rows answered by both, 0 refused by one/);
  expect(replayed.stdout).toMatch(/difference 0\.03227 on average, 0\.0521 at most/);
  expect(replayed.stdout).toContain('the same label in 50.00 %');

  await foretell('shadow', 'heart-failure', '2');
  await ask('/predict', PATIENT);
  await ask('/models/heart-failure/predict', { instances: [PATIENT, female, female] });
  await ask('/predict', { ...PATIENT, age: 'young' });
  await expect.poll(async () => (await records.query('SELECT 1 FROM shadow_responses')).length).toBe(3);
  const compared = await foretell('compare', 'models:/heart-failure', '1', '2', '--since', '1h');
  expect(compared.stdout).toMatch(/3 requests, 4 rows answered by both, 0 refused by one/);
  expect(compared.stdout).toMatch(/difference 0\.03227 on average, 0\.0521 at most/);
  expect(compared.stdout).toMatch(/'1' +│ 'served' │ 6 +│ 2/);
  expect(compared.stdout).toMatch(/'2' +│ 'shadow' │ 3 +│ 1/);
  const later = await foretell('compare', 'heart-failure', '1', '2', '--since', '2999-01-01');
  expect(later.stdout).toContain('No request was answered by one version and seen by the other');
  expect(later.stdout).toMatch(/'1' +│ 'served' │ 0 /);

  expect(await foretell('compare', 'heart-failure', '1', '9')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Model 'heart-failure' has no version 9."),
  });
  expect((await foretell('compare', 'heart-failure', '1', '2', '--since', 'yesterday')).code).toBe(2);
});

test(
  'compare and --replay understand requests sent as a table, as CSV and as tensors',
  { timeout: 90_000 },
  async () => {
    const { records, service, token, foretell } = await startForComparison();
    await foretell('shadow', 'heart-failure', '2');
    const row = Object.values(PATIENT);
    const { body: metadata } = await call(service, 'GET', '/v2/models/heart-failure', { token });
    const tensor = { name: metadata.inputs[0].name, shape: [1, 8], datatype: 'FP32' };
    const head = JSON.stringify({ inputs: [{ ...tensor, parameters: { binary_data_size: 32 } }] });
    const binary = Buffer.concat([Buffer.from(head), Buffer.from(new Float32Array(row).buffer)]);
    const oip = '/v2/models/heart-failure/infer';
    for (const [path, body, headers] of [
      // Two rows without a probability, then six with.
      ['/invocations', `${Object.keys(PATIENT)}\n${row}\n${row}\n`, { 'content-type': 'text/csv' }],
      ['/invocations', { data: [row, row], params: { predict_method: 'predict_proba' } }],
      [oip, { inputs: [{ ...tensor, data: row }] }],
      [oip, { inputs: [{ ...tensor, data: row }], outputs: [{ name: 'probabilities' }] }],
      [oip, binary, { 'inference-header-content-length': String(head.length) }],
      ['/predict', PATIENT],
    ] as [string, object | string, Record<string, string>?][]) {
      expect((await call(service, 'POST', path, { body, headers, token })).status).toBe(200);
    }
    await expect.poll(async () => (await records.query('SELECT 1 FROM shadow_responses')).length).toBe(6);
    const { code, stdout, stderr } = await foretell(
      'compare',
      'heart-failure',
      '1',
      '2',
      '--replay',
      '--quiet',
    );
    expect([code, stderr]).toEqual([0, '']);
    const [shadowed, replayed] = stdout.split('asked again of');
    for (const part of [shadowed, replayed]) {
      expect(part).toMatch(/6 requests, 8 rows answered by both, 0 refused by one/);
      expect(part).toMatch(/difference 0\.01244 on average, 0\.01244 at most/);
    }
  },
);
