import { Command } from 'commander';
import { Analysts } from '#libs/audit';
import { withDatabase } from './with-database.js';

export function migrateCommand(): Command {
  return new Command('migrate').description('bring the database schema up to date').action(() =>
    withDatabase(async ({ migrated, dataSource }) => {
      console.log(migrated.length === 0 ? 'The schema is up to date.' : `Migrated: ${migrated.join(', ')}`);
      tellMissing(await new Analysts(dataSource).prepare());
    }),
  );
}

/** If only another role can do it, that is no reason to fail: the service works without it. */
function tellMissing(statements: readonly string[]): void {
  if (statements.length === 0) return;
  console.error(
    'The privileges of analysts are not right, and this role may not change them. Run as a superuser, in this database:',
  );
  for (const statement of statements) console.error(`  ${statement};`);
}
