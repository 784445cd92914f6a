import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { makeArtifact } from '../support/artifacts.js';
import { look, output, patients, reached, rowsOf, submit, submitted } from '../support/batches.js';
import { call, createUser, type Answer, type TestUser } from '../support/client.js';
import { createFolder } from '../support/folders.js';
import { createModelDir, prepareService, prepareUser } from '../support/prepared-service.js';
import { beginPost } from '../support/raw-http.js';
import { startApiForThisTest } from '../support/test-api.js';

const MAX_BATCH_BYTES = 1024 ** 2;
const MAX_BATCHES_PER_USER = 3;

const scratch = createFolder();
const batchDir = join(scratch, 'batches');
const environment = {
  DATA_DIR: join(scratch, 'data'),
  MODEL_DIR: createModelDir(),
  MAX_BATCH_BYTES: `${MAX_BATCH_BYTES}`,
  MAX_BATCHES_PER_USER: `${MAX_BATCHES_PER_USER}`,
};
/** A service without a worker: its batches stay queued. */
const queueing = { ...environment, BATCH_WORKER: 'separate', BATCH_DIR: batchDir };
const { database, api, user: ada } = prepareService(queueing);
const admin = prepareUser({ api, database }, 'admin');
/** A service on its own database, with a worker beside it. */
const { database: workingDatabase, api: working } = prepareService(environment);

function expectProblem(answer: Answer, status: number, code: string, detail?: RegExp): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body.type).toBe(`urn:foretell:error:${code}`);
  if (detail) expect(answer.body.detail).toMatch(detail);
}

const batchesOf = (user: TestUser) =>
  database.query('SELECT * FROM batches WHERE user_id = $1 ORDER BY created_datetime', [user.id]);
const filesOnDisk = () => (existsSync(batchDir) ? readdirSync(batchDir).toSorted() : []);

/** Whatever `work` sends, afterwards there are no more rows, jobs or files than before. */
async function leavesNothing(user: TestUser, work: () => Promise<void>): Promise<void> {
  const jobs = () => database.query('SELECT id FROM pgboss.job ORDER BY id');
  const before = [await batchesOf(user), await jobs(), filesOnDisk()];
  await work();
  await expect.poll(async () => [await batchesOf(user), await jobs(), filesOnDisk()]).toEqual(before);
}

