import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { REQUESTS_OF_COMMIT } from './record-statements.js';

/**
 * How far a reader is: for each writer, the `seq` of the last commit that it has read. It begins as `{}`, and is kept as
 * JSON, in the transaction that keeps what was made of the commits.
 */
export type CommitPosition = Readonly<Record<string, string>>;

export interface ReadCommit {
  writer: number;
  seq: string;
  count: number;
  committedDatetime: Date;
}

export interface CommittedPrediction {
  id: string;
  userId: number;
  requestUuid: string;
  model: string;
  modelVersion: string;
  dialect: string;
  input: unknown;
  rowCount: number | null;
  statusCode: number;
  output: unknown;
  durationMs: number;
}

const MOST_COMMITS = 1_000;

/**
 * The order in which a writer's commits are returned is that of their numbers, whatever the clock did meanwhile; those
 * of several writers are mixed by time, so that none is left far behind.
 */
const NEXT = `
  SELECT next.* FROM writers, LATERAL (
    SELECT coalesce(($1::jsonb ->> writers.id::text)::bigint, 0) AS seq
  ) AS read, LATERAL (
    SELECT writer, seq, count, committed_datetime AS "committedDatetime",
           max(committed_datetime) OVER (ORDER BY seq) AS time
    FROM commits WHERE writer = writers.id AND seq > read.seq ORDER BY seq LIMIT $2
  ) AS next
  WHERE last_seq IS NULL OR last_seq > read.seq
  ORDER BY time, writer, seq LIMIT $2`;

/**
 * The record in the order in which it was written: by writer and sequence. Whatever follows the record reads it here. An
 * id of a request says nothing about when it became visible: a lower one may come later.
 *
 * What releases before 0.3 recorded is in no commit.
 */
@Injectable()
export class CommitLog {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * The commits after a position, at most `limit`: of each writer the next ones, none left out. Each is returned to a
   * reader once, if it goes on with `positionAfter`; it is complete, and never changes.
   * @throws Error if a commit is missing that should be there
   */
  async readCommits(after: CommitPosition, limit = MOST_COMMITS): Promise<ReadCommit[]> {
    const commits = await this.dataSource.query<(ReadCommit & { time?: Date })[]>(NEXT, [after, limit]);
    const last = new Map<number, string>();
    for (const commit of commits) {
      const before = last.get(commit.writer);
      // What is before the first may have been dropped with its month.
      if (before !== undefined && BigInt(commit.seq) !== BigInt(before) + 1n)
        throw new Error(
          `Of writer ${commit.writer}, commits between ${before} and ${commit.seq} are missing.`,
        );
      last.set(commit.writer, commit.seq);
      delete commit.time;
    }
    return commits;
  }

  /** What a commit recorded, in its order. */
  predictionsIn({ writer, seq }: Pick<ReadCommit, 'writer' | 'seq'>): Promise<CommittedPrediction[]> {
    return this.dataSource.query<CommittedPrediction[]>(
      `SELECT requests.id, user_id AS "userId", request_uuid AS "requestUuid", model,
              model_version AS "modelVersion", dialect, input, row_count AS "rowCount",
              status_code AS "statusCode", output, duration_ms AS "durationMs"
       FROM ${REQUESTS_OF_COMMIT} JOIN responses
         ON request_id = requests.id AND responses.created_datetime = requests.created_datetime
       WHERE commits.writer = $1 AND commits.seq = $2
       ORDER BY index`,
      [writer, seq],
    );
  }

  /**
   * Notes which writers have ended, so that nobody looks for more of their commits, and forgets those that have none.
   * Their last number is looked up once they are known to be gone: it would be too low if they were still committing.
   */
  async endLeases(): Promise<void> {
    const gone = await this.dataSource.query<{ id: number }[]>(
      `SELECT id FROM writers WHERE last_seq IS NULL AND NOT EXISTS (
         SELECT FROM pg_stat_activity
         -- The start of another role's session cannot be seen.
         WHERE pid = backend_pid AND coalesce(pg_stat_activity.backend_start, writers.backend_start) = writers.backend_start)`,
    );
    await this.dataSource.query(
      `UPDATE writers SET last_seq = coalesce((SELECT max(seq) FROM commits WHERE writer = id), 0)
       WHERE id = ANY ($1) AND last_seq IS NULL`,
      [gone.map(({ id }) => id)],
    );
    await this.dataSource.query(
      `DELETE FROM writers WHERE last_seq IS NOT NULL AND NOT EXISTS (SELECT FROM commits WHERE writer = id)`,
    );
  }
}

/** @returns the position of a reader that has read these after `position` */
export function positionAfter(position: CommitPosition, commits: readonly ReadCommit[]): CommitPosition {
  return { ...position, ...Object.fromEntries(commits.map(({ writer, seq }) => [writer, seq])) };
}
