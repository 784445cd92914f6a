import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { HEART_FAILURE_2, IRIS, makeArtifact } from '../support/artifacts.js';
import { ANSWER, call, PATIENT, type Answer } from '../support/client.js';
import { createFolder } from '../support/folders.js';
import type { ApiProcess } from '../support/test-api.js';
import { prepareTwoServices } from '../support/two-services.js';

const CONNECTIONS = 32;
const PROMOTIONS = 20;
/** Between an answer and the next request: we do not measure the throughput of two processors. */
const THINK_MS = 40;
/** The promise: from the commit of a promotion to the first answer with it, in every process. */
const EVERYWHERE_WITHIN_SECONDS = 2;
/** For steps without a promise, so that a slow machine does not fail the test. */
const PATIENCE = { timeout: 20_000, interval: 50 };

/** What either version answers for the same patient, to the last character. */
const ANSWERS = new Map([
  [ANSWER, '1'],
  ['{"yhat_prob":"0.5248858","yhat":"0"}', '2'],
]);
/** More than the number of versions kept without an alias. */
const OTHER_VERSIONS = ['3', '4', '5', '6', '7', '8', '9', '10', '11', '12'];

const modelDir = createFolder();

beforeAll(async () => {
  cpSync(HEART_FAILURE_2, folderOf('2'), { recursive: true });
  for (const version of ['1', ...OTHER_VERSIONS])
    await makeArtifact(folderOf(version), { version }, 'model-artifacts/heart-failure/1');
});

const { database, a, b, admin, foretell, start } = prepareTwoServices({ MODEL_DIR: modelDir });
const models = (...args: string[]) => foretell(['models', ...args]);

beforeEach(async () => {
  await promoted('1');
});

function folderOf(version: string, root = modelDir): string {
  return join(root, 'heart-failure', version);
}

const put = (version: string, { api = a, alias = 'production' } = {}) =>
  call(api, 'PUT', `/models/heart-failure/aliases/${alias}`, { body: { version }, token: admin.token });

async function promoted(version: string, where?: Parameters<typeof put>[1]): Promise<Answer> {
  const answer = await put(version, where);
  expect(answer.status, answer.text).toBe(200);
  return answer;
}

const show = async (api = a) =>
  (await call(api, 'GET', '/models/heart-failure', { token: admin.token })).body;
const versionNamed = async (wanted: string) =>
  (await show()).versions.find(({ version }: { version: string }) => version === wanted);

/** The version that answers, recognised by its own answer. */
async function answering(api: ApiProcess, headers: Record<string, string> = {}): Promise<string | undefined> {
  const answer = await call(api, 'POST', '/predict', { body: PATIENT, token: admin.token, headers });
  expect(answer.status, answer.text).toBe(200);
  return ANSWERS.get(answer.text);
}

const predictBy = (api: ApiProcess, path: string) =>
  call(api, 'POST', `/models/${path}/predict`, { body: PATIENT, token: admin.token });

/** As a disk or a person might. @returns a function that repairs it */
function damage(version: string, root?: string): () => void {
  const graph = join(folderOf(version, root), 'model.onnx');
  const content = readFileSync(graph);
  writeFileSync(graph, content.subarray(0, 4000));
  const repair = () => writeFileSync(graph, content);
  onTestFinished(repair);
  return repair;
}

