import { connect } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { startApi } from '../support/test-api.js';
import { call, createUser, PATIENT } from '../support/client.js';
import { Samples } from '../support/metrics.js';
import { createTestDatabase } from '../support/test-database.js';
import { claimsOf, signToken } from '../support/tokens.js';
import { expectProblem } from '../support/problems.js';
import { prepareDatabase, prepareService } from '../support/prepared-service.js';

const JWT_SECRET = 'a secret for these tests alone, of 32 bytes or more';
const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const REQUESTS = 'foretell_http_request_duration_seconds_count';

const database = prepareDatabase();

describe('without METRICS_PORT, GET /metrics', () => {
  const { api, user: admin } = prepareService({}, { database, role: 'admin' });

  test('is for admins', async () => {
    const answer = await call(api, 'GET', '/metrics', { token: admin.token });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(PROMETHEUS_TEXT);
    expect(Samples.parse(answer.text).get('foretell_processes')).toBe(1);
  });

  test('is for no one else', async () => {
    expectProblem(await call(api, 'GET', '/metrics'), 401, 'Unauthorized');
    for (const role of ['user', 'analyst'] as const) {
      const { token } = await createUser(api, database, role);
      expectProblem(await call(api, 'GET', '/metrics', { token }), 403, 'Forbidden');
    }
  });
});

