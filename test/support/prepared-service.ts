import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll } from 'vitest';
import type { Role } from '#libs/errors';
import { afterThisFile } from './after-this-file.js';
import { createUser, type TestUser } from './client.js';
import { startApi, type ApiProcess } from './test-api.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

// What is prepared here is filled in by a hook, so that a start that hangs or fails is bounded and cleaned up after.

/** A database for this file of tests, there from its first test on. */
export function prepareDatabase(): TestDatabase {
  const database = {} as TestDatabase;
  beforeAll(async () => void Object.assign(database, await createTestDatabase()));
  return database;
}

/** The built service on this database, and a user of it, for the tests beside this call and no longer. */
export function prepareService(
  settings: Record<string, string> = {},
  { database = prepareDatabase(), role = 'user' }: { database?: TestDatabase; role?: Role } = {},
) {
  const api = {} as ApiProcess;
  beforeAll(async () => {
    Object.assign(api, await startApi({ DATABASE_URL: database.url, ...settings }));
    return () => api.stop();
  });
  return { database, api, user: prepareUser({ api, database }, role) };
}

/** One more user of a service that is prepared. */
export function prepareUser(
  { api, database }: { api: { url: string }; database: TestDatabase },
  role?: Role,
): TestUser {
  const user = {} as TestUser;
  beforeAll(async () => void Object.assign(user, await createUser(api, database, role)));
  return user;
}

/** A folder that is removed after this file of tests. */
export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-test-'));
  afterThisFile(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
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
