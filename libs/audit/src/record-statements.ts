import type { BinaryArrays } from '#libs/database';
import { toColumns, toKeptColumns, type PredictionRecord } from './prediction-record.js';

const RECORDS = `
  SELECT nextval('requests_id_seq') AS id, *
  FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::integer[],
              $8::text[], $9::smallint[], $10::jsonb[], $11::real[]`;
const COLUMNS = `user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns,
                 status_code, output, duration_ms`;
const INTO_TABLES = `
  request AS (
    INSERT INTO requests (id, user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns)
    SELECT id, user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns::text[]
    FROM record
  ), response AS (
    INSERT INTO responses (request_id, status_code, output, duration_ms)
    SELECT id, status_code, output, duration_ms FROM record
  )`;

const INSERT = `
  WITH record AS MATERIALIZED (${RECORDS}) AS record (${COLUMNS})), ${INTO_TABLES}
  SELECT id FROM record ORDER BY id`;

/** Records under a key that already has an answer are left out; their id is null. */
const INSERT_KEPT = `
  WITH arrived AS MATERIALIZED (
    ${RECORDS}, $12::text[], $13::text[], $14::text[]) AS record (${COLUMNS}, key, fingerprint, answer)
  ), kept AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, request_id, answer)
    SELECT user_id, key, fingerprint, id, answer FROM arrived WHERE key IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING request_id
  ), record AS MATERIALIZED (
    SELECT * FROM arrived WHERE key IS NULL OR id IN (SELECT request_id FROM kept)
  ), ${INTO_TABLES}
  SELECT record.id FROM arrived LEFT JOIN record USING (id) ORDER BY arrived.id`;

/** No two requests of one user have the same id, input and duration, so these rows are ours. */
const FIND = `
  SELECT min(requests.id)
  FROM unnest($1::integer[], $2::text[], $3::jsonb[], $4::real[])
    WITH ORDINALITY AS record (user_id, request_uuid, input, duration_ms, place)
  LEFT JOIN (requests JOIN responses
      ON responses.request_id = requests.id AND responses.created_datetime = requests.created_datetime)
    ON requests.id > $5 AND requests.request_uuid = record.request_uuid AND requests.user_id = record.user_id
    AND requests.input = record.input AND responses.duration_ms = record.duration_ms
  GROUP BY place ORDER BY place`;

/** Looks for the records among the rows above an id. Its rows are the ids, in order; null for missing ones. */
export function findOf(records: readonly PredictionRecord[], afterId: string, arrays: BinaryArrays) {
  const columns = toColumns(records, arrays);
  return {
    name: 'find-predictions',
    text: FIND,
    values: [columns[0]!, columns[1]!, columns[5]!, columns[10]!, afterId],
  };
}

/**
 * Both rows of every record, in one statement: one parameter per column, an array in binary format (docs/adr/0011). Its
 * rows are the ids, in order.
 */
export function insertOf(
  records: readonly PredictionRecord[],
  arrays: BinaryArrays,
): { name: string; text: string; values: Buffer[] } {
  const values = toColumns(records, arrays);
  if (records.every(({ idempotency }) => idempotency === undefined))
    return { name: 'record-predictions', text: INSERT, values };
  values.push(...toKeptColumns(records, arrays));
  return { name: 'record-kept-predictions', text: INSERT_KEPT, values };
}
