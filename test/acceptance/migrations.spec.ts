import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import bcrypt from 'bcrypt';
import jwt from 'jsonwebtoken';
import { beforeEach, describe, expect, test } from 'vitest';
import { DataSource } from 'typeorm';
import { createDataSource, migrate } from '#libs/database';
import { migrations } from '#migrations';
import { startApi } from '../support/test-api.js';
import { call } from '../support/client.js';
import { CHECKOUT } from '../support/data-dir.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});

async function withDataSource<T>(dataSource: DataSource, work: (open: DataSource) => Promise<T>): Promise<T> {
  await dataSource.initialize();
  return work(dataSource).finally(() => dataSource.destroy());
}

const allMigrations = () => createDataSource({ url: database.url, migrations });
const firstMigrations = (count: number) =>
  new DataSource({ type: 'postgres', url: database.url, migrations: migrations.slice(0, count) });

const ADD_ADA = `INSERT INTO users (username, password, email) VALUES ('ada', 'a hash', 'ada@example.org')`;

const NAMES = migrations.map((migration) => new migration().name);

/** Everything the schema consists of, as PostgreSQL describes it. */
async function schema(): Promise<Record<string, unknown[]>> {
  const inPublic = `WHERE table_schema = 'public' AND table_name <> 'migrations'`;
  const [columns, constraints, indexes, views, triggers, grants, functions] = await Promise.all([
    database.query(
      `SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
       FROM information_schema.columns ${inPublic} ORDER BY 1, ordinal_position`,
    ),
    database.query(
      `SELECT conrelid::regclass::text AS table, conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'migrations' ORDER BY 1, 2`,
    ),
    database.query(
      `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'migrations' ORDER BY 1`,
    ),
    database.query(`SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'`),
    database.query(
      `SELECT tgname, pg_get_triggerdef(oid) AS definition FROM pg_trigger WHERE NOT tgisinternal`,
    ),
    database.query(
      `SELECT table_name, column_name, grantee, privilege_type FROM information_schema.column_privileges ${inPublic}
       AND grantee = 'foretell_analyst' ORDER BY 1, 2, 3, 4`,
    ),
    database.query(`SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`),
  ]);
  return { columns, constraints, indexes, views, triggers, grants, functions };
}

test('all of them run on an empty database, in order, and a second time there is nothing to run', async () => {
  await withDataSource(allMigrations(), async (dataSource) => {
    expect(await migrate(dataSource)).toEqual(NAMES);
    expect(await migrate(dataSource)).toEqual([]);
    expect(await dataSource.showMigrations()).toBe(false);
  });
  expect(NAMES).toEqual(NAMES.toSorted((a, b) => timestamp(a) - timestamp(b)));
});

const timestamp = (name: string) => Number(/\d+$/.exec(name)![0]);

test('after the first one, with users in the database, the rest run and the users survive', async () => {
  await withDataSource(firstMigrations(1), (dataSource) => dataSource.runMigrations());
  await database.query(
    `INSERT INTO users (username, password, email, role, enabled) VALUES
       ('ada', 'a hash', 'ada@example.org', 'admin', true), ('ben', 'a hash', 'ben@example.org', 'user', false)`,
  );
  await database.query(
    `INSERT INTO users (enabled, removed_datetime) VALUES (false, '2025-11-20 12:00:00+00')`,
  );
  const users = () => database.query('SELECT * FROM users ORDER BY id');
  const before = await users();
  expect(before).toHaveLength(3);

  expect(await withDataSource(allMigrations(), migrate)).toEqual(NAMES.slice(1));
  const after = await users();
  expect(after).toEqual(before.map((user) => expect.objectContaining(user)));
  expect(after.map(({ username_key }) => username_key)).toEqual(['ada', 'ben', null]);
  expect(after.map(({ epoch }) => epoch)).toEqual([1, 1, 1]);
  expect(new Set(after.map(({ account_uuid }) => account_uuid)).size).toBe(3);
});

