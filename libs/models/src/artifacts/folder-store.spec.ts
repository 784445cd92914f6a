import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { loadConfig } from '#libs/config';
import { hashArtifact, readArtifact } from '#libs/inference';
import { IRIS, makeArtifact } from '../../../../test/support/artifacts.js';
import { createFolderForThisTest } from '../../../../test/support/folders.js';
import { otherIris, put, storedIris } from '../../../../test/support/stored-artifacts.js';
import { createArtifactStore, type StoredArtifact } from './artifact-store.js';
import { FolderStore } from './folder-store.js';

let folder: string;
let modelDir: string;
let store: FolderStore;
let iris: StoredArtifact;

beforeEach(async () => {
  folder = createFolderForThisTest();
  modelDir = join(folder, 'models');
  store = new FolderStore(modelDir);
  iris = await storedIris();
});

test('without MODEL_STORE artifacts are kept in MODEL_DIR', () => {
  expect(createArtifactStore(loadConfig({ MODEL_DIR: modelDir }))).toEqual(store);
});

test('a stored artifact is in MODEL_DIR/<name>/<version>, readable by all, without any other files', async () => {
  const source = join(folder, 'source');
  await cp(IRIS, source, { recursive: true });
  await writeFile(join(source, 'notes.txt'), 'not part of the artifact');
  await chmod(join(source, 'model.onnx'), 0o600);
  await put(store, source, iris);

  const kept = await store.folderOf(iris);
  expect(kept).toBe(join(modelDir, 'iris', '1'));
  const files = await readdir(IRIS);
  expect((await readdir(kept)).toSorted()).toEqual(files.toSorted());
  expect((await stat(kept)).mode & 0o777).toBe(0o755);
  expect((await stat(join(kept, 'model.onnx'))).mode & 0o777).toBe(0o644);
  for (const file of files) {
    expect(await readFile(join(kept, file)), file).toEqual(await readFile(join(IRIS, file)));
  }
  expect(await readdir(modelDir), 'no draft is left').toEqual(['iris']);
});

test('the same content again changes nothing, even from the folder where it is kept', async () => {
  await put(store, IRIS, iris);
  const { mtimeMs, ino } = await stat(join(modelDir, 'iris/1'));
  await put(store, IRIS, iris);
  await put(store, join(modelDir, 'iris/1'), iris);
  expect(await stat(join(modelDir, 'iris/1'))).toMatchObject({ mtimeMs, ino });
});

test('other content under the same name and version is refused, and what was kept stays', async () => {
  await put(store, IRIS, iris);
  const { source, artifact } = await otherIris(folder);
  await expect(put(store, source, artifact)).rejects.toMatchObject({
    code: 'model-version-exists',
    message: 'Version 1 of the model iris already exists with different content.',
  });
  await expect(store.folderOf(iris)).resolves.toBe(join(modelDir, 'iris/1'));
});

test('if many put two different contents at once, one content wins, and the others get an error', async () => {
  const { source, artifact } = await otherIris(folder);
  const puts = await Promise.allSettled(
    Array.from({ length: 12 }, (_, index) =>
      index % 2
        ? put(new FolderStore(modelDir), source, artifact)
        : put(new FolderStore(modelDir), IRIS, iris),
    ),
  );
  const kept = (await readArtifact(join(modelDir, 'iris/1'))).contentSha256;
  for (const [index, put] of puts.entries()) {
    const mine = index % 2 ? artifact.contentSha256 : iris.contentSha256;
    if (mine === kept) expect(put.status).toBe('fulfilled');
    else expect(put).toMatchObject({ reason: { code: 'model-version-exists' } });
  }
  expect(await readdir(modelDir)).toEqual(['iris']);
});

test('a prepared artifact has no name until it is kept, and blocks no one', async () => {
  const { source, artifact } = await otherIris(folder);
  const [mine, others] = [await store.prepare(IRIS, iris), await store.prepare(source, artifact)];
  await expect(store.folderOf(iris)).rejects.toThrow('it is missing on this machine');
  expect(await store.list()).toEqual([]);
  await mine.discard();
  await others.keep();
  await expect(store.folderOf(artifact)).resolves.toBe(join(modelDir, 'iris/1'));
  expect(await readdir(modelDir), 'no draft is left').toEqual(['iris']);
});

test('a large graph is hashed and copied without being read as a whole', async () => {
  const source = await makeArtifact(join(folder, 'large'), { graph: () => Buffer.alloc(300 * 1024 ** 2) });
  const large = { ...iris, contentSha256: await hashArtifact(source) };
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 5);
  await put(store, source, large);
  clearInterval(watch);
  expect(most).toBeLessThan(100 * 1024 ** 2);
});

test('a source that changed since its check is not kept', async () => {
  const { source } = await otherIris(folder);
  await expect(put(store, source, iris)).rejects.toThrow(
    `The model artifact in ${source} cannot be used: its content is not`,
  );
  await rm(join(source, 'golden.json'));
  await expect(put(store, source, iris)).rejects.toThrow(
    `in ${source} cannot be used: golden.json cannot be read`,
  );
  expect(await readdir(modelDir)).toEqual([]);
});

test('a missing, damaged or different artifact is reported, with the expected and the found hash', async () => {
  const kept = join(modelDir, 'iris/1');
  await expect(store.folderOf(iris)).rejects.toThrow(
    `in ${kept} cannot be used: it is missing on this machine`,
  );
  const { source, artifact } = await otherIris(folder);
  await put(store, source, artifact);
  await expect(store.folderOf(iris)).rejects.toThrow(
    `expected ${iris.contentSha256}, found ${artifact.contentSha256}`,
  );
  await writeFile(join(kept, 'model.onnx'), 'damaged');
  await expect(store.folderOf(artifact)).rejects.toThrow('the sha256 of model.onnx is');
});

test('an empty folder is not a version', async () => {
  await mkdir(join(modelDir, 'iris/1'), { recursive: true });
  await put(store, IRIS, iris);
  await expect(store.folderOf(iris)).resolves.toBe(join(modelDir, 'iris/1'));
});

test('a MODEL_DIR that cannot be written is named', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expect(put(new FolderStore(join(file, 'models')), IRIS, iris)).rejects.toThrow(
    /^MODEL_DIR \(.*\/file\/models\) cannot be written: ENOTDIR/,
  );
});

test('lists the stored versions, 2 before 10, and no drafts', async () => {
  for (const path of ['b/10', 'b/2', 'b/.old', 'a/1.0', '.incoming-x/1']) {
    await mkdir(join(modelDir, path), { recursive: true });
  }
  await writeFile(join(modelDir, 'README.md'), '');
  expect(await store.list()).toEqual([
    { name: 'a', version: '1.0', folder: join(modelDir, 'a/1.0') },
    { name: 'b', version: '2', folder: join(modelDir, 'b/2') },
    { name: 'b', version: '10', folder: join(modelDir, 'b/10') },
  ]);
  expect(await new FolderStore(join(folder, 'nowhere')).list()).toEqual([]);
});
