import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { patients, reached, submit, submitted } from '../support/batches.js';
import { createUser, type TestUser } from '../support/client.js';
import { DataDir, type Service } from '../support/data-dir.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const MIB = 1024 ** 2;

/** A disk of one MiB; undefined where this account may not mount any. */
function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch (error) {
    rmdirSync(folder);
    console.warn(`Not tested here, because no small disk can be mounted: ${String(error)}`);
    return undefined;
  }
}

const disk = mountSmallDisk();

describe.skipIf(disk === undefined)('a disk that is full', () => {
  let database: TestDatabase;
  let dataDir: DataDir;
  let service: Service;
  let user: TestUser;

  beforeAll(async () => {
    database = await createTestDatabase();
    dataDir = DataDir.create();
    service = await dataDir.startService({ environment: { DATABASE_URL: database.url, BATCH_DIR: disk! } });
    user = await createUser(service, database);
  });

  afterAll(async () => {
    await service?.signal('SIGTERM');
    await dataDir?.dispose();
    await database?.drop();
    execFileSync('umount', [disk!]);
    rmdirSync(disk!);
  });

  test('while a file is uploaded: 507, nothing of it is left, and the next one that fits is scored', async () => {
    const answer = await submit(service, user.token, Buffer.alloc(3 * MIB, 'x'));
    expect(answer.status, answer.text).toBe(507);
    expect(answer.body).toMatchObject({
      type: 'urn:foretell:error:storage-full',
      detail: 'The disk is full. Nothing of the file was kept.',
    });
    expect(readdirSync(disk!)).toEqual([]);
    expect(await database.query('SELECT FROM batches')).toEqual([]);

    const id = await submitted(service, user.token, patients(10));
    await reached(service, user.token, id, 'succeeded');
  });

  test('while it is scored: failed, with the reason, and its files are gone', async () => {
    const before = readdirSync(disk!);
    const id = await submitted(service, user.token, patients(20_000));
    expect((await reached(service, user.token, id, 'failed')).failure).toBe(
      'The disk was full. Send the file again when there is room.',
    );
    await expect.poll(() => readdirSync(disk!)).toEqual(before);
  });
});