describe('usernames from before PRECIS', () => {
  /** Runs the earlier migrations, adds these users, and runs the rest. @returns what the migration noted */
  async function migrateWith(usernames: readonly string[], hash = 'a hash'): Promise<string[]> {
    const before = NAMES.indexOf('AddAccountKeys1763600900000');
    await withDataSource(firstMigrations(before), (dataSource) => dataSource.runMigrations());
    for (const username of usernames) {
      await database.query('INSERT INTO users (username, password, email) VALUES ($1, $2, $3)', [
        username,
        hash,
        'person@example.org',
      ]);
    }
    const notes: string[] = [];
    const listen = (warning: Error) => notes.push(`${warning.name}: ${warning.message}`);
    process.on('warning', listen);
    try {
      await withDataSource(allMigrations(), migrate);
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('warning', listen);
    }
    return notes.filter((note) => note.startsWith('MigrationNote'));
  }

  const OLD = [
    'Ada', // 1: allowed today
    'ＢＥＮ', // 2: the same name as 3 today
    'ben', // 3
    'Grace Hopper', // 4: has a space
    'a\u200Bda', // 5: looks like the first
    'z'.repeat(128), // 6: too long
    'Ça va', // 7
    'zoë', // 8
    'ｚｏë', // 9: the same name as 8 today
  ];

  test('are kept with a key each, and unusual keys are reported', async () => {
    expect(await migrateWith(OLD)).toEqual([
      expect.stringMatching(/^MigrationNote: 6 of 9 usernames would be refused .* Ids: 2, 4, 5, 6, 7, 9$/),
    ]);
    const rows = await database.query('SELECT username, username_key FROM users ORDER BY id');
    expect(rows.map(({ username }) => username)).toEqual(OLD);
    expect(rows.map(({ username_key }) => username_key)).toEqual([
      'ada',
      'ｂｅｎ',
      'ben',
      'grace hopper',
      'a\u200Bda',
      'z'.repeat(128),
      'ça va',
      'zoë',
      'ｚｏë',
    ]);
  });

  test('report nothing if there is nothing to report', async () => {
    expect(await migrateWith(['Ada', 'Ärztin', 'ben'])).toEqual([]);
    expect(await database.query('SELECT username_key FROM users ORDER BY id')).toEqual([
      { username_key: 'ada' },
      { username_key: 'ärztin' },
      { username_key: 'ben' },
    ]);
  });

  test('log in as before, and no one can register one of them again', async () => {
    await migrateWith(OLD, await bcrypt.hash('a password', 4));
    const api = await startApi({ DATABASE_URL: database.url, LOGIN_FAILURES_PER_MINUTE: '1000' });
    for (const [index, username] of OLD.entries()) {
      for (const typed of [username, username.normalize('NFD'), username.toLowerCase()]) {
        const body = { username: typed, password: 'a password' };
        const answer = await call(api, 'POST', '/token', { body });
        expect(answer.status, typed).toBe(200);
        expect(jwt.decode(answer.body.token), typed).toMatchObject({ sub: String(index + 1) });
      }
      const body = { username, password: 'another', email: 'b@example.org' };
      expect((await call(api, 'POST', '/register-user', { body })).status).toBeOneOf([400, 409]);
    }
  });

  test('whatever the names were, every user has a key', async () => {
    const letters = [...'aAａＡäÄİi K\u212AßẞσςΣ\u200B', 'a\u0308'];
    const names = new Map<string, string>();
    for (const one of letters) {
      for (const two of ['', ...letters]) {
        const name = (one + two).normalize('NFC').trim();
        if (name === '') continue;
        // The old index had one of each.
        const [row] = await database.query<{ lower: string }>('SELECT lower($1)', [name]);
        if (!names.has(row!.lower)) names.set(row!.lower, name);
      }
    }
    await migrateWith([...names.values()]);
    const [counts] = await database.query(
      'SELECT count(*)::int, count(DISTINCT username_key)::int AS keys FROM users',
    );
    expect(counts).toEqual({ count: names.size, keys: names.size });
  });

  test('a name that is set by hand gets a key, and loses it when the person is removed', async () => {
    await migrateWith(['Ada']);
    const keys = () => database.query('SELECT username, username_key, epoch FROM users ORDER BY id');
    await database.query(
      `INSERT INTO users (username, password, email) VALUES ('Grace', 'a hash', 'a@example.org')`,
    );
    await database.query(`UPDATE users SET username = 'Countess' WHERE username = 'Ada'`);
    expect(await keys()).toEqual([
      { username: 'Countess', username_key: 'countess', epoch: 1 },
      { username: 'Grace', username_key: 'grace', epoch: 1 },
    ]);
    await database.query(
      `UPDATE users SET username = NULL, password = NULL, email = NULL, enabled = false, removed_datetime = now()
       WHERE id = 1`,
    );
    expect(await keys()).toContainEqual({ username: null, username_key: null, epoch: 2 });
    await expect(
      database.query(
        `INSERT INTO users (username, password, email) VALUES ('GRACE', 'a hash', 'a@example.org')`,
      ),
    ).rejects.toThrow('users_username_key_key');
  });
});