test('twenty promotions under load: each request is answered, by one version, which its record names', async () => {
  const answered = new Map<string, string>();
  const wrong: string[] = [];
  let isOver = false;
  const caller = async (number: number) => {
    for (let turn = 0; !isOver; turn++) {
      const requestId = `load-${number}/${turn}`;
      const answer = await call(number % 2 ? a : b, 'POST', '/predict', {
        body: PATIENT,
        token: admin.token,
        headers: { 'x-request-id': requestId },
      });
      const version = answer.status === 200 && ANSWERS.get(answer.text);
      if (version) answered.set(requestId, version);
      else wrong.push(`${answer.status} ${answer.text}`);
      await sleep(THINK_MS);
    }
  };
  const load = Promise.all(Array.from({ length: CONNECTIONS }, (_, number) => caller(number)));
  try {
    for (let turn = 0; turn < PROMOTIONS; turn++) {
      const version = turn % 2 ? '1' : '2';
      const answer = await promoted(version, { api: turn % 3 ? a : b });
      expect(answer.body).toEqual({
        name: 'heart-failure',
        alias: 'production',
        version,
        previous: turn % 2 ? '2' : '1',
        processes: { serving: 2, behind: [] },
      });
      // A promotion is answered once every process serves it: no older version from here on.
      expect([await answering(a), await answering(b)]).toEqual([version, version]);
    }
  } finally {
    isOver = true;
    await load;
  }
  expect(wrong).toEqual([]);
  expect(answered.size).toBeGreaterThan(PROMOTIONS * CONNECTIONS);
  expect(new Set(answered.values())).toEqual(new Set(['1', '2']));
  const rows = await database.query<{
    request_uuid: string;
    model_version: string;
    output: Record<string, string>;
  }>(`SELECT request_uuid, model_version, output FROM prediction_log WHERE request_uuid LIKE 'load-%'`);
  const recorded = rows.map((row) => [row.request_uuid, row.model_version] as const);
  expect(rows.length).toBe(answered.size);
  expect(new Map(recorded)).toEqual(answered);
  const textOf = ({ yhat_prob, yhat }: Record<string, string>) => JSON.stringify({ yhat_prob, yhat });
  expect(rows.filter((row) => ANSWERS.get(textOf(row.output)) !== row.model_version)).toEqual([]);
}, 120_000);

describe('a promotion through one process is followed by the other within two seconds of its commit', () => {
  /** Again and again, until the test is over. */
  const keepCuttingListeners = () => {
    const timer = setInterval(() => {
      void database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'foretell listener'`,
      );
    }, 100);
    onTestFinished(() => clearInterval(timer));
  };
  const silenceTheTrigger = async () => {
    await database.query('ALTER TABLE model_aliases DISABLE TRIGGER model_aliases_changed');
    onTestFinished(
      async () =>
        void (await database.query('ALTER TABLE model_aliases ENABLE TRIGGER model_aliases_changed')),
    );
  };

  test.each([
    ['by notification', () => undefined],
    ['with listeners cut again and again', keepCuttingListeners],
    ['without notifications', silenceTheTrigger],
  ])('%s', async (_, impede) => {
    await impede();
    const prefix = `following-${Math.random()}`;
    let isOver = false;
    const watch = (async () => {
      for (let turn = 0; !isOver; turn++) await answering(b, { 'x-request-id': `${prefix}/${turn}` });
    })();
    await promoted('2').finally(() => (isOver = true));
    await watch;
    expect(await answering(b, { 'x-request-id': `${prefix}/last` })).toBe('2');
    const [taken] = await database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM min(prediction_log.created_datetime) - max(model_aliases.created_datetime))::float
         AS seconds
       FROM prediction_log, model_aliases
       WHERE request_uuid LIKE $1 AND model_version = '2' AND alias = 'production' AND version = '2'`,
      [`${prefix}/%`],
    );
    expect(taken!.seconds).toBeGreaterThan(0);
    expect(taken!.seconds).toBeLessThan(EVERYWHERE_WITHIN_SECONDS);
  });
});

