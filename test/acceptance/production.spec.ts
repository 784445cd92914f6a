import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { call } from '../support/client.js';
import type { DataDir } from '../support/data-dir.js';
import { logIn, predict } from '../support/prediction-client.js';
import { createDataDir } from '../support/test-data-dir.js';
import { createTestDatabase } from '../support/test-database.js';

const SECRET = 'a secret of production, long enough';

/** The reason why the service does not start with these variables; checks that it started nothing. */
async function refusal(dataDir: DataDir, environment: Record<string, string>): Promise<string> {
  const ending = await dataDir.spawnService({ environment: { APP_ENV: 'production', ...environment } }).ended;
  expect(ending).toMatchObject({ code: 1, stdout: '' });
  expect(existsSync(dataDir.path)).toBe(false);
  expect(await dataDir.processes()).toEqual([]);
  return ending.stderr;
}

test('without DATABASE_URL and JWT_SECRET it does not start, and names both at once', async () => {
  expect(await refusal(createDataDir(), {})).toBe(
    'Foretell cannot start. The environment is not usable:\n' +
      '  DATABASE_URL: required when APP_ENV is production\n' +
      '  JWT_SECRET: required when APP_ENV is production\n',
  );
});

test('a JWT_SECRET that is too short is named and not shown, nor is the password in DATABASE_URL', async () => {
  const stderr = await refusal(createDataDir(), {
    DATABASE_URL: 'postgresql://foretell:hunter2@127.0.0.1:1/foretell',
    JWT_SECRET: 'correct horse battery staple',
  });
  expect(stderr).toMatch(/^ {2}JWT_SECRET: must be at least 32 bytes long$/m);
  expect(stderr).not.toMatch(/DATABASE_URL|hunter2|correct horse/);
});

test('if the database does not answer it does not start, and shows no password', async () => {
  const stderr = await refusal(createDataDir(), {
    DATABASE_URL: 'postgresql://foretell:hunter2@127.0.0.1:1/foretell',
    JWT_SECRET: SECRET,
  });
  expect(stderr).toMatch(/^Foretell cannot start\. .*ECONNREFUSED/);
  expect(stderr).not.toContain('hunter2');
});

test('with both it starts on an empty database, migrates it, and keeps nothing outside it', async () => {
  const dataDir = createDataDir();
  const database = await createTestDatabase({ empty: true });
  const home = join(dirname(dataDir.path), 'home');
  const service = await dataDir.startService({
    environment: {
      APP_ENV: 'production',
      DATABASE_URL: database.url,
      JWT_SECRET: SECRET,
      LOG_LEVEL: 'info',
      HOME: home,
    },
  });

  // Only the operator creates accounts here.
  const user = { username: 'ada', email: 'ada@example.org', password: 'correct horse battery staple' };
  expect((await call(service, 'POST', '/register-user', { body: user })).status).toBe(403);
  const created = await dataDir.foretell(
    ['users', 'create', '--username', user.username, '--email', user.email],
    { input: user.password, environment: { DATABASE_URL: database.url } },
  );
  expect(created.code, created.stderr).toBe(0);
  const token = await logIn(service, user);
  await predict(service, token);
  expect(await database.query('SELECT username, status_code FROM prediction_log')).toEqual([
    { username: user.username, status_code: 200 },
  ]);
  const health = await call(service, 'GET', '/health');
  expect(health).toMatchObject({
    status: 200,
    body: { status: 'ok', checks: { database: 'ok', model: 'ok' } },
  });
  expect(health.body).not.toHaveProperty('model');

  // One line of JSON for each event, and no secret in any of them.
  const events = service
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string });
  expect(events.map(({ msg }) => msg)).toContain('ready');
  const { username, password } = new URL(database.url);
  expect(username).not.toBe('');
  for (const secret of [password, SECRET, user.password, token])
    expect(service.output()).not.toContain(secret);

  expect(await dataDir.postgresProcesses()).toEqual([]);
  expect(await service.signal('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(dataDir.path)).toBe(false);
  // ONNX Runtime would keep its machine id and its telemetry there.
  expect(existsSync(home)).toBe(false);
});
