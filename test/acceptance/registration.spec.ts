import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { call, createUser, somebody, type Answer } from '../support/client.js';
import { prepareDatabase } from '../support/prepared-service.js';
import { startApi, type ApiProcess } from '../support/test-api.js';

const JWT_SECRET = 'a secret that only this test file knows';

const database = prepareDatabase();

async function withApi(environment: Record<string, string>, work: (api: ApiProcess) => Promise<void>) {
  const api = await startApi({ DATABASE_URL: database.url, JWT_SECRET, ...environment });
  await work(api).finally(() => api.kill());
}

async function users(): Promise<number> {
  const [row] = await database.query<{ count: number }>('SELECT count(*)::int FROM users');
  return row!.count;
}

describe.each<[string, Record<string, string>]>([
  ['in production', { APP_ENV: 'production' }],
  ['if configured so', { REGISTRATION: 'closed' }],
])('registration is closed %s', (_, environment) => {
  test('it answers 403 to everyone, creates no user, and existing users log in as usual', async () => {
    const user = somebody();
    await withApi({}, async (open) => {
      expect((await call(open, 'POST', '/register-user', { body: user })).status).toBe(201);
    });
    const before = await users();
    await withApi(environment, async (api) => {
      const bodies = [somebody(), user, {}, { ...somebody(), password: 'x'.repeat(100) }];
      for (const body of bodies) {
        const answer = await call(api, 'POST', '/register-user', { body });
        expect(answer.status).toBe(403);
        expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
        expect(answer.body).toMatchObject({
          type: 'urn:foretell:error:registration-closed',
          title: 'Registration closed',
          message: 'Registration closed',
          detail: expect.stringMatching(/admin/),
        });
        expect(answer.body).not.toHaveProperty('user_id');
      }
      expect((await call(api, 'POST', '/token', { body: user })).status).toBe(200);
    });
    expect(await users()).toBe(before);
  });

  test('it can be opened', async () => {
    await withApi({ ...environment, REGISTRATION: 'open' }, async (api) => {
      expect((await call(api, 'POST', '/register-user', { body: somebody() })).status).toBe(201);
    });
  });
});

test('the API document describes registration even if it is closed', async () => {
  await withApi({ REGISTRATION: 'closed' }, async (api) => {
    const { body } = await call(api, 'GET', '/docs-json');
    expect(Object.keys(body.paths['/register-user'].post.responses).toSorted()).toEqual(
      ['201', '400', '403', '409', '413', '415', '429', '503'].toSorted(),
    );
  });
});

describe('registrations from one address', () => {
  test('are limited per minute, whatever their result; logins go on', async () => {
    await withApi({ REGISTRATIONS_PER_MINUTE: '5' }, async (api) => {
      const user = somebody();
      const answers: Answer[] = [];
      for (const body of [
        user,
        user,
        {},
        somebody(),
        { ...somebody(), email: 'x' },
        somebody(),
        somebody(),
      ]) {
        answers.push(await call(api, 'POST', '/register-user', { body }));
      }
      expect(answers.map(({ status }) => status)).toEqual([201, 409, 400, 201, 400, 429, 429]);
      const { headers, body } = answers.at(-1)!;
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
      expect(body).toMatchObject({
        type: 'urn:foretell:error:too-many-registrations',
        title: 'Too many registrations',
      });
      expect((await call(api, 'POST', '/token', { body: user })).status).toBe(200);
    });
  });

  test('are counted for each address, and an IPv6 network counts as one', async () => {
    await withApi({ REGISTRATIONS_PER_MINUTE: '1', TRUST_PROXY: '1' }, async (api) => {
      const from = async (address: string) => {
        const headers = { 'x-forwarded-for': address };
        return (await call(api, 'POST', '/register-user', { body: somebody(), headers })).status;
      };
      expect(await from('192.0.2.1')).toBe(201);
      expect(await from('192.0.2.1')).toBe(429);
      expect(await from('192.0.2.2')).toBe(201);
      expect(await from('2001:db8::1')).toBe(201);
      expect(await from('2001:db8::2')).toBe(429);
    });
  });
});

// 48 hashes at the cost of production take a while if other work shares the cores.
test('a flood of registrations starves no login', async () => {
  // Hashing costs as much as in production, and the flood comes from many addresses.
  const environment = { BCRYPT_COST: '12', TRUST_PROXY: '1', REGISTRATIONS_PER_MINUTE: '10000' };
  await withApi(environment, async (api) => {
    const user = await createUser(api, database);
    let isOver = false;
    const told: number[] = [];
    const flood = async (connection: number) => {
      while (!isOver) {
        const headers = { 'x-forwarded-for': `192.0.2.${connection}` };
        const status = await post(api, '/register-user', somebody(), headers);
        told.push(status);
        if (status === 0) return;
      }
    };
    const flooding = Array.from({ length: 60 }, (_, connection) => flood(connection));
    await expect.poll(() => told.length).toBeGreaterThan(200);
    const logins: number[] = [];
    for (let login = 0; login < 24; login++) {
      logins.push(await post(api, '/token', { username: user.username, password: user.password }));
      await sleep(20);
    }
    // Registrations went on meanwhile.
    const registered = told.filter((status) => status === 201).length;
    isOver = true;
    await api.kill();
    await Promise.all(flooding);
    expect(logins).toEqual(Array<number>(24).fill(200));
    expect(registered).toBeGreaterThan(5);
    expect(new Set(told)).toEqual(new Set([201, 503, 0].filter((status) => told.includes(status))));
    expect(told).toContain(503);
  });
}, 240_000);

/** @returns the status; 0 if the service is gone */
const post = (api: ApiProcess, path: string, body: object, headers?: Record<string, string>) =>
  call(api, 'POST', path, { body, headers }).then(
    ({ status }) => status,
    () => 0,
  );
