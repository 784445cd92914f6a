/** A record like one after a long time, generated in the database itself. */
import type pg from 'pg';
import { progress, withClient } from './run.js';

const DAYS = 90;
const ROWS_AT_ONCE = 500_000;
/** As under load: this many have the same time. */
const ROWS_PER_COMMIT = 20;

/** Adds users up to this number, all with the existing user's password. @returns the names of some */
export async function fillUsers(url: string, count: number, some: number): Promise<string[]> {
  return withClient(url, async (client) => {
    await client.query(
      `INSERT INTO users (username, password, email)
       SELECT 'user-' || number, bench.password, 'user-' || number || '@example.org'
       FROM generate_series(1, $1::int) AS number, (SELECT password FROM users WHERE username = 'bench') AS bench`,
      [count],
    );
    await client.query('VACUUM (ANALYZE) users');
    const { rows } = await client.query<{ username: string }>(
      `SELECT username FROM users WHERE username <> 'bench' ORDER BY md5(username) LIMIT $1`,
      [some],
    );
    return rows.map(({ username }) => username);
  });
}

/**
 * Exactly this many predictions, spread over the days before now in the order of their ids: four models of unequal
 * use, two versions of the most used, one in fifty refused, random users. Foreign keys are not checked meanwhile.
 */
export async function fillRecord(client: pg.Client, count: number): Promise<void> {
  await client.query('TRUNCATE requests, responses, shadow_responses, idempotency_keys RESTART IDENTITY');
  await client.query(`SELECT create_record_partitions(now() - interval '${DAYS} days', now())`);
  await client.query(`SET session_replication_role = replica; SET synchronous_commit = off`);
  for (let first = 1; first <= count; first += ROWS_AT_ONCE) {
    const last = Math.min(count, first + ROWS_AT_ONCE - 1);
    await client.query(INSERT, [first, last, count]);
    progress(`${last} of ${count} predictions generated`);
  }
  await client.query(`RESET session_replication_role; RESET synchronous_commit`);
  if (count === 0) return;
  await client.query(`SELECT setval('requests_id_seq', $1)`, [count]);
  // The server would otherwise do this by itself, in the middle of a measurement.
  await client.query('VACUUM (FREEZE, ANALYZE) requests, responses');
  await client.query('CHECKPOINT');
  progress('vacuumed and analysed');
}

const INSERT = `
  WITH users AS MATERIALIZED (SELECT array_agg(id) AS ids FROM users),
  record AS MATERIALIZED (
    SELECT number AS id,
           users.ids[1 + floor(random() * cardinality(users.ids))::int] AS user_id,
           now() - interval '${DAYS} days' * (1 - (number - number % ${ROWS_PER_COMMIT})::float / $3) AS created_datetime,
           gen_random_uuid()::text AS request_uuid,
           random() AS model_share,
           random() AS version_share,
           random() < 0.02 AS is_refused,
           20 + random() * 70 AS age,
           random()::real AS probability
    FROM users, generate_series($1::bigint, $2::bigint) AS number
  ), request AS (
    INSERT INTO requests (id, user_id, created_datetime, updated_datetime, request_uuid, model, model_version, dialect,
                          input, row_count)
    SELECT id, user_id, created_datetime, created_datetime, request_uuid,
           CASE WHEN model_share < 0.9 THEN 'heart-failure' WHEN model_share < 0.97 THEN 'california-housing'
                WHEN model_share < 0.999 THEN 'iris' ELSE 'churn' END,
           CASE WHEN model_share < 0.9 AND version_share < 0.2 THEN '2' ELSE '1' END,
           'plain',
           jsonb_build_object('age', round(age::numeric, 0), 'creatinine_phosphokinase', 1000, 'ejection_fraction', 35,
             'platelets', 500000, 'serum_creatinine', 8, 'serum_sodium', 135, 'sex', 1, 'high_blood_pressure', 0),
           1
    FROM record
  )
  INSERT INTO responses (request_id, created_datetime, updated_datetime, status_code, output, duration_ms)
  SELECT id, created_datetime, created_datetime, CASE WHEN is_refused THEN 400 ELSE 200 END,
         jsonb_build_object('yhat_prob', probability::text, 'yhat', CASE WHEN probability > 0.5 THEN '1' ELSE '0' END),
         (0.5 + random() * 5)::real
  FROM record`;

/** Name, rows, megabytes and partitions of the record's tables, with partitions added up. */
export async function tableSizes(client: pg.Client): Promise<(string | number)[][]> {
  const { rows } = await client.query<(string | number)[]>({
    rowMode: 'array',
    text: `
      SELECT parent.name, sum(greatest(reltuples, 0))::bigint, round(sum(pg_table_size(relid)) / 1e6),
             round(sum(pg_indexes_size(relid)) / 1e6), count(*) FILTER (WHERE NOT isleaf OR parent.name::regclass <> relid)
      FROM unnest(ARRAY['requests', 'responses', 'users']) WITH ORDINALITY AS parent (name, place),
           pg_partition_tree(parent.name::regclass) JOIN pg_class ON pg_class.oid = relid
      WHERE isleaf
      GROUP BY parent.name, place ORDER BY place`,
  });
  return rows;
}
