import type { BinaryArrays } from '#libs/database';
import { toColumns, toKeptColumns, type PredictionRecord } from './prediction-record.js';

/** The place of a commit among all of its writer's: the row in `writers`, and 1, 2, 3 … */
export interface CommitNumber {
  readonly writer: number;
  readonly seq: number;
}

/** The columns of a record and their types, in the order of the parameters. */
const COLUMNS = {
  user_id: 'integer',
  request_uuid: 'text',
  model: 'text',
  model_version: 'text',
  dialect: 'text',
  input: 'jsonb',
  row_count: 'integer',
  ignored_columns: 'text',
  status_code: 'smallint',
  output: 'jsonb',
  duration_ms: 'real',
};
const KEPT_COLUMNS = { key: 'text', fingerprint: 'text', answer: 'text' };

/** A row for each record. In a list of columns, arrays are read side by side; FROM would first copy each by itself. */
const rowsOf = (columns: object, from = 1) =>
  Object.entries(columns).map(([name, type], place) => `unnest($${place + from}::${type}[]) AS ${name}`);
const numbered = (columns: string[]) => `
  SELECT nextval('requests_id_seq') AS id, arrived.*
  FROM (SELECT ${columns.join(', ')}, generate_subscripts($1::integer[], 1) AS index) AS arrived`;

const INTO_TABLES = `
  request AS (
    INSERT INTO requests (id, user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns,
                          writer, seq, index)
    SELECT id, user_id, request_uuid, model, model_version, dialect, input, row_count,
           -- Nearly all are empty, and reading an array takes long.
           CASE ignored_columns WHEN '{}' THEN '{}'::text[] ELSE ignored_columns::text[] END,
           $12::integer, $13::bigint, index
    FROM record
  ), response AS (
    INSERT INTO responses (request_id, status_code, output, duration_ms)
    SELECT id, status_code, output, duration_ms FROM record
  ), committed AS (
    INSERT INTO commits (writer, seq, count, first_id, last_id)
    SELECT $12::integer, $13::bigint, count(*), min(id), max(id) FROM record HAVING count(*) > 0
  )`;
/** One row with all ids: a row for each costs more than the ids. */
const IDS = `array_to_string(array_agg(record.id ORDER BY index), ',', '') AS ids`;

const INSERT = `
  WITH record AS MATERIALIZED (${numbered(rowsOf(COLUMNS))}), ${INTO_TABLES}
  SELECT ${IDS} FROM record`;

/** Records under a key that already has an answer are left out; their id is empty. */
const INSERT_KEPT = `
  WITH arrived AS MATERIALIZED (
    ${numbered([...rowsOf(COLUMNS), ...rowsOf(KEPT_COLUMNS, 14)])}
  ), kept AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, request_id, answer)
    SELECT user_id, key, fingerprint, id, answer FROM arrived WHERE key IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING request_id
  ), record AS MATERIALIZED (
    SELECT * FROM arrived WHERE key IS NULL OR id IN (SELECT request_id FROM kept)
  ), ${INTO_TABLES}
  SELECT ${IDS.replace('index', 'arrived.index')} FROM arrived LEFT JOIN record USING (id)`;

/**
 * Both rows of every record and the row of the commit, in one statement: one parameter per column, an array in binary
 * format (docs/adr/0011). Its row has the ids of the requests, in order (`idsIn`).
 */
export function insertOf(
  records: readonly PredictionRecord[],
  { writer, seq }: CommitNumber,
  arrays: BinaryArrays,
): { name: string; text: string; values: unknown[] } {
  const values = [...toColumns(records, arrays), writer, seq];
  if (records.every(({ idempotency }) => idempotency === undefined))
    return { name: 'record-predictions', text: INSERT, values };
  values.push(...toKeptColumns(records, arrays));
  return { name: 'record-kept-predictions', text: INSERT_KEPT, values };
}

/** Null for a record that was left out. */
export function idsIn(rows: readonly { ids: string }[]): (string | null)[] {
  return rows[0]!.ids.split(',').map((id) => id || null);
}

/** The ids of a commit's requests, by their places in it. No rows if nothing was committed under this number. */
export function idsOfCommit({ writer, seq }: CommitNumber): { text: string; values: unknown[] } {
  return {
    text: `
      SELECT index, requests.id FROM ${REQUESTS_OF_COMMIT} WHERE commits.writer = $1 AND commits.seq = $2`,
    values: [writer, seq],
  };
}

/** Found by the primary key of the requests. */
export const REQUESTS_OF_COMMIT = `
  commits JOIN requests
    ON requests.created_datetime = committed_datetime AND requests.id BETWEEN first_id AND last_id
    AND requests.writer = commits.writer AND requests.seq = commits.seq`;
