import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { call, createUser } from '../support/client.js';
import { CHECKOUT, type DataDir, type Ending } from '../support/data-dir.js';
import { logIn, predict, startLoad, unrecorded } from '../support/prediction-client.js';
import {
  createDataDir,
  createPreparedDataDir,
  expectToStop,
  startPrepared,
} from '../support/test-data-dir.js';

/** A condition on a duration in milliseconds. */
const under = (seconds: number) => (durationMs: number) => durationMs < seconds * 1_000;

describe('without any settings', () => {
  test('it starts on a PostgreSQL of its own, says where everything is, and finds its data again after each stop', async () => {
    const fresh = createDataDir();
    const first = await fresh.startService();
    const { port } = new URL(first.url);
    expect(first.url).toBe(`http://127.0.0.1:${port}`);
    expect(first.output()).toMatch(/^Foretell is ready\.$/m);
    expect(first.output()).toMatch(new RegExp(`^ *API +${first.url}$`, 'm'));
    expect(first.output()).toMatch(new RegExp(`^ *Documentation +${first.url}/docs$`, 'm'));
    expect(first.output()).toMatch(/^ *Database +postgresql:\/\/foretell@127\.0\.0\.1:\d+\/foretell /m);
    expect(first.output()).toMatch(/^ *Model +heart-failure 1$/m);
    expect((await fetch(`${first.url}/docs`)).status).toBe(200);

    for (const name of ['database-password', 'database-superuser-password', 'jwt-secret']) {
      const file = join(fresh.path, name);
      expect(statSync(file).mode & 0o777, name).toBe(0o600);
      const secret = readFileSync(file, 'utf8').trim();
      expect(secret.length).toBeGreaterThan(40);
      expect(first.output()).not.toContain(secret);
    }
    expect(statSync(fresh.postgresDir).mode & 0o777).toBe(0o700);

    const user = await createUser(first, fresh);
    await predict(first, user.token);
    expect(await fresh.postgresProcesses()).not.toEqual([]);
    await expectToStop(fresh, first, { stderr: '', durationMs: expect.toSatisfy(under(10)) });

    const second = await fresh.startService();
    await predict(second, await logIn(second, user));
    // The key that signs tokens was kept, too.
    await predict(second, user.token);
    expect(await second.signal('SIGINT')).toMatchObject({
      code: 0,
      stderr: '',
      durationMs: expect.toSatisfy(under(10)),
    });
    expect(await fresh.processes()).toEqual([]);
  });

  test('two that start at the same instant in a fresh folder: one wins, the other reports it', async () => {
    const fresh = createDataDir();
    const services = [fresh.spawnService(), fresh.spawnService()];
    const loser = await Promise.race(
      services.map(({ ended }, index) => ended.then((ending) => ({ ending, index }))),
    );
    const winner = services[1 - loser.index]!;
    expect(loser.ending).toMatchObject({ code: 1, stdout: '' });
    expect(loser.ending.stderr).toContain(
      `Foretell cannot start. Another Foretell (process ${winner.process.pid}) is already running on ${fresh.path}.`,
    );
    const { url } = await winner.listening;
    expect((await call({ url }, 'GET', '/health')).status).toBe(200);
    await expectToStop(fresh, winner);
  });
});

test('two that need a secret at the same instant read the same one', async () => {
  const fresh = createDataDir();
  // Two threads in step. If the file appeared before its contents, about every thirtieth trial would notice.
  const work = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ readOrCreateSecret }) => {
      const step = new Int32Array(workerData.shared);
      const secrets = [];
      for (let trial = 1; trial <= 300; trial++) {
        Atomics.add(step, 0, 1);
        while (Atomics.load(step, 0) < 2 * trial);
        secrets.push(readOrCreateSecret(workerData.dataDir, 'secret-' + trial));
      }
      parentPort.postMessage(secrets);
    });`;
  const workerData = {
    module: pathToFileURL(join(CHECKOUT, 'dist/libs/config/src/secrets.js')).href,
    dataDir: fresh.path,
    shared: new SharedArrayBuffer(4),
  };
  const [one, other] = await Promise.all(
    [1, 2].map(
      async () => (await once(new Worker(work, { eval: true, workerData }), 'message'))[0] as string[],
    ),
  );
  expect(one).toEqual(other);
  expect(new Set(one).size).toBe(300);
});

test('a stop under load: every answer is complete, every 200 is in the tables, and it ends with 0', async () => {
  const { dataDir, service, user } = await startPrepared();
  const load = startLoad(16, service, user);
  await load.reached(200);
  const ending = await service.signal('SIGTERM');
  await load.ended;

  expect(ending).toMatchObject({
    code: 0,
    signal: null,
    stderr: '',
    durationMs: expect.toSatisfy(under(10)),
  });
  expect(load.incomplete).toEqual([]);
  expect(await dataDir.processes()).toEqual([]);
  expect(await unrecorded(dataDir, load.answered)).toEqual([]);
});

describe('a signal during the start still stops it, and leaves no database running', () => {
  const inTime = { code: 0, durationMs: expect.toSatisfy(under(10)) };

  async function signalWhen(isTime: () => boolean, dataDir: DataDir): Promise<Ending> {
    const service = dataDir.spawnService();
    await expect.poll(isTime, { interval: 5, timeout: 30_000 }).toBe(true);
    const ending = await service.signal('SIGTERM');
    expect(await dataDir.processes()).toEqual([]);
    return ending;
  }

  test('while its database is being created', async () => {
    const fresh = createDataDir();
    // The folder that initdb works in, which is renamed once it is complete.
    const isBeingMade = () =>
      existsSync(fresh.path) && readdirSync(fresh.path).some((name) => name.startsWith('postgres.'));
    expect(await signalWhen(isBeingMade, fresh)).toMatchObject(inTime);
    expect(readdirSync(fresh.path).toSorted()).toEqual([
      'database-password',
      'database-superuser-password',
      'jwt-secret',
      'postgres',
    ]);
    // The database that was created is complete.
    expect(await fresh.query('SELECT username FROM users')).toEqual([]);
  });

  test('once its database runs', async () => {
    const dataDir = await createPreparedDataDir();
    const runs = () => existsSync(join(dataDir.postgresDir, 'postmaster.pid'));
    expect(await signalWhen(runs, dataDir)).toMatchObject(inTime);
  });
});

describe('a start that cannot succeed', () => {
  test('on a folder that another service uses: it says so and ends with 1, and the other goes on', async () => {
    const { dataDir, service: first, user } = await startPrepared();

    const ending = await dataDir.spawnService().ended;
    expect(ending).toMatchObject({ code: 1, stdout: '' });
    expect(ending.stderr).toBe(
      `Foretell cannot start. Another Foretell (process ${first.process.pid}) is already running on ${dataDir.path}. ` +
        `Stop it, or set DATA_DIR to another folder.\n`,
    );

    await predict(first, user.token);
    await expectToStop(dataDir, first);
  });
});
