import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { isMissingPartition, queryPatiently } from '#libs/database';
import { DataSource } from 'typeorm';

/** By then no statement that began in a month is still running. */
const CLOSED_AFTER = '1 hour';
const CHECK_LIMIT_MS = 3_600_000;

const OVER_WITHOUT_KEY = `
  SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
  WHERE inhparent = 'responses'::regclass
    AND to_date(right(relname, 7), 'YYYY_MM') + interval '1 month' < (now() - $1::interval) AT TIME ZONE 'UTC'
    AND NOT EXISTS (
      SELECT FROM pg_constraint
      WHERE conrelid = inhrelid AND conname = relname || '_request_fkey' AND convalidated)
  ORDER BY name`;

/**
 * The monthly partitions of the record. They are made long before they are needed, so that no record waits for one, and
 * dropped as a whole when every row in them is older than RECORD_RETENTION_DAYS (docs/adr/0011).
 */
@Injectable()
export class RecordPartitions {
  private readonly logger = new Logger(RecordPartitions.name);

  constructor(
    private readonly dataSource: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** This month and the three after it. @returns the names of those that were missing */
  create(): Promise<string[]> {
    return this.names(`SELECT create_record_partitions(now(), now() + interval '3 months') AS name`);
  }

  /**
   * Does the work, and if that fails because a month is missing, makes the month and tries again. Months are made long
   * before they are needed; but a clock may jump.
   */
  async withRoom<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isMissingPartition(error)) throw error;
      this.logger.warn(`made ${(await this.create()).join(', ')}, because a record needed it`);
      return work();
    }
  }

  /**
   * The key from responses to requests, for months that are over: it would cost as much as a row while they are written.
   * @returns the names of the months' tables that got it
   */
  async close(): Promise<string[]> {
    const names = await this.names(OVER_WITHOUT_KEY, [CLOSED_AFTER]);
    for (const name of names) {
      const key = `${name}_request_fkey`;
      await this.names(
        `ALTER TABLE ${name} DROP CONSTRAINT IF EXISTS ${key}, ADD CONSTRAINT ${key}
           FOREIGN KEY (request_id, created_datetime)
           REFERENCES ${name.replace('responses', 'requests')} (id, created_datetime) NOT VALID`,
      );
      // This reads the whole month, and blocks nobody.
      await queryPatiently(
        this.dataSource,
        `ALTER TABLE ${name} VALIDATE CONSTRAINT ${key}`,
        [],
        CHECK_LIMIT_MS,
      );
    }
    return names;
  }

  /** @returns the names of those that were dropped; none if the record is kept forever */
  async dropExpired(): Promise<string[]> {
    const days = this.config.recordRetentionDays;
    if (days === undefined) return [];
    return this.names(`SELECT drop_record_partitions(now() - make_interval(days => $1)) AS name`, [days]);
  }

  private async names(sql: string, values: unknown[] = []): Promise<string[]> {
    const rows = await this.dataSource.query<{ name: string }[]>(sql, values);
    return rows.map(({ name }) => name);
  }
}
