import type { DataSource } from 'typeorm';
import { createDataSource, type Migrations } from './data-source.js';
import { isAlreadyThere } from './postgres-errors.js';

/** Brings the schema of a database up to date. @returns the names of what was pending */
export async function migrateDatabase(url: string, migrations: Migrations): Promise<string[]> {
  const dataSource = await createDataSource({ url, poolSize: 2, migrations }).initialize();
  return migrate(dataSource).finally(() => dataSource.destroy());
}

/**
 * Runs pending migrations, one transaction each; replicas that start together wait for one another. They wait for a
 * lock on a table, which read-only users cannot take; anyone could take an advisory lock. A migration's notes about the
 * data that it found go to standard error.
 */
export async function migrate(dataSource: DataSource): Promise<string[]> {
  await dataSource.query('CREATE TABLE IF NOT EXISTS migration_lock ()').catch((error: unknown) => {
    // Two make it at the same moment: one gets the error that it already exists.
    if (!isAlreadyThere(error)) throw error;
  });
  return dataSource.transaction(async (manager) => {
    await manager.query('LOCK TABLE migration_lock IN ACCESS EXCLUSIVE MODE');
    const done = await dataSource.runMigrations({ transaction: 'each' });
    for (const { instance } of done) {
      for (const note of (instance as { notes?: readonly string[] }).notes ?? []) {
        process.emitWarning(note, 'MigrationNote');
      }
    }
    return done.map(({ name }) => name);
  });
}
