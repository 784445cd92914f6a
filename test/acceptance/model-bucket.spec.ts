import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { afterThisFile } from '../support/after-this-file.js';
import { tarGz } from '../support/archives.js';
import { makeArtifact } from '../support/artifacts.js';
import { startBucketServer, type BucketServer } from '../support/bucket-server.js';
import { call, createUser, PATIENT, type TestUser } from '../support/client.js';
import { createFolder } from '../support/folders.js';
import { prepareDatabase } from '../support/prepared-service.js';
import { startApi, type ApiProcess } from '../support/test-api.js';

const FLOWER = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };

const scratch = createFolder();
const database = prepareDatabase();
let bucket: BucketServer;
let admin: TestUser;

/** A replica: its own disk, and only the given models. */
async function start(name: string, models: string[] = []): Promise<ApiProcess> {
  const modelDir = join(scratch, name, 'models');
  mkdirSync(modelDir, { recursive: true });
  for (const model of models) cpSync(`model-artifacts/${model}`, join(modelDir, model), { recursive: true });
  return startApi({
    ...bucket.environment,
    DATABASE_URL: database.url,
    DATA_DIR: join(scratch, name, 'data'),
    MODEL_DIR: modelDir,
    MODEL_STORE: 's3://models/production',
    JWT_SECRET: 'the same in every replica, of 32 bytes',
  });
}

beforeAll(async () => {
  bucket = await startBucketServer();
  afterThisFile(() => bucket.stop());
  await bucket.createBucket('models');
});

/** Which model and version answers, or the status if none does. */
async function answering(service: ApiProcess): Promise<unknown> {
  const answer = await call(service, 'POST', '/models/iris/predict', { body: FLOWER, token: admin.token });
  return answer.status === 200 ? answer.body.model.version : answer.status;
}

async function upload(service: ApiProcess, version: string): Promise<void> {
  const folder = await makeArtifact(join(scratch, `iris-${version}`), { version });
  const answer = await call(service, 'POST', '/models/iris/versions', {
    token: admin.token,
    headers: { 'content-type': 'application/gzip' },
    body: await tarGz(folder),
  });
  expect(answer.status, answer.text).toBe(201);
}

test('replicas that share no disk serve the uploads to one of them, and a new one serves them all', async () => {
  const one = await start('one', ['heart-failure']);
  const two = await start('two');
  admin = await createUser(one, database, 'admin');

  await upload(one, '1');
  await expect.poll(() => answering(two), { timeout: 2_000 }).toBe('1');
  await upload(two, '2');
  const promoted = await call(two, 'PUT', '/models/iris/aliases/production', {
    token: admin.token,
    body: { version: '2' },
  });
  expect(promoted.body).toMatchObject({ previous: '1', processes: { serving: 2, behind: [] } });
  await expect.poll(() => answering(one), { timeout: 2_000 }).toBe('2');

  const three = await start('three');
  expect(await answering(three)).toBe('2');
  const plain = await call(three, 'POST', '/predict', { body: PATIENT, token: admin.token });
  expect(plain.body).toEqual({ yhat_prob: '0.5124506', yhat: '1' });
  for (const name of ['two', 'three']) expect(readdirSync(join(scratch, name, 'models'))).toEqual([]);
  for (const service of [one, two, three]) expect(service.output()).not.toMatch(/"level":"error"/);
});
