import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { afterThisFile } from '../support/after-this-file.js';
import { startApi, type ApiProcess } from '../support/test-api.js';
import { call, createUser, PATIENT, type Answer, type TestUser } from '../support/client.js';
import { expectProblem } from '../support/problems.js';
import { recordsOfRequest, recordsOfUser } from '../support/records.js';
import { Road } from '../support/road.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Far longer than the recovery takes, so that a slow machine does not fail the test. */
const PATIENCE_MS = 20_000;

let database: TestDatabase;
let road: Road;
let api: ApiProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  road = await Road.open(database.url);
  afterThisFile(() => road.close());
  api = await startApi({ DATABASE_URL: road.url });
});

afterEach(async () => {
  // Whatever a failed test left behind.
  await database.letIn();
  road.unblock();
});

const predict = (user: TestUser, headers: Record<string, string> = {}) =>
  call(api, 'POST', '/predict', { body: PATIENT, token: user.token, headers });

function expectUnavailable(answer: Answer): void {
  expectProblem(answer, 503, 'Database unavailable');
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(answer.body.type).toBe('urn:foretell:error:database-unavailable');
  expect(answer.text).not.toMatch(/yhat|postgres|ECONN|127\.0\.0\.1/i);
}

/** Repeats until the status is this one; fails for any other status than 503 on the way. */
async function until(status: number, attempt: () => Promise<Answer>): Promise<Answer> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await attempt();
    if (answer.status === status) return answer;
    expect(answer.status).toBe(503);
    if (Date.now() > deadline) throw new Error(`no ${status} within ${PATIENCE_MS} ms: ${answer.text}`);
    await sleep(50);
  }
}