test('what was recorded before rows were counted is kept, without a row count', async () => {
  await withDataSource(firstMigrations(5), (dataSource) => dataSource.runMigrations());
  await database.query(ADD_ADA);
  await database.query(
    `INSERT INTO requests (user_id, input, request_uuid, model, model_version, dialect)
     VALUES (1, '{"age":25}', 'before', 'heart-failure', '1', 'plain')`,
  );
  await database.query(`INSERT INTO responses (request_id, status_code, duration_ms) VALUES (1, 200, 1)`);
  const log = () => database.query('SELECT * FROM prediction_log');
  const [before] = await log();
  await withDataSource(allMigrations(), async (dataSource) => {
    await migrate(dataSource);
    expect(await log()).toEqual([{ ...(before as object), row_count: null }]);
    for (const _ of migrations.slice(5)) await dataSource.undoLastMigration();
    expect(await log()).toEqual([before]);
  });
});

test('a record from before partitions is in its month’s partition, each response with its request', async () => {
  await withDataSource(firstMigrations(7), (dataSource) => dataSource.runMigrations());
  await database.query(ADD_ADA);
  // The second was answered after its month was over.
  await database.query(
    `INSERT INTO requests (user_id, input, request_uuid, model, model_version, dialect, created_datetime) VALUES
       (1, '{"age":25}', 'a', 'heart-failure', '1', 'plain', '2025-01-15 12:00Z'),
       (1, '{"age":26}', 'b', 'heart-failure', '1', 'plain', '2025-01-31 23:59:59.999Z')`,
  );
  await database.query(
    `INSERT INTO responses (request_id, status_code, output, duration_ms, created_datetime) VALUES
       (1, 200, '{"yhat":"1"}', 1.5, '2025-01-15 12:00:00.002Z'), (2, 400, '{}', 2, '2025-02-01 00:00Z')`,
  );
  await database.query(
    `INSERT INTO shadow_responses (request_id, model_version, status_code, duration_ms, created_datetime)
     VALUES (2, '2', 200, 1, '2025-02-01 00:00:01Z')`,
  );
  const log = () => database.query('SELECT * FROM prediction_log ORDER BY id');
  const shadows = () => database.query('SELECT * FROM shadow_responses');
  const [before, shadowsBefore] = [await log(), await shadows()];
  expect(before).toHaveLength(2);
  await withDataSource(allMigrations(), async (dataSource) => {
    await migrate(dataSource);
    expect(await log()).toEqual(before);
    expect(await shadows()).toEqual(shadowsBefore);
    const places = await database.query(
      `SELECT requests.tableoid::regclass::text AS request, responses.tableoid::regclass::text AS response
       FROM requests JOIN responses ON request_id = requests.id`,
    );
    const place = { request: 'requests_2025_01', response: 'responses_2025_01' };
    expect(places).toEqual([place, place]);
    // The ids continue where they left off.
    const [next] = await database.query(
      `INSERT INTO requests (user_id, request_uuid, model, model_version, dialect)
       VALUES (1, 'c', 'heart-failure', '1', 'plain') RETURNING id`,
    );
    expect(next).toEqual({ id: '3' });
    await database.query('DELETE FROM requests WHERE id = 3');

    for (const _ of migrations.slice(7)) await dataSource.undoLastMigration();
    expect(await log()).toEqual(before);
    expect(await shadows()).toEqual(shadowsBefore);
  });
});