describe('a file is sent', () => {
  test('202 with the place to look; the row, the job and the file are there', async () => {
    const user = await createUser(api, database);
    const file = patients(3);
    const answer = await submit(api, user.token, file);
    expect(answer.status, answer.text).toBe(202);
    const { id } = answer.body;
    expect(answer.headers.get('location')).toBe(`/batches/${id}`);
    expect(answer.body).toEqual({
      id,
      user_id: user.id,
      state: 'queued',
      model: { name: 'heart-failure', version: '1' },
      format: 'csv',
      rows: 0,
      errors: 0,
      share_done: 0,
      rows_per_second: null,
      seconds_left: null,
      failure: null,
      input: { bytes: file.length, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      output: null,
      created_datetime: expect.any(String),
      started_datetime: null,
      finished_datetime: null,
      expires_datetime: null,
    });
    expect((await look(api, user.token, id)).body).toEqual(answer.body);
    expect(readFileSync(join(batchDir, id, 'input'), 'utf8')).toBe(file);
    expect(await database.query('SELECT name, state FROM pgboss.job WHERE id = $1', [id])).toEqual([
      { name: 'batches', state: 'created' },
    ]);
    // Analysts may look.
    expect(
      await database.query(`SELECT has_table_privilege('foretell_analyst', 'batches', 'SELECT') AS may`),
    ).toEqual([{ may: true }]);
  });

  test.each([
    ['text/csv', '', 'csv'],
    ['text/csv; charset=utf-8', '', 'csv'],
    ['text/tab-separated-values', '', 'tsv'],
    ['application/x-ndjson', '', 'jsonl'],
    ['application/jsonl', '', 'jsonl'],
    ['application/vnd.apache.parquet', '', 'parquet'],
    ['application/octet-stream', '&format=parquet', 'parquet'],
    ['application/gzip', '&format=tsv', 'tsv'],
    ['', '&format=csv', 'csv'],
  ])('as %s%s it is %s', async (type, query, format) => {
    const user = await createUser(api, database);
    const answer = await submit(api, user.token, Buffer.from('x'), { type, query: `model=iris${query}` });
    expect(answer.status, answer.text).toBe(202);
    expect(answer.body.format).toBe(format);
  });

  test.each([
    ['heart-failure', '1'],
    ['heart-failure@production', '1'],
    ['models:/heart-failure/Production', '1'],
    ['models:/heart-failure/1', '1'],
  ])('%s is version %s', async (model, version) => {
    const user = await createUser(api, database);
    const query = `model=${encodeURIComponent(model)}`;
    expect((await submit(api, user.token, patients(1), { query })).body.model).toEqual({
      name: 'heart-failure',
      version,
    });
  });
});

describe('refused before it is read, with nothing left behind', () => {
  test.each<[string, Parameters<typeof submit>[3], number, string, RegExp]>([
    ['no model', { query: '' }, 400, 'bad-request', /missing or invalid/],
    ['an unknown model', { query: 'model=nobody' }, 404, 'model-not-found', /no model .nobody./],
    ['a bad model', { query: 'model=No%20Model' }, 404, 'model-not-found', /This is not the name of a model/],
    ['an unknown version', { query: 'model=models:/iris/9' }, 404, 'model-not-found', /no version 9/],
    ['an unknown alias', { query: 'model=iris@nobody' }, 404, 'model-not-found', /no nobody version/],
    ['an unknown format', { query: 'model=iris&format=xlsx' }, 400, 'bad-request', /missing or invalid/],
    ['no format', { query: 'model=iris', type: 'application/gzip' }, 400, 'bad-request', /format.*not clear/],
    ['two formats', { query: 'model=iris&format=parquet' }, 400, 'bad-request', /format.*not clear/],
    ['JSON', { type: 'application/json' }, 415, 'unsupported-media-type', /text\/csv.*parquet/],
    ['a form', { type: 'multipart/form-data; boundary=x' }, 415, 'unsupported-media-type', /text\/csv/],
  ])('%s: %#', async (_, options, status, code, detail) => {
    await leavesNothing(ada, async () => {
      expectProblem(await submit(api, ada.token, patients(1), options), status, code, detail);
    });
  });

  test('no body: 400', async () => {
    const answer = await call(api, 'POST', '/batches?model=iris&format=csv', { token: ada.token });
    expectProblem(answer, 400, 'bad-request', /must be the file/);
  });

  test('no token, or one of a disabled user: 401', async () => {
    const disabled = await createUser(api, database);
    await database.query('UPDATE users SET enabled = false WHERE id = $1', [disabled.id]);
    await expect.poll(async () => (await look(api, disabled.token, randomUUID())).status).toBe(401);
    for (const token of [undefined, 'nonsense', disabled.token]) {
      for (const [method, path] of [
        ['GET', '/batches'],
        ['GET', `/batches/${randomUUID()}`],
        ['GET', `/batches/${randomUUID()}/output`],
        ['DELETE', `/batches/${randomUUID()}`],
      ] as const) {
        expectProblem(await call(api, method, path, { token }), 401, 'unauthorized');
      }
      await leavesNothing(ada, async () => {
        expectProblem(await submit(api, token, patients(1)), 401, 'unauthorized');
      });
    }
  });

  test('larger than MAX_BATCH_BYTES by its Content-Length: 413', async () => {
    const file = Buffer.alloc(MAX_BATCH_BYTES + 1, 'x');
    await leavesNothing(ada, async () => {
      expectProblem(
        await submit(api, ada.token, file),
        413,
        'body-too-large',
        /1048576 bytes.*MAX_BATCH_BYTES/,
      );
    });
  });
});

/** An upload request of which only the head is sent. */
function open(user: TestUser, length: number | 'chunked', to = api) {
  const socket = beginPost(to, '/batches?model=heart-failure', {
    'content-type': 'text/csv',
    ...(length === 'chunked' ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
    authorization: `Bearer ${user.token}`,
  });
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  return { socket, answer: () => answer };
}

describe('an upload', () => {
  test('of unknown length, and larger than MAX_BATCH_BYTES: 413, and nothing is left', async () => {
    await leavesNothing(ada, async () => {
      const { socket, answer } = open(ada, 'chunked');
      const chunk = Buffer.alloc(64 * 1024, 'x');
      for (let sent = 0; sent <= MAX_BATCH_BYTES; sent += chunk.length) {
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(chunk);
        socket.write('\r\n');
      }
      await expect.poll(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer()).toContain('MAX_BATCH_BYTES');
      socket.destroy();
    });
  });

  test('that is cut off leaves nothing, and no longer counts', async () => {
    const user = await createUser(api, database);
    await leavesNothing(user, async () => {
      const uploads = Array.from({ length: MAX_BATCHES_PER_USER }, () => open(user, 10_000));
      for (const { socket } of uploads) socket.write(patients(5));
      await expect
        .poll(() => filesOnDisk().filter((name) => name.startsWith('.incoming-')))
        .toHaveLength(MAX_BATCHES_PER_USER);
      // Uploads in progress count.
      expectProblem(await submit(api, user.token, patients(1)), 429, 'too-many-batches');
      for (const { socket } of uploads) socket.destroy();
    });
    await submitted(api, user.token, patients(1));
    expect(api.output()).not.toMatch(/unhandled|uncaught|"level":"error"/i);
  });
});

describe('MAX_BATCHES_PER_USER', () => {
  test('is never exceeded, however many uploads arrive at once, at however many processes', async () => {
    const other = await startApiForThisTest({ ...queueing, DATABASE_URL: database.url });
    const user = await createUser(api, database);
    // As many uploads to each of the two as one user may have; all of them end at the same moment.
    const file = patients(20);
    const uploads = Array.from({ length: 2 * MAX_BATCHES_PER_USER }, (_, index) =>
      open(user, file.length, index % 2 === 0 ? api : other),
    );
    for (const { socket } of uploads) socket.write(file.slice(0, -10));
    await expect
      .poll(() => filesOnDisk().filter((name) => name.startsWith('.incoming-')))
      .toHaveLength(uploads.length);
    for (const { socket } of uploads) socket.write(file.slice(-10));
    const statusOf = ({ answer }: (typeof uploads)[number]) => answer().slice(9, 12);
    await expect.poll(() => uploads.map(statusOf)).not.toContain('');
    expect(uploads.map(statusOf).toSorted()).toEqual(['202', '202', '202', '429', '429', '429']);
    for (const { socket, answer } of uploads) {
      expect(answer()).toMatch(/ 202 |urn:foretell:error:too-many-batches/);
      socket.destroy();
    }
    const ids = (await batchesOf(user)).map(({ id }) => id as string);
    expect(await batchesOf(user)).toHaveLength(MAX_BATCHES_PER_USER);
    const rows = await database.query<{ id: string }>('SELECT id FROM batches');
    expect(filesOnDisk().filter((name) => !rows.some(({ id }) => id === name))).toEqual([]);

    // A finished one makes room for another.
    expect((await call(api, 'DELETE', `/batches/${ids[0]}`, { token: user.token })).status).toBe(204);
    await submitted(api, user.token, patients(1));
    expectProblem(await submit(api, user.token, patients(1)), 429, 'too-many-batches');
  });
});

describe('ownership', () => {
  test('someone else’s batch looks exactly like one that does not exist; an admin sees all', async () => {
    const [owner, stranger, analyst] = await Promise.all([
      createUser(api, database),
      createUser(api, database),
      createUser(api, database, 'analyst'),
    ]);
    const id = await submitted(api, owner.token, patients(1));
    const paths = (of: string) => [
      ['GET', `/batches/${of}`],
      ['GET', `/batches/${of}/output`],
      ['DELETE', `/batches/${of}`],
    ];
    const withoutRequest = ({ status, body }: Answer) => ({ status, body: { ...body, request_id: '' } });
    for (const { token } of [stranger, analyst]) {
      for (const [index, [method, path]] of paths(id).entries()) {
        const answer = await call(api, method!, path!, { token });
        expectProblem(answer, 404, 'batch-not-found');
        for (const none of [randomUUID(), 'nonsense', '%00']) {
          const other = await call(api, method!, paths(none)[index]![1]!, { token });
          expect(withoutRequest(other)).toEqual(withoutRequest(answer));
        }
      }
      expect((await call(api, 'GET', '/batches', { token })).body).toEqual({ items: [], next_cursor: null });
    }
    expect((await look(api, admin.token, id)).body).toMatchObject({ id, user_id: owner.id });
    expectProblem(await output(api, admin.token, id), 409, 'batch-not-finished');
    expect((await call(api, 'DELETE', `/batches/${id}`, { token: admin.token })).status).toBe(204);
    expect((await look(api, owner.token, id)).body.state).toBe('cancelled');
  });

  test('the list is newest first, in pages; an admin’s has everyone’s', async () => {
    const [one, two] = [await createUser(api, database), await createUser(api, database)];
    const ids: string[] = [];
    for (const user of [one, two, one, two, one]) ids.unshift(await submitted(api, user.token, patients(1)));
    const page = async (token: string, query: string) =>
      (await call(api, 'GET', `/batches${query}`, { token })).body as {
        items: { id: string }[];
        next_cursor: string | null;
      };
    const idsOf = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);
    const ours = [ids[0], ids[2], ids[4]];
    expect(idsOf(await page(one.token, ''))).toEqual(ours);
    const first = await page(one.token, '?limit=2');
    expect(idsOf(first)).toEqual(ours.slice(0, 2));
    expect(await page(one.token, `?limit=2&cursor=${first.next_cursor}`)).toMatchObject({
      items: [{ id: ours[2] }],
      next_cursor: null,
    });
    expect(idsOf(await page(admin.token, '?limit=5'))).toEqual(ids);
    for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?cursor=7', "?cursor='"]) {
      expectProblem(await call(api, 'GET', `/batches${query}`, { token: one.token }), 400, 'bad-request');
    }
  });
});

