import { chmodSync, chownSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createUser } from '../support/client.js';
import type { DataDir, StartOptions } from '../support/data-dir.js';
import { NOBODY, obstacleToNobody } from '../support/nobody.js';
import { predict } from '../support/prediction-client.js';
import { createDataDir, expectToStop } from '../support/test-data-dir.js';

/** A service that predicts and stops, and a command that finds its data afterwards. */
async function walk(dataDir: DataDir, options: StartOptions): Promise<void> {
  const service = await dataDir.startService(options);
  const user = await createUser(service, dataDir);
  await predict(service, user.token);
  await expectToStop(dataDir, service, { stderr: '' });

  const ending = await dataDir.foretell(['users', 'list'], options);
  expect(ending, ending.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining(user.username) });
  expect(await dataDir.processes()).toEqual([]);
}

const reason = obstacleToNobody();

describe('as root', () => {
  test('it runs PostgreSQL as another account, in a folder that only root may enter', async ({ skip }) => {
    const fresh = createDataDir();
    if (process.getuid?.() !== 0) skip('the tests do not run as root');
    chmodSync(dirname(fresh.path), 0o700);
    await walk(fresh, {});
    expect(statSync(fresh.postgresDir).uid).not.toBe(0);
    expect(statSync(join(fresh.path, 'jwt-secret'))).toMatchObject({ uid: 0 });
  });

  test('it does so in a folder that everyone may enter', async ({ skip }) => {
    const fresh = createDataDir();
    if (process.getuid?.() !== 0) skip('the tests do not run as root');
    chmodSync(dirname(fresh.path), 0o755);
    const ending = await fresh.foretell(['migrate']);
    expect(ending, ending.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('Migrated') });
    expect(statSync(fresh.postgresDir).uid).not.toBe(0);
    expect(await fresh.processes()).toEqual([]);
  });
});

describe('as nobody', () => {
  test('it starts, keeps its data and stops in a folder of its own', async ({ skip }) => {
    const fresh = createDataDir();
    if (reason) skip(reason);
    chownSync(dirname(fresh.path), NOBODY.uid, NOBODY.gid);
    await walk(fresh, NOBODY);
    for (const path of [fresh.path, fresh.postgresDir, join(fresh.path, 'jwt-secret')]) {
      expect(statSync(path)).toMatchObject(NOBODY);
    }
  });

  test('a folder that it may not write to is named in the reason why it cannot start', async ({ skip }) => {
    const fresh = createDataDir();
    if (reason) skip(reason);
    chmodSync(dirname(fresh.path), 0o755);
    const ending = await fresh.spawnService(NOBODY).ended;
    expect(ending).toMatchObject({ code: 1, stdout: '' });
    expect(ending.stderr).toMatch(/^Foretell cannot start\. .*permission denied/);
    expect(ending.stderr).toContain(fresh.path);
  });
});
