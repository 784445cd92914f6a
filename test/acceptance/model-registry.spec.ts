import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip, gunzipSync, gzipSync } from 'node:zlib';
import * as tarStream from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { tarGz, zip } from '../support/archives.js';
import { editJson, IRIS, makeArtifact, type Changes } from '../support/artifacts.js';
import { call, PATIENT, somebody, type Answer } from '../support/client.js';
import { createFolder } from '../support/folders.js';
import { createModelDir, prepareService, prepareUser } from '../support/prepared-service.js';
import { beginPost } from '../support/raw-http.js';
import { startApiForThisTest } from '../support/test-api.js';

const FLOWER = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
const MIB = 1024 ** 2;
const MAX_ARTIFACT_BYTES = 4 * MIB;

const modelDir = createModelDir({ own: ['heart-failure'] });
/** The system's temporary folder, to check that the service leaves nothing there. */
const temporary = createFolder();
const service = prepareService({
  MODEL_DIR: modelDir,
  TMPDIR: temporary,
  MAX_ARTIFACT_BYTES: `${MAX_ARTIFACT_BYTES}`,
});
const { database, api, user } = service;
const admin = prepareUser(service, 'admin');
const analyst = prepareUser(service, 'analyst');

const newName = () => `iris-${randomBytes(4).toString('hex')}`;
const make = (changes: Changes) => makeArtifact(createFolder(), changes);

function upload(name: string, archive: Uint8Array, type = 'application/gzip'): Promise<Answer> {
  const headers = { 'content-type': type };
  return call(api, 'POST', `/models/${name}/versions`, { token: admin.token, headers, body: archive });
}

/** Makes an artifact and uploads it. */
async function register(changes: Changes & { name: string }): Promise<Answer> {
  return upload(changes.name, await tarGz(await make(changes)));
}

/** A new model with this many versions, the first one in production. */
async function registered(versions = 1): Promise<string> {
  const name = newName();
  for (let version = 1; version <= versions; version++) {
    const answer = await register({ name, version: `${version}` });
    expect(answer.status, answer.text).toBe(201);
  }
  return name;
}

const setAlias = (name: string, alias: string, body: object) =>
  call(api, 'PUT', `/models/${name}/aliases/${alias}`, { body, token: admin.token });
const removeAlias = (name: string, alias: string) =>
  call(api, 'DELETE', `/models/${name}/aliases/${alias}`, { token: admin.token });
const predictFlower = (path: string) =>
  call(api, 'POST', `/models/${path}/predict`, { body: FLOWER, token: user.token });

/** The version that answers a prediction. */
async function versionOf(path: string): Promise<string> {
  const answer = await predictFlower(path);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.predictions[0].label).toBe('setosa');
  return answer.body.model.version;
}

const namesIn = ({ body }: Answer) => body.models.map(({ name }: { name: string }) => name);
const versionRows = (name: string) =>
  database.query('SELECT version FROM model_versions WHERE name = $1 ORDER BY version', [name]);

/** A problem document that any caller may see. */
function expectProblem(answer: Answer, status: number, code: string, detail: RegExp): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ status, type: `urn:foretell:error:${code}` });
  expect(answer.body.detail).toMatch(detail);
  for (const secret of [modelDir, temporary, process.cwd(), 'node_modules', admin.token, 'postgres']) {
    expect(answer.text).not.toContain(secret);
  }
}

/** A refused upload leaves nothing anywhere, and the service answers as before. */
async function expectNothingLeft(name: string): Promise<void> {
  expect(await versionRows(name)).toEqual([]);
  await expectUntouched();
  expect(readdirSync(modelDir)).not.toContain(name);
}

/** Uploads in progress, or their leftovers. */
const uploads = () => readdirSync(modelDir).filter((entry) => entry.startsWith('.'));

async function expectUntouched(): Promise<void> {
  await expect.poll(uploads).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
  expect((await call(api, 'POST', '/predict', { body: PATIENT, token: user.token })).body).toEqual({
    yhat_prob: '0.5124506',
    yhat: '1',
  });
}

