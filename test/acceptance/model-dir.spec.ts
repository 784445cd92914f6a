import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeArtifact, type Changes } from '../support/artifacts.js';
import { call, createUser } from '../support/client.js';
import { models, ModelWorkplace, refused } from '../support/model-workplace.js';
import { NOBODY, obstacleToNobody } from '../support/nobody.js';
import { createDataDir } from '../support/test-data-dir.js';
import { createTestDatabase } from '../support/test-database.js';

const FLOWER = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
const SHA256 = '[0-9a-f]{64}';

test('a folder that is dropped into MODEL_DIR is served from the next start on', async () => {
  const place = await ModelWorkplace.create();
  const start = () => place.dataDir.startService({ environment: place.environment });
  const first = await start();
  const user = await createUser(first, place.dataDir);
  await first.signal('SIGTERM');
  await makeArtifact(join(place.modelDir, 'iris', '1'));
  mkdirSync(join(place.modelDir, 'empty', '1'), { recursive: true });
  expect(first.output()).not.toMatch(/labels/);
  await makeArtifact(
    join(place.modelDir, 'churn', '1'),
    { name: 'churn', manifest: { labels: ['stays', 'leaves'], label_descriptions: undefined } },
    'model-artifacts/heart-failure/1',
  );

  const second = await start();
  const answer = await call(second, 'POST', '/models/iris/predict', { body: FLOWER, token: user.token });
  expect(answer.body.model).toEqual({ name: 'iris', version: '1' });
  expect(second.output()).toMatch(/empty 1 is not registered: .*manifest\.json cannot be read/);
  expect(second.output()).toMatch(/churn 1: golden\.json has no labels/);
  expect(await models(place, 'show', 'iris')).toContain('MODEL_DIR');
});

test('a default model that was changed in place: no start, and what to do', async () => {
  const place = await ModelWorkplace.create();
  const start = () => place.dataDir.spawnService({ environment: place.environment });
  const first = start();
  await first.listening;
  await first.signal('SIGTERM');

  const folder = join(place.modelDir, 'heart-failure', '1');
  const CHANGES: [Changes, RegExp][] = [
    [{ description: 'other' }, new RegExp(`expected ${SHA256}, found ${SHA256}\\.`)],
    [{ manifest: { sha256: 'a'.repeat(64) } }, /model\.onnx is \w{64}, the manifest says a{64}\./],
  ];
  for (const [changes, found] of CHANGES) {
    await makeArtifact(folder, changes, 'model-artifacts/heart-failure/1');
    const { code, stderr } = await start().ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^Foretell cannot start\. .*The default model, heart-failure@production, cannot be used/,
    );
    expect(stderr).toContain(folder);
    expect(stderr).toMatch(found);
    expect(stderr).toMatch(/A version never changes: .* new content a version of its own\. /);
  }
  expect(await place.dataDir.processes()).toEqual([]);
});

test('another model that was changed in place is not served, and the log says what to do', async () => {
  const place = await ModelWorkplace.create();
  await models(place, 'register', await place.make({ name: 'iris' }));
  const folder = join(place.modelDir, 'iris', '1');
  await makeArtifact(folder, { name: 'iris', description: 'other' });
  const service = await place.dataDir.startService({ environment: place.environment });
  const user = await createUser(service, place.dataDir);
  const answer = await call(service, 'POST', '/models/iris/predict', { body: FLOWER, token: user.token });
  expect(answer.status).toBe(404);
  expect(service.output()).toMatch(
    new RegExp(`${folder}.*expected ${SHA256}, found ${SHA256}.*version of its own`),
  );
  expect(await refused(place, 'promote', 'iris', '1')).toMatch(/^Artifact not usable: .*version of its own/);
});

test('a read-only MODEL_DIR: a line that names it', async ({ skip }) => {
  const isRoot = process.getuid?.() === 0;
  const reason = isRoot ? obstacleToNobody() : undefined;
  if (reason) skip(reason);
  const place = new ModelWorkplace(createDataDir());
  const database = await createTestDatabase();
  const artifact = await place.make({});
  chmodSync(place.modelDir, 0o555);
  const ending = await place.dataDir.foretell(['models', 'register', artifact], {
    environment: { ...place.environment, DATABASE_URL: database.url },
    ...(isRoot && NOBODY),
  });
  chmodSync(place.modelDir, 0o755);
  expect(ending).toMatchObject({ code: 1, stdout: '' });
  expect(ending.stderr).toMatch(/^MODEL_DIR \(.*\) cannot be written: EACCES: permission denied[^\n]*\n$/);
  expect(ending.stderr).toContain(place.modelDir);
  expect(await database.query('SELECT FROM model_versions')).toEqual([]);
});
