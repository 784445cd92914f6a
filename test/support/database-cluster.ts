import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createDataSource, migrate, openEmbeddedPostgres } from '#libs/database';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The superuser's URL of the test cluster. */
    clusterUrl: string;
  }
}

export const TEMPLATE = 'foretell_template';

/** One real PostgreSQL for the whole run; migrated once into a template that each test file's database is copied from. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'foretell-test-'));
  const cluster = await openEmbeddedPostgres({
    dataDir,
    purpose: 'command',
    settings: { fsync: 'off', max_connections: '300' },
  });
  const admin = createDataSource({ url: cluster.url, entities: [] });
  await admin.initialize();
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await admin.destroy();

  const template = createDataSource({ url: databaseUrl(cluster.url, TEMPLATE), entities: [] });
  await template.initialize();
  await migrate(template);
  await template.destroy();

  project.provide('clusterUrl', cluster.url);
  return async () => {
    await cluster.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
}

export function databaseUrl(clusterUrl: string, database: string): string {
  const url = new URL(clusterUrl);
  url.pathname = `/${database}`;
  return url.href;
}
