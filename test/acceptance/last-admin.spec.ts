import { beforeEach, expect, test } from 'vitest';
import { call, createUser, type Answer, type TestUser } from '../support/client.js';
import { foretell } from '../support/foretell-process.js';
import { prepareService } from '../support/prepared-service.js';

const { database, api } = prepareService();

const demoteAll = async () =>
  void (await database.query(`UPDATE users SET role = 'user' WHERE role = 'admin'`));
beforeEach(demoteAll);

const disable = (admin: TestUser, { id }: TestUser) =>
  call(api, 'PUT', `/toggle-user-permission/${id}/0`, { token: admin.token });
const remove = (admin: TestUser, { id }: TestUser) =>
  call(api, 'DELETE', `/remove-user/${id}`, { token: admin.token });

const users = (...args: string[]) =>
  foretell(['users', ...args], { environment: { DATABASE_URL: database.url } });

async function admins(): Promise<number[]> {
  const rows = await database.query<{ id: number }>(
    `SELECT id FROM users WHERE role = 'admin' AND enabled ORDER BY id`,
  );
  return rows.map(({ id }) => id);
}

function expectRefused({ status, body }: Answer): void {
  expect(status).toBe(409);
  expect(body).toMatchObject({
    type: 'urn:foretell:error:last-admin',
    title: 'Last admin',
    message: 'Last admin',
    detail: expect.stringMatching(/Make somebody else an admin first/),
  });
}

test('the only admin cannot be disabled, removed or demoted in any way', async () => {
  const admin = await createUser(api, database, 'admin');
  // These do not count as active admins.
  await createUser(api, database, 'analyst');
  const disabled = await createUser(api, database, 'admin');
  expect((await disable(admin, disabled)).status).toBe(200);

  expectRefused(await disable(admin, admin));
  expectRefused(await remove(admin, admin));
  const { username } = admin;
  for (const args of [
    ['disable', '--username', username],
    ['set-role', '--username', username, '--role', 'user'],
    ['set-role', '--username', username, '--role', 'analyst'],
  ]) {
    expect(await users(...args), args.join(' ')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Last admin: .*Make somebody else an admin first/),
    });
  }
  expect(await admins()).toEqual([admin.id]);

  // Changes that keep an admin succeed; and so do the others, once there is a second admin.
  expect(
    (await call(api, 'PUT', `/toggle-user-permission/${admin.id}/1`, { token: admin.token })).status,
  ).toBe(200);
  expect((await users('set-role', '--username', username, '--role', 'admin')).code).toBe(0);
  expect((await remove(admin, disabled)).status).toBe(200);
  const other = await createUser(api, database, 'admin');
  expect((await disable(admin, admin)).status).toBe(200);
  expect(await admins()).toEqual([other.id]);
});

test.each<[string, (admin: TestUser, other: TestUser) => Promise<Answer>]>([
  ['disable', disable],
  ['remove', remove],
])('if two %s each other at the same moment, one is left', async (_, act) => {
  for (let round = 0; round < 10; round++) {
    const [one, two] = [await createUser(api, database, 'admin'), await createUser(api, database, 'admin')];
    const answers = await Promise.all([act(one, two), act(two, one)]);
    const left = await admins();
    expect(left).toHaveLength(1);
    expect([one.id, two.id]).toContain(left[0]);
    // The later one may no longer act, finds the other gone, or is refused.
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses[0]).toBe(200);
    expect([401, 404, 409]).toContain(statuses[1]);
    await demoteAll();
  }
});

test('many changes at once to two admins leave one admin, and nothing fails', async () => {
  for (let round = 0; round < 5; round++) {
    const pair = [await createUser(api, database, 'admin'), await createUser(api, database, 'admin')];
    const [one, two] = pair as [TestUser, TestUser];
    const changes = [
      disable(one, two),
      remove(one, one),
      disable(two, two),
      remove(two, one),
      disable(one, one),
    ];
    const answers = await Promise.all(changes);
    for (const { status } of answers) expect(status).toBeOneOf([200, 401, 404, 409]);
    expect(await admins()).toHaveLength(1);
    await demoteAll();
  }
});