describe('permissions', () => {
  const ROUTES: [string, string, object?][] = [
    ['GET', '/models/heart-failure/versions/1'],
    ['POST', '/models/heart-failure/versions', Buffer.from('an archive')],
    ['PUT', '/models/heart-failure/aliases/champion', { version: '1' }],
    ['DELETE', '/models/heart-failure/aliases/production'],
  ];

  test.each(ROUTES)('%s %s: not without a token, not as user or analyst', async (method, path, body) => {
    const headers = Buffer.isBuffer(body) ? { 'content-type': 'application/gzip' } : undefined;
    const status = async (token?: string) => (await call(api, method, path, { body, headers, token })).status;
    expect(await status()).toBe(401);
    expect(await status(`${admin.token}x`)).toBe(401);
    expect(await status(user.token)).toBe(403);
    expect(await status(analyst.token)).toBe(403);
  });

  test('none of it changed anything', async () => {
    const { body } = await call(api, 'GET', '/models/heart-failure', { token: admin.token });
    expect(body.aliases).toEqual({ production: '1' });
    expect(body.history).toHaveLength(1);
  });
});

/** What anyone may know about iris 1. */
const IRIS_SERVING = {
  version: '1',
  labels: ['setosa', 'versicolor', 'virginica'],
  columns: ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'].map((name) => ({
    name,
    type: 'numeric',
    nullable: false,
    required: true,
    description: expect.any(String),
    example: expect.any(Number),
  })),
  example: expect.objectContaining({ sepal_length: 5.1 }),
};

describe('a user, and an analyst,', () => {
  test('reads what every model in production takes and answers, and nothing else of it', async () => {
    const name = await registered(2);
    const known = {
      name,
      task: 'multiclass_classification',
      versions: ['1'],
      aliases: { production: '1' },
      serving: IRIS_SERVING,
    };
    for (const { token } of [user, analyst]) {
      const list = await call(api, 'GET', '/models', { token });
      expect(list.status).toBe(200);
      expect(namesIn(list)).toEqual(namesIn(list).toSorted());
      expect(list.body.models).toContainEqual(known);
      const one = await call(api, 'GET', `/models/${name}`, { token });
      expect([one.status, one.body]).toEqual([200, known]);
      expect(list.text + one.text).not.toMatch(/sha256|registered_by|history|processes|set_by/);
    }
  });

  test('may send its example unchanged', async () => {
    for (const { name, serving } of (await call(api, 'GET', '/models', { token: user.token })).body.models) {
      const body = serving.example;
      const answer = await call(api, 'POST', `/models/${name}/predict`, { body, token: user.token });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body.model.version).toBe(serving.version);
    }
  });

  test('sees the version that answers this user, even if it is a canary', async () => {
    const name = await registered(2);
    await setAlias(name, 'canary', { version: '2', percent: 100 });
    const { body } = await call(api, 'GET', `/models/${name}`, { token: user.token });
    expect(body).toMatchObject({ versions: ['2'], serving: { version: '2' } });
  });

  test('finds neither a model that is not in production nor one that is not there', async () => {
    const name = await registered();
    await removeAlias(name, 'production');
    await expect.poll(() => predictFlower(name)).toMatchObject({ status: 404 });
    for (const unknown of [name, 'nobody']) {
      const answer = await call(api, 'GET', `/models/${unknown}`, { token: user.token });
      expectProblem(answer, 404, 'model-not-found', new RegExp(`^There is no model '${unknown}'\\.$`));
    }
    expect(namesIn(await call(api, 'GET', '/models', { token: user.token }))).not.toContain(name);
    const admins = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    expect(admins.body).toMatchObject({ aliases: {}, serving: null, versions: [{ version: '1' }] });
  });

  test('does so in production as well', async () => {
    const production = await startApiForThisTest({
      DATABASE_URL: database.url,
      MODEL_DIR: modelDir,
      APP_ENV: 'production',
      JWT_SECRET: 'a secret of production, long enough',
    });
    const body = somebody();
    await call(api, 'POST', '/register-user', { body });
    const { token } = (await call(production, 'POST', '/token', { body })).body;
    const { status, body: model } = await call(production, 'GET', '/models/heart-failure', { token });
    expect(status).toBe(200);
    expect(model.serving).toMatchObject({ version: '1', labels: ['0', '1'], threshold: 0.5 });
  });
});

