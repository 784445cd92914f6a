import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize } from 'node:v8';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { scoreFile } from '#libs/scoring';
import { makeArtifact } from '../support/artifacts.js';
import { prepareBatchService, WORKER } from '../support/batch-service.js';
import {
  expectEveryRowOnce,
  IN_TIME,
  look,
  middleOf,
  nicenessOf,
  output,
  patients,
  reached,
  rowOf as rowIn,
  submitted,
} from '../support/batches.js';
import { call } from '../support/client.js';
import type { DataDir } from '../support/data-dir.js';
import { createFolder } from '../support/folders.js';
import { createModelDir } from '../support/prepared-service.js';
import { expectToStop, startPrepared } from '../support/test-data-dir.js';
import type { TestDatabase } from '../support/test-database.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

/** Enough for some seconds of work, and so for a checkpoint and a report in the middle. */
const ROWS = 1_200_000;
const FILE = patients(ROWS);
/** For promises of a second or two, on a machine that is busy with other work. */
const WITHIN_SECONDS = { timeout: 10_000, interval: 20 };

const scratch = createFolder();
const modelDir = createModelDir({ foreign: ['slow'] });
/** The output for `FILE` of an undisturbed worker. */
let undisturbed: string;

beforeAll(async () => {
  await makeArtifact(join(modelDir, 'iris/2'), { version: '2', description: 'another' });
  await makeArtifact(join(modelDir, 'iris/3'), { version: '3', description: 'a third' });

  const [path, scored] = [join(scratch, 'in.csv'), join(scratch, 'out.csv')];
  writeFileSync(path, FILE);
  const model = join(modelDir, 'heart-failure/1');
  await scoreFile({ model, input: { path, format: 'csv' }, output: { path: scored, format: 'csv' } });
  const text = readFileSync(scored, 'utf8');
  expectEveryRowOnce(text, ROWS);
  undisturbed = createHash('sha256').update(text).digest('hex');
});

const { database, api, user, batchDir, startWorker } = prepareBatchService({ MODEL_DIR: modelDir });
const rowOf = (id: string, on: Pick<TestDatabase, 'query'> = database) => rowIn(on, id);

/** How many rows are safe in the middle of the first run. */
const safeRowsOf = async (id: string) =>
  (deserialize(readFileSync(await middleOf(batchDir, id))) as { rows: number }).rows;

async function expectUndisturbed(id: string, from: { url: string } = api, token = user.token): Promise<void> {
  const batch = await reached(from, token, id, 'succeeded');
  expect(batch).toMatchObject({ rows: ROWS, errors: 0, share_done: 1, output: { sha256: undisturbed } });
  expectEveryRowOnce((await output(from, token, id)).text, ROWS);
}

