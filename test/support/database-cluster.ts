import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { EmbeddedPostgres, migrateDatabase, restrictPublic } from '#libs/database';
import { migrations } from '#migrations';
import { withClient } from './postgres-client.js';
import { openRunFolder } from './run-folder.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The test cluster, as its superuser. */
    superuserUrl: string;
    /** The same as the role that owns every database in it, like the service. */
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
  const create = `CREATE DATABASE ${TEMPLATE} OWNER foretell`;
  await withClient(cluster.superuserUrl, (admin) => admin.query(create));
  const template = databaseUrl(cluster.superuserUrl, TEMPLATE);
  await withClient(template, (superuser) => restrictPublic(superuser, 'foretell'));
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