describe('looking', () => {
  test('the list has a line for each model', async () => {
    const name = await registered(2);
    const { status, body } = await call(api, 'GET', '/models', { token: admin.token });
    expect(status).toBe(200);
    const production = { production: '1' };
    expect(body.models).toContainEqual({
      name: 'heart-failure',
      task: 'binary_classification',
      versions: ['1'],
      aliases: production,
      serving: expect.objectContaining({ version: '1', labels: ['0', '1'], threshold: 0.5 }),
    });
    expect(body.models).toContainEqual({
      name,
      task: 'multiclass_classification',
      versions: ['1', '2'],
      aliases: production,
      serving: IRIS_SERVING,
    });
  });

  test('one model has its versions, its aliases and their history, and what each process serves', async () => {
    const name = await registered();
    await setAlias(name, 'canary', { version: '1', percent: 12.5 });
    await removeAlias(name, 'canary');
    const { status, body } = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    expect(status).toBe(200);
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const step = { set_by: admin.id, set_from: 'api', created_datetime: time };
    expect(body).toEqual({
      name,
      task: 'multiclass_classification',
      versions: [
        {
          version: '1',
          state: 'ready',
          failure: null,
          sha256,
          content_sha256: sha256,
          registered_by: admin.id,
          registered_from: 'api',
          created_datetime: time,
          manifest: expect.objectContaining({ name, version: '1', labels: expect.any(Array) }),
        },
      ],
      aliases: { production: '1' },
      serving: IRIS_SERVING,
      history: [
        { ...step, alias: 'canary', version: null, percent: null, replaced_datetime: null },
        { ...step, alias: 'canary', version: '1', percent: 12.5, replaced_datetime: time },
        { ...step, alias: 'production', version: '1', percent: null, replaced_datetime: null },
      ],
      processes: [
        {
          process: expect.stringMatching(new RegExp(`^.+:${api.process.pid}$`)),
          serving: [{ alias: 'production', version: '1', failure: null }],
        },
      ],
    });
  });

  test('a model found in MODEL_DIR has no registering user, and that folder as its source', async () => {
    const { body } = await call(api, 'GET', '/models/heart-failure', { token: admin.token });
    expect(body.versions[0]).toMatchObject({ registered_by: null, registered_from: 'MODEL_DIR' });
    expect(body.history).toMatchObject([{ set_by: null, set_from: 'MODEL_DIR' }]);
  });

  test('an unknown model: 404', async () => {
    for (const name of ['nobody', 'a%2F..%2Fb', '%F0%9F%8C%B7']) {
      const answer = await call(api, 'GET', `/models/${name}`, { token: admin.token });
      expectProblem(
        answer,
        404,
        'model-not-found',
        /^There is no model 'nobody'\.$|^This is not the name of a model\. /,
      );
    }
  });
});

