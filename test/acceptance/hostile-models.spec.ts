import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { tarGz } from '../support/archives.js';
import { editJson, makeArtifact, type Changes } from '../support/artifacts.js';
import { ANSWER, call, PATIENT, type Answer } from '../support/client.js';
import { foretell } from '../support/foretell-process.js';
import { createFolder } from '../support/folders.js';
import { createModelDir, prepareService, prepareUser } from '../support/prepared-service.js';
import { beginPost } from '../support/raw-http.js';
import { startApiForThisTest, type ApiProcess } from '../support/test-api.js';

/** A model that takes as many iterations and megabytes as a row asks for; see `make_insatiable.py`. */
const INSATIABLE = 'test/support/foreign-models/insatiable';
const CYCLIC = 'test/support/foreign-models/cyclic';
const HEART_FAILURE = 'model-artifacts/heart-failure/1';
const ENDLESS = 1e18;
const MIB = 1024 ** 2;

const run = promisify(execFile);

// A test waits for the limit of an endless run more than once.
vi.setConfig({ testTimeout: 120_000 });

const modelDir = createModelDir({ own: ['heart-failure'] });
const settings = {
  MODEL_DIR: modelDir,
  DATA_DIR: createFolder(),
  JWT_SECRET: 'a secret that all processes of this file know',
  MODEL_CHECK_TIMEOUT_MS: '15000',
  MODEL_MEMORY_BYTES: String(256 * MIB),
  PREDICTION_TIMEOUT_MS: '2000',
};
const service = prepareService(settings);
const { database, api, user } = service;
const admin = prepareUser(service, 'admin');

/** A service of its own for a test that stops it. */
const startAnother = (environment?: Record<string, string>) =>
  startApiForThisTest({ DATABASE_URL: database.url, ...settings, ...environment });

const newName = () => `hostile-${randomBytes(4).toString('hex')}`;

async function make(
  changes: Changes & { name: string },
  from: string,
  golden?: { input: object; output: object },
): Promise<string> {
  const folder = await makeArtifact(createFolder(), changes, from);
  if (golden) await editJson(join(folder, 'golden.json'), () => ({ tolerance: 1, cases: [golden] }));
  return folder;
}

async function upload(name: string, folder: string, to = api): Promise<Answer> {
  return call(to, 'POST', `/models/${name}/versions`, {
    token: admin.token,
    headers: { 'content-type': 'application/gzip' },
    body: await tarGz(folder),
  });
}

const predict = (model: string, body: object, by = api) =>
  call(by, 'POST', `/models/${model}/predict`, { body, token: user.token });

const recorded = (requestId: string) =>
  database.query('SELECT status_code FROM prediction_log WHERE request_uuid = $1', [requestId]);

const removeProduction = (name: string) =>
  call(api, 'DELETE', `/models/${name}/aliases/production`, { token: admin.token });

const scratchFolders = () => readdirSync(modelDir).filter((name) => name.startsWith('.'));

async function expectNothingLeft(name: string): Promise<void> {
  expect(await database.query('SELECT version FROM model_versions WHERE name = $1', [name])).toEqual([]);
  expect(readdirSync(modelDir)).not.toContain(name);
  await expect.poll(scratchFolders).toEqual([]);
}

/** The processes that run a service's models; each is named after its folder. */
async function modelProcesses({ process: { pid } }: ApiProcess, name = ''): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(name))
    .map((line) => /^\s*(\d+)\s+(\d+)\s.*model-process/.exec(line))
    .flatMap((found) => (found && Number(found[2]) === pid ? [Number(found[1])] : []));
}

/** Waits until a process is in the middle of a run: only its processor time shows that. */
async function expectBusy(pid: number): Promise<void> {
  const seconds = async () => {
    const { stdout } = await run('ps', ['-o', 'time=', '-p', `${pid}`]);
    return stdout
      .trim()
      .split(':')
      .reduce((total, part) => total * 60 + Number(part), 0);
  };
  const before = await seconds();
  await expect.poll(seconds).toBeGreaterThan(before + 1);
}

