import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Role } from '#libs/errors';
import {
  EVERYWHERE_WITHIN_MS,
  predictAt as predictWith,
  prepareTwoServices,
} from '../support/two-services.js';
import { call, createUser, type TestUser } from '../support/client.js';
import { logIn } from '../support/prediction-client.js';
import { recordsOfUser } from '../support/records.js';
import type { ApiProcess } from '../support/test-api.js';

const { database, a, b, admin, toggleAt, foretell } = prepareTwoServices();

const predictAt = (api: ApiProcess, { token }: TestUser) => predictWith(api, token);
const auditAt = async (api: ApiProcess, { token }: TestUser) =>
  (await call(api, 'GET', '/audit/predictions?limit=1', { token })).status;

/** Expects this answer from both processes within the promised time. */
async function expectSoon(ask: typeof predictAt, user: TestUser, status: number): Promise<void> {
  await sleep(EVERYWHERE_WITHIN_MS);
  expect([await ask(a, user), await ask(b, user)]).toEqual([status, status]);
}

/** After a change through one process, that process refuses at once, the other within the promised time. */
async function expectRefused(user: TestUser): Promise<void> {
  const changed = sleep(EVERYWHERE_WITHIN_MS);
  expect(await predictAt(a, user)).toBe(401);
  await changed;
  expect(await predictAt(b, user)).toBe(401);
}

/** A user whom both processes have just served, and so have cached. */
async function knownUser(role: Role = 'user'): Promise<TestUser> {
  const user = await createUser(a, database, role);
  for (const api of [a, b]) {
    for (let time = 0; time < 3; time++) expect(await predictAt(api, user)).toBe(200);
    expect(await auditAt(api, user)).toBe(role === 'user' ? 403 : 200);
  }
  return user;
}

describe.concurrent('an account changed through one process', () => {
  test('and disabled is refused there at once and elsewhere within a second', async () => {
    const user = await knownUser();
    expect((await toggleAt(a, user, 0)).status).toBe(200);
    await expectRefused(user);
    expect((await call(b, 'GET', `/token_status/${user.token}`)).status).toBe(401);
    // Refused calls are not predictions: there are only the six that the two processes answered before.
    const recorded = await recordsOfUser(database, user.id);
    expect(recorded.map(({ status_code }) => status_code)).toEqual(new Array(6).fill(200));
  });

  test('and removed is refused there at once and elsewhere within a second', async () => {
    const user = await knownUser();
    const removed = await call(a, 'DELETE', `/remove-user/${user.id}`, { token: admin.token });
    expect(removed.status).toBe(200);
    await expectRefused(user);
  });

  test('and enabled again is served there at once and elsewhere within a second', async () => {
    const user = await knownUser();
    await toggleAt(a, user, 0);
    // The refusal is cached as well.
    await expectSoon(predictAt, user, 401);
    expect((await toggleAt(b, user, 1)).status).toBe(200);
    const changed = sleep(EVERYWHERE_WITHIN_MS);
    user.token = await logIn(b, user);
    expect(await predictAt(b, user)).toBe(200);
    await changed;
    expect(await predictAt(a, user)).toBe(200);
  });

  test('is not outrun by requests in flight', async () => {
    const user = await knownUser();
    let isChanged = false;
    const hammer = async () => {
      const afterTheChange: number[] = [];
      while (afterTheChange.length < 10) {
        const startedAfter = isChanged;
        const status = await predictAt(a, user);
        if (startedAfter) afterTheChange.push(status);
      }
      return afterTheChange;
    };
    const hammering = Promise.all(Array.from({ length: 4 }, hammer));
    expect((await toggleAt(a, user, 0)).status).toBe(200);
    isChanged = true;
    expect(new Set((await hammering).flat())).toEqual(new Set([401]));
  });
});

describe.concurrent('an account changed by plain SQL', () => {
  test.each([
    ['disabled', 'UPDATE users SET enabled = false WHERE id = $1'],
    [
      'removed',
      `UPDATE users SET username = NULL, password = NULL, email = NULL, enabled = false, removed_datetime = now()
       WHERE id = $1`,
    ],
  ])('and %s is refused in every process within a second', async (_, sql) => {
    const user = await knownUser();
    await database.query(sql, [user.id]);
    await expectSoon(predictAt, user, 401);
  });

  test('and deleted is refused in every process within a second', async () => {
    const user = await knownUser();
    await database.query(
      `WITH gone AS (
         DELETE FROM responses USING requests WHERE requests.id = request_id AND user_id = $1)
       DELETE FROM requests WHERE user_id = $1`,
      [user.id],
    );
    await database.query('DELETE FROM users WHERE id = $1', [user.id]);
    await expectSoon(predictAt, user, 401);
  });

  test.each([
    ['analyst', 'user'],
    ['admin', 'user'],
  ] as const)(
    'and demoted from %s to %s may read no more within a second, and predict as before',
    async (was, is) => {
      const user = await knownUser(was);
      await database.query('UPDATE users SET role = $1 WHERE id = $2', [is, user.id]);
      await expectSoon(auditAt, user, 403);
      expect([await predictAt(a, user), await predictAt(b, user)]).toEqual([200, 200]);
    },
  );

  test('and promoted may read within a second', async () => {
    const user = await knownUser('user');
    await database.query(`UPDATE users SET role = 'analyst' WHERE id = $1`, [user.id]);
    await expectSoon(auditAt, user, 200);
  });

  test('and enabled again is served within a second', async () => {
    const user = await knownUser();
    for (const enabled of [false, true]) {
      await database.query('UPDATE users SET enabled = $1 WHERE id = $2', [enabled, user.id]);
      await sleep(EVERYWHERE_WITHIN_MS);
      if (enabled) user.token = await logIn(a, user);
      const status = enabled ? 200 : 401;
      expect([await predictAt(a, user), await predictAt(b, user)]).toEqual([status, status]);
    }
  });

  test('many at once are all refused within a second', async () => {
    const users = await Promise.all(Array.from({ length: 10 }, () => knownUser()));
    await database.query('UPDATE users SET enabled = false WHERE id = ANY($1)', [users.map(({ id }) => id)]);
    await sleep(EVERYWHERE_WITHIN_MS);
    for (const api of [a, b]) {
      const statuses = await Promise.all(users.map((user) => predictAt(api, user)));
      expect(new Set(statuses)).toEqual(new Set([401]));
    }
  });
});

test('an account demoted on the command line may read no more within a second', async () => {
  const user = await knownUser('analyst');
  const demoted = await foretell(['users', 'set-role', '--username', user.username, '--role', 'user']);
  expect(demoted.code, demoted.stderr).toBe(0);
  await expectSoon(auditAt, user, 403);
});

test('a process whose connections were all cut still refuses a disabled account', async () => {
  const user = await knownUser();
  // Notifications sent while no one listens are lost: here the change is made at that very moment.
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND application_name LIKE 'foretell%'`,
  );
  await database.query('UPDATE users SET enabled = false WHERE id = $1', [user.id]);
  await expectSoon(predictAt, user, 401);
});

test('a process that hears nothing from its database still refuses a disabled account', async () => {
  const user = await knownUser();
  // Both processes listen, each on a connection of its own. We stop the server's end of them: they stay open, and
  // no notification comes through.
  const listeners = () =>
    database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'foretell listener'`,
    );
  while ((await listeners()).length !== 2) await sleep(50);
  const pids = (await listeners()).map(({ pid }) => pid);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    expect((await toggleAt(a, user, 0)).status).toBe(200);
    await expectRefused(user);
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
});
