import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import { startApi, startApiForThisTest, type ApiProcess } from '../support/test-api.js';
import { call, createEndedUser, createUser, PATIENT, type Answer } from '../support/client.js';
import { expectProblem, pointersOf } from '../support/problems.js';
import { claimsOf, FORGED, signToken } from '../support/tokens.js';
import { createFolderForThisTest } from '../support/folders.js';
import { prepareService } from '../support/prepared-service.js';

const JWT_SECRET = 'a secret that only this test file knows';

const { database, api } = prepareService({ JWT_SECRET });

type Credentials = Record<string, unknown> & { username: unknown; password: unknown };

const login = (body: Credentials | string, at: { url: string } = api) => call(at, 'POST', '/token', { body });

describe('a token', () => {
  test('is issued with its type and lifetime, and gives access to /predict', async () => {
    const { username, password } = await createUser(api, database);
    const answer = await login({ username, password });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const { token } = answer.body;
    expect(answer.text).toBe(JSON.stringify({ token, expires_in: 3600, token_type: 'Bearer' }));
    const predicted = await call(api, 'POST', '/predict', { body: PATIENT, token });
    expect(predicted.status).toBe(200);
  });

  test('is issued for the username in any case, with other keys ignored', async () => {
    const { id, username, password } = await createUser(api, database);
    for (const body of [
      { username: username.toUpperCase(), password },
      { username, password, email: 'somebody@example.org', role: 'admin', sub: '1' },
      { username, password, email: 42 },
    ]) {
      const answer = await login(body);
      expect(answer.status).toBe(200);
      expect(jwt.decode(answer.body.token)).toMatchObject({ sub: String(id) });
    }
  });

  test('names its user, issuer and audience and is valid for an hour, signed with HS256', async () => {
    const { id, token } = await createUser(api, database);
    const { header, payload } = jwt.verify(token, JWT_SECRET, { complete: true });
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' });
    const claims = payload as jwt.JwtPayload;
    expect(claims).toEqual({
      ...(await claimsOf(database, id)),
      iss: 'foretell',
      aud: 'foretell',
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(claims.exp! - claims.iat!).toBe(3600);
    expect(Math.abs(claims.iat! - Date.now() / 1000)).toBeLessThan(60);
  });
});

describe('no token', () => {
  test('for a wrong password, an unknown user, a disabled user or an over-long password: one and the same 401', async () => {
    const user = await createUser(api, database);
    const disabled = await createEndedUser(api, database, 'disabled');
    const removed = await createEndedUser(api, database, 'removed');
    const answers = [
      await login({ username: user.username, password: 'wrong' }),
      await login({ username: user.username, password: '' }),
      await login({ username: `nobody-${user.username}`, password: user.password }),
      await login({ username: '', password: '' }),
      await login({ username: `${user.username}\0`, password: user.password }),
      await login({ username: disabled.username, password: disabled.password }),
      await login({ username: removed.username, password: removed.password }),
      await login({ username: user.username, password: user.password + 'x'.repeat(73) }),
      await login({ username: user.username, password: `${user.password}\0` }),
    ];
    const bodies = answers.map((answer) => {
      expectProblem(answer, 401, 'Invalid credentials');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      return answer.text.replace(answer.body.request_id, 'the request id');
    });
    expect(new Set(bodies).size).toBe(1);
    // Each request refused above has only its one flaw.
    expect((await login(user as unknown as Credentials)).status).toBe(200);
  });

  test('a password of 72 bytes is compared in full, not by its beginning', async () => {
    const password = 'p'.repeat(72);
    const username = `long-${randomBytes(5).toString('hex')}`;
    const registered = await call(api, 'POST', '/register-user', {
      body: { username, password, email: 'long@example.org' },
    });
    expect(registered.status).toBe(201);
    expect((await login({ username, password })).status).toBe(200);
    expectProblem(await login({ username, password: `${password}x` }), 401, 'Invalid credentials');
  });

  test.each<[string, Credentials | string, string[]]>([
    ['no username', '{"password":"x"}', ['#/username']],
    ['no password', '{"username":"x"}', ['#/password']],
    ['nothing', '', ['#/username', '#/password']],
    ['an array', '[]', ['#/username', '#/password']],
    ['null', 'null', ['#/username', '#/password']],
    ['members of wrong types', { username: ['x'], password: { a: 1 } }, ['#/username', '#/password']],
  ])('for a body with %s: 400 with pointers', async (_, body, pointers) => {
    const answer = await login(body);
    expectProblem(answer, 400, 'Bad request');
    expect(pointersOf(answer)).toEqual(pointers);
  });

  test('for a body that is not JSON: 400', async () => {
    expectProblem(await login('{"username":'), 400, 'Bad request');
  });

  test('an unknown or disabled user is refused no faster than a wrong password', async () => {
    // A hash of this cost takes far longer than everything else in a login, so a skipped hash would show.
    const slow = await startApiForThisTest({ DATABASE_URL: database.url, BCRYPT_COST: '11' });
    const user = await createUser(slow, database);
    const disabled = await createEndedUser(slow, database, 'disabled');
    const fastest = async (body: Credentials) => {
      let best = Infinity;
      for (let attempt = 0; attempt < 3; attempt++) {
        const started = performance.now();
        expect((await login(body, slow)).status).toBe(401);
        best = Math.min(best, performance.now() - started);
      }
      return best;
    };
    const wrongPassword = await fastest({ username: user.username, password: 'wrong' });
    expect(wrongPassword).toBeGreaterThan(20);
    const others: Credentials[] = [
      { username: `nobody-${user.username}`, password: 'wrong' },
      { username: 'x'.repeat(4_000), password: 'wrong' },
      { username: 'no\u200Bbody', password: 'wrong' },
      { username: disabled.username, password: disabled.password },
      { username: user.username, password: 'x'.repeat(100) },
    ];
    for (const body of others) expect(await fastest(body)).toBeGreaterThan(wrongPassword / 3);
  });
});

describe('token_status', () => {
  const status = (token: string) => call(api, 'GET', `/token_status/${token}`);

  test('of a valid token is 200', async () => {
    const { token } = await createUser(api, database);
    const answer = await status(token);
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"message":"Token is valid"}');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test.each([...Object.entries(FORGED), ['is longer than any token', () => 'x'.repeat(8000)] as const])(
    'of a token that %s is 401',
    async (_, forge) => {
      const claims = await claimsOf(database, (await createUser(api, database)).id);
      expect((await status(signToken(claims, JWT_SECRET))).status).toBe(200);
      expectProblem(await status(forge(claims, JWT_SECRET)), 401, 'Invalid token');
    },
  );

  test.each(['disabled', 'removed'] as const)('of a %s user is 401', async (how) => {
    const { token } = await createEndedUser(api, database, how);
    expectProblem(await status(token), 401, 'Invalid token');
  });

  test('is deprecated in the OpenAPI document', async () => {
    const { body } = await call(api, 'GET', '/docs-json');
    expect(body.paths['/token_status/{token}'].get.deprecated).toBe(true);
    expect(body.paths['/token'].post.deprecated).not.toBe(true);
  });
});

describe('failed logins', () => {
  const fail = (username: string) => login({ username, password: 'wrong' });

  test('are throttled after ten in a minute for that username only', async () => {
    const [attacked, other] = [await createUser(api, database), await createUser(api, database)];
    for (let attempt = 0; attempt < 10; attempt++) {
      // A name in another case is the same name.
      const username = attempt % 2 ? attacked.username.toUpperCase() : attacked.username;
      expect((await fail(username)).status).toBe(401);
    }
    for (const body of [
      { username: attacked.username, password: 'wrong' },
      { username: attacked.username.toUpperCase(), password: 'wrong' },
      { username: attacked.username, password: attacked.password },
    ]) {
      const answer = await login(body);
      expectProblem(answer, 429, 'Too many failed logins');
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
      expect(answer.body.token).toBeUndefined();
    }
    expect((await login({ username: other.username, password: other.password })).status).toBe(200);
    // Their existing token still works.
    expect((await call(api, 'POST', '/predict', { body: PATIENT, token: attacked.token })).status).toBe(200);
  });

  test('count when they are made all at once', async () => {
    const { username } = await createUser(api, database);
    const answers = await Promise.all(Array.from({ length: 25 }, () => fail(username)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(15);
  });

  test('for an unknown name are throttled in the same way', async () => {
    const username = `nobody-${randomBytes(5).toString('hex')}`;
    for (let attempt = 0; attempt < 10; attempt++) expect((await fail(username)).status).toBe(401);
    expect((await fail(username)).status).toBe(429);
  });

  test('are forgiven by a success', async () => {
    const { username, password } = await createUser(api, database);
    for (let round = 0; round < 2; round++) {
      for (let attempt = 0; attempt < 9; attempt++) expect((await fail(username)).status).toBe(401);
      expect((await login({ username, password })).status).toBe(200);
    }
  });
});

test('logins beyond the waiting limit are refused with 503 and Retry-After, and predictions go on', async () => {
  const busy = await startApiForThisTest({
    DATABASE_URL: database.url,
    JWT_SECRET,
    BCRYPT_COST: '12',
    TRUST_PROXY: '1',
  });
  const user = await createUser(busy, database);
  const told: Answer[] = [];
  const attempts = Array.from({ length: 400 }, async (_, index) => {
    const headers = { 'x-forwarded-for': `2001:db8:0:${index}::1` };
    const body = { username: `nobody-${index}`, password: 'wrong' };
    told.push(await call(busy, 'POST', '/token', { body, headers }));
  });
  const over = Promise.allSettled(attempts);
  await expect.poll(() => told.filter(({ status }) => status === 503).length).toBeGreaterThan(0);
  for (let number = 0; number < 5; number++) {
    expect((await call(busy, 'POST', '/predict', { body: PATIENT, token: user.token })).status).toBe(200);
  }
  // The ones waiting for their turn would take a while.
  await busy.kill();
  await over;
  for (const answer of told) {
    expect([401, 503]).toContain(answer.status);
    if (answer.status !== 503) continue;
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(answer.body).toMatchObject({ type: 'urn:foretell:error:overloaded', status: 503 });
  }
});

describe('with other settings', () => {
  const settings = {
    JWT_SECRET,
    JWT_TTL_MINUTES: '5',
    JWT_ISSUER: 'https://issuer.example.org',
    JWT_AUDIENCE: 'predictions',
    LOGIN_FAILURES_PER_MINUTE: '2',
  };
  const { api: other } = prepareService(settings, { database });

  test('a token follows JWT_TTL_MINUTES, JWT_ISSUER and JWT_AUDIENCE, and no other service accepts it', async () => {
    const { token } = await createUser(other, database);
    const claims = jwt.verify(token, JWT_SECRET) as jwt.JwtPayload;
    expect(claims).toMatchObject({ iss: 'https://issuer.example.org', aud: 'predictions' });
    expect(claims.exp! - claims.iat!).toBe(300);
    expect((await call(other, 'POST', '/predict', { body: PATIENT, token })).status).toBe(200);
    expect((await call(api, 'POST', '/predict', { body: PATIENT, token })).status).toBe(401);
  });

  test('failed logins follow LOGIN_FAILURES_PER_MINUTE', async () => {
    const { username, password } = await createUser(other, database);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect((await login({ username, password: 'wrong' }, other)).status).toBe(401);
    }
    expect((await login({ username, password }, other)).status).toBe(429);
  });

  test('without a given secret one is made once, readable by its owner only: tokens outlive a restart', async () => {
    const dataDir = createFolderForThisTest();
    const withDataDir = async (work: (at: ApiProcess) => Promise<void>) => {
      const at = await startApi({ DATABASE_URL: database.url, DATA_DIR: dataDir });
      await work(at).finally(() => at.stop());
    };
    const predictAt = async (at: ApiProcess, token: string) =>
      (await call(at, 'POST', '/predict', { body: PATIENT, token })).status;
    let token = '';
    await withDataDir(async (at) => {
      ({ token } = await createUser(at, database));
      expect(await predictAt(at, token)).toBe(200);
    });
    expect(readdirSync(dataDir)).toEqual(['jwt-secret']);
    expect(statSync(join(dataDir, 'jwt-secret')).mode & 0o777).toBe(0o600);
    await withDataDir(async (at) => expect(await predictAt(at, token)).toBe(200));
    // And no one else has the secret.
    expect(await predictAt(api, token)).toBe(401);
  });

  test('a secret that is missing in production, or shorter than 32 bytes, keeps the service from starting', async () => {
    const environments: Record<string, string>[] = [
      { APP_ENV: 'production' },
      { JWT_SECRET: 'x'.repeat(31) },
    ];
    const starting = environments.map((environment) =>
      expect(startApi({ DATABASE_URL: database.url, ...environment })).rejects.toThrow(
        /ended with code 1[^]*JWT_SECRET/,
      ),
    );
    await Promise.all(starting);
  });
});

test('neither token, password nor Authorization header is ever in the log, at its most verbose', async () => {
  const talkative = await startApiForThisTest({ DATABASE_URL: database.url, JWT_SECRET, LOG_LEVEL: 'trace' });
  const user = await createUser(talkative, database);
  const admin = await createUser(talkative, database, 'admin');
  const expired = signToken(await claimsOf(database, user.id), JWT_SECRET, { expiresIn: -1 });
  const wrongPassword = `wrong-${randomBytes(8).toString('hex')}`;
  const nonsense = `nonsense-${randomBytes(8).toString('hex')}`;
  const basic = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
  const get = (path: string) => call(talkative, 'GET', path);
  const predict = (authorization: string, body: object | string = PATIENT) =>
    call(talkative, 'POST', '/predict', { body, headers: { authorization } });

  const answers = [
    await login({ username: user.username, password: wrongPassword }, talkative),
    await login(`{"username":"${user.username}","password":"${user.password}"`, talkative),
    await login({ username: [user.username], password: [user.password] }, talkative),
    await call(talkative, 'POST', '/register-user', { body: user }),
    await call(talkative, 'POST', '/register-user', { body: { ...user, email: '?' } }),
    await get(`/token_status/${user.token}`),
    await get(`/token_status/${user.token}?token=${user.token}`),
    await get(`/token_status/${expired}`),
    await get(`/token_status/${nonsense}`),
    await get(`/token_status/${user.token}/${user.token}`),
    await get(`/nowhere/${user.token}?password=${user.password}`),
    await predict(`Bearer ${user.token}`),
    await predict(user.token),
    await predict(user.token, '{"age":'),
    await predict(expired),
    await predict(nonsense),
    await predict(basic),
    await call(talkative, 'GET', '/audit/predictions', { token: user.token }),
    await call(talkative, 'GET', '/audit/predictions', { token: admin.token }),
    await call(talkative, 'PUT', `/toggle-user-permission/${user.id}/0`, { token: admin.token }),
    await predict(user.token),
    await get(`/token_status/${user.token}`),
    await call(talkative, 'DELETE', `/remove-user/${user.id}`, { token: admin.token }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    401, 400, 400, 409, 400, 200, 200, 401, 401, 404, 404, 200, 200, 400, 401, 401, 401, 403, 200, 200, 401,
    401, 200,
  ]);
  // These two never reach a route.
  expect((await get(`/token_status/${user.token}%zz`)).status).toBe(400);
  expect((await get(`/token_status/${user.token}${'x'.repeat(20_000)}`)).status).toBe(431);
  await talkative.stop();

  const log = talkative.output();
  // It did log these very calls.
  for (const { headers } of answers) {
    expect(log).toContain(headers.get('x-request-id'));
  }
  expect(log).toContain('/token_status/:token');
  const hashes = await database.query<{ password: string }>(
    'SELECT password FROM users WHERE password IS NOT NULL',
  );
  for (const secret of [
    user.token,
    admin.token,
    expired,
    user.token.split('.')[2]!,
    expired.split('.')[2]!,
    user.password,
    encodeURIComponent(user.password),
    admin.password,
    wrongPassword,
    nonsense,
    basic.split(' ')[1]!,
    JWT_SECRET,
    new URL(database.url).password,
    ...hashes.map(({ password }) => password),
  ]) {
    expect(secret.length).toBeGreaterThan(8);
    expect(log).not.toContain(secret);
  }
});