describe('with METRICS_PORT', () => {
  const settings = { JWT_SECRET, METRICS_PORT: '0', LOGIN_FAILURES_PER_MINUTE: '2' };
  const { api, user, post } = prepareService(settings, { database });

  /** How much a sample grew meanwhile. */
  async function growth(
    name: string,
    labels: Record<string, string>,
    work: () => Promise<unknown>,
  ): Promise<number> {
    const before = (await Samples.read(api)).get(name, labels) ?? 0;
    await work();
    return ((await Samples.read(api)).get(name, labels) ?? 0) - before;
  }

  test('metrics are there, without a token, and not on the port of the API', async () => {
    const response = await fetch(api.metricsUrl!);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(PROMETHEUS_TEXT);
    const admin = await createUser(api, database, 'admin');
    expect((await call(api, 'GET', '/metrics', { token: admin.token })).status).toBe(404);
  });

  test.each([
    ['GET', '/'],
    ['GET', '/health'],
    ['GET', '/metrics/'],
    ['GET', '/docs'],
    ['POST', '/metrics'],
    ['POST', '/predict'],
  ])('nothing else is on that port: %s %s', async (method, path) => {
    const response = await fetch(new URL(path, api.metricsUrl), { method });
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await response.json()).toMatchObject({ type: 'urn:foretell:error:not-found' });
  });

  test('requests are counted by pattern, method and status, and those without a route together', async () => {
    const route = { method: 'POST', route: '/models/:name/predict', status: '404' };
    expect(
      await growth(REQUESTS, route, async () => {
        for (const model of ['one', 'two']) await post(`/models/mystery-${model}/predict`, PATIENT);
      }),
    ).toBe(2);
    expect(
      await growth(REQUESTS, { route: 'unknown', status: '404' }, async () => {
        for (let number = 0; number < 20; number++) await call(api, 'GET', `/mystery/${number}`);
        await call(api, 'PROPFIND', '/mystery');
      }),
    ).toBe(21);
    const { text } = await Samples.read(api);
    expect(text).not.toContain('mystery');
    expect(text).toContain('method="other",route="unknown"');
  });

  test('tokens in paths, names, addresses and request ids appear nowhere', async () => {
    const headers = { 'x-request-id': 'an-id-of-somebody' };
    await call(api, 'GET', `/token_status/${user.token}`, { headers });
    await post('/predict', PATIENT, headers);
    await call(api, 'POST', '/token', { body: { username: user.username, password: 'wrong' } });
    const { text } = await Samples.read(api);
    for (const told of [user.token, user.username, user.email, 'an-id-of-somebody', '127.0.0.1']) {
      expect(text).not.toContain(told);
    }
    expect(text).toContain('route="/token_status/:token"');
  });

  test('what is not HTTP, and an invalid URL, are counted without a route', async () => {
    const refused = await growth('foretell_http_unreadable_requests_total', { status: '400' }, async () => {
      expect((await call(api, 'GET', '/%zz')).status).toBe(400);
      const { port, hostname } = new URL(api.url);
      const socket = connect(Number(port), hostname).end('this is no HTTP\r\n\r\n').resume();
      await new Promise((resolve) => socket.once('close', resolve));
    });
    expect(refused).toBe(2);
  });

  test('runs and rows are counted by model and version', async () => {
    const of = { model: 'heart-failure', version: '1' };
    const rows = await growth('foretell_inference_batch_rows_sum', of, async () => {
      const answer = await post('/models/heart-failure/predict', { instances: [PATIENT, PATIENT, PATIENT] });
      expect(answer.status, answer.text).toBe(200);
    });
    expect(rows).toBe(3);
    const samples = await Samples.read(api);
    expect(samples.get('foretell_inference_duration_seconds_count', of)).toBeGreaterThan(0);
    expect(samples.get('foretell_model_info', { ...of, alias: 'production', default: 'true' })).toBe(1);
    expect(samples.valuesOf('model')).toEqual(['california-housing', 'heart-failure', 'iris']);
  });

  test('every record is in one commit', async () => {
    const COUNT = 50;
    const records = await growth('foretell_record_commit_records_sum', {}, () =>
      Promise.all(Array.from({ length: COUNT }, () => post('/predict', PATIENT))),
    );
    expect(records).toBe(COUNT);
    const samples = await Samples.read(api);
    expect(samples.get('foretell_record_commit_duration_seconds_count')).toBe(
      samples.get('foretell_record_commit_records_count'),
    );
    expect(samples.get('foretell_record_queue_records')).toBe(0);
    expect(samples.get('foretell_record_queue_limit_records')).toBe(10_000);
    expect(samples.get('foretell_unrecorded_answers_total')).toBe(0);
  });

  describe('refused tokens are counted by reason:', () => {
    const failures = (reason: string, token?: string, headers?: Record<string, string>) =>
      growth('foretell_authentication_failures_total', { reason }, async () => {
        expect((await call(api, 'POST', '/predict', { body: PATIENT, token, headers })).status).toBe(401);
      });
    const sign = async (expiresIn: number, secret = JWT_SECRET, issuer = 'foretell', changes = {}) =>
      signToken({ ...(await claimsOf(database, user.id)), ...changes }, secret, { expiresIn, issuer });

    test('missing', async () => {
      expect(await failures('missing')).toBe(1);
    });
    test('malformed', async () => {
      expect(await failures('malformed', 'no.token.atall')).toBe(1);
      expect(await failures('malformed', undefined, { authorization: 'Bearer' })).toBe(1);
    });
    test('expired', async () => {
      expect(await failures('expired', await sign(-10))).toBe(1);
    });
    test('not ours', async () => {
      expect(await failures('not-ours', await sign(60, 'another secret of 32 bytes or more'))).toBe(1);
      expect(await failures('not-ours', await sign(60, JWT_SECRET, 'somebody'))).toBe(1);
    });
    test('of a user who may not act, whether or not the token was seen before', async () => {
      const { id, token } = await createUser(api, database);
      expect((await call(api, 'POST', '/predict', { body: PATIENT, token })).status).toBe(200);
      const admin = await createUser(api, database, 'admin');
      await call(api, 'PUT', `/toggle-user-permission/${id}/0`, { token: admin.token });
      expect(await failures('disabled', token)).toBe(1);
      const never = await sign(60, JWT_SECRET, 'foretell', { sub: '2000000' });
      expect(await failures('disabled', never)).toBe(1);
    });
    test('of a user whose tokens were revoked', async () => {
      const { id, token } = await createUser(api, database);
      await database.query('UPDATE users SET epoch = epoch + 1 WHERE id = $1', [id]);
      expect(await failures('revoked', token)).toBe(1);
    });
  });

  describe('failed logins are counted by reason:', () => {
    const failures = (reason: string, username: string, password: string, status: number) =>
      growth('foretell_login_failures_total', { reason }, async () => {
        const answer = await call(api, 'POST', '/token', { body: { username, password } });
        expect(answer.status).toBe(status);
      });

    test('unknown user', async () => {
      expect(await failures('unknown-user', 'nobody-of-this-name', 'x', 401)).toBe(1);
    });
    test('wrong password, and then throttled', async () => {
      const { username } = await createUser(api, database);
      expect(await failures('wrong-password', username, 'x', 401)).toBe(1);
      expect(await failures('wrong-password', username, 'x', 401)).toBe(1);
      expect(await failures('throttled', username, 'x', 429)).toBe(1);
    });
    test('disabled', async () => {
      const { id, username, password } = await createUser(api, database);
      await database.query('UPDATE users SET enabled = false WHERE id = $1', [id]);
      expect(await failures('disabled', username, password, 401)).toBe(1);
    });
  });

  test('batches are counted by state, from the start', async () => {
    const samples = await Samples.read(api);
    for (const state of ['queued', 'running', 'succeeded', 'failed', 'cancelled']) {
      expect(samples.get('foretell_batches', { state }), state).toBe(0);
    }
    expect(samples.get('foretell_batch_rows_total')).toBe(0);
  });

  test('a METRICS_PORT that is in use is reported at the start', async () => {
    const { port } = new URL(api.metricsUrl!);
    await expect(startApi({ DATABASE_URL: database.url, METRICS_PORT: port })).rejects.toThrow(
      `METRICS_PORT ${port} on 127.0.0.1 is taken by another program.`,
    );
  });
});

test('while the database is down they are still there, failures included', async () => {
  const away = await createTestDatabase();
  const api = await startApi({ DATABASE_URL: away.url, METRICS_PORT: '0' });
  try {
    const { token } = await createUser(api, away);
    const predicted = async () => (await call(api, 'POST', '/predict', { body: PATIENT, token })).status;
    expect(await predicted()).toBe(200);
    // The account stays cached while its changes are heard: the record is what fails.
    await away.query('ALTER TABLE requests RENAME TO elsewhere');
    expect(await predicted()).toBe(500);
    expect(
      (await Samples.read(api)).get('foretell_record_commit_failures_total', { reason: 'refused' }),
    ).toBe(1);
    await away.shutOut();
    expect(await predicted()).toBe(503);
    // A check of the database is reused for a fifth of a second.
    const samples = await vi.waitFor(async () => {
      const samples = await Samples.read(api);
      expect(samples.get('foretell_ready_processes')).toBe(0);
      return samples;
    });
    expect(samples.get('foretell_processes')).toBe(1);
    expect(samples.get(REQUESTS, { route: '/predict', status: '503' })).toBe(1);
  } finally {
    await api.kill();
    await away.letIn();
  }
});
