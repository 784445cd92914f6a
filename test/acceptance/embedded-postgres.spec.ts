import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import bcrypt from 'bcrypt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDataSource, EmbeddedPostgres, migrate } from '#libs/database';
import { migrations } from '#migrations';
import { accountFor, runPostgres } from '../../libs/database/src/postgres-binaries.js';
import { initialise, start } from '../../libs/database/src/postgres-cluster.js';
import { readOrCreateSecret } from '#libs/config';
import { call, PATIENT } from '../support/client.js';
import type { DataDir, Service } from '../support/data-dir.js';
import { logIn, predict } from '../support/prediction-client.js';
import { withClient } from '../support/postgres-client.js';
import {
  createDataDir,
  createPreparedDataDir,
  expectToStop,
  startPrepared,
} from '../support/test-data-dir.js';

const predicts = async (service: Service, token: string) =>
  (await call(service, 'POST', '/predict', { body: PATIENT, token })).status;

describe('a PostgreSQL that ended while the service runs', () => {
  test.each([
    ['killed', (dataDir: DataDir) => process.kill(dataDir.postmasterPid, 'SIGKILL')],
    ['stopped', (dataDir: DataDir) => process.kill(dataDir.postmasterPid, 'SIGINT')],
  ])('is started again by itself, at the same port: %s', async (_, end) => {
    const { dataDir, service, user } = await startPrepared();
    const before = dataDir.postmasterPid;
    end(dataDir);
    await expect.poll(() => predicts(service, user.token)).toBe(200);
    expect(dataDir.postmasterPid).not.toBe(before);
    // It has its locks again: a second service sees them, and the last one to leave stops it.
    await expect
      .poll(() => dataDir.query(`SELECT FROM pg_stat_activity WHERE application_name = 'foretell'`))
      .not.toEqual([]);
    expect((await dataDir.spawnService().ended).stderr).toMatch(/is already running on/);
    await expectToStop(dataDir, service);
  });

  test('and cannot start yet is retried until it can', async () => {
    const { dataDir, service, user } = await startPrepared();
    const configuration = join(dataDir.postgresDir, 'postgresql.auto.conf');
    // A setting with which no server starts, like a full disk.
    const mend = await breakConfiguration(configuration);
    process.kill(dataDir.postmasterPid, 'SIGKILL');
    await expect.poll(() => predicts(service, user.token)).toBe(503);
    await sleep(1_000);
    expect((await call(service, 'GET', '/livez')).status).toBe(200);
    await mend();
    await expect.poll(() => predicts(service, user.token)).toBe(200);
    await expectToStop(dataDir, service);
  });
});

async function breakConfiguration(file: string): Promise<() => Promise<void>> {
  const before = await readFile(file);
  await writeFile(file, "max_connections = 'none'\n");
  return () => writeFile(file, before);
}

test('when it is closed, all of its processes have ended', async () => {
  const dataDir = await createPreparedDataDir();
  const postgres = await EmbeddedPostgres.open({ dataDir: dataDir.path, purpose: 'command' });
  const running = await dataDir.postgresProcesses();
  const logger = Number.parseInt(
    running.find((line) => line.includes('logger'))!,
    10,
  );
  process.kill(logger, 'SIGSTOP');
  let isClosed = false;
  const closing = postgres.close().then(() => (isClosed = true));
  await expect.poll(() => existsSync(join(dataDir.path, 'postgres/postmaster.pid'))).toBe(false);
  await sleep(500);
  expect(isClosed).toBe(false);
  process.kill(logger, 'SIGCONT');
  await closing;
  expect(await dataDir.postgresProcesses()).toEqual([]);
});

