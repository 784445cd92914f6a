import { Inject, Injectable } from '@nestjs/common';
import { queryPatiently } from '#libs/database';
import { DataSource } from 'typeorm';

/** Which recorded predictions are meant. */
export interface AnswersOf {
  model: string;
  version: string;
  since?: Date;
}

export interface AnswerFigures {
  requests: number;
  /** Those that were not answered with 200. */
  refused: number;
  /** Of the answered, in ms; null where there are none. */
  p50Ms: number | null;
  p95Ms: number | null;
}

/** A recorded request with what one version answered. */
export interface RecordedAnswer {
  id: string;
  dialect: string;
  input: unknown;
  statusCode: number;
  output: unknown;
}

/** The same with what a candidate would have answered. */
export interface ShadowedAnswer extends RecordedAnswer {
  shadowStatusCode: number;
  shadowOutput: unknown;
}

/** Nobody waits for it at the other end of a connection, and there may be very much to read. */
const TIMEOUT_MS = 3_600_000;

/** A page at a time, so that memory does not depend on how many there are. */
const PAGE_ROWS = 1000;

const SERVED = `requests.model = $1 AND requests.model_version = $2 AND requests.created_datetime >= $3`;

/** What versions of a model answered, read back for comparing them. */
@Injectable()
export class RecordedAnswers {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** How many, and how fast. */
  figures(of: AnswersOf): Promise<AnswerFigures> {
    return this.summarise(
      of,
      'responses',
      `requests JOIN responses ON request_id = requests.id WHERE ${SERVED}`,
    );
  }

  /** The same of what a version answered as a candidate. */
  shadowFigures(of: AnswersOf): Promise<AnswerFigures> {
    return this.summarise(
      of,
      'shadow_responses',
      `shadow_responses JOIN requests ON requests.id = request_id
       WHERE requests.model = $1 AND shadow_responses.model_version = $2 AND requests.created_datetime >= $3`,
    );
  }

  /** In the order they were asked. */
  answered(of: AnswersOf): AsyncGenerator<RecordedAnswer> {
    return this.pages<RecordedAnswer>(
      of,
      [],
      (page) => `
      SELECT requests.id, dialect, input, status_code AS "statusCode", output
      FROM requests JOIN responses ON request_id = requests.id
      WHERE ${SERVED} AND ${page}`,
    );
  }

  /** Requests that one version answered and a candidate was asked as well, in the order they were asked. */
  shadowed(of: AnswersOf, candidate: string): AsyncGenerator<ShadowedAnswer> {
    return this.pages<ShadowedAnswer>(
      of,
      [candidate],
      (page) => `
      SELECT requests.id, dialect, input, responses.status_code AS "statusCode", responses.output,
             shadow_responses.status_code AS "shadowStatusCode", shadow_responses.output AS "shadowOutput"
      FROM requests
      JOIN responses ON responses.request_id = requests.id
      JOIN shadow_responses ON shadow_responses.request_id = requests.id AND shadow_responses.model_version = $4
      WHERE ${SERVED} AND ${page}`,
    );
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

  private async *pages<Row extends { id: string }>(
    of: AnswersOf,
    others: unknown[],
    select: (page: string) => string,
  ): AsyncGenerator<Row> {
    const parameters = [...parametersOf(of), ...others];
    const sql = `${select(`requests.id > $${parameters.length + 1}`)} ORDER BY requests.id LIMIT ${PAGE_ROWS}`;
    for (let last: string | undefined = '0'; last !== undefined;) {
      const rows: Row[] = await this.query<Row>(sql, [...parameters, last]);
      yield* rows;
      last = rows.length < PAGE_ROWS ? undefined : rows.at(-1)!.id;
    }
  }
}

function parametersOf({ model, version, since = new Date(0) }: AnswersOf): unknown[] {
  return [model, version, since];
}
