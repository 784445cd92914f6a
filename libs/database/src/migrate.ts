import type { DataSource } from 'typeorm';

const MIGRATION_LOCK = 7_310_003;

/**
 * Runs what is pending, one transaction each; replicas that start together wait for one another. A migration's notes about
 * the data that it found go to standard error.
 */
export async function migrate(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  try {
    const done = await dataSource.runMigrations({ transaction: 'each' });
    for (const { instance } of done) {
      for (const note of (instance as { notes?: readonly string[] }).notes ?? []) {
        process.emitWarning(note, 'MigrationNote');
      }
    }
    return done.map((migration) => migration.name);
  } finally {
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await runner.release();
  }
}
