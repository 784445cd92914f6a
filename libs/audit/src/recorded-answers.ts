import { Injectable } from '@nestjs/common';
import { queryPatiently } from '#libs/database';
import { DataSource } from 'typeorm';

/** Which recorded predictions to read. */
export interface AnswersOf {
  model: string;
  version: string;
  since?: Date;
}

export interface AnswerFigures {
  requests: number;
  /** Those that were answered with another status than 200. */
  refused: number;
  /** How long answered requests took; null if there are none. */
  p50Ms: number | null;
  p95Ms: number | null;
}

/** A recorded request with the answer of one version. */
export interface RecordedAnswer {
  id: string;
  dialect: string;
  input: unknown;
  statusCode: number;
  output: unknown;
}

/** The same with the answer that a candidate would have given. */
export interface ShadowedAnswer extends RecordedAnswer {
  shadowStatusCode: number;
  shadowOutput: unknown;
}

/** No HTTP client waits for it, and there may be very much to read. */
const TIMEOUT_MS = 3_600_000;

/** A page at a time, so that memory does not depend on how many records there are, nor on how large they are. */
const PAGE_ROWS = 1000;
/** As text; parsed, it takes several times as much. A single row may be larger. */
const PAGE_BYTES = 4 * 1024 ** 2;

const SERVED = `requests.model = $1 AND requests.model_version = $2 AND requests.created_datetime >= $3`;

/** What versions of a model answered, read back to compare them. */
@Injectable()
export class RecordedAnswers {
  constructor(private readonly dataSource: DataSource) {}

  /** How many, and how fast. */
  figures(of: AnswersOf): Promise<AnswerFigures> {
    return this.summarise(
      of,
      'responses',
      `requests JOIN responses ON request_id = requests.id WHERE ${SERVED}`,
    );
  }

  /** The same for what a version answered as a candidate. */
  shadowFigures(of: AnswersOf): Promise<AnswerFigures> {
    return this.summarise(
      of,
      'shadow_responses',
      `shadow_responses JOIN requests ON requests.id = request_id
       WHERE requests.model = $1 AND shadow_responses.model_version = $2 AND requests.created_datetime >= $3`,
    );
  }

  /** In the order in which they were asked. */
  answered(of: AnswersOf): AsyncGenerator<RecordedAnswer> {
    return this.pages<RecordedAnswer>(of, [], {
      columns: `dialect, input, status_code AS "statusCode", output`,
      large: ['input', 'output'],
      from: `requests JOIN responses ON request_id = requests.id WHERE ${SERVED}`,
    });
  }

  /** Requests that one version answered and a candidate was asked as well, in the order in which they were asked. */
  shadowed(of: AnswersOf, candidate: string): AsyncGenerator<ShadowedAnswer> {
    return this.pages<ShadowedAnswer>(of, [candidate], {
      columns: `dialect, input, responses.status_code AS "statusCode", responses.output,
                shadow_responses.status_code AS "shadowStatusCode", shadow_responses.output AS "shadowOutput"`,
      large: ['input', 'responses.output', 'shadow_responses.output'],
      from: `requests
        JOIN responses ON responses.request_id = requests.id
        JOIN shadow_responses ON shadow_responses.request_id = requests.id AND shadow_responses.model_version = $4
        WHERE ${SERVED}`,
    });
  }

  private query<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    return queryPatiently<Row>(this.dataSource, text, values, TIMEOUT_MS);
  }

  private async summarise(of: AnswersOf, answers: string, from: string): Promise<AnswerFigures> {
    const [figures] = await this.query<AnswerFigures>(
      `SELECT count(*)::int AS requests,
              count(*) FILTER (WHERE ${answers}.status_code <> 200)::int AS refused,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY ${answers}.duration_ms)
                FILTER (WHERE ${answers}.status_code = 200) AS "p50Ms",
              percentile_cont(0.95) WITHIN GROUP (ORDER BY ${answers}.duration_ms)
                FILTER (WHERE ${answers}.status_code = 200) AS "p95Ms"
       FROM ${from}`,
      parametersOf(of),
    );
    return figures!;
  }

  /** First reads how large the next rows are, then as many of them as make a page. */
  private async *pages<Row extends { id: string }>(
    of: AnswersOf,
    others: unknown[],
    { columns, large, from }: { columns: string; large: readonly string[]; from: string },
  ): AsyncGenerator<Row> {
    const parameters = [...parametersOf(of), ...others];
    const [after, upTo] = [`$${parameters.length + 1}`, `$${parameters.length + 2}`];
    const bytes = large.map((column) => `coalesce(octet_length(${column}::text), 0)::float8`).join(' + ');
    const sizes = `SELECT requests.id, ${bytes} AS bytes FROM ${from}
      AND requests.id > ${after} ORDER BY requests.id LIMIT ${PAGE_ROWS}`;
    const rows = `SELECT requests.id, ${columns} FROM ${from}
      AND requests.id > ${after} AND requests.id <= ${upTo} ORDER BY requests.id`;
    for (let last = '0'; ;) {
      const found = await this.query<{ id: string; bytes: number }>(sizes, [...parameters, last]);
      if (found.length === 0) return;
      for (const end of endsOfPages(found)) {
        yield* await this.query<Row>(rows, [...parameters, last, end]);
        last = end;
      }
    }
  }
}

/** The last row of each page. */
function endsOfPages(rows: readonly { id: string; bytes: number }[]): string[] {
  const ends: string[] = [];
  let page = 0;
  for (const [index, { id, bytes }] of rows.entries()) {
    page += bytes;
    const next = rows[index + 1];
    if (next && page + next.bytes <= PAGE_BYTES) continue;
    ends.push(id);
    page = 0;
  }
  return ends;
}

function parametersOf({ model, version, since = new Date(0) }: AnswersOf): unknown[] {
  return [model, version, since];
}
