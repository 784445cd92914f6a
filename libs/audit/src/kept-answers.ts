import { Injectable } from '@nestjs/common';
import { poolOf } from '#libs/database';
import { DataSource } from 'typeorm';

/** A caller's key for one question, which is answered and recorded once however often it is sent. */
export interface Idempotency {
  key: string;
  /** A hash of the question. */
  fingerprint: string;
}

const TIMEOUT_MS = 5_000;
/** For at least how long a retry gets the same answer. */
const KEPT_HOURS = 24;
const DROPPED_AT_ONCE = 5_000;

/** The answers that were given under an `Idempotency-Key`; the recorder writes them. */
@Injectable()
export class KeptAnswers {
  constructor(private readonly dataSource: DataSource) {}

  /** What was answered under a key. */
  async find(userId: number, key: string) {
    const statement = {
      name: 'find-kept-answer',
      text: 'SELECT fingerprint, answer FROM idempotency_keys WHERE user_id = $1 AND key = $2',
      values: [userId, key],
      query_timeout: TIMEOUT_MS,
    };
    const pool = poolOf(this.dataSource);
    return (await pool.query<{ fingerprint: string; answer: string }>(statement)).rows[0];
  }

  /** A few at a time, so that no statement exceeds its time limit. */
  async dropExpired(): Promise<void> {
    let dropped: number;
    do {
      [, dropped] = await this.dataSource.query<[unknown[], number]>(
        `DELETE FROM idempotency_keys WHERE (user_id, key) IN (
           SELECT user_id, key FROM idempotency_keys
           WHERE created_datetime < now() - make_interval(hours => $1)
           ORDER BY created_datetime LIMIT $2)`,
        [KEPT_HOURS, DROPPED_AT_ONCE],
      );
    } while (dropped === DROPPED_AT_ONCE);
  }
}
