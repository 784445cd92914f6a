import { randomBytes } from 'node:crypto';
import bcrypt from 'bcrypt';
import { describe, expect, test } from 'vitest';
import { call, createUser, PATIENT } from '../support/client.js';
import { expectProblem, pointersOf } from '../support/problems.js';
import { recordsOfUser } from '../support/records.js';
import { prepareService } from '../support/prepared-service.js';

interface UserRow {
  id: number;
  username: string | null;
  password: string | null;
  email: string | null;
  role: string;
  enabled: boolean;
  created_datetime: Date;
  updated_datetime: Date;
  removed_datetime: Date | null;
}

const { database, api, user: admin } = prepareService({}, { role: 'admin' });

const newName = () => `Person-${randomBytes(5).toString('hex')}`;
const newUser = () => ({ username: newName(), password: 'correct horse', email: 'person@example.org' });
const register = (body: object | string) => call(api, 'POST', '/register-user', { body });
const login = (user: { username: string; password: string }) => call(api, 'POST', '/token', { body: user });

const usersNamed = (username: string) =>
  database.query<UserRow>('SELECT * FROM users WHERE lower(username) = lower($1)', [username]);

async function userRow(id: number): Promise<UserRow> {
  const [row] = await database.query<UserRow>('SELECT * FROM users WHERE id = $1', [id]);
  return row!;
}

const toggle = (id: number, enabled: string | number) =>
  call(api, 'PUT', `/toggle-user-permission/${id}/${enabled}`, { token: admin.token });
const remove = (id: number) => call(api, 'DELETE', `/remove-user/${id}`, { token: admin.token });

describe('registering', () => {
  test('answers 201 with the id and leaves an enabled user with a hashed password', async () => {
    const user = newUser();
    const answer = await register(user);
    expect(answer.status).toBe(201);
    expect(answer.body.user_id).toBeTypeOf('number');
    expect(answer.text).toBe(`{"message":"User created successfully","user_id":${answer.body.user_id}}`);

    const row = await userRow(answer.body.user_id);
    expect(row).toMatchObject({
      username: user.username,
      email: user.email,
      role: 'user',
      enabled: true,
      removed_datetime: null,
    });
    expect(row.created_datetime).toBeInstanceOf(Date);
    expect(row.updated_datetime).toBeInstanceOf(Date);
    expect(row.password).toMatch(/^\$2b\$\d\d\$[./A-Za-z0-9]{53}$/);
    expect(await bcrypt.compare(user.password, row.password!)).toBe(true);
  });

  test('lets no one choose their own role, id or enabled flag', async () => {
    const answer = await register({ ...newUser(), role: 'admin', id: 1_000_000, enabled: false });
    expect(answer.status).toBe(201);
    expect(answer.body.user_id).not.toBe(1_000_000);
    expect(await userRow(answer.body.user_id)).toMatchObject({ role: 'user', enabled: true });
  });

  test('a taken name, whatever its case, is refused with 409 and the id of its owner', async () => {
    const user = newUser();
    const { body } = await register(user);
    for (const username of [user.username, user.username.toUpperCase(), user.username.toLowerCase()]) {
      const answer = await register({ ...newUser(), username });
      expectProblem(answer, 409, 'User already exists');
      expect(answer.body.user_id).toBe(body.user_id);
    }
    expect(await usersNamed(user.username)).toHaveLength(1);
  });

  test('twenty at once with one name in mixed case create exactly one user', async () => {
    const name = newName();
    const mixed = (index: number) =>
      [...name].map((letter, at) => ((index >> (at % 5)) & 1 ? letter.toUpperCase() : letter)).join('');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => register({ ...newUser(), username: mixed(index) })),
    );
    const created = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status === 409);
    expect(created).toHaveLength(1);
    expect(refused).toHaveLength(19);
    for (const answer of refused) {
      expectProblem(answer, 409, 'User already exists');
      expect(answer.body.user_id).toBe(created[0]!.body.user_id);
    }
    expect(await usersNamed(name)).toHaveLength(1);
  });

  const ALL = ['#/username', '#/password', '#/email'];
  test.each<[string, object | string, string[]]>([
    ['no fields', {}, ALL],
    ['no email', { username: newName(), password: 'x' }, ['#/email']],
    ['no password', { username: newName(), email: 'a@example.org' }, ['#/password']],
    ['no username', { password: 'x', email: 'a@example.org' }, ['#/username']],
    ['fields of wrong types', { username: ['x'], password: { a: 1 }, email: 3 }, ALL],
    ['nulls', { username: null, password: null, email: null }, ALL],
    ['empty strings', { username: '', password: '', email: '' }, ALL],
    ['an email without a host', { ...newUser(), email: 'person' }, ['#/email']],
    [
      'an email with a line break',
      { ...newUser(), email: 'a@example.org\r\nBcc: b@example.org' },
      ['#/email'],
    ],
    ['a username of blanks', { ...newUser(), username: '   ' }, ['#/username']],
    ['a username with a NUL', { ...newUser(), username: 'a\0b' }, ['#/username']],
    ['a username of 65 characters', { ...newUser(), username: 'a'.repeat(65) }, ['#/username']],
    ['a password with a NUL', { ...newUser(), password: 'a\0b' }, ['#/password']],
    ['a password with a lone surrogate', { ...newUser(), password: 'a\uD83D' }, ['#/password']],
    ['an array', [newUser()], ALL],
    ['null', 'null', ALL],
    ['a number', '12', ALL],
    ['nothing', '', ALL],
  ])('with %s is refused with 400 and a pointer to each bad field', async (_, body, pointers) => {
    const answer = await register(body);
    expectProblem(answer, 400, 'Bad request');
    expect(pointersOf(answer).toSorted()).toEqual(pointers.toSorted());
    for (const { detail } of answer.body.errors) expect(detail).toMatch(/./);
  });

  test('with a body that is not JSON is refused with 400, of another media type with 415', async () => {
    expectProblem(await register('{"username"'), 400, 'Bad request');
    const form = await call(api, 'POST', '/register-user', {
      body: 'username=a&password=b&email=c@example.org',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expectProblem(form, 415, 'Unsupported media type');
  });

  test('a refused registration leaves no user', async () => {
    const user = { ...newUser(), email: 'no address' };
    expect((await register(user)).status).toBe(400);
    expect(await usersNamed(user.username)).toEqual([]);
  });

  test.each<[string, string, string]>([
    ['ASCII', 'p'.repeat(72), 'p'.repeat(73)],
    ['two bytes each', 'é'.repeat(36), 'é'.repeat(36) + 'x'],
    ['four bytes each', '😀'.repeat(18), '😀'.repeat(18) + 'x'],
  ])('a password of 72 bytes is accepted and one of 73 refused: %s', async (_, fits, tooLong) => {
    expect([Buffer.byteLength(fits), Buffer.byteLength(tooLong)]).toEqual([72, 73]);
    const refused = newUser();
    const answer = await register({ ...refused, password: tooLong });
    expectProblem(answer, 400, 'Bad request');
    expect(pointersOf(answer)).toEqual(['#/password']);
    expect(await usersNamed(refused.username)).toEqual([]);

    const accepted = { ...newUser(), password: fits };
    expect((await register(accepted)).status).toBe(201);
    expect((await login(accepted)).status).toBe(200);
    // Every byte counts: the first 71 do not log in.
    expect((await login({ ...accepted, password: fits.slice(0, -1) })).status).toBe(401);
  });
});

