import { RecordedAnswers } from '#libs/audit';
import { poolOf } from '#libs/database';
import type { DataSource } from 'typeorm';
import { beforeAll, expect, test, vi } from 'vitest';
import { openDataSource, prepareDatabase } from '../support/prepared-service.js';

const MIB = 1024 ** 2;
const OF = { model: 'churn', version: '1' };

const database = prepareDatabase();
let dataSource: DataSource;
let answers: RecordedAnswers;

beforeAll(async () => {
  dataSource = await openDataSource(database, { entities: [] });
  answers = new RecordedAnswers(dataSource);
  await database.query(
    `INSERT INTO users (id, username, password, email) VALUES (1, 'ada', 'x', 'ada@example.org')`,
  );
});

/** Inserts predictions of the given size, which a shadow answered as well. */
async function record(count: number, characters: number): Promise<void> {
  await database.query(
    `WITH asked AS (
       INSERT INTO requests (user_id, input, request_uuid, model, model_version, dialect, row_count)
       SELECT 1, jsonb_build_object('text', repeat('x', $2)), gen_random_uuid(), 'churn', '1', 'named', 1
       FROM generate_series(1, $1) RETURNING id, created_datetime),
     answered AS (
       INSERT INTO responses (request_id, output, status_code, duration_ms, created_datetime)
       SELECT id, '{"predictions":[]}', 200, 1, created_datetime FROM asked)
     INSERT INTO shadow_responses (request_id, model_version, status_code, output, duration_ms)
     SELECT id, '2', 200, jsonb_build_object('text', repeat('y', $2)), 1 FROM asked`,
    [count, characters],
  );
}

/** The bytes of each page, and the rows of all pages together. */
async function read(pages: AsyncGenerator<{ id: string }>) {
  const pool = poolOf(dataSource);
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<{ rows: object[] }>;
  const bytes: number[] = [];
  const spy = vi.spyOn(pool, 'query').mockImplementation((async (...args: unknown[]) => {
    const result = await query(...args);
    bytes.push(JSON.stringify(result.rows).length);
    return result;
  }) as never);
  const ids: string[] = [];
  for await (const { id } of pages) ids.push(id);
  spy.mockRestore();
  return { ids, largest: Math.max(...bytes), queries: bytes.length };
}

test('predictions of a megabyte are read a few at a time, each once and in their order', async () => {
  await record(40, MIB);
  await record(1500, 10);
  await record(3, 9 * MIB);
  for (const pages of [answers.answered(OF), answers.shadowed(OF, '2')]) {
    const { ids, largest } = await read(pages);
    expect(ids).toHaveLength(1543);
    expect(ids).toEqual(ids.toSorted((a, b) => Number(a) - Number(b)));
    // A single one may be larger than a page.
    expect(largest).toBeLessThan(19 * MIB);
  }
  await database.query(`DELETE FROM shadow_responses`);
  await database.query(
    `DELETE FROM responses WHERE octet_length(output::text) > 0
    AND request_id IN (SELECT id FROM requests WHERE octet_length(input::text) > $1)`,
    [2 * MIB],
  );
  const { ids, largest } = await read(answers.answered(OF));
  expect(ids).toHaveLength(1540);
  expect(largest).toBeLessThan(5 * MIB);
});

test('ordinary ones are read a thousand at a time', async () => {
  await database.query(`DELETE FROM responses`);
  await record(2500, 10);
  const { ids, queries } = await read(answers.answered(OF));
  expect(ids).toHaveLength(2500);
  expect(queries).toBeLessThanOrEqual(7);
});