describe('the role of the service', () => {
  test('owns its database and is not a superuser', async () => {
    const dataDir = await createPreparedDataDir();
    const [role] = await dataDir.query(
      `SELECT current_user, rolsuper, rolcreatedb, rolreplication, rolbypassrls, rolcreaterole
       FROM pg_roles WHERE rolname = current_user`,
    );
    expect(role).toEqual({
      current_user: 'foretell',
      rolsuper: false,
      rolcreatedb: false,
      rolreplication: false,
      rolbypassrls: false,
      rolcreaterole: true,
    });
    const others = await dataDir.query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'foretell'::regrole`,
    );
    expect(others).toEqual([]);
  });

  test('gets everything in a folder from a release whose role was the superuser', async () => {
    const dataDir = createDataDir();
    await makeFormerFolder(dataDir);
    const service = await dataDir.startService();
    const user = { username: 'ada', password: 'correct horse battery staple', email: 'ada@example.org' };
    await predict(service, await logIn(service, user));
    expect(
      await dataDir.query(`SELECT rolname, rolsuper FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname`),
    ).toEqual([
      { rolname: 'foretell', rolsuper: false },
      { rolname: 'foretell_analyst', rolsuper: false },
      { rolname: 'postgres', rolsuper: true },
    ]);
    const owners = await dataDir.query(
      `SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class
       JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname IN ('public', 'pgboss')`,
    );
    expect(owners).toEqual([{ owner: 'foretell' }]);
    await expectToStop(dataDir, service);
  });
});

/** As an earlier release made it: one role, the cluster's superuser, with everything in its name, and one user. */
async function makeFormerFolder(dataDir: DataDir): Promise<void> {
  const password = readOrCreateSecret(dataDir.path, 'database-password');
  const folder = dataDir.postgresDir;
  const account = await accountFor(folder);
  await initialise(folder, 'foretell', password, account);
  await start(folder, {}, account);
  const port = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[3];
  const url = (database: string) => `postgresql://foretell:${password}@127.0.0.1:${port}/${database}`;
  await withClient(url('postgres'), (client) => client.query('CREATE DATABASE foretell'));
  const dataSource = await createDataSource({ url: url('foretell'), migrations }).initialize();
  await migrate(dataSource);
  await dataSource.query('INSERT INTO users (username, password, email) VALUES ($1, $2, $3)', [
    'ada',
    await bcrypt.hash('correct horse battery staple', 4),
    'ada@example.org',
  ]);
  await dataSource.destroy();
  await runPostgres('pg_ctl', folder, ['stop', '-m', 'fast', '-w'], account);
}

describe('a read-only role', () => {
  test('takes no lock that others wait for, writes no large object, and makes no table', async () => {
    const dataDir = await createPreparedDataDir();
    const postgres = await EmbeddedPostgres.open({ dataDir: dataDir.path, purpose: 'command' });
    onTestFinished(() => postgres.close());
    const createGrace = `CREATE ROLE grace LOGIN PASSWORD 'hopper' IN ROLE foretell_analyst`;
    await withClient(postgres.url, (owner) => owner.query(createGrace));
    const url = Object.assign(new URL(postgres.url), { username: 'grace', password: 'hopper' });
    await withClient(url.href, async (grace) => {
      for (const statement of FORBIDDEN) {
        await expect(grace.query(statement), statement).rejects.toMatchObject({ code: '42501' });
        await grace.query('ROLLBACK');
      }
    });
    url.pathname = '/postgres';
    await expect(withClient(url.href, async () => undefined)).rejects.toMatchObject({ code: '42501' });
  });
});

const FORBIDDEN = [
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_advisory_lock_shared(1, 2)',
  'SELECT pg_try_advisory_xact_lock(1)',
  'SELECT lo_create(0)',
  `SELECT lo_from_bytea(0, 'x')`,
  'CREATE TABLE mine (x int)',
  'CREATE TEMPORARY TABLE mine (x int)',
  'BEGIN; LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE; COMMIT',
  'BEGIN; LOCK TABLE migration_lock; COMMIT',
  'SELECT id FROM users FOR SHARE',
  'SELECT password FROM users',
];
