import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { afterThisFile } from './after-this-file.js';
import { databaseUrl, TEMPLATE } from './database-cluster.js';
import { withClient } from './postgres-client.js';

export type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;

/** A migrated database that is dropped after this test file; `empty` for one with nothing in it. */
export async function createTestDatabase({ empty = false } = {}) {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = async (sql: string) =>
    void (await withClient(inject('superuserUrl'), (client) => client.query(sql)));
  await admin(`CREATE DATABASE ${name} OWNER foretell ${empty ? '' : `TEMPLATE ${TEMPLATE}`}`);
  const url = databaseUrl(inject('ownerUrl'), name);
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  afterThisFile(async () => {
    await pool.end();
    await admin(`DROP DATABASE ${name} WITH (FORCE)`);
  });
  return {
    /** The URL as its owner, as used by the service. */
    url,
    /** Rows of one statement, run as the owner. */
    query: async <Row extends object = Record<string, unknown>>(sql: string, values?: unknown[]) =>
      (await pool.query(sql, values)).rows as Row[],
    /** It takes no more connections, and existing ones are cut. */
    shutOut: async () => {
      await admin(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    },
    letIn: () => admin(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`),
  };
}