const isThere = (pid: number) =>
  run('ps', ['-p', `${pid}`])
    .then(() => true)
    .catch(() => false);

/** All other callers are answered meanwhile. */
async function expectAnswersDuring(work: Promise<unknown>): Promise<void> {
  let isDone = false;
  void work.then(() => (isDone = true));
  for (let turn = 0; turn < 3 || !isDone; turn++) {
    expect((await call(api, 'GET', '/livez')).status).toBe(200);
    const { text } = await call(api, 'POST', '/predict', { body: PATIENT, token: user.token });
    expect(text).toBe(ANSWER);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a candidate', () => {
  test.each<[string, object, RegExp]>([
    [
      'that never ends',
      { turns: ENDLESS, megabytes: 0 },
      /^The artifact cannot be used: it was not loaded and checked within 15 s$/,
    ],
    ['that takes 100 GB', { turns: 0, megabytes: 100_000 }, /it took more than 256 MiB of memory|bad.?alloc/],
  ])('%s: 422, while other callers are answered, and nothing of it is left', async (_, input, reason) => {
    const name = newName();
    const folder = await make({ name }, INSATIABLE, { input, output: { prediction: 0 } });
    const uploading = upload(name, folder);
    await expectAnswersDuring(uploading);
    const { status, body } = await uploading;
    expect([status, body.detail]).toEqual([422, expect.stringMatching(reason)]);
    expect(await modelProcesses(api)).toEqual([]);
    await expectNothingLeft(name);
  });

  test.each<[string, string, () => string, RegExp]>([
    [
      'a million golden cases',
      'golden.json',
      () =>
        `{"tolerance":1,"cases":[${'{"input":{"turns":0,"megabytes":0},"output":{"prediction":0}},'.repeat(1e6).slice(0, -1)}]}`,
      /golden\.json has \d+ bytes, more than the \d+ that it may have/,
    ],
    [
      'a million columns',
      'input_schema.json',
      () =>
        `{"input_schema":{"columns":[${Array.from({ length: 1e6 }, (_, i) => `{"name":"c${i}","type":"numeric"}`).join(',')}]}}`,
      /input_schema\.json has \d+ bytes, more than the \d+ that it may have/,
    ],
    [
      'a hundred thousand columns',
      'input_schema.json',
      () =>
        `{"input_schema":{"columns":[${Array.from({ length: 1e5 }, (_, i) => `{"name":"c${i}","type":"numeric"}`).join(',')}]}}`,
      /input_schema\.json is invalid: input_schema\.columns: Too big/,
    ],
    [
      'a manifest of 200 MB',
      'manifest.json',
      () => `{"description":"${'x'.repeat(200 * MIB)}"}`,
      /manifest\.json has \d+ bytes, more than the 1048576 that it may have/,
    ],
    [
      'a manifest that is wrong fifty thousand times',
      'manifest.json',
      () => `{"task":"regression",${Array.from({ length: 5e4 }, (_, i) => `"u${i}":1`).join(',')}}`,
      /^The artifact cannot be used: manifest\.json is invalid: .*…$/,
    ],
  ])('with %s: 422 in at most 2 kB, while other callers are answered', async (_, file, content, reason) => {
    const name = newName();
    const folder = await make({ name }, INSATIABLE);
    await writeFile(join(folder, file), content());
    const uploading = upload(name, folder);
    await expectAnswersDuring(uploading);
    const { status, body } = await uploading;
    expect([status, body.detail]).toEqual([422, expect.stringMatching(reason)]);
    expect(Buffer.byteLength(body.detail)).toBeLessThan(2_048);
    await expectNothingLeft(name);
  });

  test.each<[string, Changes, string]>([
    ['NUL', { description: 'a\0b' }, 'description: has a NUL character in it'],
    [
      'half of a surrogate pair',
      { manifest: { parameters: { of: '\ud800' } } },
      'parameters.of: has half of a',
    ],
    ['both in a key', { manifest: { search: { '\0\udfff': 1 } } }, 'search: the name of a member has a NUL'],
  ])(
    'whose manifest has %s in a text: 422 with the field, and the version is still free',
    async (_, changes, reason) => {
      const name = newName();
      const { status, body } = await upload(name, await make({ ...changes, name }, HEART_FAILURE));
      expect([status, body.type]).toEqual([422, 'urn:foretell:error:artifact-not-usable']);
      expect(body.detail).toContain(`manifest.json is invalid: ${reason}`);
      await expectNothingLeft(name);
      expect((await upload(name, await make({ name }, HEART_FAILURE))).status).toBe(201);
    },
  );

  test('whose row cannot be written leaves no files in the way of another', async () => {
    const name = newName();
    await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'not now'; END $$`);
    await database.query(`CREATE TRIGGER refuse BEFORE INSERT ON model_versions FOR EACH ROW
      WHEN (NEW.name = '${name}') EXECUTE FUNCTION refuse()`);
    expect((await upload(name, await make({ name }, HEART_FAILURE))).status).toBe(500);
    await database.query('DROP FUNCTION refuse CASCADE');
    await expectNothingLeft(name);
    const other = await upload(name, await make({ name, description: 'other' }, HEART_FAILURE));
    expect(other.status, other.text).toBe(201);
  });

  test('that the command line registers is checked in the same way', async () => {
    const folder = await make({ name: newName() }, INSATIABLE, {
      input: { turns: 0, megabytes: 100_000 },
      output: { prediction: 0 },
    });
    const environment = {
      DATABASE_URL: database.url,
      MODEL_DIR: modelDir,
      MODEL_MEMORY_BYTES: String(300 * MIB),
    };
    expect(await foretell(['models', 'register', folder], { environment })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Artifact not usable: .*(more than 300 MiB of memory|bad.?alloc)/),
    });
  });
});

describe('a model that a row makes endless', () => {
  test.each<[string, string, object, object, unknown[]]>([
    ['loop', INSATIABLE, { turns: 10, megabytes: 0 }, { turns: ENDLESS, megabytes: 0 }, [{ prediction: 0 }]],
    ['tree', CYCLIC, { x: 1 }, { x: -5 }, [{ prediction: 1 }]],
  ])(
    'by a %s: 504, everybody else is answered, and soon so is it',
    async (_, from, harmless, endless, answer) => {
      const name = newName();
      expect((await upload(name, await make({ name }, from))).status).toBe(201);
      expect((await predict(name, harmless)).body.predictions).toEqual(answer);
      const asking = predict(name, endless);
      await expectAnswersDuring(asking);
      const { status, body } = await asking;
      expect([status, body.type]).toEqual([504, 'urn:foretell:error:prediction-timeout']);
      expect(await recorded(body.request_id)).toEqual([{ status_code: 504 }]);
      await expect.poll(async () => (await predict(name, harmless)).status).toBe(200);
      expect(api.output()).toMatch(
        new RegExp(`${name}@production is loaded again: it did not finish a run within 10 s`),
      );
    },
  );

  test('or that then needs 100 GB: 503, and soon it answers again, even by its number', async () => {
    const name = newName();
    expect((await upload(name, await make({ name }, INSATIABLE))).status).toBe(201);
    await removeProduction(name);
    for (const path of [`${name}/versions/1`]) {
      const { status, headers, body } = await predict(path, { turns: 0, megabytes: 100_000 });
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(body.detail).toBe('The model has ended and is started again. Please try again.');
      await expect.poll(async () => (await predict(path, { turns: 1, megabytes: 0 })).status).toBe(200);
    }
  });

  test('does not prevent a stop: its caller gets an answer, and the service has stopped when it says so', async () => {
    const name = newName();
    expect((await upload(name, await make({ name }, INSATIABLE))).status).toBe(201);
    const another = await startAnother({ PREDICTION_TIMEOUT_MS: '600000', LOG_LEVEL: 'info' });
    const [pid] = await modelProcesses(another, name);
    const asking = predict(name, { turns: ENDLESS, megabytes: 0 }, another);
    await expectBusy(pid!);
    const since = performance.now();
    expect(await another.stop()).toBe(0);
    expect(performance.now() - since).toBeLessThan(9_500);
    const { status, body } = await asking;
    expect(status).toBe(503);
    expect(await recorded(body.request_id)).toEqual([{ status_code: 503 }]);
    expect(another.output().trim().split('\n').at(-1)).toMatch(/"msg":"stopped"/);
    expect(await isThere(pid!)).toBe(false);
  });

  test('dies with the service, even if that is killed', async () => {
    const name = newName();
    expect((await upload(name, await make({ name }, INSATIABLE))).status).toBe(201);
    const another = await startAnother({ PREDICTION_TIMEOUT_MS: '600000' });
    const [pid] = await modelProcesses(another, name);
    const asking = predict(name, { turns: ENDLESS, megabytes: 0 }, another).catch(() => 'cut off');
    await expectBusy(pid!);
    await another.kill();
    expect(await asking).toBe('cut off');
    await expect.poll(() => isThere(pid!)).toBe(false);
  });
});

test('a stop while a candidate is checked: it is refused with 503, and the stop takes no longer', async () => {
  const another = await startAnother({ MODEL_CHECK_TIMEOUT_MS: '600000' });
  const name = newName();
  const folder = await make({ name }, INSATIABLE, {
    input: { turns: ENDLESS, megabytes: 0 },
    output: { prediction: 0 },
  });
  const uploading = upload(name, folder, another);
  await expect.poll(async () => (await modelProcesses(another, '.incoming')).length).toBe(1);
  const since = performance.now();
  expect(await another.stop()).toBe(0);
  expect(performance.now() - since).toBeLessThan(4_000);
  expect((await uploading).status).toBe(503);
  await expectNothingLeft(name);
});

describe('leftovers of a killed process', () => {
  test('from an upload lie beside the models, and are removed at the next start', async () => {
    const another = await startAnother();
    beginPost(another, `/models/${newName()}/versions`, {
      'content-type': 'application/gzip',
      'content-length': 100_000,
      authorization: `Bearer ${admin.token}`,
    }).write('begun');
    await expect.poll(scratchFolders).toHaveLength(1);
    await another.kill();
    expect(scratchFolders()).toHaveLength(1);
    await startAnother();
    expect(scratchFolders()).toEqual([]);
  });

  test('are removed, but not the files of living processes, or for a day those of other machines', async () => {
    const names = {
      alive: `.incoming-${process.pid}@${hostname()}-AAAAAA`,
      elsewhere: `.incoming-1@elsewhere-AAAAAA`,
      elsewhereLongAgo: `.incoming-1@elsewhere-BBBBBB`,
      // Its name in earlier releases.
      longAgo: '.incoming-abcdef',
    };
    for (const name of Object.values(names)) mkdirSync(join(modelDir, name, 'artifact'), { recursive: true });
    onTestFinished(() => {
      for (const name of Object.values(names)) rmSync(join(modelDir, name), { recursive: true, force: true });
    });
    const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 3600;
    for (const name of [names.elsewhereLongAgo, names.longAgo])
      utimesSync(join(modelDir, name), twoDaysAgo, twoDaysAgo);
    await startAnother();
    expect(scratchFolders().toSorted()).toEqual([names.alive, names.elsewhere].toSorted());
  });
});

test('a model that proved quick needs no process at the next start, as long as it is unchanged', async () => {
  const known = async () =>
    database.query(`SELECT checked_by FROM model_versions WHERE name = 'heart-failure' AND version = '1'`);
  expect(await known()).toEqual([{ checked_by: expect.stringMatching(/^Foretell .*ONNX Runtime 1\./) }]);
  await database.query(
    `UPDATE model_versions SET checked_by = 'Foretell 0.0.1' WHERE name = 'heart-failure'`,
  );
  const isKnown = async () => JSON.stringify(await known()).includes('ONNX Runtime 1.');
  // On a busy machine any model may look slow; the next start then checks it again.
  for (let start = 0; start < 5 && !(await isKnown()); start++) await (await startAnother()).stop();
  expect(await isKnown()).toBe(true);
});
