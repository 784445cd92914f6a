import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { migrations } from '#migrations';

interface DataSourceSettings {
  url: string;
  poolSize?: number;
  entities: NonNullable<DataSourceOptions['entities']>;
  /** After so long a query is given up; a migration may take as long as it needs. */
  queryTimeoutMs?: number;
  onPoolError?(error: unknown): void;
}

/** TypeORM on one pool. The schema is made by migrations only. */
export function createDataSource({
  url,
  poolSize = 10,
  entities,
  queryTimeoutMs,
  onPoolError,
}: DataSourceSettings): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    entities,
    migrations,
    migrationsTableName: 'migrations',
    poolSize,
    applicationName: 'foretell',
    connectTimeoutMS: 5_000,
    logging: false,
    poolErrorHandler: onPoolError ?? (() => undefined),
    extra: { keepAlive: true, query_timeout: queryTimeoutMs },
  });
}

/** The pool below TypeORM, for the few statements that are prepared by name. */
export function poolOf(dataSource: DataSource): pg.Pool {
  return (dataSource.driver as PostgresDriver).master as pg.Pool;
}
