import { loadConfig, type Config } from '#libs/config';
import { openDatabase, type OpenDatabase } from '#libs/database';
import { migrations } from '#migrations';

/** Runs `work` on the database that the service uses, brought up to date, and closes it. */
export async function withDatabase<T>(
  work: (database: OpenDatabase, config: Config) => Promise<T>,
  entities?: Parameters<typeof openDatabase>[1]['entities'],
): Promise<T> {
  const config = loadConfig();
  const database = await openDatabase(config, { purpose: 'command', entities, migrations });
  return work(database, config).finally(() => database.close());
}
