import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createUser } from '../support/client.js';
import type { DataDir, Service } from '../support/data-dir.js';
import { logIn, predict, startLoad, unrecorded } from '../support/prediction-client.js';
import { withClient } from '../support/postgres-client.js';
import { createPreparedDataDir, expectToStop } from '../support/test-data-dir.js';

describe('after a crash', () => {
  /** Crashes a service that is under load, starts the next one on the same folder and returns their postmasters. */
  async function crashUnderLoad(
    dataDir: DataDir,
    crash: (service: Service) => void,
  ): Promise<[number, number]> {
    const service = await dataDir.startService();
    const user = await createUser(service, dataDir);
    const postmaster = dataDir.postmasterPid;
    const load = startLoad(8, service, user);
    await load.reached(100);
    crash(service);
    await Promise.all([service.ended, load.ended]);

    const next = await dataDir.startService();
    const nextPostmaster = dataDir.postmasterPid;
    await predict(next, await logIn(next, user));
    expect(await unrecorded(dataDir, load.answered)).toEqual([]);
    await expectToStop(dataDir, next);
    return [postmaster, nextPostmaster];
  }

  test('of the service alone, the next takes over the database that runs on, and every answered prediction is there', async () => {
    const dataDir = await createPreparedDataDir();
    const [before, after] = await crashUnderLoad(dataDir, (service) => service.process.kill('SIGKILL'));
    expect(after).toBe(before);
  });

  test('of the service and of PostgreSQL, the next recovers, and every answered prediction is there', async () => {
    const dataDir = await createPreparedDataDir();
    const [before, after] = await crashUnderLoad(dataDir, (service) => {
      process.kill(dataDir.postmasterPid, 'SIGKILL');
      service.process.kill('SIGKILL');
    });
    expect(after).not.toBe(before);
  });

  test.each([
    ['this test’s own process', async () => process.pid],
    ['another PostgreSQL', anotherPostmaster],
  ] as const)(
    'a pid file whose number now belongs to %s does not keep it from starting',
    async (_, pidOf) => {
      const dataDir = await createPreparedDataDir();
      const pid = await pidOf();
      const lines = [
        pid,
        dataDir.postgresDir,
        1763600000,
        65000,
        '',
        '127.0.0.1',
        ' 1234567     98305',
        'ready   ',
        '',
      ];
      writeFileSync(join(dataDir.postgresDir, 'postmaster.pid'), lines.join('\n'));

      const service = await dataDir.startService();
      const user = await createUser(service, dataDir);
      await predict(service, user.token);
      expect(dataDir.postmasterPid).not.toBe(pid);
      expect(await service.signal('SIGTERM')).toMatchObject({ code: 0 });
      expect(() => process.kill(pid, 0)).not.toThrow();
    },
  );

  test('a folder copied while its server runs gets a server of its own, not the original’s', async () => {
    const original = await createPreparedDataDir();
    const service = await original.startService();
    const copy = await original.copy();
    onTestFinished(() => copy.dispose());
    await createUser(service, original);

    expect(await copy.query('SELECT username FROM users')).toEqual([]);
    expect(await copy.processes()).toEqual([]);
    expect(await service.signal('SIGTERM')).toMatchObject({ code: 0 });
  });

  /** The postmaster of the cluster that the other tests use. */
  async function anotherPostmaster(): Promise<number> {
    const { rows } = await withClient(inject('superuserUrl'), (client) =>
      client.query(`SELECT pg_read_file('postmaster.pid') AS file`),
    );
    return Number.parseInt(rows[0].file, 10);
  }
});
