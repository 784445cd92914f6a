import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll } from 'vitest';
import type { DataSource } from 'typeorm';
import { createDataSource } from '#libs/database';
import type { Role } from '#libs/errors';
import { afterThisFile } from './after-this-file.js';
import { createFolder } from './folders.js';
import { call, createUser, type Answer, type TestUser } from './client.js';
import { onlyRecordOf } from './records.js';
import { startApi, type ApiProcess } from './test-api.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

// A hook fills in what is prepared here, so that a start that hangs or fails has a timeout and is cleaned up.

/** A database for this test file, available from its first test on. */
export function prepareDatabase(...options: Parameters<typeof createTestDatabase>): TestDatabase {
  const database = {} as TestDatabase;
  beforeAll(async () => void Object.assign(database, await createTestDatabase(...options)));
  return database;
}

/** A connection of ours to this database, until the file of tests ends. */
export async function openDataSource(
  { url }: TestDatabase,
  options: Omit<Parameters<typeof createDataSource>[0], 'url'>,
): Promise<DataSource> {
  const dataSource = createDataSource({ url, ...options });
  afterThisFile(() => dataSource.destroy());
  return dataSource.initialize();
}

/** The built service on this database, and a user of it, only for the tests beside this call. */
export function prepareService(
  settings: Record<string, string> = {},
  { database = prepareDatabase(), role = 'user' }: { database?: TestDatabase; role?: Role } = {},
) {
  const api = {} as ApiProcess;
  beforeAll(async () => {
    Object.assign(api, await startApi({ DATABASE_URL: database.url, ...settings }));
    return () => api.stop();
  });
  const user = prepareUser({ api, database }, role);
  return {
    database,
    api,
    user,
    post: (path: string, body: object | string, headers?: Record<string, string>) =>
      call(api, 'POST', path, { body, token: user.token, headers }),
    recordOf: (answer: Answer) => onlyRecordOf(database, answer),
  };
}

/** One more user of a prepared service. */
export function prepareUser(
  { api, database }: { api: { url: string }; database: TestDatabase },
  role?: Role,
): TestUser {
  const user = {} as TestUser;
  beforeAll(async () => void Object.assign(user, await createUser(api, database, role)));
  return user;
}

/** A MODEL_DIR with these of the repository's models and, as version 1, of the foreign ones; removed after this file. */
export function createModelDir({
  own = readdirSync('model-artifacts'),
  foreign = [] as string[],
} = {}): string {
  const folder = createFolder();
  for (const name of own) cpSync(join('model-artifacts', name), join(folder, name), { recursive: true });
  for (const name of foreign) {
    cpSync(join('test/support/foreign-models', name), join(folder, name, '1'), { recursive: true });
  }
  return folder;
}
