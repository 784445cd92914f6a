import type pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { EmbeddedPostgres } from '#libs/database';
import type { DataDir, Ending } from '../support/data-dir.js';
import { databaseUrl } from '../support/database-cluster.js';
import { withClient } from '../support/postgres-client.js';
import { createDataDir, createPreparedDataDir } from '../support/test-data-dir.js';

const analysts = (dataDir: DataDir, args: string[], input?: string): Promise<Ending> =>
  dataDir.foretell(['analysts', ...args], { input });

async function open(dataDir: DataDir): Promise<EmbeddedPostgres> {
  const postgres = await EmbeddedPostgres.open({ dataDir: dataDir.path, purpose: 'command' });
  onTestFinished(() => postgres.close());
  return postgres;
}

function as<T>(url: string, name: string, password: string, work: (client: pg.Client) => Promise<T>) {
  const login = { username: name, password: encodeURIComponent(password) };
  return withClient(Object.assign(new URL(url), login).href, work);
}

describe('foretell analysts', () => {
  test('create, grant, revoke and list the roles that read the record in SQL', async () => {
    const dataDir = await createPreparedDataDir();
    const password = 'nanosecönd 11.8 inches';
    const created = await analysts(dataDir, ['create', '--username', 'grace'], `${password}\n`);
    expect(created).toMatchObject({
      code: 0,
      stdout: 'grace may log in to the database and read.\n',
      stderr: '',
    });
    const postgres = await open(dataDir);
    const read = () =>
      as(postgres.url, 'grace', password, (client) => client.query('SELECT * FROM prediction_log'));
    expect((await read()).rows).toEqual([]);
    await as(postgres.url, 'grace', password, async (client) => {
      await expect(client.query('SELECT password FROM users')).rejects.toMatchObject({ code: '42501' });
      const { rows } = await client.query(
        `SELECT current_setting('idle_in_transaction_session_timeout') AS idle`,
      );
      expect(rows).toEqual([{ idle: '5min' }]);
    });
    expect((await analysts(dataDir, ['list'])).stdout).toBe('grace\n');

    expect((await analysts(dataDir, ['revoke', '--username', 'grace'])).stdout).toBe(
      'grace may no longer read.\n',
    );
    await expect(read()).rejects.toMatchObject({ code: '42501' });
    expect((await analysts(dataDir, ['list'])).stdout).toBe('Nobody yet.\n');
    expect((await analysts(dataDir, ['grant', '--username', 'grace'])).stdout).toBe('grace may read.\n');
    expect((await read()).rows).toEqual([]);
  });

  test('report a bad name, and a role that already exists, with exit code 1', async () => {
    const dataDir = await createPreparedDataDir();
    for (const name of ['foretell', 'pg_monitor', 'Grace', "grace'; DROP ROLE foretell", '']) {
      const ending = await analysts(dataDir, ['create', '--username', name], 'a password\n');
      expect(ending.code, name).toBe(1);
      expect(ending.stderr, name).toMatch(/is a PostgreSQL name/);
    }
    expect((await analysts(dataDir, ['create', '--username', 'grace'], 'a password\n')).code).toBe(0);
    const again = await analysts(dataDir, ['create', '--username', 'grace'], 'a password\n');
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toMatch(/"grace" already exists/);
    const nobody = await analysts(dataDir, ['grant', '--username', 'nobody']);
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringMatching(/"nobody" does not exist/)]);
  });
});

describe('foretell migrate', () => {
  test('as an owner that may not create roles says what analysts lack, and what to run', async () => {
    const dataDir = createDataDir();
    const postgres = await open(dataDir);
    await withClient(postgres.superuserUrl, async (superuser) => {
      await superuser.query(`CREATE ROLE plain LOGIN PASSWORD 'plain'`);
      await superuser.query('CREATE DATABASE other OWNER plain');
    });
    const url = Object.assign(new URL(postgres.url), {
      username: 'plain',
      password: 'plain',
      pathname: '/other',
    }).href;
    const migrate = () => dataDir.foretell(['migrate'], { environment: { DATABASE_URL: url } });

    const first = await migrate();
    expect([first.code, first.stdout]).toEqual([0, expect.stringMatching(/^Migrated: /)]);
    expect(first.stderr).toMatch(/^ {2}CREATE ROLE foretell_analyst NOLOGIN;$/m);
    expect(first.stderr).toMatch(/^ {2}GRANT SELECT ON prediction_log, requests, .* TO foretell_analyst;$/m);
    expect(first.stderr).toMatch(
      /^ {2}REVOKE EXECUTE ON FUNCTION .*pg_advisory_lock\(bigint\).* FROM PUBLIC;$/m,
    );

    const statements = [...first.stderr.matchAll(/^ {2}(.*;)$/gm)].map(([, statement]) => statement!);
    await withClient(databaseUrl(postgres.superuserUrl, 'other'), async (there) => {
      for (const statement of statements) await there.query(statement);
      await there.query(`CREATE ROLE grace LOGIN PASSWORD 'hopper' IN ROLE foretell_analyst`);
    });
    expect(await migrate()).toMatchObject({ code: 0, stdout: 'The schema is up to date.\n', stderr: '' });
    await as(url, 'grace', 'hopper', async (client) => {
      expect((await client.query('SELECT * FROM prediction_log')).rows).toEqual([]);
      await expect(client.query('SELECT pg_advisory_lock(1)')).rejects.toMatchObject({ code: '42501' });
    });
  });
});
