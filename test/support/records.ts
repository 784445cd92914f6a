import { expect } from 'vitest';
import type { Answer } from './client.js';
import type { TestDatabase } from './test-database.js';

/** A request row with its response row, as in the tables. */
export interface Recorded {
  id: string;
  user_id: number;
  request_uuid: string;
  model: string;
  model_version: string;
  dialect: string;
  input: unknown;
  ignored_columns: string[];
  row_count: number | null;
  created_datetime: Date;
  updated_datetime: Date;
  /** Null if the request has no response row. */
  status_code: number | null;
  output: unknown;
  duration_ms: number | null;
}

const SELECT = `
  SELECT requests.*, status_code, output, duration_ms
  FROM requests LEFT JOIN responses ON responses.request_id = requests.id`;

/** Everything recorded for one user, in the order of writing. */
export function recordsOfUser(database: TestDatabase, userId: number): Promise<Recorded[]> {
  return database.query<Recorded>(`${SELECT} WHERE user_id = $1 ORDER BY requests.id`, [userId]);
}

/** The one prediction that got this answer. */
export async function onlyRecordOf(database: TestDatabase, { headers }: Answer): Promise<Recorded> {
  const records = await recordsOfRequest(database, headers.get('x-request-id')!);
  expect(records).toHaveLength(1);
  return records[0]!;
}

/** Everything recorded under one `X-Request-Id`, from any caller. */
export function recordsOfRequest(database: TestDatabase, requestId: string): Promise<Recorded[]> {
  return database.query<Recorded>(`${SELECT} WHERE request_uuid = $1 ORDER BY requests.id`, [requestId]);
}