describe('a worker in the middle of a batch', () => {
  test('killed: another notices within seconds, goes on, and every row is there once', async () => {
    const first = await startWorker();
    const id = await submitted(api, user.token, FILE);
    const safe = await safeRowsOf(id);
    expect(safe).toBeGreaterThan(0);
    await first.signal('SIGKILL');
    expect(await rowOf(id)).toMatchObject({ state: 'running', runs: 1 });

    await startWorker();
    await expect.poll(async () => (await rowOf(id)).runs, WITHIN_SECONDS).toBe(2);
    await expectUndisturbed(id);
    expect(await rowOf(id)).toMatchObject({ runs: 2, lost_workers: 1 });
    expect(readdirSync(join(batchDir, id))).toEqual(['run-2']);
  });

  test('told to stop: gives it back at its checkpoint within ten seconds; this does not count as a death', async () => {
    const first = await startWorker();
    const id = await submitted(api, user.token, FILE);
    const safe = await safeRowsOf(id);
    const ending = await first.signal('SIGTERM');
    expect(ending).toMatchObject({
      code: 0,
      stderr: '',
      durationMs: expect.toSatisfy((ms: number) => ms < 10_000),
    });
    expect((await look(api, user.token, id)).body).toMatchObject({ state: 'queued', seconds_left: null });
    expect(await rowOf(id)).toMatchObject({ runs: 1, lost_workers: 0 });

    await startWorker();
    // The reports of the second run begin where the first one ended.
    const reports: number[] = [];
    while ((await rowOf(id)).state !== 'succeeded') {
      const { state, rows } = (await look(api, user.token, id)).body;
      if (state === 'running') reports.push(rows);
    }
    expect(Math.min(...reports)).toBeGreaterThanOrEqual(safe);
    await expectUndisturbed(id);
  });

  test('cancelled: it stops within seconds, leaves nothing, and goes on with the next', async () => {
    const worker = await startWorker();
    const id = await submitted(api, user.token, FILE);
    const next = await submitted(api, user.token, patients(3));
    await middleOf(batchDir, id);
    expect((await call(api, 'DELETE', `/batches/${id}`, { token: user.token })).status).toBe(204);
    await expect.poll(worker.output, WITHIN_SECONDS).toContain(`batch ${id}: cancelled`);
    expect((await look(api, user.token, id)).body).toMatchObject({ state: 'cancelled', output: null });
    await reached(api, user.token, next, 'succeeded');
    expect(existsSync(join(batchDir, id))).toBe(false);
    expect(await database.query('SELECT FROM pgboss.job')).toEqual([]);
  });
});

test('an unreadable checkpoint, as after an upgrade: the batch starts again', async () => {
  const first = await startWorker();
  const id = await submitted(api, user.token, FILE);
  const checkpoint = await middleOf(batchDir, id);
  await first.signal('SIGTERM');
  writeFileSync(checkpoint, 'from another time');
  const second = await startWorker();
  await expectUndisturbed(id);
  expect(second.output()).toContain(`batch ${id}: begun anew`);
});

test('a worker that got further than the dead one before it restarts the count of deaths', async () => {
  // It has to be at work when it first reports, after a second.
  const rows = 2 * ROWS;
  const id = await submitted(api, user.token, patients(rows));
  await database.query('UPDATE batches SET lost_workers = 2, lost_share = 0.01 WHERE id = $1', [id]);
  const worker = await startWorker();
  await expect.poll(async () => Number((await rowOf(id)).share_done), IN_TIME).toBeGreaterThan(0.01);
  await worker.signal('SIGKILL');
  await startWorker();
  expect(await reached(api, user.token, id, 'succeeded')).toMatchObject({ rows, errors: 0 });
  expectEveryRowOnce((await output(api, user.token, id)).text, rows);
  expect(await rowOf(id)).toMatchObject({ runs: 2, lost_workers: 1 });
});

test('a batch that killed its worker three times at the same place fails, and says so', async () => {
  // It takes 40 seconds, and makes no progress before.
  const rows = `a,b\n${'1,2\n'.repeat(200)}`;
  const id = await submitted(api, user.token, rows, { query: 'model=slow' });
  for (let run = 1; run <= 3; run++) {
    const worker = await startWorker();
    await expect.poll(async () => (await rowOf(id)).runs, IN_TIME).toBe(run);
    await worker.signal('SIGKILL');
  }
  await startWorker();
  expect(await reached(api, user.token, id, 'failed')).toMatchObject({
    failure: expect.stringMatching(/worker died 3 times at the same place.*memory/),
  });
  expect(await rowOf(id)).toMatchObject({ runs: 3, lost_workers: 3 });
  await expect.poll(() => existsSync(join(batchDir, id))).toBe(false);
  expect(await database.query('SELECT FROM pgboss.job')).toEqual([]);
});

