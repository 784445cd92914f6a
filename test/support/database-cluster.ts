import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { createDataSource, EmbeddedPostgres, migrateDatabase, restrictPublic } from '#libs/database';
import { migrations } from '#migrations';
import { openRunFolder } from './run-folder.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The test cluster, as its superuser. */
    superuserUrl: string;
    /** The same as the role that owns every database in it, as the service does. */
    ownerUrl: string;
  }
}

export const TEMPLATE = 'foretell_template';

/** One real PostgreSQL for the whole run; migrated once into a template that each test file's database is copied from. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const run = openRunFolder();
  const cluster = await EmbeddedPostgres.open({
    dataDir: join(run.path, 'cluster'),
    purpose: 'command',
    settings: { fsync: 'off', max_connections: '300' },
  });
  const admin = await createDataSource({ url: cluster.superuserUrl }).initialize();
  await admin.query(`CREATE DATABASE ${TEMPLATE} OWNER foretell`);
  await admin.destroy();

  const superuser = new pg.Client({ connectionString: databaseUrl(cluster.superuserUrl, TEMPLATE) });
  await superuser.connect();
  await restrictPublic(superuser, 'foretell').finally(() => superuser.end());

  await migrateDatabase(databaseUrl(cluster.url, TEMPLATE), migrations);

  project.provide('superuserUrl', cluster.superuserUrl);
  project.provide('ownerUrl', cluster.url);
  return async () => {
    await cluster.close();
    await run.close();
  };
}

export function databaseUrl(clusterUrl: string, database: string): string {
  const url = new URL(clusterUrl);
  url.pathname = `/${database}`;
  return url.href;
}