/** What both routes that change a user refuse, leaving the user unchanged. */
describe.each([
  ['toggle-user-permission', 'PUT', (id: unknown) => `/toggle-user-permission/${id}/0`],
  ['remove-user', 'DELETE', (id: unknown) => `/remove-user/${id}`],
] as const)('%s', (_, method, pathOf) => {
  test('without a token answers 401', async () => {
    const user = await createUser(api, database);
    const answer = await call(api, method, pathOf(user.id));
    expectProblem(answer, 401, 'Unauthorized');
    expect(answer.body.error).toBe('Unauthorized');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await userRow(user.id)).toMatchObject({ username: user.username, enabled: true });
  });

  test.each(['user', 'analyst'] as const)('as %s answers 403, even for oneself', async (role) => {
    const user = await createUser(api, database);
    const caller = await createUser(api, database, role);
    for (const id of [user.id, caller.id, 2147483647, 'abc']) {
      expectProblem(await call(api, method, pathOf(id), { token: caller.token }), 403, 'Forbidden');
    }
    expect(await userRow(user.id)).toMatchObject({ username: user.username, enabled: true });
    expect(await userRow(caller.id)).toMatchObject({ username: caller.username, enabled: true });
  });

  const NOBODY = ['0', '2147483647', '2147483648', '99999999999999999999'];
  const NO_ID = ['abc', '-1', '1.5', '1e3', '0x1', '%20', '%00', 'null'];
  test.each([
    ...NOBODY.map((id) => [id, 404, 'User not found'] as const),
    ...NO_ID.map((id) => [id, 400, 'Bad request'] as const),
  ])('of user %s answers %i', async (id, status, title) => {
    expectProblem(await call(api, method, pathOf(id), { token: admin.token }), status, title);
  });
});