test('a record from before commits were rows is kept, in no commit; months that are over keep their key', async () => {
  await withDataSource(firstMigrations(14), (dataSource) => dataSource.runMigrations());
  await database.query(ADD_ADA);
  await database.query(`SELECT create_record_partitions('2025-01-01Z', '2025-01-01Z')`);
  await database.query(
    `INSERT INTO requests (user_id, input, request_uuid, model, model_version, dialect, created_datetime) VALUES
       (1, '{"age":25}', 'a', 'heart-failure', '1', 'plain', '2025-01-15Z'),
       (1, '{"age":26}', 'b', 'heart-failure', '1', 'plain', now())`,
  );
  await database.query(
    `INSERT INTO responses (request_id, status_code, output, duration_ms, created_datetime)
     SELECT id, 200, '{"yhat":"1"}', 1.5, created_datetime FROM requests`,
  );
  const log = () => database.query('SELECT * FROM prediction_log ORDER BY id');
  const keys = () =>
    database.query(
      `SELECT count(*) FILTER (WHERE conrelid = 'responses_2025_01'::regclass)::int AS old, count(*)::int AS all
       FROM pg_constraint WHERE contype = 'f' AND conname LIKE 'responses\\_____\\___\\_request_fkey'`,
    );
  const before = await log();
  const keysBefore = await keys();
  await withDataSource(allMigrations(), async (dataSource) => {
    await migrate(dataSource);
    expect(await log()).toEqual(before);
    expect(await keys()).toEqual([{ old: 1, all: 1 }]);
    expect(await database.query('SELECT DISTINCT writer, seq, index FROM requests')).toEqual([
      { writer: null, seq: null, index: null },
    ]);
    // A release before this one may go on writing meanwhile.
    await database.query(
      `INSERT INTO requests (user_id, request_uuid, model, model_version, dialect) VALUES (1, 'c', 'm', '1', 'plain')`,
    );
    await expect(database.query('DELETE FROM users')).rejects.toMatchObject({ code: '23503' });
    await dataSource.undoLastMigration();
    expect(await keys()).toEqual(keysBefore);
    await expect(database.query('DELETE FROM users')).rejects.toMatchObject({ code: '23503' });
  });
});

test('all of them can be reverted, which leaves nothing, and run again, which gives the same schema', async () => {
  await withDataSource(allMigrations(), async (dataSource) => {
    await migrate(dataSource);
    const made = await schema();
    for (const [part, rows] of Object.entries(made)) expect(rows, part).not.toEqual([]);

    for (const _ of migrations) await dataSource.undoLastMigration();
    for (const [part, rows] of Object.entries(await schema())) expect(rows, part).toEqual([]);

    expect(await migrate(dataSource)).toEqual(NAMES);
    expect(await schema()).toEqual(made);
  });
});

describe('the entities', () => {
  /** What TypeORM would change to make the schema match the entities, from a process of its own. */
  async function drift(): Promise<string[]> {
    const script = `
      import { entities } from './dist/apps/api/src/app.module.js';
      import { createDataSource } from './dist/libs/database/src/index.js';
      const dataSource = createDataSource({ url: process.env.DATABASE_URL, entities });
      await dataSource.initialize();
      const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
      await dataSource.destroy();
      console.log(JSON.stringify(upQueries.map(({ query }) => query)));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: CHECKOUT,
      env: { PATH: process.env.PATH, DATABASE_URL: database.url },
      timeout: 60_000,
    });
    return JSON.parse(stdout) as string[];
  }

  test('describe every table as the migrations created it', async () => {
    await withDataSource(allMigrations(), migrate);
    expect(await drift()).toEqual([]);

    // The check can also fail.
    await database.query(`
      ALTER TABLE responses ALTER duration_ms DROP NOT NULL;
      ALTER TABLE requests DROP COLUMN dialect CASCADE, DROP CONSTRAINT requests_user_id_fkey;
      ALTER TABLE users DROP CONSTRAINT users_role_check;
      DROP INDEX requests_user_id_idx`);
    const queries = (await drift()).join('\n');
    for (const name of [
      'duration_ms',
      'dialect',
      'requests_user_id_fkey',
      'users_role_check',
      'requests_user_id_idx',
    ]) {
      expect(queries).toContain(`"${name}"`);
    }
  });
});
