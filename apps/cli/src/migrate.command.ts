import { Command } from 'commander';
import { Analysts } from '#libs/audit';
import { loadConfig } from '#libs/config';
import { openDatabase } from '#libs/database';
import { migrations } from '#migrations';

export function migrateCommand(): Command {
  return new Command('migrate').description('bring the database schema up to date').action(async () => {
    const database = await openDatabase(loadConfig(), { purpose: 'command', migrations });
    try {
      const { migrated } = database;
      console.log(migrated.length === 0 ? 'The schema is up to date.' : `Migrated: ${migrated.join(', ')}`);
      tellMissing(await new Analysts(database.dataSource).prepare());
    } finally {
      await database.close();
    }
  });
}

/** What only another role may do is no reason to fail: the service works without. */
function tellMissing(statements: readonly string[]): void {
  if (statements.length === 0) return;
  console.error(
    'The privileges of analysts are not right, and this role may not change them. Run as a superuser, in this database:',
  );
  for (const statement of statements) console.error(`  ${statement};`);
}
