import { beforeAll, expect, test } from 'vitest';
import { ChangeListener } from '#libs/database';
import { userEntities, UserDirectory } from '#libs/users';
import { withClient } from '../support/postgres-client.js';
import { openDataSource, prepareDatabase } from '../support/prepared-service.js';

const database = prepareDatabase();
let directory: UserDirectory;

beforeAll(async () => {
  await database.query(
    `INSERT INTO users (username, password, email) SELECT 'user-' || n, 'a hash', 'a@example.org' FROM generate_series(1, 1001) AS n`,
  );
  const dataSource = await openDataSource(database, { poolSize: 4, entities: userEntities });
  const changes = new ChangeListener(dataSource);
  directory = new UserDirectory(dataSource, changes);
  await changes.onApplicationBootstrap();
  return () => changes.onApplicationShutdown();
});

/** Does `work` while reads of users wait for a lock. */
const whileLocked = (work: () => Promise<void>) =>
  withClient(database.url, async (client) => {
    await client.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
    await work();
  });

test('a thousand accounts may be read at once; a call for one more is refused, all others are answered', async () => {
  let reads: Promise<unknown>[] = [];
  await whileLocked(async () => {
    reads = Array.from({ length: 1_000 }, (_, index) => Promise.resolve(directory.find(index + 1, 1)));
    await expect(directory.find(1_001, 1)).rejects.toMatchObject({ code: 'overloaded' });
    // Calls for a user that is being read share the next read.
    const [one, other] = [directory.find(5, 1), directory.find(5, 1)];
    expect(one).toBe(other);
    reads.push(one as Promise<unknown>);
  });
  const found = await Promise.all(reads);
  expect(found[41]).toMatchObject({ actor: { userId: 42, username: 'user-42', role: 'user' }, epoch: 1 });
  expect(found).not.toContain(null);
  expect(await directory.find(1_001, 1)).toMatchObject({ actor: { userId: 1_001 } });
});

/** The answer from memory, which is used while the listener is live. */
async function kept(userId: number): Promise<unknown> {
  let found: unknown;
  await expect
    .poll(async () => {
      await directory.find(userId, 1);
      found = directory.find(userId, 1);
      return found instanceof Promise;
    })
    .toBe(false);
  return found;
}

test('a cached user is read again if a caller knows of a later epoch', async () => {
  expect(await kept(7)).toMatchObject({ actor: { userId: 7 }, epoch: 1 });
  const later = directory.find(7, 2);
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toMatchObject({ epoch: 1 });
  await database.query('UPDATE users SET epoch = 2 WHERE id = 7');
  expect(await directory.find(7, 2)).toMatchObject({ epoch: 2 });
});

test('an unknown user is not cached', async () => {
  expect(await kept(99_999)).toBe(null);
});
