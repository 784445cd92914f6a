import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DataSource } from 'typeorm';
import { createDataSource, migrate } from '#libs/database';
import { migrations } from '#migrations';
import { CHECKOUT } from '../support/data-dir.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});

afterEach(() => database?.drop());

async function withDataSource<T>(dataSource: DataSource, work: (open: DataSource) => Promise<T>): Promise<T> {
  await dataSource.initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

const allMigrations = () => createDataSource({ url: database.url, entities: [] });
const firstMigrations = (count: number) =>
  new DataSource({ type: 'postgres', url: database.url, migrations: migrations.slice(0, count) });

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

test('from the first one on, with users in it, the rest run and the users survive', async () => {
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
  expect(await users()).toEqual(before);
});

test('what was recorded before rows were counted is kept, and does not say how many they were', async () => {
  await withDataSource(firstMigrations(5), (dataSource) => dataSource.runMigrations());
  await database.query(
    `INSERT INTO users (username, password, email) VALUES ('ada', 'a hash', 'ada@example.org')`,
  );
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

test('what was recorded before there were partitions is in that of its month, each response with its request', async () => {
  await withDataSource(firstMigrations(7), (dataSource) => dataSource.runMigrations());
  await database.query(
    `INSERT INTO users (username, password, email) VALUES ('ada', 'a hash', 'ada@example.org')`,
  );
  // The second was answered when its month was over.
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
    // Numbers go on where they were.
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

test('all of them can be taken back, which leaves nothing, and run again, which leaves the same', async () => {
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
  /** What TypeORM would change so that the schema is what the entities say, asked by a process of its own. */
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

  test('say of every table what the migrations made', async () => {
    await withDataSource(allMigrations(), migrate);
    expect(await drift()).toEqual([]);

    // And the question is one that can be answered otherwise.
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