describe.each<[string, () => Promise<void>, () => Promise<void>]>([
  ['takes no connections', () => database.shutOut(), () => database.letIn()],
  ['cannot be reached', () => road.close(), () => road.reopen()],
])('while the database %s', (_, goAway, comeBack) => {
  test('no route answers 500, and those that need it answer 503 with Retry-After, until it is back', async () => {
    // One user whose account is cached, and one not seen since the account was created.
    const [known, other] = [await createUser(api, database), await createUser(api, database, 'analyst')];
    expect((await predict(known, { 'x-request-id': `before-${known.username}` })).status).toBe(200);
    await goAway();
    try {
      expectUnavailable(await predict(known, { 'x-request-id': `known-${known.username}` }));
      expectUnavailable(await predict(other, { 'x-request-id': `other-${known.username}` }));
      // A refused prediction would have to be recorded as well.
      expectUnavailable(await call(api, 'POST', '/predict', { body: '[]', token: known.token }));
      const scored = await call(api, 'POST', '/invocations', { body: { data: [] }, token: known.token });
      expect([scored.status, scored.body.error_code]).toEqual([503, 'TEMPORARILY_UNAVAILABLE']);
      expect(scored.headers.get('retry-after')).toBe('1');
      for (const path of ['', '/ready']) {
        const told = await call(api, 'GET', `/v2/models/heart-failure/versions/9${path}`, {
          token: known.token,
        });
        expect([told.status, Object.keys(told.body)]).toEqual([503, ['error']]);
      }
      expectUnavailable(await call(api, 'POST', '/token', { body: known }));
      expectUnavailable(
        await call(api, 'POST', '/register-user', { body: { ...known, username: 'somebody-new' } }),
      );
      expectUnavailable(await call(api, 'GET', `/token_status/${other.token}`));
      expectUnavailable(await call(api, 'GET', '/audit/predictions', { token: other.token }));
      // Requests that need no database are answered as usual.
      expect((await call(api, 'POST', '/predict', { body: PATIENT })).status).toBe(401);
      expect((await call(api, 'POST', '/predict', { body: PATIENT, token: 'nonsense' })).status).toBe(401);
      expect((await call(api, 'POST', '/register-user', { body: {} })).status).toBe(400);
    } finally {
      await comeBack();
    }
    await until(200, () => predict(known, { 'x-request-id': `after-${known.username}` }));
    const recorded = (await recordsOfUser(database, known.id)).filter(
      ({ status_code }) => status_code === 200,
    );
    expect(recorded.map(({ request_uuid }) => request_uuid)).toEqual([
      `before-${known.username}`,
      `after-${known.username}`,
    ]);
    expect(await recordsOfRequest(database, `other-${known.username}`)).toEqual([]);
    expect(await database.query(`SELECT FROM users WHERE username = 'somebody-new'`)).toEqual([]);
    expect((await call(api, 'POST', '/token', { body: other })).status).toBe(200);
  });

  test('/health and /readyz answer 503, /health names the database, and /livez stays ok', async () => {
    await goAway();
    try {
      const health = await call(api, 'GET', '/health');
      expect(health.status).toBe(503);
      expect(health.body).toMatchObject({ status: 'failed', checks: { database: 'failed', model: 'ok' } });
      expect((await call(api, 'GET', '/readyz')).status).toBe(503);
      const oip = await call(api, 'GET', '/v2/health/ready');
      expect([oip.status, oip.text]).toEqual([503, '{"ready":false}']);
      expect((await call(api, 'GET', '/v2/health/live')).status).toBe(200);
      expect((await call(api, 'GET', '/livez')).status).toBe(200);
    } finally {
      await comeBack();
    }
    const health = await until(200, () => call(api, 'GET', '/health'));
    expect(health.body).toMatchObject({ status: 'ok', checks: { database: 'ok', model: 'ok' } });
    expect((await call(api, 'GET', '/readyz')).status).toBe(200);
  });

  test('no prediction in flight is answered without its record', async () => {
    const user = await createUser(api, database);
    const answers = new Map<string, number>();
    let isOver = false;
    const caller = async (name: number) => {
      for (let number = 0; !isOver; number++) {
        const requestId = `caller-${name}/${number}`;
        answers.set(requestId, (await predict(user, { 'x-request-id': requestId })).status);
      }
    };
    const callers = Promise.all(Array.from({ length: 16 }, (_, name) => caller(name)));
    const statusesSoFar = () => new Set(answers.values());
    try {
      await until(200, () => predict(user));
      await goAway();
      while (!statusesSoFar().has(503)) await sleep(20);
      await comeBack();
      await until(200, () => predict(user));
    } finally {
      isOver = true;
      await callers;
    }
    expect(statusesSoFar()).toEqual(new Set([200, 503]));
    const counts = await database.query<{ request_uuid: string; responses: number }>(
      `SELECT request_uuid, count(responses.id)::int AS responses
       FROM requests LEFT JOIN responses ON responses.request_id = requests.id
       WHERE user_id = $1 GROUP BY request_uuid`,
      [user.id],
    );
    const recorded = new Map(counts.map(({ request_uuid, responses }) => [request_uuid, responses]));
    for (const [requestId, status] of answers) {
      if (status === 200) expect(recorded.get(requestId), requestId).toBe(1);
    }
  });
});

test('a database that stops answering turns /health to 503; requests made meanwhile are answered later', async () => {
  const user = await createUser(api, database);
  expect((await predict(user)).status).toBe(200);
  road.block();
  const waiting = Promise.all(
    [1, 2, 3].map((number) => predict(user, { 'x-request-id': `silent-${number}` })),
  );
  try {
    // For this long, others who ask get its last answer.
    await sleep(250);
    const health = await call(api, 'GET', '/health');
    expect(health.status).toBe(503);
    expect(health.body.checks).toEqual({ database: 'failed', model: 'ok' });
    expect((await call(api, 'GET', '/livez')).status).toBe(200);
  } finally {
    road.unblock();
  }
  for (const [index, answer] of (await waiting).entries()) {
    // Answered with its record, or not at all.
    if (answer.status !== 200) expectUnavailable(answer);
    else expect(await recordsOfRequest(database, `silent-${index + 1}`)).toHaveLength(1);
  }
  await until(200, () => call(api, 'GET', '/health'));
  expect((await predict(user)).status).toBe(200);
});