test('a damaged version is never swapped in, the reason is reported, and once repaired it serves', async () => {
  const production = await start({ APP_ENV: 'production' });
  const repair = damage('2');
  const reason = /model\.onnx/;

  const refused = await put('2');
  expect(refused.status).toBe(422);
  expect(refused.body).toMatchObject({ type: 'urn:foretell:error:artifact-not-usable', detail: reason });
  const { code, stderr } = await models('promote', 'heart-failure', '2');
  expect(code).toBe(1);
  expect(stderr).toMatch(reason);

  expect((await show()).aliases).toMatchObject({ production: '1' });
  expect(await versionNamed('2')).toMatchObject({
    state: 'failed',
    failure: expect.stringMatching(reason),
  });
  expect((await models('show', 'heart-failure')).stdout).toMatch(/Version 2 failed: .*model\.onnx/);
  for (const api of [a, b]) {
    const health = async () => (await call(api, 'GET', '/health')).body;
    await expect
      .poll(async () => (await health()).failed_models, PATIENCE)
      .toEqual([{ name: 'heart-failure', version: '2', failure: expect.stringMatching(reason) }]);
    expect((await health()).status).toBe('ok');
    expect(api.output()).toMatch(/heart-failure 2 failed its check: .*model\.onnx/);
    expect(await answering(api)).toBe('1');
  }
  await expect.poll(() => production.output(), PATIENCE).toMatch(/heart-failure 2 failed its check/);
  expect((await call(production, 'GET', '/health')).body).toEqual({
    status: 'ok',
    checks: { database: 'ok', model: 'ok' },
  });

  repair();
  await promoted('2');
  expect(await versionNamed('2')).toMatchObject({ state: 'ready', failure: null });
  for (const api of [a, b, production]) expect(await answering(api)).toBe('2');
  await expect
    .poll(async () => (await call(a, 'GET', '/health')).body.failed_models, PATIENCE)
    .toBeUndefined();
});

test('a version that one process cannot load is reverted in all of them, and the process is named', async () => {
  const ownDir = createFolder();
  cpSync(modelDir, ownDir, { recursive: true });
  const repair = damage('2', ownDir);
  const c = await start({ MODEL_DIR: ownDir });
  const all = [a, b, c];
  const refusal = async () => {
    const refused = await put('2');
    expect(refused.status).toBe(422);
    expect(refused.body.detail).toContain(`heart-failure@production stays what it was`);
    expect(refused.body.detail).toContain(`${hostname()}:${c.process.pid}: `);
    for (const api of all) await expect.poll(() => answering(api), PATIENCE).toBe('1');
    const { history } = await show();
    expect(history.slice(0, 2)).toMatchObject([
      { version: '1', replaced_datetime: null },
      { version: '2', replaced_datetime: history[0].created_datetime },
    ]);
    expect(await versionNamed('2')).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining(`${hostname()}:${c.process.pid}: `),
    });
    return refused.body.detail as string;
  };
  expect(await refusal()).toContain('model.onnx');

  repair();
  // At once: reports about the previous promotion do not count for this one.
  expect((await promoted('2')).body.processes).toEqual({ serving: 3, behind: [] });
  for (const api of all) expect(await answering(api)).toBe('2');

  await promoted('1');
  rmSync(folderOf('2', ownDir), { recursive: true });
  expect(await refusal()).toContain('it is missing on this machine');
  // A reverted promotion is not a rollback target.
  await promoted('3');
  expect((await models('rollback', 'heart-failure')).stdout).toMatch(/is version 1, was 3/);
  // For the damage's `onTestFinished`.
  cpSync(folderOf('2'), folderOf('2', ownDir), { recursive: true });
});

test('a rollback goes back step by step to the first version, and an alias can be removed', async () => {
  const alias = 'trial';
  const rollback = () => models('rollback', 'heart-failure', '--alias', alias);
  for (const version of ['1', '2', '3']) await promoted(version, { alias });
  expect((await rollback()).stdout).toMatch(
    /^heart-failure@trial is version 2, was 3; 2 processes serve it\.$/m,
  );
  expect((await rollback()).stdout).toMatch(/is version 1, was 2/);
  const end = await rollback();
  expect(end.code).toBe(1);
  expect(end.stderr).toMatch(/nothing that heart-failure@trial could go back to/);
  // Its last version, not the one from before the rollback.
  await promoted('4', { alias });
  expect((await rollback()).stdout).toMatch(/is version 1, was 4/);
  expect((await predictBy(b, 'heart-failure@trial')).body.model.version).toBe('1');

  const remove = () => call(a, 'DELETE', `/models/heart-failure/aliases/${alias}`, { token: admin.token });
  expect((await remove()).status).toBe(204);
  expect((await remove()).status).toBe(404);
  for (const api of [a, b]) {
    await expect.poll(async () => (await predictBy(api, 'heart-failure@trial')).status, PATIENCE).toBe(404);
    expect(await answering(api)).toBe('1');
  }
  expect((await show()).aliases).toEqual({ production: '1' });
});