test('two workers share the queue: each batch is worked on once, by one of them', async () => {
  const workers = [await startWorker(), await startWorker()];
  const ids = await Promise.all(
    Array.from({ length: 8 }, () => submitted(api, user.token, patients(20_000))),
  );
  for (const id of ids) {
    await reached(api, user.token, id, 'succeeded');
    expect(await rowOf(id)).toMatchObject({ runs: 1, lost_workers: 0 });
    expectEveryRowOnce((await output(api, user.token, id)).text, 20_000);
  }
  const shares = workers.map((worker) =>
    ids.filter((id) => worker.output().includes(`batch ${id}: succeeded`)),
  );
  expect(shares.flat().toSorted()).toEqual(ids.toSorted());
  for (const share of shares) expect(share).not.toEqual([]);
});

test('a model version that was removed, or whose files are gone, after the batch was sent: failed, with the reason', async () => {
  const rows = 'sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n';
  const removed = await submitted(api, user.token, rows, { query: 'model=models:/iris/2' });
  const gone = await submitted(api, user.token, rows, { query: 'model=models:/iris/3' });
  await database.query(`DELETE FROM model_versions WHERE name = 'iris' AND version = '2'`);
  rmSync(join(modelDir, 'iris/3'), { recursive: true });
  await startWorker();
  expect((await reached(api, user.token, removed, 'failed')).failure).toBe(
    'Version 2 of the model iris was removed.',
  );
  const { failure } = await reached(api, user.token, gone, 'failed');
  expect(failure).toMatch(/^Version 3 of the model iris cannot be used: it is missing/);
  expect(failure).not.toContain(modelDir);
});

describe('beside the service, on its own database', () => {
  const workersIn = async (place: DataDir) =>
    (await place.processes())
      .filter((line) => line.includes(WORKER))
      .map((line) => Number.parseInt(line, 10));

  const middleIn = (place: DataDir, id: string) => middleOf(join(place.path, 'batches'), id);

  test('the worker starts with the first batch, is replaced when it dies, and ends with the service', async () => {
    const { dataDir: place, service, user: ada } = await startPrepared();
    expect(await workersIn(place)).toEqual([]);
    const id = await submitted(service, ada.token, FILE);
    await middleIn(place, id);
    const [pid, ...others] = await workersIn(place);
    expect(others).toEqual([]);
    if (process.platform === 'linux') expect(nicenessOf(pid!)).toBe(10);

    process.kill(pid!, 'SIGKILL');
    await expectUndisturbed(id, service, ada.token);
    expect(await rowOf(id, place)).toMatchObject({ runs: 2, lost_workers: 1 });

    const next = await submitted(service, ada.token, FILE);
    await middleIn(place, next);
    const before = service.output().length;
    expect(await service.signal('SIGTERM')).toMatchObject({
      code: 0,
      durationMs: expect.toSatisfy((ms: number) => ms < 10_000),
    });
    // It got one signal: a second one would have ended it early, with another exit code.
    expect(service.output().slice(before)).not.toContain('the worker ended');
    expect(await place.processes()).toEqual([]);
    expect(await rowOf(next, place)).toMatchObject({ state: 'queued', lost_workers: 0 });
  });

  test('the service is killed: its worker ends by itself, and gives the batch back', async () => {
    const { dataDir: place, service, user: ada } = await startPrepared();
    const id = await submitted(service, ada.token, FILE);
    await middleIn(place, id);
    await service.signal('SIGKILL');
    await expect.poll(() => place.processes(), IN_TIME).toEqual([]);
    expect(await rowOf(id, place)).toMatchObject({ state: 'queued', runs: 1, lost_workers: 0 });
  });

  test('everything is killed: after a restart the batch is finished by itself', async () => {
    const { dataDir: place, service, user: ada } = await startPrepared();
    const id = await submitted(service, ada.token, FILE);
    await middleIn(place, id);
    const pids = [service.process.pid!, place.postmasterPid, ...(await workersIn(place))];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await service.ended;

    const again = await place.startService();
    await expectUndisturbed(id, again, ada.token);
    expect(await rowOf(id, place)).toMatchObject({ runs: 2, lost_workers: 1 });
    await expectToStop(place, again);
  });
});
