import { Command } from 'commander';
import { loadConfig } from '#libs/config';
import { openDatabase } from '#libs/database';

export function migrateCommand(): Command {
  return new Command('migrate').description('bring the database schema up to date').action(async () => {
    const database = await openDatabase(loadConfig(), { purpose: 'command', entities: [] });
    try {
      const { migrated } = database;
      console.log(migrated.length === 0 ? 'The schema is up to date.' : `Migrated: ${migrated.join(', ')}`);
    } finally {
      await database.close();
    }
  });
}
