import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { call, createUser, PATIENT, type Answer, type TestUser } from '../support/client.js';
import { withClient } from '../support/postgres-client.js';
import { expectBadField, expectProblem } from '../support/problems.js';
import { recordsOfUser } from '../support/records.js';
import { prepareService } from '../support/prepared-service.js';
import { startApiForThisTest } from '../support/test-api.js';

const { database, api, user: analyst } = prepareService({}, { role: 'analyst' });

type Query = Record<string, string | number>;

const audit = (query: Query | string = {}, token: string | undefined = analyst.token) => {
  const search =
    typeof query === 'string' ? query : new URLSearchParams(query as Record<string, string>).toString();
  return call(api, 'GET', `/audit/predictions?${search}`, { token });
};

const idsIn = ({ body }: Answer): string[] => body.items.map(({ id }: { id: string }) => id);

async function idsOf(query: Query): Promise<string[]> {
  const answer = await audit({ limit: 1000, ...query });
  expect(answer.status).toBe(200);
  return idsIn(answer);
}

/** Page after page until the last one, or twenty. */
async function* pagesOf(query: Query): AsyncGenerator<Answer> {
  let cursor: string | null = null;
  for (let count = 0; count < 20; count++) {
    const page: Answer = await audit({ ...query, ...(cursor && { cursor }) });
    expect(page.status).toBe(200);
    cursor = page.body.next_cursor;
    yield page;
    if (cursor === null) return;
    expect(cursor).toBeTypeOf('string');
  }
}

/** Inserts `rows` predictions of a megabyte each, as they would have been recorded. */
const recordLarge = (user: TestUser, rows: number) =>
  database.query(
    `WITH request AS (
       INSERT INTO requests (user_id, input, request_uuid, model, model_version, dialect)
       SELECT $1, jsonb_build_object('note', repeat('x', 1000000)), 'large', 'heart-failure', '1', 'plain'
       FROM generate_series(1, $2) RETURNING id)
     INSERT INTO responses (request_id, output, status_code, duration_ms) SELECT id, '{}', 200, 1 FROM request`,
    [user.id, rows],
  );

const predict = (user: TestUser, body: object | string = PATIENT, headers: Record<string, string> = {}) =>
  call(api, 'POST', '/predict', { body, token: user.token, headers });

/** A user with predictions of these ages, one after another; and the ids of their rows, newest first. */
async function userWithPredictions(...ages: unknown[]): Promise<{ user: TestUser; ids: string[] }> {
  const user = await createUser(api, database);
  for (const age of ages) await predict(user, { ...PATIENT, age });
  const ids = (await recordsOfUser(database, user.id)).map(({ id }) => id).toReversed();
  expect(ids).toHaveLength(ages.length);
  return { user, ids };
}