describe('uploading', () => {
  test.each([
    ['.tar.gz', 'application/gzip', tarGz],
    ['.tar', 'application/x-tar', async (folder: string) => gunzipSync(await tarGz(folder))],
    ['.zip', 'application/zip', zip],
    ['.zip of unknown type', 'application/octet-stream', zip],
    ['.tar.gz with folders', 'application/x-gzip', (folder: string) => tarGz(folder, { prefix: 'iris/7/' })],
  ])('a %s: 201, then it answers; the same again: 200', async (_, type, pack) => {
    const name = newName();
    const archive = await pack(await make({ name, version: '7' }));
    const first = await upload(name, archive, type);
    expect(first.status, first.text).toBe(201);
    expect(first.headers.get('location')).toBe(`/models/${name}/versions/7`);
    const found = await call(api, 'GET', first.headers.get('location')!, { token: admin.token });
    expect(found.body).toMatchObject({ version: '7', state: 'ready', manifest: { name, version: '7' } });
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
    const described = { name, version: '7', sha256, content_sha256: sha256, state: 'ready', warnings: [] };
    const promotion = { version: '7', previous: null, processes: { serving: 1, behind: [] } };
    expect(first.body).toEqual({ ...described, promotion });
    expect(await versionOf(name)).toBe('7');

    const again = await upload(name, archive, type);
    expect(again.status).toBe(200);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(again.body).toEqual(described);
    expect(await versionRows(name)).toEqual([{ version: '7' }]);
    await expectUntouched();
  });

  test('a binary classifier whose golden values have no labels: 201 with a warning', async () => {
    const name = newName();
    const manifest = { labels: ['stays', 'leaves'], label_descriptions: undefined };
    const from = 'model-artifacts/heart-failure/1';
    const folder = await makeArtifact(createFolder(), { name, manifest }, from);
    const answer = await upload(name, await tarGz(folder));
    expect(answer.status, answer.text).toBe(201);
    expect(answer.body.warnings).toEqual([expect.stringMatching(/^golden\.json has no labels, so it /)]);
  });

  test('a second version answers only by its number, until it is promoted', async () => {
    const name = await registered(2);
    expect(await versionOf(name)).toBe('1');
    expect(await versionOf(`${name}/versions/2`)).toBe('2');
  });

  test('other content under a version that exists: 409, and the first stays', async () => {
    const name = await registered();
    const { body } = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    const answer = await register({ name, version: '1', description: 'other' });
    expectProblem(answer, 409, 'model-version-exists', /content.*sha256.*another number/);
    expect(answer.body.detail).toContain(body.versions[0].content_sha256);
    const after = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    expect(after.body.versions).toEqual(body.versions);
    expect(await versionOf(name)).toBe('1');
    await expectUntouched();
  });

  test('a manifest of a model other than the one in the path: 422 with both names', async () => {
    const [name, other] = [newName(), newName()];
    const answer = await upload(name, await tarGz(await make({ name: other })));
    expectProblem(answer, 422, 'artifact-not-usable', new RegExp(`${other}.*${name}`));
    await expectNothingLeft(name);
    await expectNothingLeft(other);
  });

  test('larger than the limit for other bodies, and chunked, without a Content-Length', async () => {
    const name = newName();
    const folder = await make({ name });
    await writeFile(join(folder, 'README.md'), randomBytes(2 * MIB));
    const archive = await tarGz(folder);
    expect(archive.length).toBeGreaterThan(MIB);
    const response = await fetch(`${api.url}/models/${name}/versions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/gzip' },
      body: Readable.toWeb(Readable.from(archive)) as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    expect(response.status, await response.text()).toBe(201);
    expect(await versionOf(name)).toBe('1');
  });

  test('the same version twice at once: both succeed, and it is stored once', async () => {
    const name = newName();
    const archive = await tarGz(await make({ name }));
    const answers = await Promise.all(Array.from({ length: 4 }, () => upload(name, archive)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 201]);
    expect(await versionRows(name)).toEqual([{ version: '1' }]);
    expect(await versionOf(name)).toBe('1');
    await expectUntouched();
  });

  test('other contents of one version at once: exactly one wins and is kept', async () => {
    const name = newName();
    const archives = await Promise.all(
      ['one', 'two', 'three'].map(async (description) => tarGz(await make({ name, description }))),
    );
    const answers = await Promise.all(archives.map((archive) => upload(name, archive)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
    const winner = answers.findIndex(({ status }) => status === 201);
    const rows = await database.query('SELECT content_sha256 FROM model_versions WHERE name = $1', [name]);
    expect(rows).toEqual([{ content_sha256: answers[winner]!.body.content_sha256 }]);
    expect((await upload(name, archives[winner]!)).status).toBe(200);
    await expectUntouched();
  });
});

describe('a broken artifact is refused, and nothing is left of it', () => {
  const ONNX = /ONNX Runtime does not load model\.onnx/;
  test.each<[string, Changes, RegExp, ((folder: string) => Promise<void>)?]>([
    ['a corrupt graph', { graph: (graph) => randomBytes(graph.length) }, ONNX],
    ['a truncated graph', { graph: (graph) => graph.subarray(0, 300) }, ONNX],
    ['an empty graph', { graph: () => Buffer.alloc(0) }, ONNX],
    ['an unknown opset', { graph: withOpset(99) }, /ONNX Runtime does not load.*opset.*99/is],
    [
      'a wrong sha256',
      { manifest: { sha256: 'a'.repeat(64) } },
      /sha256 of model\.onnx is d332b787[0-9a-f]{56}, the manifest says a{64}/,
    ],
    [
      'a graph cut off on its way',
      {},
      /sha256 of model\.onnx is [0-9a-f]{64}, the manifest says d332b787/,
      (folder) => truncate(join(folder, 'model.onnx'), 300),
    ],
    [
      'a schema that does not match the graph',
      {},
      /input_schema\.json has 3 columns.*\[-1,3\].*it has features float32\[-1,4\]/,
      (folder) =>
        editJson(join(folder, 'input_schema.json'), (content) => {
          content.input_schema.columns.pop();
          return content;
        }),
    ],
    ['unknown fields', { manifest: { colour: 'red', size: 1 } }, /manifest\.json.*"colour", "size"/],
    ['an unknown task', { manifest: { task: 'clustering' } }, /manifest\.json.*task/],
    ['a manifest without labels', { manifest: { labels: undefined } }, /manifest\.json.*labels/],
    ['too few labels', { manifest: { labels: ['a', 'b'] } }, /labels/],
    ['a version called Production', { version: 'Production' }, /version cannot be called Production/],
    ['a version that is a path', { version: '../2' }, /manifest\.json.*version/],
    ['a version longer than a folder may be', { version: '1'.repeat(300) }, /manifest\.json.*version/],
    [
      'golden values it does not reproduce',
      {},
      /golden values: case 0: probabilities\[0\] is [\d.e-]+, should be 0\.5: off by .*, allowed/,
      (folder) =>
        editJson(join(folder, 'golden.json'), (golden) => {
          golden.cases[0].output.probabilities[0] = 0.5;
          return golden;
        }),
    ],
    [
      'no golden values',
      {},
      /golden\.json cannot be read \(ENOENT\)/,
      (folder) => rm(join(folder, 'golden.json')),
    ],
    [
      'a schema that is not JSON',
      {},
      /input_schema\.json is not JSON/,
      (folder) => writeFile(join(folder, 'input_schema.json'), '{'),
    ],
  ])('%s', async (_, changes, detail, spoil) => {
    const name = newName();
    const folder = await make({ ...changes, name });
    await spoil?.(folder);
    expectProblem(await upload(name, await tarGz(folder)), 422, 'artifact-not-usable', detail);
    await expectNothingLeft(name);
  });

  test.each<[string, number, RegExp, () => Promise<Buffer> | Buffer]>([
    ['a path that leads out', 422, /"\.\.\/evil\.json" leads out of the archive/, () => tar('../evil.json')],
    ['an absolute path', 422, /"\/etc\/cron" is an absolute path/, () => tar('/etc/cron')],
    ['a file of another kind', 422, /"run\.sh" is no file of an artifact/, () => tar('run.sh')],
    ['no manifest', 422, /there is no manifest\.json in it/, () => tar('model.onnx')],
    ['a million entries', 422, /has more than 64 entries/, () => manyFiles(1000)],
    ['a zip bomb', 413, new RegExp(`more than ${MAX_ARTIFACT_BYTES} bytes`), () => bomb()],
    [
      'an archive cut off',
      400,
      /The archive cannot be read/,
      async () => (await tarGz(IRIS)).subarray(0, 900),
    ],
    ['no archive', 400, /neither a \.tar nor a \.tar\.gz nor a \.zip/, () => Buffer.from('hello')],
    ['an empty body', 400, /body/, () => Buffer.alloc(0)],
  ])('%s: %i', async (_, status, detail, make) => {
    const name = newName();
    const code = { 400: 'bad-request', 413: 'body-too-large' }[status] ?? 'artifact-not-usable';
    expectProblem(await upload(name, await make()), status, code, detail);
    await expectNothingLeft(name);
    expect(existsSync(join(modelDir, '../evil.json'))).toBe(false);
  });

  test.each([1, 40 * MIB])('%i bytes larger than MAX_ARTIFACT_BYTES: 413', async (excess) => {
    const name = newName();
    const answer = await upload(name, Buffer.alloc(MAX_ARTIFACT_BYTES + excess));
    expectProblem(
      answer,
      413,
      'body-too-large',
      new RegExp(`${MAX_ARTIFACT_BYTES} bytes.*MAX_ARTIFACT_BYTES`),
    );
    await expectNothingLeft(name);
  });

  test.each(['text/plain', 'application/json', 'multipart/form-data; boundary=x'])(
    'sent as %s: 415 with the types that are right',
    async (type) => {
      const name = newName();
      const answer = await upload(name, await tarGz(IRIS), type);
      expectProblem(answer, 415, 'unsupported-media-type', /application\/gzip.*application\/zip/);
      await expectNothingLeft(name);
    },
  );

  test('sent to a route that predicts: 415', async () => {
    for (const path of ['/predict', '/models/heart-failure/predict']) {
      const answer = await call(api, 'POST', path, {
        token: user.token,
        headers: { 'content-type': 'application/gzip' },
        body: await tarGz(IRIS),
      });
      expectProblem(answer, 415, 'unsupported-media-type', /application\/json/);
    }
  });

  test('no body and no type: 400', async () => {
    const answer = await call(api, 'POST', '/models/iris/versions', { token: admin.token });
    expectProblem(answer, 400, 'bad-request', /body/);
  });

  test('an interrupted upload', async () => {
    const name = newName();
    const archive = await tarGz(await make({ name }));
    const connection = open(name, { length: archive.length, token: admin.token });
    connection.write(archive.subarray(0, 500));
    await expect.poll(uploads).toHaveLength(1);
    connection.destroy();
    await expectNothingLeft(name);
    expect(api.output()).not.toMatch(/"level":(50|60)|unhandled|uncaught/i);
  });

  test('an upload without permission is not read to its end', async () => {
    const length = 200 * MIB;
    const connection = open(newName(), { length });
    let answer = '';
    connection.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    const closed = new Promise((resolve) => connection.once('close', resolve));
    const chunk = Buffer.alloc(MIB / 2);
    let sent = 0;
    const sending = setInterval(() => connection.write(chunk, () => (sent += chunk.length)), 20);
    await closed;
    clearInterval(sending);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(sent).toBeLessThan(length / 2);
  });
});

/** An upload of which only the head is sent. */
const open = (name: string, { length, token }: { length: number; token?: string }) =>
  beginPost(api, `/models/${name}/versions`, {
    'content-type': 'application/gzip',
    'content-length': length,
    ...(token && { authorization: `Bearer ${token}` }),
  });

describe('aliases', () => {
  test('production becomes another version: 200 with the previous version and its processes', async () => {
    const name = await registered(2);
    const answer = await setAlias(name, 'production', { version: '2' });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      name,
      alias: 'production',
      version: '2',
      previous: '1',
      processes: { serving: 1, behind: [] },
    });
    expect(await versionOf(name)).toBe('2');
  });

  test('a custom alias answers by name@alias and as a model URI; DELETE removes it, once', async () => {
    const name = await registered(2);
    const answer = await setAlias(name, 'Champion', { version: '2', colour: 'red' });
    expect(answer.body).toMatchObject({ alias: 'champion', version: '2', previous: null });
    for (const path of [`${name}@champion`, `${name}@CHAMPION`, `models%3A%2F${name}%40champion`]) {
      expect(await versionOf(path)).toBe('2');
    }
    const removed = await removeAlias(name, 'champion');
    expect(removed).toMatchObject({ status: 204, text: '' });
    await expect.poll(async () => (await predictFlower(`${name}@champion`)).status).toBe(404);
    expectProblem(await removeAlias(name, 'champion'), 404, 'model-not-found', /no alias champion/);
    expect(await versionOf(name)).toBe('1');
  });

  test('a canary with its percentage', async () => {
    const name = await registered(2);
    const answer = await setAlias(name, 'canary', { version: '2', percent: 100 });
    expect(answer.body).toMatchObject({ alias: 'canary', version: '2' });
    expect(await versionOf(name)).toBe('2');
    expect((await removeAlias(name, 'canary')).status).toBe(204);
    await expect.poll(() => versionOf(name)).toBe('1');
  });

  test('a canary ends when its version goes into production, and the answer says so', async () => {
    const name = await registered(2);
    await setAlias(name, 'canary', { version: '2', percent: 100 });
    const { body } = await setAlias(name, 'production', { version: '2' });
    expect(body.canary).toEqual({ version: '2', percent: 100, ended: true });
    const shown = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    expect(shown.body.aliases).toEqual({ production: '2' });
    // As the README says: back to 1, even for users in the canary.
    const back = await setAlias(name, 'production', { version: '1' });
    expect(back.body).not.toHaveProperty('canary');
    expect(await versionOf(name)).toBe('1');
  });

  test('a canary of another version continues, and the answer says so', async () => {
    const name = await registered(3);
    await setAlias(name, 'canary', { version: '2', percent: 25 });
    const { body } = await setAlias(name, 'production', { version: '3' });
    expect(body.canary).toEqual({ version: '2', percent: 25, ended: false });
    const shown = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    expect(shown.body.aliases).toEqual({ production: '3', canary: '2' });
    expect((await setAlias(name, 'champion', { version: '2' })).body).not.toHaveProperty('canary');
  });

  test('the user who set it is recorded', async () => {
    const name = await registered();
    await setAlias(name, 'champion', { version: '1' });
    const rows = await database.query(
      `SELECT registered_by, registered_from, set_by, set_from, alias
       FROM model_versions JOIN model_aliases USING (name, version) WHERE name = $1 ORDER BY id`,
      [name],
    );
    const who = { registered_by: admin.id, registered_from: 'api', set_by: admin.id, set_from: 'api' };
    expect(rows).toEqual([
      { ...who, alias: 'production' },
      { ...who, alias: 'champion' },
    ]);
  });

  test('an unknown model or version: 404', async () => {
    const unknownVersion = await setAlias('heart-failure', 'production', { version: '99' });
    expectProblem(unknownVersion, 404, 'model-not-found', /Model 'heart-failure' has no version 99/);
    const unknownModel = await setAlias('nobody', 'production', { version: '1' });
    expectProblem(unknownModel, 404, 'model-not-found', /[Mm]odel 'nobody'/);
    expectProblem(await removeAlias('nobody', 'champion'), 404, 'model-not-found', /[Mm]odel 'nobody'/);
  });

  test.each(['2', '-x', 'a.b', 'a%20b', 'a%2Fb', '%F0%9F%8C%B7'])('called %s: 400', async (alias) => {
    const right = /letter, followed by letters, digits, dashes and underscores/;
    expectProblem(await setAlias('heart-failure', alias, { version: '1' }), 400, 'bad-request', right);
    expectProblem(await removeAlias('heart-failure', alias), 400, 'bad-request', right);
  });

  test.each<[string, string, object, string, RegExp]>([
    ['a version as a number', 'champion', { version: 2 }, '#/version', /must be a string, such as "2"/],
    ['no version', 'champion', {}, '#/version', /must be a string/],
    ['a canary without percent', 'canary', { version: '1' }, '#/percent', /required/],
    ['percent without a canary', 'champion', { version: '1', percent: 10 }, '#/percent', /canary/],
    ['percent 101', 'canary', { version: '1', percent: 101 }, '#/percent', /100/],
    ['percent -1', 'canary', { version: '1', percent: -1 }, '#/percent', /0/],
    ['percent as a string', 'canary', { version: '1', percent: '10' }, '#/percent', /number/],
    ['percent null', 'canary', { version: '1', percent: null }, '#/percent', /number|required/],
  ])('with %s: 400 that points there', async (_, alias, body, pointer, detail) => {
    const answer = await setAlias('heart-failure', alias, body);
    expectProblem(answer, 400, 'bad-request', /./);
    expect(answer.body.errors).toContainEqual({ pointer, detail: expect.stringMatching(detail) });
    expect(new Set(answer.body.errors.map((error: { pointer: string }) => error.pointer))).toEqual(
      new Set([pointer]),
    );
  });

  test('a version whose files were damaged: 422, the alias stays, and the version is marked', async () => {
    const name = await registered(2);
    const graph = join(modelDir, name, '2', 'model.onnx');
    await truncate(graph, 300);
    const answer = await setAlias(name, 'production', { version: '2' });
    expectProblem(
      answer,
      422,
      'artifact-not-usable',
      /sha256 of model\.onnx is .*, the manifest says d332b787/,
    );
    expect(await versionOf(name)).toBe('1');
    const { body } = await call(api, 'GET', `/models/${name}`, { token: admin.token });
    expect(body.aliases).toEqual({ production: '1' });
    expect(body.versions[1]).toMatchObject({ state: 'failed', failure: expect.stringContaining('sha256') });
    const { text } = await call(api, 'GET', '/health');
    expect(text).not.toContain(modelDir);
  });
});

test('a version that another process cannot serve: 422 that says which and why, and the alias stays', async () => {
  const name = await registered(2);
  const otherDir = createFolder();
  cpSync(modelDir, otherDir, { recursive: true });
  rmSync(join(otherDir, name, '2'), { recursive: true });
  const other = await startApiForThisTest({ DATABASE_URL: database.url, MODEL_DIR: otherDir });
  const answer = await setAlias(name, 'production', { version: '2' });
  const why = new RegExp(
    `production stays what it was.*:${other.process.pid}: it is missing on this machine`,
  );
  expectProblem(answer, 422, 'artifact-not-usable', why);
  expect(other.output()).toContain(join(otherDir, name, '2'));
  await expect.poll(() => versionOf(name)).toBe('1');
  expect((await call(api, 'GET', '/health')).text).not.toContain(modelDir);
});

test('the documentation has the routes, and the path of a model put in production meanwhile', async () => {
  const paths = async () => (await call(api, 'GET', '/docs-json')).body.paths;
  const before = await paths();
  expect(Object.keys(before['/models'])).toEqual(['get']);
  expect(Object.keys(before['/models/{name}'])).toEqual(['get']);
  expect(Object.keys(before['/models/{name}/versions'])).toEqual(['post']);
  expect(Object.keys(before['/models/{name}/aliases/{alias}']).toSorted()).toEqual(['delete', 'put']);
  const content = before['/models/{name}/versions'].post.requestBody.content;
  expect(Object.keys(content)).toEqual(expect.arrayContaining(['application/gzip', 'application/zip']));

  const name = await registered();
  expect(await paths()).toHaveProperty([`/models/${name}/predict`]);
  expect(before).not.toHaveProperty([`/models/${name}/predict`]);
});

/** The graph with another version of the operators: the byte after the last marker. */
function withOpset(version: number) {
  const marker = Buffer.from([0x42, 0x04, 0x0a, 0x00, 0x10]);
  return (graph: Buffer) => {
    const changed = Buffer.from(graph);
    changed[graph.lastIndexOf(marker) + marker.length] = version;
    return changed;
  };
}

/** A .tar.gz with one file of this name. */
async function tar(name: string): Promise<Buffer> {
  return gzipSync(await plainTar(name, Buffer.from('x')));
}

async function plainTar(name: string, content: Buffer): Promise<Buffer> {
  const pack = tarStream.pack();
  pack.entry({ name }, content);
  pack.finalize();
  return buffer(pack as AsyncIterable<Buffer>);
}

/** A .tar.gz of this many thousand empty files. */
async function manyFiles(thousands: number): Promise<Buffer> {
  const header = (await plainTar('._x', Buffer.alloc(0))).subarray(0, 512);
  const thousand = Buffer.concat(Array.from({ length: 1000 }, () => header));
  const tar = Readable.from([...Array.from({ length: thousands }, () => thousand), Buffer.alloc(1024)]);
  return buffer(tar.pipe(createGzip()));
}

/** A zip of a few kilobytes whose one file is larger than an artifact may be. */
async function bomb(): Promise<Buffer> {
  const folder = createFolder();
  await writeFile(join(folder, 'model.onnx'), Buffer.alloc(MAX_ARTIFACT_BYTES + MIB));
  return zip(folder);
}
