import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Every given condition must hold; `from` is inclusive, `to` is not. */
export interface LogFilter {
  userId?: number;
  model?: string;
  version?: string;
  /** The caller's `X-Request-Id`, or ours. */
  requestId?: string;
  status?: number;
  from?: Date;
  to?: Date;
}

/**
 * A page is read from the newest prediction down, each request with its one response. LIMIT 1 says so to the planner,
 * which treats id and time as independent, and would rather join and sort everything.
 */
const REQUESTS_FIRST = `
  requests JOIN LATERAL (
    SELECT * FROM responses WHERE request_id = requests.id AND created_datetime = requests.created_datetime LIMIT 1
  ) AS responses ON true`;
/** The same from the other side, when the responses are rare (responses_refused_idx). */
const RESPONSES_FIRST = `
  responses JOIN LATERAL (
    SELECT * FROM requests WHERE id = request_id AND created_datetime = responses.created_datetime LIMIT 1
  ) AS requests ON true`;

/** A page ends early if its content is large: with at most one record more than this much JSON. */
const PAGE_BYTES = 16 * 1024 ** 2;
/** A page is read in steps, one in memory at a time; the previous step determines how many rows the next one has. */
const STEP_BYTES = 2 * 1024 ** 2;
const STEP_ROWS = { first: 25, most: 200 };

/** One record, as JSON. */
interface Item {
  id: string;
  json: string;
}

/** Items in order, and whether there are more after them. */
interface Step {
  items: Item[];
  bytes: number;
  isLast: boolean;
}

/** The recorded predictions, newest first: the rows of the view `prediction_log`, a page at a time. */
@Injectable()
export class PredictionLog {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * A page below `cursor` (an id): it costs the same however deep it is, and new predictions do not shift it. Rejects
   * if it cannot be read; once it has begun, what cannot be read is left to the next page.
   * @returns the JSON text of `{items, next_cursor}`, piece by piece
   */
  async page(filter: LogFilter, limit: number, cursor?: string): Promise<AsyncIterable<string>> {
    // PostgreSQL has no text with NUL in it, so no row can have such a name.
    const texts = [filter.model, filter.version, filter.requestId];
    const isNobodys = texts.some((text) => String(text).includes('\0'));
    const first = isNobodys
      ? { items: [], bytes: 0, isLast: true }
      : await this.step(filter, Math.min(limit, STEP_ROWS.first), cursor);
    return this.write(filter, limit, first);
  }

  private async *write(filter: LogFilter, limit: number, step: Step): AsyncGenerator<string> {
    let [left, bytes, separator] = [limit, 0, '{"items":['];
    let last: string | undefined;
    for (;;) {
      for (const item of step.items) {
        yield separator + item.json;
        separator = ',';
        left--;
        last = item.id;
      }
      bytes += step.bytes;
      if (step.isLast || left === 0 || bytes >= PAGE_BYTES) break;
      const next = await this.step(filter, Math.min(left, rowsAfter(step)), last).catch(() => undefined);
      if (!next) break;
      step = next;
    }
    const cursor = step.isLast || last === undefined ? 'null' : `"${last}"`;
    yield `${separator === ',' ? '' : separator}],"next_cursor":${cursor}}`;
  }

  /** As many of the next `limit` as one step may hold; at least the first of them. */
  private async step(filter: LogFilter, limit: number, cursor?: string): Promise<Step> {
    // One more is requested, to see whether there is one.
    const { text, values } = statementOf(filter, limit + 1, cursor);
    const rows = await this.dataSource.query<(Row & { found: number })[]>(text, values);
    const found = rows[0]?.found ?? 0;
    const items = rows.slice(0, limit).map(toItem);
    const bytes = items.reduce((sum, item) => sum + item.json.length, 0);
    return { items, bytes, isLast: items.length === found && found <= limit };
  }
}

/** How many rows of the previous size fill a step. */
function rowsAfter({ items, bytes }: Step): number {
  return Math.max(1, Math.min(STEP_ROWS.most, Math.floor((STEP_BYTES * items.length) / bytes)));
}

function statementOf(filter: LogFilter, limit: number, cursor: string | undefined) {
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
  where('request_uuid = ?', filter.requestId);
  where('status_code = ?', filter.status);
  where(`${first}.created_datetime >= ?`, filter.from);
  where(`${first}.created_datetime < ?`, filter.to);
  const text = `
    WITH step AS MATERIALIZED (
      SELECT requests.id, request_uuid, user_id, username, model, model_version, dialect, row_count, status_code,
             coalesce(input::text, 'null') AS input, coalesce(output::text, 'null') AS output,
             requests.created_datetime, duration_ms
      FROM ${first === 'responses' ? RESPONSES_FIRST : REQUESTS_FIRST}
      JOIN users ON users.id = user_id
      ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY ${id} DESC LIMIT ${limit}
    ), sized AS (
      SELECT *, count(*) OVER ()::int AS found,
             sum(octet_length(input) + octet_length(output)) OVER (ORDER BY id DESC) AS so_far
      FROM step
    )
    SELECT * FROM sized WHERE so_far - octet_length(input) - octet_length(output) <= ${STEP_BYTES} ORDER BY id DESC`;
  return { text, values };
}

interface Row {
  id: string;
  request_uuid: string;
  user_id: number;
  username: string | null;
  model: string;
  model_version: string;
  dialect: string;
  row_count: number | null;
  status_code: number;
  /** As JSON text, which is passed on unchanged. */
  input: string;
  output: string;
  created_datetime: Date;
  duration_ms: number;
}

function toItem(row: Row): Item {
  const before = JSON.stringify({
    id: row.id,
    request_id: row.request_uuid,
    user: { id: row.user_id, username: row.username },
    model: { name: row.model, version: row.model_version },
    dialect: row.dialect,
    row_count: row.row_count,
    status: row.status_code,
  });
  const after = JSON.stringify({ created_datetime: row.created_datetime, duration_ms: row.duration_ms });
  const json = `${before.slice(0, -1)},"input":${row.input},"output":${row.output},${after.slice(1)}`;
  return { id: row.id, json };
}
