import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { isMissingPartition } from '#libs/database';
import { DataSource } from 'typeorm';

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
