import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { gzipSync } from 'node:zlib';
import { look, patients, reached, submit, submitted } from '../support/batches.js';
import { call, createUser, PATIENT, type TestUser } from '../support/client.js';
import { DataDir, type Service } from '../support/data-dir.js';
import { prepareService } from '../support/prepared-service.js';

const MIB = 1024 ** 2;

const NO_ROOM = 'There was not enough room on the disk. Send the file again when there is.';

function mountSmallDisk(folder: string, mib: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder], { stdio: 'pipe' });
}

function unmount(folder: string): void {
  execFileSync('umount', [folder]);
}

const disk = mkdtempSync(join(tmpdir(), 'foretell-small-disk-'));

/** Whether this account may mount file systems. */
function canMount(): boolean {
  try {
    mountSmallDisk(disk, 1);
    unmount(disk);
    return true;
  } catch (error) {
    console.warn(`Not tested here, because no small disk can be mounted: ${String(error)}`);
    return false;
  }
}

const isPossible = canMount();

afterAll(() => rmdirSync(disk));

describe.skipIf(!isPossible)('a disk that is full', () => {
  beforeAll(() => {
    mountSmallDisk(disk, 1);
    return () => unmount(disk);
  });
  const { database, api: service, user } = prepareService({ BATCH_DIR: disk, BATCH_DISK_RESERVE_BYTES: '0' });

  test('while a file is uploaded: 507, nothing of it is left, and the next one that fits is scored', async () => {
    const answer = await submit(service, user.token, Buffer.alloc(3 * MIB, 'x'));
    expect(answer.status, answer.text).toBe(507);
    expect(answer.body).toMatchObject({
      type: 'urn:foretell:error:storage-full',
      detail: 'There is not enough room on the disk. Nothing of the file was kept.',
    });
    expect(readdirSync(disk)).toEqual([]);
    expect(await database.query('SELECT FROM batches')).toEqual([]);

    const id = await submitted(service, user.token, patients(10));
    await reached(service, user.token, id, 'succeeded');
  });

  test('while it is scored: failed, with the reason, and its files are gone', async () => {
    const before = readdirSync(disk);
    const id = await submitted(service, user.token, patients(20_000));
    expect((await reached(service, user.token, id, 'failed')).failure).toBe(NO_ROOM);
    await expect.poll(() => readdirSync(disk)).toEqual(before);
  });
});

describe.skipIf(!isPossible)('a disk shared with the database', () => {
  const RESERVE = 96 * MIB;
  let dataDir: DataDir;
  let service: Service;
  let user: TestUser;

  const free = () => {
    const { bavail, bsize } = statfsSync(dataDir.path);
    return bavail * bsize;
  };

  beforeAll(async () => {
    dataDir = DataDir.create();
    mkdirSync(dataDir.path);
    mountSmallDisk(dataDir.path, 320);
    service = await dataDir.startService({
      environment: { BATCH_DISK_RESERVE_BYTES: `${RESERVE}`, MAX_BATCHES_PER_USER: '100' },
    });
    user = await createUser(service, dataDir);
  }, 60_000);

  afterAll(async () => {
    await service?.signal('SIGTERM');
    unmount(dataDir.path);
    await dataDir?.dispose();
  });

  test('is never filled: files wait, fail or are refused, predictions are always answered and recorded', async () => {
    expect(free()).toBeGreaterThan(RESERVE + 50 * MIB);
    // Each is a few hundred kB, and becomes 40 MB.
    const bomb = gzipSync(patients(500_000), { level: 9 });
    let predicted = 0;
    const predict = async () => {
      const answer = await call(service, 'POST', '/predict', { token: user.token, body: PATIENT });
      expect(answer.status, answer.text).toBe(200);
      predicted++;
    };
    let lowest = Infinity;
    const watch = setInterval(() => (lowest = Math.min(lowest, free())), 10);
    onTestFinished(() => clearInterval(watch));
    const ids: string[] = [];
    const batches = async () => {
      const answers = await Promise.all(ids.map((id) => look(service, user.token, id)));
      return answers.map(({ body }) => body as { state: string; failure: string | null });
    };
    let refusals = 0;
    for (let round = 0; refusals < 3; round++) {
      expect(round).toBeLessThan(600);
      const answer = await submit(service, user.token, bomb);
      await predict();
      if (answer.status === 202) {
        ids.push(answer.body.id as string);
      } else {
        expect(answer.status, answer.text).toBe(507);
        expect(answer.body.type).toBe('urn:foretell:error:storage-full');
        refusals++;
      }
      // A batch that runs out of space fails, which frees some.
      refusals += (await batches()).filter(({ failure }) => failure !== null).length;
    }
    for (const { failure } of await batches()) expect([null, NO_ROOM]).toContain(failure);
    expect((await batches()).filter(({ state }) => state === 'succeeded').length).toBeGreaterThan(0);
    // PostgreSQL's own files may have grown a little.
    expect(lowest).toBeGreaterThan(64 * MIB);
    await predict();
    expect((await call(service, 'GET', '/health', {})).status).toBe(200);

    // Once there is space again, files are accepted again.
    for (const id of ids) await call(service, 'DELETE', `/batches/${id}`, { token: user.token });
    await expect.poll(free, { timeout: 30_000 }).toBeGreaterThan(RESERVE + 40 * MIB);
    await reached(service, user.token, await submitted(service, user.token, patients(10)), 'succeeded');
    const recorded = await dataDir.query('SELECT FROM prediction_log WHERE status_code = 200');
    expect(recorded).toHaveLength(predicted);
  }, 240_000);
});
