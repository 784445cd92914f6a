import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '#libs/config';
import { createFolderForThisTest } from '../../../test/support/folders.js';
import { BatchFiles } from './batch-files.js';

const id = '019aa5e2-7c1f-7b3a-9d44-5f0c8e21b6a7';

let root: string;
let files: BatchFiles;

beforeEach(async () => {
  root = createFolderForThisTest();
  files = new BatchFiles({ batchDir: root, batchDiskReserveBytes: 0 } as Config);
  await mkdir(join(root, id));
});

/** The files of a scoring run that is halfway through its input. */
async function checkpoint(output: string): Promise<void> {
  await writeFile(`${output}.partial`, 'rows');
  await writeFile(`${output}.partial.checkpoint.draft`, 'rows');
  await rename(`${output}.partial.checkpoint.draft`, `${output}.partial.checkpoint`);
}

/** Writes until it fails, like a worker that does not know that it has lost the batch. */
async function writeOn(output: string): Promise<string | undefined> {
  try {
    for (;;) await checkpoint(output);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

test('a batch is removed even if a worker goes on writing', async () => {
  const output = await files.beginRun({ id, runs: 1 });
  await checkpoint(output);
  for (let time = 0; time < 200; time++) {
    await mkdir(dirname(output), { recursive: true });
    const writing = writeOn(output);
    await files.remove(id);
    expect(await readdir(root)).toEqual([]);
    expect(await writing).toBe('ENOENT');
  }
  await files.remove(id);
});

describe('a run', () => {
  test('continues where the one before it stopped, and leaves nothing else of it', async () => {
    await checkpoint(await files.beginRun({ id, runs: 1 }));
    const output = await files.beginRun({ id, runs: 2 });
    expect(await readFile(`${output}.partial`, 'utf8')).toBe('rows');
    expect(await readFile(`${output}.partial.checkpoint`, 'utf8')).toBe('rows');
    expect(await readdir(join(root, id))).toEqual(['run-2']);
    expect(await readdir(dirname(output))).toHaveLength(2);
  });

  test('starts even if a worker that was believed dead goes on writing', async () => {
    for (let runs = 1; runs < 200; runs++) {
      const before = await files.beginRun({ id, runs });
      await checkpoint(before);
      const writing = writeOn(before);
      const output = await files.beginRun({ id, runs: runs + 1 });
      expect(existsSync(dirname(before)), `run ${runs}`).toBe(false);
      expect(await writing).toBe('ENOENT');
      await rm(dirname(output), { recursive: true });
    }
  });

  test('starts even if a worker that was believed dead finishes', async () => {
    for (let runs = 1; runs < 200; runs++) {
      const before = await files.beginRun({ id, runs });
      await checkpoint(before);
      const [output] = await Promise.all([
        files.beginRun({ id, runs: runs + 1 }),
        rename(`${before}.partial`, before)
          .then(() => rm(`${before}.partial.checkpoint`))
          .catch((error: NodeJS.ErrnoException) => expect(error.code).toBe('ENOENT')),
      ]);
      await rm(dirname(output), { recursive: true });
    }
  });

  test('whose worker wakes up too late takes nothing from its successor', async () => {
    const output = await files.beginRun({ id, runs: 2 });
    await checkpoint(output);
    await files.beginRun({ id, runs: 1 });
    expect(await readFile(`${output}.partial`, 'utf8')).toBe('rows');
  });

  test('starts beside another that wakes up and starts as well', async () => {
    for (let runs = 1; runs < 200; runs += 3) {
      await checkpoint(await files.beginRun({ id, runs }));
      const [, last] = await Promise.all([
        files.beginRun({ id, runs: runs + 1 }).catch(() => undefined),
        files.beginRun({ id, runs: runs + 2 }),
      ]);
      expect(existsSync(dirname(last))).toBe(true);
      await rm(dirname(last), { recursive: true });
    }
  });
});