describe('cancelled while it is queued', () => {
  test('it never starts, and its files are gone; a second cancellation changes nothing', async () => {
    const user = await createUser(api, database);
    const id = await submitted(api, user.token, patients(1));
    for (const _ of ['once', 'twice']) {
      const answer = await call(api, 'DELETE', `/batches/${id}`, { token: user.token });
      expect(answer).toMatchObject({ status: 204, text: '' });
      expect(existsSync(join(batchDir, id))).toBe(false);
      expect(await database.query('SELECT FROM pgboss.job WHERE id = $1', [id])).toEqual([]);
    }
    expect((await look(api, user.token, id)).body).toMatchObject({
      state: 'cancelled',
      finished_datetime: expect.any(String),
      expires_datetime: null,
    });
    expectProblem(await output(api, user.token, id), 409, 'batch-without-output', /cancelled/);
  });
});

describe('with a worker', () => {
  const IRIS_ROWS = 'sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n';

  test('the output has every column, the prediction’s and the error; and comes with its hash', async () => {
    const user = await createUser(working, workingDatabase);
    const lines = patients(4).trimEnd().split('\n');
    lines[3] = lines[3]!.replace(/^3,\d+/, '3,young');
    const id = await submitted(working, user.token, `${lines.join('\n')}\n`);
    const batch = await reached(working, user.token, id, 'succeeded');
    expect(batch).toMatchObject({ rows: 4, errors: 1, share_done: 1, seconds_left: null, failure: null });
    expect(batch.rows_per_second).toBeGreaterThan(0);
    expect(Date.parse(batch.expires_datetime) - Date.parse(batch.finished_datetime)).toBe(72 * 3_600_000);

    const answer = await output(working, user.token, id);
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-length': `${answer.text.length}`,
      'content-disposition': `attachment; filename="heart-failure-${id}.csv"`,
      etag: `"${batch.output.sha256}"`,
    });
    expect(batch.output.bytes).toBe(answer.text.length);
    const rows = rowsOf(answer.text);
    expect(rows.map(({ patient }) => patient)).toEqual(['1', '2', '3', '4']);
    expect(rows[0]).toMatchObject({ age: '41', yhat_prob: expect.stringMatching(/^0\.\d+$/), error: '' });
    expect(rows[2]).toMatchObject({ age: 'young', yhat_prob: '', error: expect.stringMatching(/age/) });
    // Files that are no longer needed are not kept.
    expect(readdirSync(join(scratch, 'data/batches', id))).toEqual(['run-1']);
    expect(await workingDatabase.query('SELECT FROM pgboss.job WHERE id = $1', [id])).toEqual([]);
  });

  test.each([
    ['a header alone', patients(0), 0],
    ['gzip', gzipSync(patients(100)), 100],
  ])('%s is a valid file', async (_, file, rows) => {
    const user = await createUser(working, workingDatabase);
    const id = await submitted(working, user.token, file);
    expect(await reached(working, user.token, id, 'succeeded')).toMatchObject({ rows });
    expect(rowsOf((await output(working, user.token, id)).text)).toHaveLength(rows);
  });

  test('JSON Lines come back as JSON Lines', async () => {
    const user = await createUser(working, workingDatabase);
    const flower = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
    const id = await submitted(working, user.token, `${JSON.stringify(flower)}\n`, {
      query: 'model=iris',
      type: 'application/x-ndjson',
    });
    await reached(working, user.token, id, 'succeeded');
    const answer = await output(working, user.token, id);
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
    expect(JSON.parse(answer.text)).toMatchObject({ ...flower, prediction: 'setosa' });
  });

  test.each([
    ['columns that are missing', 'age,sex\n1,2\n', /lacks 6 columns.*"platelets"/],
    ['quotes that never close', `${patients(2)}"7,7\n`, /line 4/i],
    ['what is no Parquet', 'PAR1 not really', /Parquet/i, 'application/vnd.apache.parquet'],
  ])('%s: failed, and the owner learns why', async (_, file, failure, type = 'text/csv') => {
    const user = await createUser(working, workingDatabase);
    const id = await submitted(working, user.token, file, { type });
    const batch = await reached(working, user.token, id, 'failed');
    expect(batch).toMatchObject({
      failure: expect.stringMatching(failure),
      output: null,
      expires_datetime: null,
    });
    expect(batch.failure).not.toContain(scratch);
    expectProblem(await output(working, user.token, id), 409, 'batch-without-output', /failed/);
    await expect.poll(() => existsSync(join(scratch, 'data/batches', id))).toBe(false);
  });

  test('a promotion after it was sent changes nothing', async () => {
    const id = await submitted(api, ada.token, IRIS_ROWS, { query: 'model=iris' });
    // The next service to start finds and registers it.
    await makeArtifact(join(environment.MODEL_DIR, 'iris/2'), { version: '2', description: 'another' });
    const other = await startApiForThisTest({
      ...environment,
      DATABASE_URL: database.url,
      BATCH_DIR: batchDir,
    });
    const promoted = await call(other, 'PUT', '/models/iris/aliases/production', {
      token: admin.token,
      body: { version: '2' },
    });
    expect(promoted.status, promoted.text).toBe(200);
    expect((await reached(other, ada.token, id, 'succeeded')).model).toEqual({
      name: 'iris',
      version: '1',
    });
    const later = await submitted(other, ada.token, IRIS_ROWS, { query: 'model=iris' });
    expect((await reached(other, ada.token, later, 'succeeded')).model).toEqual({
      name: 'iris',
      version: '2',
    });
  });

  test('its output can be deleted, and expires by itself; its row stays', async () => {
    const user = await createUser(working, workingDatabase);
    const remove = (id: string) => call(working, 'DELETE', `/batches/${id}`, { token: user.token });
    const [deleted, expired, kept] = [
      await submitted(working, user.token, patients(1)),
      await submitted(working, user.token, patients(2)),
      await submitted(working, user.token, patients(3)),
    ];
    for (const id of [deleted, expired, kept]) await reached(working, user.token, id, 'succeeded');
    const folder = (id: string) => join(scratch, 'data/batches', id);

    for (const _ of ['once', 'twice']) {
      expect((await remove(deleted)).status).toBe(204);
      expectProblem(await output(working, user.token, deleted), 410, 'batch-expired');
    }
    expect(existsSync(folder(deleted))).toBe(false);

    await workingDatabase.query(
      `UPDATE batches SET expires_datetime = now() - interval '1 s' WHERE id = $1`,
      [expired],
    );
    expectProblem(await output(working, user.token, expired), 410, 'batch-expired');
    // What a crash leaves behind: half an upload, and a file without a row; and an upload in progress.
    const orphans = [
      '.incoming-00000000-0000-4000-8000-000000000001',
      '00000000-0000-4000-8000-000000000002',
    ];
    const young = '.incoming-00000000-0000-4000-8000-000000000003';
    for (const name of [...orphans, young]) {
      mkdirSync(folder(name));
      writeFileSync(join(folder(name), 'input'), 'x');
    }
    const anHourAgo = new Date(Date.now() - 3_600_000);
    for (const name of orphans) {
      utimesSync(join(folder(name), 'input'), anHourAgo, anHourAgo);
      utimesSync(folder(name), anHourAgo, anHourAgo);
    }
    // A service cleans up at its start, and every minute afterwards.
    await startApiForThisTest({ ...environment, DATABASE_URL: workingDatabase.url });
    await expect.poll(() => [expired, ...orphans].filter((name) => existsSync(folder(name)))).toEqual([]);
    expect([kept, young].map((name) => existsSync(folder(name)))).toEqual([true, true]);
    expect((await output(working, user.token, kept)).status).toBe(200);
    for (const id of [deleted, expired]) {
      expect((await look(working, user.token, id)).body).toMatchObject({
        state: 'succeeded',
        rows: expect.any(Number),
      });
    }
  });
});

test('the documentation has the routes', async () => {
  const { body: document } = await call(api, 'GET', '/docs-json');
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/batches', '/batches/{id}', '/batches/{id}/output']),
  );
  expect(Object.keys(document.paths['/batches'].post.requestBody.content)).toContain('text/csv');
});
