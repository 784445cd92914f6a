import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import { EVERYWHERE_WITHIN_MS, JWT_SECRET, predictAt, prepareTwoServices } from '../support/two-services.js';
import { call, createUser, type TestUser } from '../support/client.js';
import { logIn } from '../support/prediction-client.js';
import { startApi, type ApiProcess } from '../support/test-api.js';
import { claimsOf } from '../support/tokens.js';
import { createTestDatabase } from '../support/test-database.js';

const { database, a, b, toggleAt, foretell } = prepareTwoServices();
const users = (args: string[], input?: string) => foretell(['users', ...args], input);

const statusAt = async (api: ApiProcess, token: string) =>
  (await call(api, 'GET', `/token_status/${token}`)).status;

/** The status of a prediction and of /token_status, in each process. */
const answersTo = async (token: string) => [
  await predictAt(a, token),
  await predictAt(b, token),
  await statusAt(a, token),
  await statusAt(b, token),
];
const GOOD = [200, 200, 200, 200];
const ENDED = [401, 401, 401, 401];

/** `foretell users …`; it must succeed. @returns its output. */
async function done(args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await users(args, input);
  expect(code, stderr).toBe(0);
  return stdout;
}

describe('revokes the earlier tokens, in every process within a second:', () => {
  test.each<[string, (user: TestUser) => Promise<unknown>]>([
    [
      'a new password',
      ({ username }) => done(['set-password', '--username', username], 'another password\n'),
    ],
    ['users revoke', ({ username }) => done(['revoke', '--username', username])],
    ['users revoke with the name alone', ({ username }) => done(['revoke', username])],
    [
      'disabling and enabling over HTTP',
      async (user) => {
        expect((await toggleAt(a, user, 0)).status).toBe(200);
        expect((await toggleAt(a, user, 1)).status).toBe(200);
      },
    ],
    [
      'disabling and enabling on the command line',
      async ({ username }) => {
        await done(['disable', '--username', username]);
        await done(['enable', '--username', username]);
      },
    ],
    [
      'disabling and enabling by plain SQL',
      async ({ id }) => {
        await database.query('UPDATE users SET enabled = false WHERE id = $1', [id]);
        await database.query('UPDATE users SET enabled = true WHERE id = $1', [id]);
      },
    ],
    [
      'a new hash by plain SQL',
      ({ id }) => database.query(`UPDATE users SET password = password || '.' WHERE id = $1`, [id]),
    ],
  ])('%s', async (_, end) => {
    const [user, other] = [await createUser(a, database), await createUser(b, database)];
    // Both processes have both accounts in memory.
    expect([...(await answersTo(user.token)), ...(await answersTo(other.token))]).toEqual([...GOOD, ...GOOD]);
    await end(user);
    await sleep(EVERYWHERE_WITHIN_MS);
    expect(await answersTo(user.token)).toEqual(ENDED);
    expect(await answersTo(other.token)).toEqual(GOOD);
  });

  test('and a user who logs in again is served at once by a process that does not know of it yet', async () => {
    const user = await createUser(a, database);
    expect(await answersTo(user.token)).toEqual(GOOD);
    for (let time = 0; time < 5; time++) {
      await database.query('UPDATE users SET epoch = epoch + 1 WHERE id = $1', [user.id]);
      const token = await logIn(a, user);
      expect(await predictAt(b, token)).toBe(200);
      expect(await predictAt(a, token)).toBe(200);
    }
    await sleep(EVERYWHERE_WITHIN_MS);
    expect(await answersTo(user.token)).toEqual(ENDED);
  });
});

test('a changed role revokes nothing: it is read again on every call', async () => {
  const user = await createUser(a, database);
  await done(['set-role', '--username', user.username, '--role', 'analyst']);
  await sleep(EVERYWHERE_WITHIN_MS);
  expect(await answersTo(user.token)).toEqual(GOOD);
});

test('a token issued while the password changes belongs to the old password', async () => {
  const user = await createUser(a, database);
  const logins = Array.from({ length: 20 }, () =>
    call(a, 'POST', '/token', { body: { username: user.username, password: user.password } }),
  );
  await done(['set-password', '--username', user.username], 'another password\n');
  await sleep(EVERYWHERE_WITHIN_MS);
  const issued = (await Promise.all(logins)).filter(({ status }) => status === 200);
  const statuses = issued.map(({ body }) => predictAt(a, body.token as string));
  expect(await Promise.all(statuses)).toEqual(issued.map(() => 401));
});