describe('GET /audit/predictions', () => {
  test('is closed to callers without a token', async () => {
    for (const answer of [
      await call(api, 'GET', '/audit/predictions'),
      await call(api, 'GET', '/audit/predictions', { token: 'nonsense' }),
    ]) {
      expectProblem(answer, 401, 'Unauthorized');
      expect(answer.body.error).toBe('Unauthorized');
    }
  });

  test('is closed to users, also for their own predictions', async () => {
    const { user } = await userWithPredictions(25);
    expectProblem(await audit({}, user.token), 403, 'Forbidden');
    expectProblem(await audit({ user: user.id }, user.token), 403, 'Forbidden');
  });

  test.each(['analyst', 'admin'] as const)('is open to %s', async (role) => {
    const { token } = await createUser(api, database, role);
    const { ids } = await userWithPredictions(25);
    const answer = await audit({ limit: 1000 }, token);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['items', 'next_cursor']);
    expect(idsIn(answer)).toContain(ids[0]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('shows an answered and a refused prediction as they were asked and answered', async () => {
    const user = await createUser(api, database);
    const requestId = `audit-${user.username}`;
    const answered = await predict(user, { ...PATIENT, note: 'x' }, { 'x-request-id': requestId });
    const refused = await predict(user, { age: 'abc' });
    const notJson = await predict(user, 'age=25');
    const [rowOfAnswered, rowOfRefused, rowOfNotJson] = await recordsOfUser(database, user.id);

    const { body } = await audit({ user: user.id });
    const common = {
      user: { id: user.id, username: user.username },
      model: { name: 'heart-failure', version: '1' },
      dialect: 'plain',
      created_datetime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      duration_ms: expect.any(Number),
    };
    expect(body).toEqual({
      items: [
        {
          ...common,
          id: rowOfNotJson!.id,
          request_id: notJson.headers.get('x-request-id'),
          row_count: null,
          status: 400,
          input: null,
          output: notJson.body,
        },
        {
          ...common,
          id: rowOfRefused!.id,
          request_id: refused.headers.get('x-request-id'),
          row_count: 1,
          status: 400,
          input: { age: 'abc' },
          output: refused.body,
        },
        {
          ...common,
          id: rowOfAnswered!.id,
          request_id: requestId,
          row_count: 1,
          status: 200,
          input: { ...PATIENT, note: 'x' },
          output: answered.body,
        },
      ],
      next_cursor: null,
    });
    expect(new Date(body.items[0].created_datetime)).toEqual(rowOfNotJson!.created_datetime);
    for (const { duration_ms } of body.items) {
      expect(duration_ms).toBeGreaterThan(0);
      expect(duration_ms).toBeLessThan(60_000);
    }
  });

  test('keeps the predictions of a removed person, without the person', async () => {
    const { user, ids } = await userWithPredictions(25);
    const admin = await createUser(api, database, 'admin');
    await call(api, 'DELETE', `/remove-user/${user.id}`, { token: admin.token });
    const { body } = await audit({ user: user.id });
    expect(body.items).toHaveLength(1);
    expect(body.items[0]).toMatchObject({ id: ids[0], user: { id: user.id, username: null } });
    expect(await idsOf({ user: user.username })).toEqual([]);
  });

  test('comes newest first', async () => {
    const { user, ids } = await userWithPredictions(61, 62, 63);
    const answer = await audit({ user: user.id });
    const { body } = answer;
    expect(body.items.map(({ input }: { input: { age: number } }) => input.age)).toEqual([63, 62, 61]);
    expect(idsIn(answer)).toEqual(ids);
    const times = body.items.map((item: { created_datetime: string }) => item.created_datetime);
    expect(times).toEqual(times.toSorted().toReversed());
  });
});

describe('pages', () => {
  test('hold as many as requested, and 100 by default', async () => {
    const user = await createUser(api, database);
    const answers = await Promise.all(Array.from({ length: 101 }, () => predict(user)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const lengthOf = async (query: Query) => (await audit({ user: user.id, ...query })).body.items.length;
    expect(await lengthOf({})).toBe(100);
    expect(await lengthOf({ limit: 1 })).toBe(1);
    expect(await lengthOf({ limit: 7 })).toBe(7);
    expect(await lengthOf({ limit: 1000 })).toBe(101);
  });

  test('follow one another until next_cursor is null, no row twice or missing, while predictions arrive', async () => {
    const { user, ids } = await userWithPredictions(1, 2, 3, 4, 5, 6, 7, 8);
    const pages: string[][] = [];
    for await (const page of pagesOf({ user: user.id, limit: 3 })) {
      pages.push(idsIn(page));
      await predict(user, { ...PATIENT, age: 99 });
      await predict(user, { ...PATIENT, age: 'refused' });
    }
    expect(pages).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
    // What arrived meanwhile is on the first page of a new reader.
    expect(await idsOf({ user: user.id })).toHaveLength(8 + 2 * 3);
  });

  test('end with null even if the last one is full', async () => {
    const { user, ids } = await userWithPredictions(1, 2, 3, 4);
    const first = await audit({ user: user.id, limit: 2 });
    const second = await audit({ user: user.id, limit: 2, cursor: first.body.next_cursor });
    expect(idsIn(second)).toEqual(ids.slice(2));
    expect(second.body.next_cursor).toBe(null);
  });

  test('with no rows are empty, and the last', async () => {
    const user = await createUser(api, database);
    expect((await audit({ user: user.id })).body).toEqual({ items: [], next_cursor: null });
  });

  test('keep the filters of the request', async () => {
    const { user, ids } = await userWithPredictions(1, 'a', 2, 'b', 3, 'c');
    const first = await audit({ user: user.id, status: 400, limit: 2 });
    const second = await audit({ user: user.id, status: 400, limit: 2, cursor: first.body.next_cursor });
    expect([...idsIn(first), ...idsIn(second)]).toEqual([ids[0], ids[2], ids[4]]);
    expect(second.body.next_cursor).toBe(null);
  });

  test('end early if their rows are large, and lose no row', async () => {
    const user = await createUser(api, database);
    await recordLarge(user, 40);
    const found: string[] = [];
    for await (const page of pagesOf({ user: user.id, limit: 1000 })) {
      expect(page.text.length).toBeLessThan(18 * 1024 ** 2);
      expect(page.body.items[0].input.note).toHaveLength(1_000_000);
      found.push(...idsIn(page));
    }
    expect(found).toHaveLength(40);
    expect(found).toEqual((await recordsOfUser(database, user.id)).map(({ id }) => id).toReversed());
  });

  test('are not held in memory as a whole, however many are requested at once', async () => {
    const user = await createUser(api, database);
    await recordLarge(user, 18);
    const small = await startApiForThisTest({
      DATABASE_URL: database.url,
      // Node 24 takes more memory for itself.
      NODE_OPTIONS: `--max-old-space-size=${Number(process.versions.node.split('.')[0]) < 24 ? 96 : 128}`,
    });
    const asked = Array.from({ length: 8 }, () =>
      call(small, 'GET', `/audit/predictions?limit=1000&user=${user.id}`, { token: analyst.token }),
    );
    const answers = await Promise.all(asked);
    // Whole pages, or none because too many were requested at once.
    expect(answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    const pages = answers.filter(({ status }) => status === 200);
    expect(pages.length).toBeGreaterThan(0);
    for (const { body } of pages) expect(body.items.length).toBeGreaterThan(0);
    expect(small.process.exitCode).toBe(null);
  });
});

const TIMES = ['abc', '1', '2020', 'yesterday', '2020-13-01', '2020-01-01T25:00:00Z', ''];
const REFUSED = {
  limit: ['0', '-1', '1001', '1e9', 'abc', '1.5', '', 'NaN'],
  cursor: ['abc', '-1', '1.5', '1;DROP TABLE users', '9'.repeat(40)],
  user_id: ['abc', '0', '-1', '1.5', '2147483648', ''],
  status: ['abc', '99', '600', '200.5'],
  from: TIMES,
  to: TIMES,
};
test.each(Object.entries(REFUSED).flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
  '%s=%j is refused with 400',
  async (name, value) => expectBadField(await audit({ [name]: value }), name),
);

describe('the filter', () => {
  test('user takes an id or a name, whatever its case', async () => {
    const { user, ids } = await userWithPredictions(1, 2);
    await userWithPredictions(3);
    expect(await idsOf({ user: user.id })).toEqual(ids);
    expect(await idsOf({ user: user.username })).toEqual(ids);
    expect(await idsOf({ user: user.username.toUpperCase() })).toEqual(ids);
    expect(await idsOf({ user: `${user.username}x` })).toEqual([]);
    expect(await idsOf({ user: '%' })).toEqual([]);
    expect(await idsOf({ user: 2147483647 })).toEqual([]);
    expect(await idsOf({ user: '99999999999999999999' })).toEqual([]);
  });

  test('a user whose name is a number is found by user, and the one with that id by user_id', async () => {
    const { user: numbered, ids } = await userWithPredictions(1, 2);
    const credentials = { username: String(numbered.id), password: 'x', email: 'number@example.org' };
    expect(await idsOf({ user: credentials.username })).toEqual(ids);
    const { body: registered } = await call(api, 'POST', '/register-user', { body: credentials });
    const { body: issued } = await call(api, 'POST', '/token', { body: credentials });
    await predict({ ...credentials, id: registered.user_id, token: issued.token });
    const named = (await recordsOfUser(database, registered.user_id)).map(({ id }) => id);
    expect(named).toHaveLength(1);
    expect(await idsOf({ user: credentials.username })).toEqual(named);
    expect(await idsOf({ user_id: numbered.id })).toEqual(ids);
    expect(await idsOf({ user_id: registered.user_id })).toEqual(named);
    // If both are given, both must hold.
    expect(await idsOf({ user: credentials.username, user_id: registered.user_id })).toEqual(named);
    expect(await idsOf({ user: credentials.username, user_id: numbered.id })).toEqual([]);
    expect(await idsOf({ user_id: 2147483647 })).toEqual([]);
  });

  test('model and version take what the record says', async () => {
    const { user, ids } = await userWithPredictions(1, 2, 3, 4);
    // Rows such as other models would have left.
    await database.query(`UPDATE requests SET model = 'other' WHERE id = $1`, [ids[0]]);
    await database.query(`UPDATE requests SET model_version = '2' WHERE id = $1`, [ids[1]]);
    const of = (query: Query) => idsOf({ user: user.id, ...query });
    expect(await of({ model: 'other' })).toEqual([ids[0]]);
    expect(await of({ model: 'heart-failure' })).toEqual(ids.slice(1));
    expect(await of({ version: '2' })).toEqual([ids[1]]);
    expect(await of({ model: 'heart-failure', version: '1' })).toEqual(ids.slice(2));
    expect(await of({ model: 'other', version: '2' })).toEqual([]);
    expect(await of({ model: 'nothing' })).toEqual([]);
  });

  test('request_id takes the id that the caller or the service gave it', async () => {
    const user = await createUser(api, database);
    const named = await predict(user, PATIENT, { 'x-request-id': `named-${user.username}` });
    const unnamed = await predict(user);
    await predict(user);
    for (const { headers } of [named, unnamed]) {
      const { body } = await audit({ request_id: headers.get('x-request-id')! });
      expect(body.items.map((item: { request_id: string }) => item.request_id)).toEqual([
        headers.get('x-request-id'),
      ]);
    }
    expect(await idsOf({ request_id: 'of nobody' })).toEqual([]);
    const indexes = await database.query(
      `SELECT FROM pg_indexes WHERE tablename = 'requests' AND indexdef LIKE '%(request_uuid)'`,
    );
    expect(indexes).toHaveLength(1);
  });

  test.each(['limt=5', 'usr=1', 'status=200&page=2', 'items=1'])(
    'that is not known is refused with 400: %s',
    async (query) => {
      expectBadField(await audit(query), /(\w+)=\w+$/.exec(query)![1]!, /is not known here/);
    },
  );

  test('status takes the HTTP status of the answer', async () => {
    const { user, ids } = await userWithPredictions(1, 'a', 2);
    expect(await idsOf({ user: user.id, status: 200 })).toEqual([ids[0], ids[2]]);
    expect(await idsOf({ user: user.id, status: 400 })).toEqual([ids[1]]);
    expect(await idsOf({ user: user.id, status: 503 })).toEqual([]);
  });

  test('from is inclusive and to is not, in any time zone', async () => {
    const { user, ids } = await userWithPredictions(1, 2, 3);
    const times = ['2020-01-03T00:00:00Z', '2020-01-02T12:00:00Z', '2020-01-01T00:00:00Z'];
    await database.query(`SELECT create_record_partitions('2020-01-01Z', '2020-01-31Z')`);
    for (const [index, id] of ids.entries()) {
      await database.query(
        `WITH response AS (UPDATE responses SET created_datetime = $1 WHERE request_id = $2)
         UPDATE requests SET created_datetime = $1 WHERE id = $2`,
        [times[index], id],
      );
    }
    const of = (query: Query) => idsOf({ user: user.id, ...query });
    expect(await of({ from: '2020-01-02T12:00:00Z' })).toEqual([ids[0], ids[1]]);
    expect(await of({ to: '2020-01-02T12:00:00Z' })).toEqual([ids[2]]);
    expect(await of({ from: '2020-01-02T12:00:00.001Z' })).toEqual([ids[0]]);
    expect(await of({ from: '2020-01-02T14:00:00+02:00', to: '2020-01-03T00:00:00Z' })).toEqual([ids[1]]);
    expect(await of({ from: '2020-01-02', to: '2020-01-03' })).toEqual([ids[1]]);
    expect(await of({ from: '2020-01-04T00:00:00Z' })).toEqual([]);
  });

  test('several must all hold', async () => {
    const { user, ids } = await userWithPredictions(1, 'a');
    const all = {
      user: user.username,
      model: 'heart-failure',
      version: '1',
      from: '2020-01-01',
      to: '2999-01-01',
    };
    expect(await idsOf({ ...all, status: 400 })).toEqual([ids[0]]);
    expect(await idsOf({ ...all, status: 400, to: '2020-01-02' })).toEqual([]);
  });

  test('given twice is refused with 400', async () => {
    for (const name of ['user', 'model', 'version', 'request_id', ...Object.keys(REFUSED)]) {
      const value = name === 'from' || name === 'to' ? '2020-01-01' : '1';
      expect((await audit(`${name}=${value}&${name}=${value}`)).status, name).toBe(400);
    }
  });

  test('no text becomes SQL', async () => {
    const { ids } = await userWithPredictions(1);
    for (const name of ['user', 'model', 'version', 'request_id']) {
      expect(await idsOf({ [name]: `' OR '1'='1` })).toEqual([]);
      expect(await idsOf({ [name]: `$1` })).toEqual([]);
    }
    expect(await idsOf({})).toContain(ids[0]);
  });

  test.each(['user', 'model', 'version', 'request_id'])(
    '%s with a NUL, which no row can hold, finds nothing',
    async (name) => {
      await userWithPredictions(1);
      expect(await idsOf({ [name]: 'a\0b' })).toEqual([]);
    },
  );
});

describe('analysts’ SQL', () => {
  /** A connection that is foretell_analyst and nothing else. */
  const asAnalyst = <Result>(work: (client: pg.Client) => Promise<Result>) =>
    withClient(database.url, async (client) => {
      await client.query('SET ROLE foretell_analyst');
      return work(client);
    });

  test('reaches into inputs and outputs as jsonb', async () => {
    const user = await createUser(api, database);
    await predict(user, { ...PATIENT, age: 42 });
    await predict(user, { ...PATIENT, age: '43' });
    const { rows } = await asAnalyst((client) =>
      client.query(
        `SELECT input->>'age' AS age, jsonb_typeof(input) AS input, jsonb_typeof(output) AS output,
                jsonb_typeof(input->'age') AS "type", (output->>'yhat_prob')::real > 0 AS probable
         FROM requests JOIN responses ON responses.request_id = requests.id
         WHERE user_id = $1 ORDER BY requests.id`,
        [user.id],
      ),
    );
    expect(rows).toEqual([
      { age: '42', input: 'object', output: 'object', type: 'number', probable: true },
      { age: '43', input: 'object', output: 'object', type: 'string', probable: true },
    ]);
  });

  test('finds the columns of the contract in the three tables, with their types', async () => {
    const rows = await database.query<{ column: string; type: string }>(
      `SELECT table_name || '.' || column_name AS column, data_type AS type FROM information_schema.columns
       WHERE table_schema = 'public'`,
    );
    const types = Object.fromEntries(rows.map(({ column, type }) => [column, type]));
    expect(types).toMatchObject({
      'users.id': 'integer',
      'users.username': 'text',
      'users.password': 'text',
      'users.email': 'text',
      'users.created_datetime': 'timestamp with time zone',
      'users.updated_datetime': 'timestamp with time zone',
      'users.enabled': 'boolean',
      'requests.id': 'bigint',
      'requests.user_id': 'integer',
      'requests.input': 'jsonb',
      'requests.created_datetime': 'timestamp with time zone',
      'requests.updated_datetime': 'timestamp with time zone',
      'responses.id': 'bigint',
      'responses.request_id': 'bigint',
      'responses.output': 'jsonb',
      'responses.created_datetime': 'timestamp with time zone',
      'responses.updated_datetime': 'timestamp with time zone',
    });
  });

  test('reads prediction_log, which has a row for each prediction and no password', async () => {
    const { user, ids } = await userWithPredictions(1, 'a');
    const { rows, fields } = await asAnalyst((client) =>
      client.query('SELECT * FROM prediction_log WHERE user_id = $1 ORDER BY id DESC', [user.id]),
    );
    expect(rows).toMatchObject([
      { id: ids[0], username: user.username, status_code: 400, input: { age: 'a' }, model: 'heart-failure' },
      { id: ids[1], username: user.username, status_code: 200, input: { age: 1 }, model_version: '1' },
    ]);
    expect(fields.map(({ name }) => name)).not.toContain('password');
    expect(JSON.stringify(rows)).not.toContain('$2b$');
  });

  test.each(['prediction_log', 'requests', 'responses'])('reads %s', async (table) => {
    await userWithPredictions(1);
    const { rows } = await asAnalyst((client) => client.query(`SELECT * FROM ${table} LIMIT 1`));
    expect(rows).toHaveLength(1);
  });

  test('reads who the users are and not their passwords', async () => {
    const user = await createUser(api, database);
    await asAnalyst(async (client) => {
      const { rows } = await client.query(
        'SELECT id, username, email, role, enabled FROM users WHERE id = $1',
        [user.id],
      );
      expect(rows).toEqual([
        { id: user.id, username: user.username, email: user.email, role: 'user', enabled: true },
      ]);
      for (const sql of [
        'SELECT password FROM users',
        'SELECT * FROM users',
        'SELECT users FROM users',
        'SELECT id FROM users WHERE password IS NOT NULL',
      ]) {
        await expect(client.query(sql), sql).rejects.toMatchObject({ code: '42501' });
      }
    });
  });

  test.each([
    `INSERT INTO requests (user_id, request_uuid, model, model_version, dialect) VALUES (1, 'x', 'x', 'x', 'x')`,
    `INSERT INTO responses (request_id, status_code, duration_ms) VALUES (1, 200, 1)`,
    `INSERT INTO users (username, password, email) VALUES ('x', 'x', 'x')`,
    `INSERT INTO prediction_log (id) VALUES (1)`,
    `UPDATE requests SET input = '{}'`,
    `UPDATE responses SET output = '{}'`,
    `UPDATE users SET role = 'admin'`,
    `UPDATE users SET password = 'x'`,
    `DELETE FROM requests`,
    `DELETE FROM responses`,
    `DELETE FROM users`,
    `DELETE FROM prediction_log`,
    `TRUNCATE responses`,
    `DROP VIEW prediction_log`,
    `CREATE TABLE mine (id integer)`,
  ])('may not %s', async (sql) => {
    const { user, ids } = await userWithPredictions(1);
    // 42501 is insufficient_privilege; the view, being a join, refuses changes by its nature (55000).
    await expect(asAnalyst((client) => client.query(sql))).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|55000)$/),
    });
    expect(await idsOf({ user: user.id })).toEqual(ids);
  });

  test('may not write to prediction_log even if it could be written to', async () => {
    const [granted] = await database.query(
      `SELECT has_table_privilege('foretell_analyst', 'prediction_log', 'INSERT, UPDATE, DELETE, TRUNCATE') AS "log",
              has_table_privilege('foretell_analyst', 'requests', 'INSERT, UPDATE, DELETE, TRUNCATE') AS requests,
              has_table_privilege('foretell_analyst', 'responses', 'INSERT, UPDATE, DELETE, TRUNCATE') AS responses,
              has_any_column_privilege('foretell_analyst', 'users', 'INSERT, UPDATE') AS users`,
    );
    expect(granted).toEqual({ log: false, requests: false, responses: false, users: false });
  });
});