test('the first version of a model goes into production, and the next does not', async () => {
  const first = await models('register', IRIS);
  expect(first.stdout).toMatch(/iris@production is version 1; 2 processes serve it\./);
  const body = JSON.parse(readFileSync(join(IRIS, 'golden.json'), 'utf8')).cases[0].input;
  const predict = async (api: ApiProcess) =>
    (await call(api, 'POST', '/models/iris/predict', { body, token: admin.token })).body.model;
  for (const api of [a, b]) expect(await predict(api)).toEqual({ name: 'iris', version: '1' });

  const next = await makeArtifact(createFolder(), { version: '2' });
  expect((await models('register', next)).stdout).toMatch(/^Registered iris 2 \(sha256 [0-9a-f]{64}\)\.\n$/);
  for (const api of [a, b]) expect(await predict(api)).toEqual({ name: 'iris', version: '1' });
});

test('a version is answered by its number, even without an alias, and for more versions than are kept', async () => {
  const ask = async (version: string) => {
    const answer = await predictBy(a, `heart-failure/versions/${version}`);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.model).toEqual({ name: 'heart-failure', version });
  };
  for (let round = 0; round < 2; round++) {
    await Promise.all(['1', '2', ...OTHER_VERSIONS].flatMap((version) => [1, 2, 3].map(() => ask(version))));
  }
  for (const path of ['heart-failure/versions/99', 'heart-failure/versions/production', 'nobody/versions/1'])
    expect((await predictBy(a, path)).status).toBe(404);
});

test('the default model may be a version or an alias', async () => {
  const candidate = { alias: 'candidate' };
  await promoted('2', candidate);
  const [version, alias, stage] = await Promise.all(
    ['models:/heart-failure/1', 'models:/heart-failure@candidate', 'models:/heart-failure/Production'].map(
      (reference) => start({ DEFAULT_MODEL: reference }),
    ),
  );
  const answers = () => Promise.all([version!, alias!, stage!].map((api) => answering(api)));
  expect(await answers()).toEqual(['1', '2', '1']);
  await promoted('2');
  expect(await answers()).toEqual(['1', '2', '2']);
  await promoted('1', candidate);
  expect(await answers()).toEqual(['1', '1', '2']);

  await call(a, 'DELETE', '/models/heart-failure/aliases/candidate', { token: admin.token });
  await expect.poll(async () => (await call(alias!, 'GET', '/readyz')).status, PATIENCE).toBe(503);
  expect((await call(alias!, 'GET', '/health')).body).toMatchObject({
    status: 'failed',
    checks: { database: 'ok', model: 'failed' },
  });
  expect((await call(alias!, 'GET', '/docs-json')).status).toBe(200);
  const { status } = await call(alias!, 'POST', '/predict', { body: PATIENT, token: admin.token });
  expect(status).toBe(404);
});

test('while the database is down nothing is swapped or lost, and afterwards a promotion is followed', async () => {
  await promoted('2');
  onTestFinished(() => database.letIn());
  await database.shutOut();
  expect((await put('1')).status).toBe(503);
  await sleep(2_500);
  for (const api of [a, b]) {
    expect((await call(api, 'GET', '/health')).body.model).toEqual({ name: 'heart-failure', version: '2' });
  }
  await database.letIn();
  for (const api of [a, b]) {
    await expect.poll(async () => (await call(api, 'GET', '/readyz')).status, PATIENCE).toBe(200);
    expect(await answering(api)).toBe('2');
  }
  await expect
    .poll(async () => (await put('1')).body?.processes, PATIENCE)
    .toEqual({ serving: 2, behind: [] });
  for (const api of [a, b]) expect(await answering(api)).toBe('1');
});
