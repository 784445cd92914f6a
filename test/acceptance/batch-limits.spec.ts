import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { prepareBatchService } from '../support/batch-service.js';
import { look, patients, reached, submit, submitted } from '../support/batches.js';
import { call, createUser, type TestUser } from '../support/client.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MIB = 1024 ** 2;
const LIMITS = { sent: 1 * MIB, unpacked: 4 * MIB, user: 6 * MIB };

const service = prepareBatchService({
  MAX_BATCH_BYTES: `${LIMITS.sent}`,
  MAX_BATCH_UNPACKED_BYTES: `${LIMITS.unpacked}`,
  MAX_BATCH_BYTES_PER_USER: `${LIMITS.user}`,
  BATCH_DISK_RESERVE_BYTES: '0',
});

/** The size of all files below a folder. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const failureOf = async (user: TestUser, id: string) =>
  (await reached(service.api, user.token, id, 'failed')).failure as string;

/** About 2 MiB unpacked, and 3 MiB once scored. */
const FILE = gzipSync(patients(40_000));

describe('a small file', () => {
  test('that unpacks to a large one: failed, and nothing of it is left', async () => {
    const user = await createUser(service.api, service.database);
    await service.startWorker();
    const bomb = gzipSync(patients(1_000).padEnd(60 * MIB, '\n'));
    expect(bomb.length).toBeLessThan(100_000);
    const id = await submitted(service.api, user.token, bomb, { query: 'model=heart-failure' });
    expect(await failureOf(user, id)).toMatch(/more than 4194304 bytes when it is unpacked/);
    await expect.poll(() => existsSync(join(service.batchDir, id))).toBe(false);
  });

  test('whose rows grow with their error messages: failed, and nothing of it is left', async () => {
    const user = await createUser(service.api, service.database);
    await service.startWorker();
    const id = await submitted(service.api, user.token, '{}\n'.repeat(300_000), {
      type: 'application/x-ndjson',
    });
    expect(await failureOf(user, id)).toMatch(/output would have more than the 4194304 bytes/);
    await expect.poll(() => existsSync(join(service.batchDir, id))).toBe(false);
  });
});

describe('the files and outputs of a user', () => {
  test('share one limit, across all workers and for as long as they are kept', async () => {
    const { api, database } = service;
    const user = await createUser(api, database);
    await service.startWorker();
    await service.startWorker();
    // Two workers, so that some are worked on at the same time.
    const ids = await Promise.all(Array.from({ length: 5 }, () => submitted(api, user.token, FILE)));
    await expect
      .poll(
        async () => {
          const states = await Promise.all(ids.map((id) => look(api, user.token, id)));
          return states.filter(({ body }) => ['queued', 'running'].includes(body.state)).length;
        },
        { timeout: 60_000 },
      )
      .toBe(0);
    const batches = (await Promise.all(ids.map((id) => look(api, user.token, id)))).map(({ body }) => body);
    const failed = batches.filter(({ state }) => state === 'failed');
    const kept = batches.filter(({ state }) => state === 'succeeded');
    expect(failed.length + kept.length).toBe(ids.length);
    expect(Math.min(failed.length, kept.length)).toBeGreaterThan(0);
    for (const { failure } of failed) {
      expect(failure).toMatch(/more than the 6291456 bytes.*MAX_BATCH_BYTES_PER_USER.*Delete those/);
    }
    expect(kept.reduce((sum, { output }) => sum + output.bytes, 0)).toBeLessThanOrEqual(LIMITS.user);
    await expect.poll(() => bytesIn(service.batchDir)).toBeLessThanOrEqual(LIMITS.user);
  });

  test('at the limit, the next file is refused before it is read, until one of them is deleted', async () => {
    const { api, database } = service;
    const [user, other] = [await createUser(api, database), await createUser(api, database)];
    await service.startWorker();
    const first = await submitted(api, user.token, FILE);
    await reached(api, user.token, first, 'succeeded');
    await database.query(`UPDATE batches SET output_bytes = $2 WHERE id = $1`, [first, LIMITS.user - 1000]);
    const refused = await submit(api, user.token, FILE);
    expect(refused.status, refused.text).toBe(429);
    expect(refused.body).toMatchObject({
      type: 'urn:foretell:error:too-many-batches',
      detail: expect.stringMatching(/have 6290456 bytes, and may have 6291456 .* DELETE \/batches\/\{id\}/),
    });
    // Other users' files are not counted.
    await submitted(api, other.token, FILE);
    expect((await call(api, 'DELETE', `/batches/${first}`, { token: user.token })).status).toBe(204);
    await submitted(api, user.token, FILE);
  });
});
