import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Every condition that is given must hold; `from` is inclusive, `to` is not. */
export interface LogFilter {
  userId?: number;
  model?: string;
  version?: string;
  status?: number;
  from?: Date;
  to?: Date;
}

export interface LogItem {
  id: string;
  request_id: string;
  user: { id: number; username: string | null };
  model: { name: string; version: string };
  dialect: string;
  /** Null where the body could not be read, and of records from before rows were counted. */
  row_count: number | null;
  status: number;
  input: unknown;
  output: unknown;
  created_datetime: Date;
  duration_ms: number;
}

export interface LogPage {
  items: LogItem[];
  /** The id to go on below; null on the last page. */
  nextCursor: string | null;
}

/**
 * A page is read from the newest prediction down, each request with its one response. LIMIT 1 says so to the planner, which
 * takes id and time for independent of each other, and would rather join and sort everything.
 */
const REQUESTS_FIRST = `
  requests JOIN LATERAL (
    SELECT * FROM responses WHERE request_id = requests.id AND created_datetime = requests.created_datetime LIMIT 1
  ) AS responses ON true`;
/** The same from the other side, where the response is what is rare (responses_refused_idx). */
const RESPONSES_FIRST = `
  responses JOIN LATERAL (
    SELECT * FROM requests WHERE id = request_id AND created_datetime = responses.created_datetime LIMIT 1
  ) AS requests ON true`;

/** The recorded predictions, newest first: what the view `prediction_log` has, a page at a time. */
@Injectable()
export class PredictionLog {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** A page below `cursor` (an id): it costs the same however deep it lies, and new predictions do not shift it. */
  async page(filter: LogFilter, limit: number, cursor?: string): Promise<LogPage> {
    // PostgreSQL has no text with NUL in it, so that no row can have such a name.
    if ([filter.model, filter.version].some((text) => String(text).includes('\0'))) {
      return { items: [], nextCursor: null };
    }
    const first = filter.status === undefined || filter.status === 200 ? 'requests' : 'responses';
    const id = first === 'requests' ? 'requests.id' : 'request_id';
    const conditions: string[] = [];
    const values: unknown[] = [];
    const where = (condition: string, value: unknown) => {
      if (value === undefined) return;
      values.push(value);
      conditions.push(condition.replace('?', `$${values.length}`));
    };
    where(`${id} < ?`, cursor);
    where('user_id = ?', filter.userId);
    where('model = ?', filter.model);
    where('model_version = ?', filter.version);
    where('status_code = ?', filter.status);
    where(`${first}.created_datetime >= ?`, filter.from);
    where(`${first}.created_datetime < ?`, filter.to);
    values.push(limit + 1);

    const rows = await this.dataSource.query<Record<string, never>[]>(
      `SELECT requests.id, request_uuid, user_id, username, model, model_version, dialect, row_count, status_code, input,
              output, requests.created_datetime, duration_ms
       FROM ${first === 'responses' ? RESPONSES_FIRST : REQUESTS_FIRST}
       JOIN users ON users.id = user_id
       ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
       ORDER BY ${id} DESC LIMIT $${values.length}`,
      values,
    );
    const items = rows.slice(0, limit).map(toItem);
    return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null };
  }
}

function toItem(row: Record<string, never>): LogItem {
  return {
    id: row.id!,
    request_id: row.request_uuid!,
    user: { id: row.user_id!, username: row.username! },
    model: { name: row.model!, version: row.model_version! },
    dialect: row.dialect!,
    row_count: row.row_count!,
    status: row.status_code!,
    input: row.input!,
    output: row.output!,
    created_datetime: row.created_datetime!,
    duration_ms: row.duration_ms!,
  };
}
