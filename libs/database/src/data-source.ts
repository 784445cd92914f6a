import type pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ConnectionPool, type Connection } from './connection.js';

export type Migrations = NonNullable<DataSourceOptions['migrations']>;

interface DataSourceSettings {
  url: string;
  poolSize?: number;
  entities?: NonNullable<DataSourceOptions['entities']>;
  /** Needed only by a data source that runs them. */
  migrations?: Migrations;
  /** How long a statement may take; a migration takes as long as it needs. */
  queryTimeoutMs?: number;
  onPoolError?(error: unknown): void;
}

/** TypeORM on one pool of `Connection`s. Only migrations change the schema. */
export function createDataSource({
  url,
  poolSize = 10,
  entities = [],
  migrations = [],
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
    driver: { Pool: ConnectionPool },
    extra: { keepAlive: true, queryTimeoutMs },
  });
}

/** The pool below TypeORM, for the few statements that are prepared by name. */
export function poolOf(dataSource: DataSource): pg.Pool {
  return (dataSource.driver as PostgresDriver).master as pg.Pool;
}

/**
 * A statement that no HTTP client waits for, and that may have very much to read: it has no
 * limit but this one. Its connection, whose limits have changed, is discarded.
 */
export async function queryPatiently<Row extends pg.QueryResultRow>(
  dataSource: DataSource,
  text: string,
  values: unknown[],
  limitMs: number,
): Promise<Row[]> {
  const client = await poolOf(dataSource).connect();
  try {
    await (client as unknown as Connection).limit(limitMs);
    return (await client.query<Row>(text, values)).rows;
  } finally {
    client.release(true);
  }
}
