import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { DataSource } from 'typeorm';

/**
 * The months that the record lies in. They are made long before they are needed, so that no record waits for one, and
 * dropped as a whole when every row in them is older than RECORD_RETENTION_DAYS (docs/adr/0011).
 */
@Injectable()
export class RecordPartitions {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** This month and the three after it. @returns the names of those that were not there */
  create(): Promise<string[]> {
    return this.names(`SELECT create_record_partitions(now(), now() + interval '3 months') AS name`);
  }

  /** @returns the names of those that are gone; none where the record is kept for ever */
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