describe('toggle-user-permission', () => {
  test.each([
    ['0', false],
    ['false', false],
    ['1', true],
    ['true', true],
  ] as const)('%s makes enabled %s, from either state', async (flag, enabled) => {
    for (const before of [true, false]) {
      const user = await createUser(api, database);
      await database.query(`UPDATE users SET enabled = $1, updated_datetime = '2020-01-01' WHERE id = $2`, [
        before,
        user.id,
      ]);
      const answer = await toggle(user.id, flag);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(`{"message":"User permission updated successfully","user_id":${user.id}}`);
      const row = await userRow(user.id);
      expect(row).toMatchObject({ enabled, username: user.username, email: user.email, role: 'user' });
      expect(row.updated_datetime.getTime()).toBeGreaterThan(row.created_datetime.getTime());
    }
  });

  test.each(['2', '-1', 'yes', 'on', '01', 'null', '%20'])(
    '%s is no flag: 400, and nothing changes',
    async (flag) => {
      const user = await createUser(api, database);
      expectProblem(await toggle(user.id, flag), 400, 'Bad request');
      expect((await userRow(user.id)).enabled).toBe(true);
    },
  );

  test('shuts a user out at once and lets them in again at once', async () => {
    const user = await createUser(api, database);
    const predict = () => call(api, 'POST', '/predict', { body: PATIENT, token: user.token });
    expect((await predict()).status).toBe(200);
    await toggle(user.id, 0);
    expectProblem(await predict(), 401, 'Unauthorized');
    expectProblem(await login(user), 401, 'Invalid credentials');
    await toggle(user.id, 1);
    // The old token stays invalid.
    expectProblem(await predict(), 401, 'Unauthorized');
    user.token = (await login(user)).body.token as string;
    expect((await predict()).status).toBe(200);
    expect((await recordsOfUser(database, user.id)).map(({ status_code }) => status_code)).toEqual([
      200, 200,
    ]);
  });
});

describe('remove-user', () => {
  test('erases the person, keeps what was recorded, and frees the name', async () => {
    const user = await createUser(api, database);
    const predict = (token: string) => call(api, 'POST', '/predict', { body: PATIENT, token });
    await predict(user.token);
    await call(api, 'POST', '/predict', { body: {}, token: user.token });
    const recorded = await recordsOfUser(database, user.id);
    expect(recorded.map(({ status_code }) => status_code)).toEqual([200, 400]);

    const answer = await remove(user.id);
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"message":"User deleted successfully"}');

    const row = await userRow(user.id);
    expect(row).toMatchObject({ username: null, password: null, email: null, enabled: false });
    expect(row.removed_datetime).toBeInstanceOf(Date);
    expect(JSON.stringify(row)).not.toContain(user.username);
    expect(await recordsOfUser(database, user.id)).toEqual(recorded);

    expectProblem(await predict(user.token), 401, 'Unauthorized');
    expectProblem(await login(user), 401, 'Invalid credentials');
    expectProblem(await remove(user.id), 404, 'User not found');
    expectProblem(await toggle(user.id, 1), 404, 'User not found');

    const namesake = await register({ ...newUser(), username: user.username, password: user.password });
    expect(namesake.status).toBe(201);
    expect(namesake.body.user_id).not.toBe(user.id);
    // The old token belongs to the old user, not to the one who has the name now.
    expectProblem(await predict(user.token), 401, 'Unauthorized');
    expect(await recordsOfUser(database, namesake.body.user_id)).toEqual([]);
  });

  test('removes one user and no other', async () => {
    const [user, other] = [await createUser(api, database), await createUser(api, database)];
    await remove(user.id);
    const { username, email } = other;
    expect(await userRow(other.id)).toMatchObject({ username, email, enabled: true });
    expect((await login(other)).status).toBe(200);
  });
});

test('no answer contains a password or a hash', async () => {
  const user = newUser();
  const password = `unmistakable-${randomBytes(8).toString('hex')}`;
  const registered = await register({ ...user, password });
  const id = registered.body.user_id as number;
  const hash = (await userRow(id)).password!;
  const answers = [
    registered,
    await register({ ...user, password }),
    await register({ ...user, password, email: 'no address' }),
    await register({ ...newUser(), password: password.repeat(4) }),
    await register(`{"username":"${user.username}","password":"${password}"`),
    await login({ ...user, password }),
    await login({ ...user, password: `${password}!` }),
    await toggle(id, 0),
    await login({ ...user, password }),
    await toggle(id, 1),
    await call(api, 'GET', '/audit/predictions', { token: admin.token }),
    await remove(id),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    201, 409, 400, 400, 400, 200, 401, 200, 401, 200, 200, 200,
  ]);
  for (const { text, headers } of answers) {
    const everything = text + JSON.stringify([...headers]);
    expect(everything).not.toContain(password);
    expect(everything).not.toContain(hash);
    expect(everything).not.toMatch(/\$2[aby]\$/);
  }
});
