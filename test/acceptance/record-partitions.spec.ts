import { RecordPartitions } from '#libs/audit';
import { beforeAll, describe, expect, test } from 'vitest';
import { call, createUser, PATIENT } from '../support/client.js';
import { withClient } from '../support/postgres-client.js';
import { recordsOfUser } from '../support/records.js';
import { openDataSource, prepareDatabase } from '../support/prepared-service.js';
import { startApiForThisTest } from '../support/test-api.js';

const database = prepareDatabase();

beforeAll(async () => {
  await database.query(
    `INSERT INTO users (username, password, email) VALUES ('ada', 'a hash', 'ada@example.org')`,
  );
});

const names = async (sql: string, values: unknown[] = []) =>
  (await database.query<{ name: string }>(sql, values)).map(({ name }) => name);
const TABLES = ['requests', 'responses', 'shadow_responses', 'commits'];
const partitions = () =>
  names(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits
     WHERE inhparent = ANY ($1::regclass[]) ORDER BY 1`,
    [TABLES],
  );
const create = (first: string, last: string) =>
  names(`SELECT create_record_partitions($1, $2) AS name`, [first, last]);
const drop = (before: string) => names(`SELECT drop_record_partitions($1) AS name`, [before]);
const of = (...months: string[]) =>
  months.flatMap((month) => TABLES.map((table) => `${table}_${month}`)).toSorted();

const addRequest = (userId: number, created: string) =>
  database.query<{ id: string }>(
    `INSERT INTO requests (user_id, created_datetime, request_uuid, model, model_version, dialect)
     VALUES ($1, $2, 'then', 'heart-failure', '1', 'plain') RETURNING id`,
    [userId, created],
  );
const addResponse = (requestId: string, created: string) =>
  database.query(
    `INSERT INTO responses (request_id, created_datetime, status_code, duration_ms) VALUES ($1, $2, 200, 1)`,
    [requestId, created],
  );

/** A prediction at that time. @returns the id of its request */
async function record(created: string): Promise<string> {
  const [request] = await addRequest(1, created);
  await addResponse(request!.id, created);
  return request!.id;
}

describe('months of the record', () => {
  test('are created once, from the first to the last, in UTC whatever the time zone is', async () => {
    await database.query(`SET timezone TO 'Pacific/Auckland'`);
    expect((await create('2019-11-30T23:59:59Z', '2020-01-01T00:00:00Z')).toSorted()).toEqual(
      of('2019_11', '2019_12', '2020_01'),
    );
    expect(await create('2019-11-01Z', '2020-01-31Z')).toEqual([]);
    await record('2019-12-31T23:59:59.999Z');
    await record('2020-01-01T00:00:00Z');
    const rows = await database.query(
      `SELECT requests.tableoid::regclass::text AS request, responses.tableoid::regclass::text AS response
       FROM requests JOIN responses ON request_id = requests.id ORDER BY requests.id`,
    );
    expect(rows).toEqual([
      { request: 'requests_2019_12', response: 'responses_2019_12' },
      { request: 'requests_2020_01', response: 'responses_2020_01' },
    ]);
  });

  test('hold no response without its request, and no request without a user', async () => {
    const created = '2020-01-15Z';
    await expect(addResponse('4711', created)).rejects.toMatchObject({
      constraint: 'responses_2020_01_request_fkey',
    });
    const id = await record(created);
    await expect(database.query(`DELETE FROM requests WHERE id = $1`, [id])).rejects.toMatchObject({
      constraint: 'responses_2020_01_request_fkey',
    });
    await expect(addRequest(4711, created)).rejects.toMatchObject({ constraint: 'requests_user_id_fkey' });
    await expect(addResponse(id, created)).rejects.toMatchObject({ constraint: 'responses_2020_01_pkey' });
  });

  test('that are over are checked once, and from then on hold no response without its request', async () => {
    const dataSource = await openDataSource(database, { entities: [] });
    const months = new RecordPartitions(dataSource, {} as never);
    const key = 'responses_2019_11_request_fkey';
    await database.query(`ALTER TABLE responses_2019_11 DROP CONSTRAINT ${key}`);
    const created = '2019-11-30Z';
    await addResponse('4711', created);
    await expect(months.close()).rejects.toMatchObject({ constraint: key });
    await database.query('DELETE FROM responses WHERE request_id = 4711');
    expect(await months.close()).toEqual(['responses_2019_11']);
    expect(await months.close()).toEqual([]);
    await expect(addResponse('4711', created)).rejects.toMatchObject({ constraint: key });
  });

  test('are dropped when every row is old, and not before', async () => {
    const before = await partitions();
    expect(await drop('2019-11-30T23:59:59Z')).toEqual([]);
    expect((await drop('2020-01-31T23:59:59Z')).toSorted()).toEqual(of('2019_11', '2019_12'));
    expect(await partitions()).toEqual(before.filter((name) => !/2019_/.test(name)));
  });

  test('in use by a reader are left for later, and no one waits for them', async () => {
    await withClient(database.url, async (reader) => {
      await reader.query('BEGIN');
      await reader.query('SELECT FROM requests_2020_01');
      await expect(drop('2020-02-01Z')).rejects.toMatchObject({ code: '55P03' });
      expect(await partitions()).toEqual(expect.arrayContaining(of('2020_01')));
      await reader.query('COMMIT');
    });
    expect((await drop('2020-02-01Z')).toSorted()).toEqual(of('2020_01'));
  });
});

test('a service creates missing months before it answers, and drops any older than RECORD_RETENTION_DAYS', async () => {
  await create('2018-03-01Z', '2018-03-01Z');
  await record('2018-03-05Z');
  const recent = (await partitions()).filter((name) => !name.endsWith('2018_03'));
  await database.query(`DROP TABLE ${recent.join(', ')} CASCADE`);

  const forever = await startApiForThisTest({ DATABASE_URL: database.url });
  expect(await partitions()).toEqual([...recent, ...of('2018_03')].toSorted());
  const user = await createUser(forever, database);
  expect((await call(forever, 'POST', '/predict', { body: PATIENT, token: user.token })).status).toBe(200);
  expect(await recordsOfUser(database, user.id)).toHaveLength(1);
  await forever.stop();

  await startApiForThisTest({ DATABASE_URL: database.url, RECORD_RETENTION_DAYS: '400' });
  while ((await partitions()).length > recent.length) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await partitions()).toEqual(recent);
  // Newer rows stay.
  expect(await database.query('SELECT FROM requests')).toHaveLength(1);
});