test('a database that was created anew accepts no token of the one before, even for the same user id', async () => {
  const [before, after] = [await createTestDatabase(), await createTestDatabase()];
  const [first, second] = await Promise.all([
    startApi({ DATABASE_URL: before.url, JWT_SECRET }),
    startApi({ DATABASE_URL: after.url, JWT_SECRET }),
  ]);
  const old = await createUser(first, before);
  const root = await createUser(second, after, 'admin');
  expect(old.id).toBe(root.id);
  expect(await predictAt(first, old.token)).toBe(200);
  const answer = await call(second, 'GET', '/audit/predictions', { token: old.token });
  expect(answer.status).toBe(401);
  expect((await call(second, 'GET', '/audit/predictions', { token: root.token })).status).toBe(200);
});

describe('a token with a valid signature', () => {
  const times = { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 3600 };

  const claims = async (user: TestUser) => ({
    iss: 'foretell',
    aud: 'foretell',
    ...times,
    ...(await claimsOf(database, user.id)),
  });
  /** As text, because jsonwebtoken refuses to sign some of these as objects. */
  const sign = (payload: unknown) =>
    jwt.sign(JSON.stringify(payload), JWT_SECRET, { header: { alg: 'HS256', typ: 'JWT' } });

  test('and every claim is accepted: the refusals below rest on this', async () => {
    const user = await createUser(a, database);
    expect(await answersTo(sign(await claims(user)))).toEqual(GOOD);
  });

  type Claims = Awaited<ReturnType<typeof claims>>;
  const without = (claims: Claims, ...names: (keyof Claims)[]) =>
    Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name as keyof Claims)));

  test.each<[string, (claims: Claims) => unknown]>([
    ['of the release before: no account, no epoch', (claims) => without(claims, 'account', 'epoch')],
    ['without exp', (claims) => without(claims, 'exp')],
    ['whose exp is text', (claims) => ({ ...claims, exp: String(claims.exp) })],
    ['without sub', (claims) => without(claims, 'sub')],
    ['whose sub is a number', (claims) => ({ ...claims, sub: Number(claims.sub) })],
    ['whose sub is 2147483648', (claims) => ({ ...claims, sub: '2147483648' })],
    ['whose sub is 9999999999', (claims) => ({ ...claims, sub: '9999999999' })],
    ['whose sub is padded', (claims) => ({ ...claims, sub: `0${claims.sub}` })],
    ['without account', (claims) => without(claims, 'account')],
    ['of another account', (claims) => ({ ...claims, account: randomUUID() })],
    ['without epoch', (claims) => without(claims, 'epoch')],
    ['of an earlier epoch', (claims) => ({ ...claims, epoch: claims.epoch - 1 })],
    ['of a later epoch', (claims) => ({ ...claims, epoch: claims.epoch + 1 })],
    ['whose epoch is text', (claims) => ({ ...claims, epoch: String(claims.epoch) })],
    ['whose payload is null', () => null],
    ['whose payload is a number', () => 7],
    ['whose payload is text', () => 'x'],
    ['whose payload is a list', () => []],
  ])('%s is refused', async (_, change) => {
    const user = await createUser(a, database);
    expect(await answersTo(sign(change(await claims(user))))).toEqual(ENDED);
  });

  test.each(['eA', 'e30', 'bnVsbA', 'W10', 'IA'])(
    'is told from one whose payload is %s and whose signature is none',
    async (payload) => {
      const { token } = await createUser(a, database);
      const [header] = token.split('.');
      for (const signature of ['AAAA', '', '.']) {
        for (const api of [a, b]) {
          const text = `${header}.${payload}.${signature}`;
          const answer = await call(api, 'GET', `/token_status/${text}`);
          expect([answer.status, answer.body.message]).toEqual([401, 'Invalid token']);
          expect(await predictAt(api, text)).toBe(401);
        }
      }
    },
  );

  test('names the account by an unguessable id, and its epoch', async () => {
    const user = await createUser(a, database);
    expect(jwt.decode(user.token)).toMatchObject({
      sub: String(user.id),
      account: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      epoch: 1,
    });
  });
});

test('users revoke reports what it did, and unknown users', async () => {
  const { username } = await createUser(a, database);
  expect(await done(['revoke', '--username', username.toUpperCase()])).toBe(
    `${username.toUpperCase()} was logged out everywhere.\n`,
  );
  expect(await users(['revoke', 'nobody'])).toMatchObject({
    code: 1,
    stderr: 'There is no user nobody.\n',
  });
  for (const args of [['revoke'], ['revoke', username, '--username', username]]) {
    expect(await users(args)).toMatchObject({ code: 2 });
  }
});
